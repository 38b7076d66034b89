// See heap.h.
#include "sys/heap.h"

#include <cstdint>
#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif
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

#if defined(__linux__)

void give_pages_back(void* memory, size_t bytes) noexcept {
  static const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t from = (reinterpret_cast<uintptr_t>(memory) + page - 1) / page * page;
  const uintptr_t to = (reinterpret_cast<uintptr_t>(memory) + bytes) / page * page;
  if (from < to) (void)::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}

#else

void give_pages_back(void*, size_t) noexcept {}

#endif

}  // namespace martlet::sys
