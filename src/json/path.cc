// See path.h.
#include "json/path.h"

#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "json/number.h"
#include "json/scanner.h"
#include "json/unescape.h"

namespace martlet::json {

namespace {

// A pointer is a byte long for each level at least: more of them than JsonError has bytes for need not be known.
constexpr uint32_t kLevels = 96;

struct Level {
  size_t at;  // of an object: where the name is, or SIZE_MAX before the first. Of an array: the index
  bool object;
};

class Walk {
 public:
  explicit Walk(std::string_view text) noexcept : scanner_(text) {}

  // The levels around `place`; how many.
  uint32_t find(size_t place, Level* levels) noexcept {
    for (size_t at = scanner_.next(); at < scanner_.limit() && step(at, place, levels); at = scanner_.next()) {}
    return depth_ < kLevels ? depth_ : kLevels;
  }

 private:
  // False at the place.
  bool step(size_t at, size_t place, Level* levels) noexcept {
    const uint8_t c = scanner_.byte(at);
    if (at > place) return false;
    if (c == '}' || c == ']') depth_--;
    Level* level = depth_ - 1 < kLevels ? &levels[depth_ - 1] : nullptr;
    const bool name = c == '"' && wants_name_ && level && level->object;
    if (name) level->at = at;
    if (at == place) return false;
    if (c == '{' || c == '[') {
      if (depth_ < kLevels) levels[depth_] = {c == '{' ? SIZE_MAX : 0, c == '{'};
      depth_++;
    }
    if (c == ',' && level && !level->object) level->at++;
    wants_name_ = c == '{' || c == ',';
    if (c == '"') pass_string();
    return true;
  }
  void pass_string() noexcept {
    size_t at = scanner_.next();
    while (at < scanner_.limit() && scanner_.byte(at) != '"') at = scanner_.next();
  }

  Scanner scanner_;
  uint32_t depth_ = 0;
  bool wants_name_ = false;
};

class Path {
 public:
  Path(char* to, size_t size) noexcept : at_(to), end_(to + size - 1) {}
  ~Path() { *at_ = 0; }

  void name(std::string_view name) noexcept {
    put("/");
    for (size_t i = 0; i < name.size();) {
      size_t next = i + 1;
      while (next < name.size() && (name[next] & 0xC0) == 0x80) next++;
      const std::string_view letter = name.substr(i, next - i);
      put(letter == "~" ? "~0" : letter == "/" ? "~1" : letter);
      i = next;
    }
  }
  void index(size_t index) noexcept {
    uint8_t digits[kNumberBytes];
    const uint8_t* end = write_natural(digits, index);
    name({reinterpret_cast<const char*>(digits), static_cast<size_t>(end - digits)});
  }

 private:
  void put(std::string_view piece) noexcept {
    if (piece.size() > static_cast<size_t>(end_ - at_)) end_ = at_;
    if (end_ == at_) return;
    std::memcpy(at_, piece.data(), piece.size());
    at_ += piece.size();
  }

  char* at_;
  char* end_;
};

void put_name(Path& path, std::string_view text, size_t place) noexcept {
  if (place >= text.size()) return;
  Scanner scanner(text.substr(place));
  const size_t begin = scanner.next() + 1;
  const size_t stop = scanner.next();
  if (scanner.byte(stop) == '"') return path.name(text.substr(place + begin, stop - begin));
  Unescaped unescaped;
  if (!unescaped.read(scanner, begin, stop).what) path.name(unescaped.text());
}

}  // namespace

void write_path(std::string_view text, size_t place, std::string_view member, char* to, size_t size) noexcept {
  Path path(to, size);
  Level levels[kLevels];
  const uint32_t depth = Walk(text).find(place, levels);
  for (uint32_t i = 0; i < depth; i++) {
    if (levels[i].object) {
      put_name(path, text, levels[i].at);
    } else {
      path.index(levels[i].at);
    }
  }
  if (!member.empty()) path.name(member);
}

}  // namespace martlet::json
