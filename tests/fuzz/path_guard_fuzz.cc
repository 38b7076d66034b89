// A guard and a handler beside a plain model: whatever path reaches a handler has passed the guards of all prefixes that a
// file system, or a server behind this one, would see it below, and no others. The input has three lines: the pattern of a
// route, the prefix of a guard, and a path.
#include <optional>

#include "fuzz/fuzz.h"
#include "routing/path.h"
#include "routing/router.h"

using namespace martlet;
using proto::Method;
using routing::Below;
using routing::RouteTree;

namespace {

int digit(char c) {
  const std::string_view digits = "0123456789abcdef";
  const size_t at = digits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// The segments that somebody sees who decodes everything, takes '\' for '/', several slashes for one, and drops what stands
// behind a ';'.
std::vector<std::string> segments_seen(std::string_view path) {
  constexpr int kParameter = 256;  // a ';' that is not encoded
  std::vector<int> letters;
  for (size_t i = 0; i < path.size(); i++) {
    int c = path[i] == ';' ? kParameter : static_cast<unsigned char>(path[i]);
    if (path[i] == '%' && path.size() - i > 2 && digit(path[i + 1]) >= 0 && digit(path[i + 2]) >= 0) {
      c = digit(path[i + 1]) * 16 + digit(path[i + 2]);
      i += 2;
    }
    letters.push_back(c == '\\' ? '/' : c);
  }
  std::vector<std::string> segments(1);
  bool dropped = false;
  for (const int c : letters) {
    if (c == '/') segments.emplace_back();
    dropped = c != '/' && (dropped || c == kParameter);
    if (c != '/' && !dropped) segments.back().push_back(static_cast<char>(c));
  }
  std::erase(segments, "");
  return segments;
}

bool is_below(std::string_view path, std::string_view prefix) {
  const std::vector<std::string> have = segments_seen(path);
  const std::vector<std::string> want = segments_seen(prefix);
  return want.size() <= have.size() && std::equal(want.begin(), want.end(), have.begin());
}

std::string_view cut_line(std::string_view& rest) {
  const size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

// As App::use() takes it; nothing when it is a mistake.
std::optional<std::string_view> prefix_of(std::string_view text) {
  if (text.ends_with("/*")) text.remove_suffix(2);
  while (text.ends_with('/')) text.remove_suffix(1);
  std::string judged;
  if (!text.empty() && (text[0] != '/' || text.find_first_of(":*") != std::string_view::npos)) return {};
  if (routing::judge_pattern(text, judged)) return {};
  return text;
}

bool is_sendable(std::string_view path) {
  for (const char c : path) {
    if (c <= ' ' || c == '\x7f' || c == '?' || c == '#') return false;
  }
  return path.starts_with('/');
}

bool finds(const RouteTree& tree, std::string_view path) {
  RouteTree::Match match;
  tree.find(path, Method::get, match);
  if (match.route == RouteTree::kNotFound) return false;
  for (size_t i = 0; i < match.param_count; i++) {
    FUZZ_CHECK(match.values[i].data >= path.data() && match.values[i].data + match.values[i].size <= path.data() + path.size());
  }
  FUZZ_CHECK(tree.methods_of(path) == 1u << static_cast<int>(Method::get));
  return true;
}

// One slash at the end makes no difference, two do: a pattern that has two at its end says nothing of a path without any.
void check_slashes(const RouteTree& tree, std::string_view path, bool ignores_slash) {
  if (path.size() < 2 || path[1] == '/' || path[1] == '\\') return;
  const std::string other = path.ends_with('/') ? std::string(path.substr(0, path.size() - 1)) : std::string(path).append("/");
  if (ignores_slash && !path.ends_with("//")) FUZZ_CHECK(finds(tree, other) == finds(tree, path));
  if (!finds(tree, path)) FUZZ_CHECK(tree.finds_other_slash(path, Method::get) == finds(tree, other));
}

void check(std::string_view written, std::string_view prefix, std::string_view sent, bool ignores_slash) {
  routing::Pattern pattern;
  if (routing::Pattern::parse(written, pattern)) return;
  RouteTree tree;
  if (ignores_slash) tree.ignore_trailing_slash();
  FUZZ_CHECK(tree.add(pattern, static_cast<uint8_t>(Method::get), 0).what().empty());
  const fuzz::Exact room(sent.size());
  size_t size = 0;
  if (!routing::judge_path(sent, reinterpret_cast<char*>(room.data()), size)) return;
  const fuzz::Exact exact(room.span().first(size));
  const std::string_view path = base::as_text(exact.span());
  FUZZ_CHECK(segments_seen(path) == segments_seen(sent));
  RouteTree::Match match;
  if (tree.find_plain(sent, Method::get, match)) FUZZ_CHECK(path == sent);  // it is asked before judging
  check_slashes(tree, path, ignores_slash && written.find("//") == std::string_view::npos);
  if (!finds(tree, path)) return;
  const Below answer = routing::below(written, prefix);
  const bool guarded = answer == Below::always || (answer == Below::perhaps && routing::lies_below(path, prefix));
  FUZZ_CHECK(guarded == is_below(sent, prefix));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = base::as_text({data, size});
  const std::string_view written = cut_line(rest);
  const auto prefix = prefix_of(cut_line(rest));
  const fuzz::Exact sent(base::as_bytes(cut_line(rest)));
  if (!prefix || !is_sendable(base::as_text(sent.span()))) return 0;
  check(written, *prefix, base::as_text(sent.span()), false);
  check(written, *prefix, base::as_text(sent.span()), true);
  return 0;
}
