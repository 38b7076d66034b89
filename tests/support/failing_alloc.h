// Replaces the allocator's hooks while it lives: counts allocations that are still held, and lets the Nth from now
// (and all after it) fail.
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
    base::alloc_hooks = {allocate, deallocate};
  }
  FailingAlloc(const FailingAlloc&) = delete;
  FailingAlloc& operator=(const FailingAlloc&) = delete;
  ~FailingAlloc() { base::alloc_hooks = before_; }

  static inline std::atomic<size_t> left = 0;
  static inline std::atomic<long> held = 0;

 private:
  static void* allocate(size_t bytes) {
    if (left == 0) return nullptr;
    left--;
    held++;
    return std::malloc(bytes);
  }
  static void deallocate(void* memory) {
    held--;
    std::free(memory);
  }

  base::AllocHooks before_;
};

}  // namespace martlet::test
