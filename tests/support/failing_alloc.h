// Replaces the allocator's hooks while it lives: counts allocations that are still held, notes the largest, and lets the
// Nth from now (and all after it, unless only_once is set) fail. Where a test starts threads, it stands before them: the hooks
// are read by all.
#pragma once

#include <atomic>
#include <cstdlib>

#include "base/alloc.h"

namespace martlet::test {

class FailingAlloc {
 public:
  // `allowed` allocations succeed.
  explicit FailingAlloc(size_t allowed = SIZE_MAX) : before_(base::alloc_hooks) {
    left = allowed;
    held = 0;
    failures = 0;
    largest = 0;
    only_once = false;
    base::alloc_hooks = {allocate, deallocate};
  }
  FailingAlloc(const FailingAlloc&) = delete;
  FailingAlloc& operator=(const FailingAlloc&) = delete;
  ~FailingAlloc() { base::alloc_hooks = before_; }

  static inline std::atomic<size_t> left = 0;
  static inline std::atomic<long> held = 0;
  static inline std::atomic<size_t> failures = 0;
  static inline std::atomic<size_t> largest = 0;  // that succeeded
  static inline std::atomic<bool> only_once = false;
  // Nothing succeeds on this thread: for a server whose other threads must not be hit.
  static inline thread_local bool none_here = false;

 private:
  static void* allocate(size_t bytes) {
    if (none_here || left == 0) {
      failures++;
      if (only_once) left = SIZE_MAX;
      return nullptr;
    }
    left--;
    held++;
    if (bytes > largest) largest = bytes;
    return std::malloc(bytes);
  }
  static void deallocate(void* memory) {
    held--;
    std::free(memory);
  }

  base::AllocHooks before_;
};

}  // namespace martlet::test
