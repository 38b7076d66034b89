// See path.h.
#include "routing/path.h"

#include "codec/percent.h"

namespace martlet::routing {

namespace {

// RFC 3986 §2.3.
bool is_unreserved(int c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
         c == '~';
}

// Whether a segment of a path, as guards see it, is "." or "..", or there is a NUL, or a '%' that begins no escape.
bool misleads(std::string_view path) noexcept {
  for (size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
    if (codec::escaped_byte(path, at) <= 0) return true;
  }
  PathReader reader(path);
  int dots = -1;  // of the segment so far; -1: it is something else
  for (;;) {
    const int c = reader.next();
    if (c == '/' || c < 0) {
      if (dots == 1 || dots == 2) return true;
      if (c < 0) return false;
      dots = 0;
    } else {
      dots = c == '.' && dots >= 0 ? dots + 1 : -1;
    }
  }
}

}  // namespace

bool judge_path(std::string_view path, char* out, size_t& size) noexcept {
  if (misleads(path)) return false;
  const char* const begin = out;
  while (!path.empty()) {
    const int byte = codec::escaped_byte(path);
    if (byte < 0) {
      *out++ = path[0];
    } else if (is_unreserved(byte)) {
      *out++ = static_cast<char>(byte);
    } else {
      out = codec::put_escape(out, static_cast<uint8_t>(byte));
    }
    path.remove_prefix(byte < 0 ? 1 : 3);
  }
  size = static_cast<size_t>(out - begin);
  return true;
}

namespace {

// How many dots a segment is, encoded or not; 0: it is something else.
int dots_in(std::string_view segment) noexcept {
  int dots = 0;
  for (; !segment.empty(); dots++) {
    const bool encoded = codec::escaped_byte(segment) == '.';
    if (!encoded && segment[0] != '.') return 0;
    segment.remove_prefix(encoded ? 3 : 1);
  }
  return dots;
}

}  // namespace

bool resolve_path(std::string_view path, char* out, size_t& size) noexcept {
  size = 0;
  while (!path.empty()) {  // at a slash
    const size_t end = path.find('/', 1);
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(segment.size());
    const int dots = dots_in(segment.substr(1));
    if (dots != 1 && dots != 2) {
      std::memcpy(out + size, segment.data(), segment.size());
      size += segment.size();
      continue;
    }
    if (dots == 2) {
      if (size == 0) return false;
      size = std::string_view(out, size).rfind('/');
    }
    if (path.empty()) out[size++] = '/';
  }
  return true;
}

const char* judge_pattern(std::string_view path, std::string& judged) {
  std::string sendable;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || c == '?' || c == '#' || c == '\x7F') return "a path holds no '?', '#', space or control character";
    char escape[3];
    if (byte < 0x80) {
      sendable += c;
    } else {
      sendable.append(escape, static_cast<size_t>(codec::put_escape(escape, static_cast<uint8_t>(byte)) - escape));
    }
  }
  judged.resize(sendable.size());
  size_t size = 0;
  if (!judge_path(sendable, judged.data(), size)) {
    return "a path holds no '.' or '..' segment, no encoded NUL, and no '%' but in escapes";
  }
  judged.resize(size);
  return nullptr;
}

int PathReader::decode() noexcept {
  const int byte = codec::escaped_byte(rest_);
  const int c = byte >= 0 ? byte : static_cast<unsigned char>(rest_[0]);
  rest_.remove_prefix(byte >= 0 ? 3 : 1);
  return c == '\\' ? '/' : c;
}

// The next character that is no parameter's; -1 at the end.
int PathReader::step() noexcept {
  bool in_parameter = false;
  while (!rest_.empty()) {
    in_parameter = in_parameter || rest_[0] == ';';
    const int c = decode();
    if (!in_parameter || c == '/') return c;
  }
  return -1;
}

int PathReader::next() noexcept {
  for (int c; (c = step()) >= 0;) {
    const bool again = c == '/' && after_slash_;
    after_slash_ = c == '/';
    if (!again) return c;
  }
  return -1;
}

bool PathReader::is_over() const noexcept { return PathReader(*this).next() < 0; }

void PathReader::skip_doubled() noexcept {
  while (after_slash_ && !rest_.empty()) {
    PathReader ahead = *this;
    if (ahead.step() != '/') return;
    rest_ = ahead.rest_;
  }
}

bool lies_below(std::string_view path, std::string_view prefix) noexcept {
  PathReader have(path);
  PathReader want(prefix);
  for (;;) {
    const int wanted = want.next();
    const int c = have.next();
    if (wanted < 0 || (wanted == '/' && want.is_over())) return c < 0 || c == '/';  // "/api/" is the same as "/api"
    if (c != wanted) return false;
  }
}

Below below(std::string_view pattern, std::string_view prefix) noexcept {
  if (prefix.empty()) return Below::always;
  PathReader have(pattern);
  PathReader want(prefix);
  for (;;) {
    const int wanted = want.next();
    if (wanted < 0 || (wanted == '/' && want.is_over())) break;
    have.skip_doubled();  // "/a//:id" matches "/a//b", which lies below "/a/b"
    const bool varies = have.after_slash() && have.rest().find_first_of(":[*") == 0;  // pattern.h
    if (varies) return Below::perhaps;
    if (have.next() != wanted) return Below::never;
  }
  const int after = have.next();
  return after < 0 || after == '/' ? Below::always : Below::never;
}

}  // namespace martlet::routing
