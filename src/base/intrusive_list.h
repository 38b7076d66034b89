// A doubly linked list threaded through its elements: no allocation, O(1) removal from the middle. The element owns
// its hook and must be unlinked before it dies. One thread.
#pragma once

#include <cstddef>

#include "base/check.h"

namespace martlet::base {

struct ListHook {
  ListHook* previous = nullptr;
  ListHook* next = nullptr;
  bool linked() const noexcept { return next != nullptr; }
};

// T derives from ListHook (or from a type that does).
template <typename T>
class IntrusiveList {
 public:
  IntrusiveList() noexcept { head_.previous = head_.next = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const noexcept { return head_.next == &head_; }

  void push_back(T* element) noexcept {
    ListHook* hook = element;
    MARTLET_DCHECK(!hook->linked());
    hook->previous = head_.previous;
    hook->next = &head_;
    head_.previous->next = hook;
    head_.previous = hook;
  }

  T* front() noexcept { return empty() ? nullptr : static_cast<T*>(head_.next); }

  T* pop_front() noexcept {
    T* element = front();
    if (element) unlink(element);
    return element;
  }

  // The element after this one, or null at the end.
  T* after(T* element) noexcept {
    ListHook* next = static_cast<ListHook*>(element)->next;
    return next == &head_ ? nullptr : static_cast<T*>(next);
  }

  static void unlink(T* element) noexcept {
    ListHook* hook = element;
    hook->previous->next = hook->next;
    hook->next->previous = hook->previous;
    hook->previous = hook->next = nullptr;
  }

 private:
  ListHook head_;
};

}  // namespace martlet::base
