// The default hooks of alloc.h.
#include "base/alloc.h"

#include <cstdlib>

namespace martlet::base {

AllocHooks alloc_hooks{std::malloc, std::free};

}  // namespace martlet::base
