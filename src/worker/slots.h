// Typed slots: what a feature keeps of one connection, in the connection's lazy block, found by the address of its type's
// key. A connection that no feature has touched has none; the first look finds the first slot in one compare.
//
//   struct Presence {
//     static constexpr worker::PartKey kKey{};
//     …
//   };
//   Presence* p = slots.find_or_add<Presence>();   // null when memory is out; ends with the connection, or by remove()
//
// The worker's thread.
#pragma once

#include <utility>

#include "base/alloc.h"
#include "worker/parts.h"

namespace martlet::worker {

class Slots {
 public:
  Slots() noexcept = default;
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;
  // The last one that came goes first.
  ~Slots() {
    while (Slot* slot = first_) {
      first_ = slot->next;
      slot->destroy(slot);
    }
  }

  bool empty() const noexcept { return first_ == nullptr; }

  template <typename T>
  T* find() const noexcept {
    for (Slot* slot = first_; slot; slot = slot->next) {
      if (slot->key == &T::kKey) return &static_cast<Typed<T>*>(slot)->value;
    }
    return nullptr;
  }

  // The arguments are for its constructor, when it is not there yet. Null when memory is out.
  template <typename T, typename... Args>
  T* find_or_add(Args&&... args) noexcept {
    if (T* value = find<T>()) return value;
    auto* slot = base::create<Typed<T>>(std::forward<Args>(args)...);
    if (!slot) return nullptr;
    slot->next = first_;
    first_ = slot;
    return &slot->value;
  }

  template <typename T>
  void remove() noexcept {
    for (Slot** link = &first_; *link; link = &(*link)->next) {
      if ((*link)->key != &T::kKey) continue;
      Slot* gone = *link;
      *link = gone->next;
      return gone->destroy(gone);
    }
  }

 private:
  // No virtual functions: the library has no RTTI, its users may, and sanitizers compare the two.
  struct Slot {
    const PartKey* key;
    void (*destroy)(Slot*) noexcept;
    Slot* next = nullptr;
  };
  template <typename T>
  struct Typed final : Slot {
    template <typename... Args>
    explicit Typed(Args&&... args) noexcept
        : Slot{&T::kKey, [](Slot* slot) noexcept { base::destroy(static_cast<Typed*>(slot)); }},
          value(std::forward<Args>(args)...) {}
    T value;
  };

  Slot* first_ = nullptr;
};

}  // namespace martlet::worker
