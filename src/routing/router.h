// Which route a path belongs to: a tree of the segments of patterns (pattern.h), and the routes without parameters by their
// whole path. Both are one hash table: an edge is found by its node and its text, however many there are.
//
// Segment by segment, texts win over parameters with a constraint, those (in the order of their registration) over other
// parameters, and these over the wildcard; where a segment further down does not match, the next best is tried. Of routes for
// the same paths, which have different methods, the first registered that takes the method wins.
//
// Built before listen(), read-only afterwards; a lookup allocates nothing. What it costs is bounded by the patterns, whatever
// the path is: each node stands at one depth below one parent, so a walk sees it, cuts one segment for it and asks its
// constraints at most once; and it turns back only where patterns differ in what follows.
#pragma once

#include <martlet/error.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http_parser.h"
#include "routing/pattern.h"

namespace martlet::routing {

inline constexpr uint8_t kAnyMethod = 0xff;

class RouteTree {
 public:
  static constexpr uint32_t kNotFound = UINT32_MAX;
  static constexpr size_t kMaxParams = Pattern::kMaxParams;

  struct Match {
    uint32_t route = kNotFound;
    uint8_t param_count = 0;
    // Still encoded, in the order of the pattern's params, of which an optional one may be missing at the end. Only the first
    // param_count are set.
    struct Value {
      const char* data;
      size_t size;
    } values[kMaxParams];
  };

  RouteTree();

  // From now on, a slash at the end of a path or a pattern makes no difference: "/a" takes "/a/" and the other way round.
  // Before the first add().
  void ignore_trailing_slash() noexcept { ignores_slash_ = true; }

  // Adds a route by number. The pattern must be good. An Error says that another route of this method takes the same paths,
  // which one, and what to write; then nothing is added.
  Error add(const Pattern& pattern, uint8_t method, uint32_t number);
  // Calls visit(uint8_t method, std::string_view pattern, uint32_t number) for what was added, in order; the pattern as written.
  template <typename F>
  void each_route(F visit) const {
    for (const Target& target : targets_) {
      if (target.written_size) visit(target.method, written(target), target.number);
    }
  }

  // Finds the route of this path, which is judged, that takes this method. HEAD goes to a route of its own, else where GET
  // goes.
  void find(std::string_view path, proto::Method method, Match& match) const noexcept;
  // The first half of it: the routes without parameters. False: not among them.
  bool find_plain(std::string_view path, proto::Method method, Match& match) const noexcept;
  // The second half, for methods other than HEAD.
  void find_variable(std::string_view path, proto::Method method, Match& match) const noexcept;

  // Which methods the routes of this path take: a bit for each, by number; all of them where a route takes any.
  uint32_t methods_of(std::string_view path) const noexcept;

  // For a path that find() has not found: whether find() would find it with a slash more at its end, or without the one that
  // is there. Never of a path that begins with two slashes, or what is taken for them: a Location of that is another host's.
  bool finds_other_slash(std::string_view path, proto::Method method) const noexcept;

 private:
  // Numbers of nodes. 0 stands for none, too: no edge leads there.
  static constexpr uint32_t kWholePaths = 0;  // above the nodes of routes without parameters, edges being whole paths,
  static constexpr uint32_t kCutPaths = 1;    // and, of those that end in a slash, the paths without it
  static constexpr uint32_t kRoot = 2;

  struct Node {
    const Constraint* constraint = nullptr;  // of a parameter
    // Chains of nodes and of targets, 0 at the end.
    uint32_t params = 0;     // the first one below it
    uint32_t next = 0;       // of a parameter: the next one beside it
    uint32_t targets = 0;    // patterns that end here
    uint32_t wildcards = 0;  // patterns that end in "*" here
    bool has_edges = false;
  };
  struct Target {
    uint32_t number = 0;
    uint32_t next = 0;
    uint32_t written_at = 0, written_size = 0;  // in texts_; of a route's first form only
    uint8_t method = 0;
    uint8_t names = 0;  // of a wildcard: how many names its text has
  };
  // A text's first and last bytes, in two words that overlap (all of it up to 16 bytes), its size, and the node it leads on
  // from. Longer texts are in texts_, too.
  struct Key {
    uint64_t first;
    uint64_t last;
    uint64_t from_and_size;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Edge {
    Key key{};
    uint32_t to = 0;  // none
    uint32_t text_at = 0;
  };
  // Where a form of a pattern ends.
  struct End {
    uint32_t node = 0;
    bool is_wildcard = false;
  };

  static Key key_of(uint32_t from, std::string_view text) noexcept;
  static uint64_t hash_of(const Key& key, uint32_t from, const char* text, size_t size) noexcept;
  uint32_t find_edge_inline(uint32_t from, std::string_view text) const noexcept;
  [[gnu::noinline]] uint32_t find_edge(uint32_t from, std::string_view text) const noexcept;
  uint32_t make_edge(uint32_t from, std::string_view text, uint32_t to);
  [[gnu::noinline]] void put_edge(const Edge& edge);
  void grow_edges();
  uint32_t make_param(uint32_t from, const Constraint* constraint);
  uint32_t add_node();

  End make_end(const Pattern& pattern, size_t count, bool other_slash);
  End make_plain_end(std::string_view path);
  size_t make_ends(const Pattern& pattern, End (&ends)[4]);
  uint32_t& first_target(End end) noexcept { return end.is_wildcard ? nodes_[end.node].wildcards : nodes_[end.node].targets; }
  std::string_view written(const Target& target) const noexcept {
    return std::string_view(texts_).substr(target.written_at, target.written_size);
  }
  std::string_view find_rival(End end, uint8_t method) noexcept;

  uint32_t pick(uint32_t first, proto::Method method) const noexcept;
  void find_one(std::string_view path, proto::Method method, Match& match) const noexcept;
  bool finds_with_slash(std::string_view path, proto::Method method) const noexcept;
  uint32_t methods_in(uint32_t first) const noexcept;
  struct Walk;
  bool walk(uint32_t at, std::string_view rest, Match& match, Walk& what) const noexcept;
  bool end(uint32_t node, std::string_view rest, Match& match, Walk& what) const noexcept;
  bool take(uint32_t first, std::string_view text, Match& match, Walk& what) const noexcept;

  std::vector<Edge> edges_;  // open addressing, a power of two
  size_t mask_;   // its size - 1,
  int shift_;     // and 64 less the bits of that
  size_t edge_count_ = 0;
  std::vector<Node> nodes_;
  std::vector<Target> targets_;
  std::string texts_;
  bool ignores_slash_ = false;
};

}  // namespace martlet::routing
