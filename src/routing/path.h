// One path is judged by all: what guards, routes and handlers look at is one spelling of it.
//
//   as sent             judged          why
//   /%68ello            /hello          escapes of unreserved characters are decoded (RFC 3986 §6.2.2.2)
//   /caf%c3%a9          /caf%C3%A9      the others' digits are upper case (§6.2.2.1)
//   /a/../b  /a/%2e/b   refused: 400    dot segments in any spelling, also between %2F, '\' and %5C, and with parameters
//                                       ("/..;x/a"): nobody means them
//   /100%  /%zz         refused: 400    no escape: decoding what comes behind it would make one
//   /a%00               refused: 400    what is behind the NUL would be seen by some and not by others
//   //a  /a%2Fb  /a;x   as they are     for guards, they are "/a", "/a/b" and "/a": what a file system or a server behind
//                                       this one would make of them (PathReader; of ';', RFC 3986 §3.3)
//
// Plain functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace martlet::routing {

// Whether a path may need judging: it has a '%', a '.' or a '\'. Asked for every request that has parameters. Its bytes
// are below 0x80, as the parser lets through.
inline bool is_unusual(std::string_view path) noexcept {
  // Bit 7 of each byte that is one of the three, and perhaps of others above it.
  const auto found_in = [](const char* p) {
    constexpr uint64_t kEvery = 0x0101010101010101;
    uint64_t word;
    std::memcpy(&word, p, sizeof word);
    return ((word ^ '%' * kEvery) - kEvery) | ((word ^ '.' * kEvery) - kEvery) | ((word ^ '\\' * kEvery) - kEvery);
  };
  if (path.size() < 8) return path.find_first_of("%.\\") != std::string_view::npos;
  const char* p = path.data();
  const char* const last = p + path.size() - 8;
  uint64_t found = found_in(last);
  for (; p < last; p += 8) found |= found_in(p);
  return (found & 0x8080808080808080) != 0;
}

// Writes the judged form to `out`, which has room for path.size() bytes; answers its size. False: the path is refused.
bool judge_path(std::string_view path, char* out, size_t& size) noexcept;

// The path without its dot segments (RFC 3986 §5.2.4), which may be encoded, to `out`, which has room for path.size() bytes.
// False: it would leave the root. What it leaves is still to be judged.
bool resolve_path(std::string_view path, char* out, size_t& size) noexcept;

// The judged form of a path that a route or a prefix is registered for: bytes that a request cannot carry are encoded
// ("/café"). Null, or what is wrong with it (a static sentence): no request that is let through would ever match it.
const char* judge_pattern(std::string_view path, std::string& judged);

// A path as guards see it, character by character: decoded, '\' and encoded slashes as slashes, several as one, without
// what stands behind a ';' in a segment.
class PathReader {
 public:
  explicit PathReader(std::string_view path) noexcept : rest_(path) {}
  // -1 at the end.
  int next() noexcept;
  bool is_over() const noexcept;
  // Behind a slash: over those that follow it, which next() would pass over.
  void skip_doubled() noexcept;
  // What has not been read, as it is written.
  std::string_view rest() const noexcept { return rest_; }
  bool after_slash() const noexcept { return after_slash_; }

 private:
  int decode() noexcept;
  int step() noexcept;
  std::string_view rest_;
  bool after_slash_ = false;
};

// Whether a path lies below a prefix: whole segments, "/api" is before "/api" and "/api/x", not before "/apis".
bool lies_below(std::string_view path, std::string_view prefix) noexcept;

enum class Below : unsigned char { never, perhaps, always };

// Whether the paths of a pattern lie below a prefix. From a parameter or a wildcard on, that is asked for each request:
// what they match may hold an encoded slash.
Below below(std::string_view pattern, std::string_view prefix) noexcept;

}  // namespace martlet::routing
