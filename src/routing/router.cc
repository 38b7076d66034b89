// See router.h. Paths are compared in their judged form (path.h): "/a%62" is "/ab" by then, "/%C3%A9" stays. What a
// parameter matched is decoded when it is asked for.
#include "routing/router.h"

#include <cstring>

#include "routing/path.h"

namespace martlet::routing {

namespace {

template <typename Word>
uint64_t load(const char* p) noexcept {
  Word word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

}  // namespace

const char* Pattern::parse(std::string_view text, Pattern& pattern) {
  if (text == "*") {  // of OPTIONS * (RFC 9112 §3.2.4)
    pattern = {"*", {}};
    return nullptr;
  }
  if (text.empty() || text[0] != '/') return "a path begins with '/'";
  if (const char* wrong = judge_pattern(text, pattern.text)) return wrong;
  pattern.params.clear();
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view segment = cut_segment(rest);
    if (segment == "*") {
      if (!rest.empty()) return "'*' stands at the end of a path only";
      pattern.params.emplace_back("*");
    } else if (!segment.empty() && segment[0] == ':') {
      if (segment.size() == 1) return "a parameter needs a name";
      for (const std::string& name : pattern.params) {
        if (name == segment.substr(1)) return "a parameter's name stands twice in a path";
      }
      pattern.params.emplace_back(segment.substr(1));
    }
  }
  return pattern.params.size() > Router::kMaxParams ? "a path has at most 16 parameters" : nullptr;
}

Router::Router() : root_(std::make_unique<Node>()), asterisk_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::add(const Pattern& pattern, uint8_t method, uint32_t route) {
  const bool asterisk = pattern.text == "*";
  Node* node = asterisk ? asterisk_.get() : root_.get();
  std::string_view rest = asterisk ? std::string_view() : pattern.text;
  while (!rest.empty()) {
    const std::string_view segment = cut_segment(rest);
    if (segment == "*") return node->wildcards.push_back({method, route});
    std::unique_ptr<Node>* child = nullptr;
    if (!segment.empty() && segment[0] == ':') {
      child = &node->param;
    } else {
      for (auto& [name, next] : node->statics) {
        if (name == segment) child = &next;
      }
      if (!child) child = &node->statics.emplace_back(segment, nullptr).second;
    }
    if (!*child) *child = std::make_unique<Node>();
    node = child->get();
  }
  node->targets.push_back({method, route});
  if (pattern.params.empty() && !find_static(pattern.text)) add_static(pattern.text, node);
}

Router::PathKey Router::key_of(std::string_view path) noexcept {
  const char* p = path.data();
  const size_t size = path.size();
  if (size >= 8) return {load<uint64_t>(p), load<uint64_t>(p + size - 8), size};
  if (size >= 4) return {load<uint32_t>(p), load<uint32_t>(p + size - 4), size};
  if (size == 0) return {0, 0, 0};
  return {load<uint8_t>(p), load<uint8_t>(p + size / 2) << 8 | load<uint8_t>(p + size - 1), size};
}

size_t Router::hash_of(const PathKey& key) noexcept {
  const uint64_t mixed = (key.first ^ key.size) * 0x9E3779B97F4A7C15u ^ key.last * 0xC2B2AE3D27D4EB4Fu;
  return static_cast<size_t>(mixed ^ mixed >> 32);
}

void Router::add_static(std::string_view path, const Node* node) {
  if ((statics_ + 1) * 2 > table_.size()) {
    std::vector<StaticEntry> old(table_.empty() ? 16 : table_.size() * 2);
    old.swap(table_);
    statics_ = 0;
    for (StaticEntry& entry : old) {
      if (entry.node) add_static(entry.path, entry.node);
    }
  }
  const PathKey key = key_of(path);
  size_t at = hash_of(key) & (table_.size() - 1);
  while (table_[at].node) at = (at + 1) & (table_.size() - 1);
  table_[at] = {key, node, std::string(path)};
  statics_++;
}

const Router::Node* Router::find_static(std::string_view path) const noexcept {
  if (table_.empty()) return nullptr;
  const PathKey key = key_of(path);
  const StaticEntry* table = table_.data();
  const size_t mask = table_.size() - 1;
  for (size_t at = hash_of(key) & mask; table[at].node; at = (at + 1) & mask) {
    if (table[at].key == key && (key.size <= 16 || table[at].path == path)) return table[at].node;
  }
  return nullptr;
}

uint32_t Router::pick(const std::vector<Target>& targets, proto::Method method) noexcept {
  for (const Target& target : targets) {
    const bool any = target.method == kAnyMethod && method != proto::Method::head;
    if (target.method == static_cast<uint8_t>(method) || any) return target.route;
  }
  return kNotFound;
}

bool Router::find_plain(std::string_view path, proto::Method method, Match& match) const noexcept {
  match.param_count = 0;
  const Node* node = find_static(path);
  match.route = node ? pick(node->targets, method) : kNotFound;
  return match.route != kNotFound;
}

void Router::find(std::string_view path, proto::Method method, Match& match) const noexcept {
  find_one(path, method, match);
  if (method == proto::Method::head && match.route == kNotFound) find_one(path, proto::Method::get, match);
}

void Router::find_one(std::string_view path, proto::Method method, Match& match) const noexcept {
  if (!find_plain(path, method, match)) find_variable(path, method, match);
}

bool Router::walk(const Node& node, std::string_view rest, proto::Method method, Match& match) const noexcept {
  if (rest.empty()) {
    match.route = pick(node.targets, method);
    return match.route != kNotFound;
  }
  std::string_view after = rest;
  const std::string_view segment = cut_segment(after);
  for (const auto& [name, next] : node.statics) {
    if (name == segment && walk(*next, after, method, match)) return true;
  }
  if (node.param && !segment.empty()) {
    match.values[match.param_count++] = {segment.data(), segment.size()};
    if (walk(*node.param, after, method, match)) return true;
    match.param_count--;
  }
  match.route = pick(node.wildcards, method);
  if (match.route == kNotFound) return false;
  match.values[match.param_count++] = {rest.data() + 1, rest.size() - 1};
  return true;
}

uint32_t Router::methods_in(const std::vector<Target>& targets) noexcept {
  uint32_t methods = 0;
  for (const Target& target : targets) methods |= target.method == kAnyMethod ? ~uint32_t{0} : uint32_t{1} << target.method;
  return methods;
}

uint32_t Router::methods_of(std::string_view path) const noexcept {
  if (path == "*") return methods_in(asterisk_->targets);
  return path.empty() || path[0] != '/' ? 0 : methods_below(*root_, path);
}

uint32_t Router::methods_below(const Node& node, std::string_view rest) noexcept {
  if (rest.empty()) return methods_in(node.targets);
  uint32_t methods = methods_in(node.wildcards);
  const std::string_view segment = cut_segment(rest);
  for (const auto& [name, next] : node.statics) {
    if (name == segment) methods |= methods_below(*next, rest);
  }
  if (node.param && !segment.empty()) methods |= methods_below(*node.param, rest);
  return methods;
}

}  // namespace martlet::routing
