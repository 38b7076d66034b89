// A mistake of the program's in a guard's options: there is nobody to answer an Error to, and no server to run with it. Set-up.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace martlet::guards {

[[noreturn]] inline void mistake(const char* guard, const char* what) noexcept {
  std::fprintf(stderr, "martlet: %s: %s\n", guard, what);
  std::abort();
}

inline void check_option(bool good, const char* guard, const char* what) noexcept {
  if (!good) mistake(guard, what);
}

}  // namespace martlet::guards
