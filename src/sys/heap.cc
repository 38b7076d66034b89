// See heap.h.
#include "sys/heap.h"

#include <cstdlib>

#if defined(__GLIBC__) && !defined(__UCLIBC__)
#include <malloc.h>
#elif defined(__APPLE__)
#include <malloc/malloc.h>
#endif

namespace martlet::sys {

#if defined(__GLIBC__) && !defined(__UCLIBC__)

void give_heap_back() noexcept { (void)::malloc_trim(0); }

#elif defined(__APPLE__)

void give_heap_back() noexcept { (void)::malloc_zone_pressure_relief(nullptr, 0); }

#else

void give_heap_back() noexcept {}

#endif

}  // namespace martlet::sys
