// See router.h. Paths are compared in their judged form (path.h): "/a%62" is "/ab" by then, "/%C3%A9" stays. What a
// parameter matched is decoded when it is asked for.
#include "routing/router.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "routing/path.h"

namespace martlet::routing {

namespace {

template <typename Word>
uint64_t load(const char* p) noexcept {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

constexpr size_t kShort = 16;  // bytes that a key holds all of
constexpr uint64_t kMix = 0x9E3779B97F4A7C15u;

size_t depth_of(std::string_view written) {
  return static_cast<size_t>(std::count(written.begin(), written.end(), '/')) - written.ends_with('/');
}

// What is left to write of a pattern with an optional parameter, where its longer form is taken, or its shorter one.
std::string_view other_half(std::string_view written, bool longer_is_taken) {
  return written.substr(0, longer_is_taken ? std::max<size_t>(written.rfind('/'), 1) : written.size() - 1);
}

// The sentence for a pattern that takes the same paths as an earlier one of this method.
Error conflict(const Pattern& pattern, std::string_view first, uint8_t method) {
  const std::string_view name = method == kAnyMethod ? "all" : proto::method_name(static_cast<proto::Method>(method));
  std::string_view what = "\" takes the same paths and was registered first: write \"";
  std::string_view instead;
  std::string_view rest = "\"";
  const bool same_depth = depth_of(pattern.written) == depth_of(first);
  if (pattern.optional && !first.ends_with('?')) {
    instead = other_half(pattern.written, same_depth);
  } else if (first.ends_with('?') && !pattern.optional) {
    instead = other_half(first, same_depth);
    rest = "\" there";
  } else {
    what = "\" takes the same paths and was registered first: write one route with both handlers";
    rest = pattern.params.empty() ? "" : ", or a narrower one (:name<int>)";
  }
  return Error::of({name, " \"", first, what, instead, rest});
}

}  // namespace

RouteTree::RouteTree() : edges_(8), mask_(7), shift_(61), nodes_(kRoot + 1), targets_(1) {}

RouteTree::Key RouteTree::key_of(uint32_t from, std::string_view text) noexcept {
  const char* p = text.data();
  const size_t size = text.size();
  const uint64_t last = uint64_t{from} << 32 | size;
  if (size >= 8) return {load<uint64_t>(p), load<uint64_t>(p + size - 8), last};
  if (size >= 4) return {load<uint32_t>(p), load<uint32_t>(p + size - 4), last};
  if (size == 0) return {0, 0, last};
  return {load<uint8_t>(p), load<uint8_t>(p + size / 2) << 8 | load<uint8_t>(p + size - 1), last};
}

// Its uppermost bits are those that all others have gone into. Of a short text, only the key is looked at.
uint64_t RouteTree::hash_of(const Key& key, uint32_t from, const char* text, size_t size) noexcept {
  uint64_t mixed = (key.first ^ size) * kMix ^ key.last * 0xC2B2AE3D27D4EB4Fu ^ from * 0xD6E8FEB86659FD93u;
  // Routes often begin and end alike: all of a longer text counts.
  for (size_t at = 8; at + 8 < size; at += 8) {
    mixed = (mixed ^ load<uint64_t>(text + at)) * kMix;
    mixed ^= mixed >> 32;
  }
  return mixed;
}

[[gnu::always_inline]] inline uint32_t RouteTree::find_edge_inline(uint32_t from, std::string_view text) const noexcept {
  const Key key = key_of(from, text);
  const Edge* const edges = edges_.data();
  const size_t mask = mask_;
  for (size_t at = hash_of(key, from, text.data(), text.size()) >> shift_; edges[at].to; at = (at + 1) & mask) {
    if (edges[at].key != key) continue;
    if (text.size() <= kShort || std::memcmp(texts_.data() + edges[at].text_at, text.data(), text.size()) == 0) return edges[at].to;
  }
  return 0;
}

uint32_t RouteTree::find_edge(uint32_t from, std::string_view text) const noexcept { return find_edge_inline(from, text); }

void RouteTree::put_edge(const Edge& edge) {
  const auto from = static_cast<uint32_t>(edge.key.from_and_size >> 32);
  const auto size = static_cast<uint32_t>(edge.key.from_and_size);
  size_t at = hash_of(edge.key, from, texts_.data() + edge.text_at, size) >> shift_;
  while (edges_[at].to) at = (at + 1) & mask_;
  edges_[at] = edge;
}

void RouteTree::grow_edges() {
  std::vector<Edge> old(edges_.size() * 2);
  old.swap(edges_);
  mask_ = edges_.size() - 1;
  shift_--;
  for (const Edge& edge : old) {
    if (edge.to) put_edge(edge);
  }
}

uint32_t RouteTree::add_node() {
  nodes_.emplace_back();
  return static_cast<uint32_t>(nodes_.size() - 1);
}

// The node that an edge leads to; where there is none, one is made, to this node or to a new one.
uint32_t RouteTree::make_edge(uint32_t from, std::string_view text, uint32_t to) {
  if (const uint32_t there = find_edge(from, text)) return there;
  if ((edge_count_ + 1) * 2 > edges_.size()) grow_edges();
  edge_count_++;
  nodes_[from].has_edges = true;
  const Edge edge{key_of(from, text), to ? to : add_node(), static_cast<uint32_t>(texts_.size())};
  if (text.size() > kShort) texts_ += text;
  put_edge(edge);
  return edge.to;
}

// Those with a constraint stand in order, the one without it behind them.
uint32_t RouteTree::make_param(uint32_t from, const Constraint* constraint) {
  uint32_t before = 0;
  uint32_t next = nodes_[from].params;
  for (; next; before = next, next = nodes_[next].next) {
    if (nodes_[next].constraint == constraint) return next;
    if (!nodes_[next].constraint) break;
  }
  const uint32_t made = add_node();
  nodes_[made].constraint = constraint;
  nodes_[made].next = next;
  (before ? nodes_[before].next : nodes_[from].params) = made;
  return made;
}

RouteTree::End RouteTree::make_plain_end(std::string_view path) {
  const uint32_t node = make_edge(kWholePaths, path, 0);
  if (path.size() > 1 && path.ends_with('/')) make_edge(kCutPaths, path.substr(0, path.size() - 1), node);
  return {node, false};
}

// The end of a pattern's first segments; with other_slash, of them with a slash more at the end, or without the one there.
RouteTree::End RouteTree::make_end(const Pattern& pattern, size_t count, bool other_slash) {
  const auto all = pattern.segments().first(count);
  const bool is_plain = std::all_of(all.begin(), all.end(), [](const Pattern::Segment& s) { return s.kind == Pattern::Kind::text; });
  const bool ends_in_slash = count > 0 && all.back().kind == Pattern::Kind::text && all.back().size == 0;
  if (is_plain) {
    std::string path = count ? pattern.text.substr(0, all.back().at + all.back().size) : "/";
    if (other_slash && ends_in_slash) path.pop_back();
    else if (other_slash) path += '/';
    return make_plain_end(path);
  }
  uint32_t node = kRoot;
  for (const Pattern::Segment& segment : all.first(count - (other_slash && ends_in_slash))) {
    if (segment.kind == Pattern::Kind::wildcard) return {node, true};
    node = segment.kind == Pattern::Kind::param ? make_param(node, segment.constraint) : make_edge(node, pattern.text_of(segment), 0);
  }
  return {other_slash && !ends_in_slash ? make_edge(node, "", 0) : node, false};
}

// All the forms that a pattern has; at most four.
size_t RouteTree::make_ends(const Pattern& pattern, End (&ends)[4]) {
  const auto segments = pattern.segments();
  size_t count = 0;
  if (segments.empty()) {
    ends[count++] = make_plain_end(pattern.text);
    return count;
  }
  for (size_t size = segments.size(), forms = pattern.optional ? 2 : 1; forms > 0; size--, forms--) {
    const End end = ends[count++] = make_end(pattern, size, false);
    const bool is_top = size == 0 || (size == 1 && pattern.text == "/" && segments[0].kind == Pattern::Kind::text);
    if (ignores_slash_ && !is_top && !end.is_wildcard) ends[count++] = make_end(pattern, size, true);
  }
  return count;
}

// The pattern of the route of this method that ends there; nothing: there is none.
std::string_view RouteTree::find_rival(End end, uint8_t method) noexcept {
  uint32_t t = first_target(end);
  while (t && targets_[t].method != method) t = targets_[t].next;
  if (!t) return {};
  const uint32_t number = targets_[t].number;
  while (targets_[t].number != number || !targets_[t].written_size) t--;  // its first form came first
  return written(targets_[t]);
}

Error RouteTree::add(const Pattern& pattern, uint8_t method, uint32_t number) {
  End ends[4];
  const size_t forms = make_ends(pattern, ends);
  for (size_t i = 0; i < forms; i++) {
    if (const std::string_view first = find_rival(ends[i], method); !first.empty()) return conflict(pattern, first, method);
  }
  const bool has_name = ends[0].is_wildcard && !pattern.written.ends_with('*');
  for (size_t i = 0; i < forms; i++) {
    uint32_t* last = &first_target(ends[i]);
    while (*last) last = &targets_[*last].next;
    *last = static_cast<uint32_t>(targets_.size());
    const auto size = static_cast<uint32_t>(i == 0 ? pattern.written.size() : 0);
    targets_.push_back({number, 0, static_cast<uint32_t>(texts_.size()), size, method, static_cast<uint8_t>(has_name ? 2 : 1)});
  }
  texts_ += pattern.written;
  return {};
}

// Looks a method up in a chain of targets; 0: none takes it.
inline uint32_t RouteTree::pick(uint32_t first, proto::Method method) const noexcept {
  const Target* const targets = targets_.data();
  uint32_t t = first;
  for (; t; t = targets[t].next) {
    if (targets[t].method == static_cast<uint8_t>(method)) break;
    if (targets[t].method == kAnyMethod && method != proto::Method::head) break;
  }
  return t;
}

bool RouteTree::find_plain(std::string_view path, proto::Method method, Match& match) const noexcept {
  match.param_count = 0;
  const uint32_t node = find_edge_inline(kWholePaths, path);
  const uint32_t target = node ? pick(nodes_[node].targets, method) : 0;
  match.route = target ? targets_[target].number : kNotFound;
  return target != 0;
}

// What a walk is for.
struct RouteTree::Walk {
  proto::Method method;
  bool collects = false;   // the methods of all patterns, instead of the first route that takes the method
  bool with_slash = false;  // of the path with a slash behind it, which is an empty segment
  uint32_t methods = 0;
};

// Of the patterns that end at a place. A wildcard's text; answers whether the walk is over.
inline bool RouteTree::take(uint32_t first, std::string_view text, Match& match, Walk& what) const noexcept {
  if (what.collects) {
    what.methods |= methods_in(first);
    return false;
  }
  const uint32_t target = pick(first, what.method);
  if (!target) return false;
  match.route = targets_[target].number;
  for (uint8_t i = 0; text.data() && i < targets_[target].names; i++) match.values[match.param_count++] = {text.data(), text.size()};
  return true;
}

// Where the path ends.
inline bool RouteTree::end(uint32_t node, std::string_view rest, Match& match, Walk& what) const noexcept {
  const uint32_t last = what.with_slash ? find_edge(node, "") : node;
  if (take(nodes_[last].targets, {}, match, what)) return true;
  if (ignores_slash_ && take(nodes_[last].wildcards, rest, match, what)) return true;
  return what.with_slash && take(nodes_[node].wildcards, rest, match, what);
}

// Answers whether it is over. Where it is not, what stands in the match's values is of no matter.
bool RouteTree::walk(uint32_t at, std::string_view rest, Match& match, Walk& what) const noexcept {
  const Node* const nodes = nodes_.data();
  while (!rest.empty()) {
    const Node& node = nodes[at];
    const uint8_t count = match.param_count;
    std::string_view after = rest;
    const std::string_view segment = cut_segment(after);
    // The last way on is gone without coming back.
    uint32_t next = node.has_edges ? find_edge_inline(at, segment) : 0;
    uint32_t param = segment.empty() ? 0 : node.params;
    if (next && (param || node.wildcards)) {
      if (walk(next, after, match, what)) return true;
      match.param_count = count;
      next = 0;
    }
    for (; param && !next; param = nodes[param].next) {
      if (nodes[param].constraint && !nodes[param].constraint->holds(segment)) continue;
      match.values[match.param_count++] = {segment.data(), segment.size()};
      if (!nodes[param].next && !node.wildcards) {
        next = param;
        break;
      }
      if (walk(param, after, match, what)) return true;
      match.param_count = count;
    }
    if (!next) return node.wildcards && take(node.wildcards, rest.substr(1), match, what);
    at = next;
    rest = after;
  }
  return end(at, rest, match, what);
}

void RouteTree::find_variable(std::string_view path, proto::Method method, Match& match) const noexcept {
  Walk picking{method};
  if (!path.starts_with('/') || !walk(kRoot, path, match, picking)) match.route = kNotFound;
}

void RouteTree::find_one(std::string_view path, proto::Method method, Match& match) const noexcept {
  if (!find_plain(path, method, match)) find_variable(path, method, match);
}

void RouteTree::find(std::string_view path, proto::Method method, Match& match) const noexcept {
  find_one(path, method, match);
  if (method == proto::Method::head && match.route == kNotFound) find_one(path, proto::Method::get, match);
}

uint32_t RouteTree::methods_in(uint32_t first) const noexcept {
  uint32_t methods = 0;
  for (uint32_t t = first; t; t = targets_[t].next) {
    methods |= targets_[t].method == kAnyMethod ? ~uint32_t{0} : uint32_t{1} << targets_[t].method;
  }
  return methods;
}

uint32_t RouteTree::methods_of(std::string_view path) const noexcept {
  Match match;
  Walk all{proto::Method::other, true};
  if (path.starts_with('/')) walk(kRoot, path, match, all);
  return all.methods | methods_in(nodes_[find_edge(kWholePaths, path)].targets);
}

// Whether a path that does not end in a slash would be found if it did.
bool RouteTree::finds_with_slash(std::string_view path, proto::Method method) const noexcept {
  if (pick(nodes_[find_edge(kCutPaths, path)].targets, method)) return true;
  Match match;
  Walk picking{method, false, true};
  return walk(kRoot, path, match, picking);
}

bool RouteTree::finds_other_slash(std::string_view path, proto::Method method) const noexcept {
  if (!path.starts_with('/') || path.size() == 1 || path[1] == '/' || path[1] == '\\') return false;
  if (path.ends_with('/')) {
    Match match;
    find(path.substr(0, path.size() - 1), method, match);
    return match.route != kNotFound;
  }
  return finds_with_slash(path, method) || (method == proto::Method::head && finds_with_slash(path, proto::Method::get));
}

}  // namespace martlet::routing
