// The allocator of the connection path. It may answer null: that refuses one connection or one message and
// nothing else. Tests replace the hook to count allocations or to fail the Nth.
// Any thread may call it; the hook is set before threads start.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace martlet::base {

struct AllocHooks {
  void* (*allocate)(size_t bytes);  // null when out of memory
  void (*deallocate)(void* memory);
};

// The hooks in force; malloc and free unless a test has replaced them.
extern AllocHooks alloc_hooks;

[[nodiscard]] inline void* allocate(size_t bytes) noexcept {
  return alloc_hooks.allocate(bytes);
}

inline void deallocate(void* memory) noexcept {
  if (memory) alloc_hooks.deallocate(memory);
}

// new/delete over the hooks; `create` answers null when memory is out.
template <typename T, typename... Args>
[[nodiscard]] T* create(Args&&... args) noexcept {
  static_assert(alignof(T) <= alignof(std::max_align_t), "allocate() aligns like malloc");
  void* memory = allocate(sizeof(T));
  return memory ? new (memory) T(std::forward<Args>(args)...) : nullptr;
}

template <typename T>
void destroy(T* object) noexcept {
  if (!object) return;
  object->~T();
  deallocate(object);
}

}  // namespace martlet::base
