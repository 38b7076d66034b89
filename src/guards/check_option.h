// Options that cannot be meant abort with the guard's name and what is wrong: there is nobody to answer an Error to, and a limit
// that does something else than was asked for is worse than none. Set-up.
#pragma once

#include <martlet/error.h>

#include <cstdlib>

namespace martlet::guards {

inline void check_option(bool good, const char* guard, const char* what) noexcept {
  if (good) return;
  report(Error::of({guard, ": ", what}));
  std::abort();
}

}  // namespace martlet::guards
