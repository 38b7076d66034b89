// Options that cannot be meant: the guard is not made, as a guard that does something else than was asked for is worse than none.
// At set-up only: nothing that a peer sends gets here.
#pragma once

#include <martlet/error.h>

#include <cstdlib>

namespace martlet::guards {

[[noreturn]] inline void mistake(const char* what) noexcept {
  report(Error(what));
  std::abort();
}

}  // namespace martlet::guards
