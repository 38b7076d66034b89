// Which route a path belongs to: a tree of path segments, and a table of the routes that have no parameter.
//
// Static segments win over parameters, parameters over the trailing "*" (which takes an empty rest, too), and among equal patterns the first registered
// that takes the method. Built before listen(), read-only afterwards; a lookup allocates nothing, and its depth is
// that of the registered patterns, whatever the path is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http_parser.h"

namespace martlet::routing {

inline constexpr uint8_t kAnyMethod = 0xff;

// Cuts the first segment off "/a/b": gives "a" and leaves "/b". Not for an empty text.
inline std::string_view cut_segment(std::string_view& rest) noexcept {
  rest.remove_prefix(1);
  const size_t end = rest.find('/');
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(segment.size());
  return segment;
}

// A pattern in parts: "/users/:id/*" has the segments users, :id and *. "*" alone is the target of OPTIONS *.
struct Pattern {
  std::string text;                 // judged (path.h)
  std::vector<std::string> params;  // names in order; the wildcard's is "*"

  // Null when good, else what is wrong with it (a static sentence).
  static const char* parse(std::string_view text, Pattern& pattern);
};

class Router {
 public:
  static constexpr uint32_t kNotFound = UINT32_MAX;
  static constexpr int kMaxParams = 16;

  struct Match {
    uint32_t route = kNotFound;
    uint8_t param_count = 0;
    // Still encoded, in the order of the pattern's params. Only the first param_count are set.
    struct Value {
      const char* data;
      size_t size;
    } values[kMaxParams];
  };

  Router();
  ~Router();

  // Adds a route by number. The pattern must be good.
  void add(const Pattern& pattern, uint8_t method, uint32_t route);

  // Finds the route of this path, which is judged, that takes this method. HEAD goes to a route of its own, else where GET
  // goes.
  void find(std::string_view path, proto::Method method, Match& match) const noexcept;
  // The first half of it: the routes without parameters. False: not among them.
  bool find_plain(std::string_view path, proto::Method method, Match& match) const noexcept;
  // The second half, for methods other than HEAD.
  void find_variable(std::string_view path, proto::Method method, Match& match) const noexcept {
    if (!path.empty() && path[0] == '/') walk(*root_, path, method, match);
  }
  // Which methods the routes of this path take: a bit for each, by number; all of them where a route takes any.
  uint32_t methods_of(std::string_view path) const noexcept;

 private:
  struct Target {
    uint8_t method;
    uint32_t route;
  };
  struct Node {
    std::vector<std::pair<std::string, std::unique_ptr<Node>>> statics;
    std::unique_ptr<Node> param;
    std::vector<Target> targets;    // patterns that end here
    std::vector<Target> wildcards;  // patterns that end in "*" here
  };
  // The first and the last bytes of a path, in two words that overlap: all of it up to 16 bytes.
  struct PathKey {
    uint64_t first;
    uint64_t last;
    size_t size;
    friend bool operator==(const PathKey&, const PathKey&) = default;
  };
  struct StaticEntry {
    PathKey key{};
    const Node* node = nullptr;
    std::string path;
  };
  static PathKey key_of(std::string_view path) noexcept;
  static size_t hash_of(const PathKey& key) noexcept;

  static uint32_t pick(const std::vector<Target>& targets, proto::Method method) noexcept;
  void find_one(std::string_view path, proto::Method method, Match& match) const noexcept;
  static uint32_t methods_in(const std::vector<Target>& targets) noexcept;
  static uint32_t methods_below(const Node& node, std::string_view rest) noexcept;
  bool walk(const Node& node, std::string_view rest, proto::Method method, Match& match) const noexcept;
  inline const Node* find_static(std::string_view path) const noexcept;
  void add_static(std::string_view path, const Node* node);

  std::unique_ptr<Node> root_;
  std::unique_ptr<Node> asterisk_;  // of the target "*", which is no path
  std::vector<StaticEntry> table_;  // open addressing, a power of two
  size_t statics_ = 0;
};

}  // namespace martlet::routing
