// The cold half of martlet/error.h.
#include <martlet/error.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace martlet {

namespace {

// What is not to be seen would cut the text off, or make lines of its own in a log.
char printable(char letter) noexcept {
  const auto byte = static_cast<unsigned char>(letter);
  return byte < 0x20 || byte == 0x7f ? '.' : letter;
}

}  // namespace

Error Error::of(std::initializer_list<std::string_view> pieces, int os_code) noexcept {
  Error error;
  error.os_code_ = os_code;
  size_t size = 0;
  for (const std::string_view piece : pieces) {
    const size_t fits = piece.size() < kTextBytes - size ? piece.size() : kTextBytes - size;
    for (size_t i = 0; i < fits; i++) error.text_[size + i] = printable(piece[i]);
    size += fits;
    if (fits == piece.size()) continue;
    std::memcpy(error.text_ + kTextBytes - 3, "...", 3);
    break;
  }
  if (size == 0) error.what_ = "error";  // nothing said is an error all the same
  return error;
}

std::string Error::message() const {
  if (!*this) return "no error";
  std::string text(what());
  if (os_code_ != 0) text.append(": ").append(std::strerror(os_code_));
  return text;
}

int report(const Error& error) noexcept {
  const std::string_view what = error.what();
  const char* separator = error.os_code() ? ": " : "";
  const char* reason = error.os_code() ? std::strerror(error.os_code()) : "";
  std::fprintf(stderr, "martlet: %.*s%s%s\n", static_cast<int>(what.size()), what.data(), separator, reason);
  return 1;
}

void fail_result_access(const Error& error) noexcept {
  (void)report(error);
  std::abort();
}

}  // namespace martlet
