// The cold half of check.h.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace martlet::base {

void check_failed(const char* file, int line, const char* what) noexcept {
  std::fprintf(stderr, "martlet: %s:%d: check failed: %s\n", file, line, what);
  std::abort();
}

}  // namespace martlet::base
