// The cold half of martlet/error.h.
#include <martlet/error.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace martlet {

std::string Error::message() const {
  if (!what_) return "no error";
  std::string text(what_);
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
