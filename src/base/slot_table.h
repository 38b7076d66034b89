// Objects with stable addresses, named by {slot, generation}.
//
// A connection is known outside its worker by a SlotId only. Looking up an id whose generation has passed is a
// normal "gone", never a dangling pointer. The kernel is given the same 64 bits as user data, so an event for a
// descriptor that was closed in the same batch fails the lookup as well.
//
// Slots live in chunks that are allocated when first needed and never move; a chunk is not touched ahead of need,
// so the memory of a table is what its live objects use. A free slot is reused last-freed-first (it is warm). A slot
// whose generation would wrap is retired. Generations are odd while a slot is in use and even while it is free:
// an id of generation 0 never matches.
//
// The first two members of T are `uint32_t generation` and `uint32_t slot` (so T has no base class with members); it
// leaves them alone and is constructed in place. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "base/alloc.h"
#include "base/check.h"

namespace martlet::base {

struct SlotId {
  uint32_t slot = 0;
  uint32_t generation = 0;

  constexpr uint64_t packed() const noexcept { return static_cast<uint64_t>(generation) << 32 | slot; }
  static constexpr SlotId unpack(uint64_t packed) noexcept {
    return {static_cast<uint32_t>(packed), static_cast<uint32_t>(packed >> 32)};
  }
  friend constexpr bool operator==(SlotId, SlotId) = default;
};

template <typename T, uint32_t kChunkSlots = 32>
class SlotTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit SlotTable(uint32_t max_slots = kNone) : max_slots_(max_slots) {}
  SlotTable(const SlotTable&) = delete;
  SlotTable& operator=(const SlotTable&) = delete;

  ~SlotTable() {
    for (uint32_t slot = 0; slot < touched_; slot++) {
      if (T* object = at(slot)) object->~T();
    }
    for (uint32_t i = 0; i < chunk_count_; i++) deallocate(chunks_[i]);
    deallocate(chunks_);
  }

  // A new object in a free slot, or null when memory or slots are out.
  template <typename... Args>
  [[nodiscard]] T* create(Args&&... args) noexcept {
    uint32_t slot = free_;
    uint32_t generation = 1;
    if (slot != kNone) {
      Cell& cell = this->cell(slot);
      free_ = cell.free.next;
      generation = cell.free.generation + 1;
    } else {
      slot = fresh_slot();
      if (slot == kNone) return nullptr;
    }
    T* object = new (&cell(slot).memory) T(std::forward<Args>(args)...);
    MARTLET_CHECK(static_cast<void*>(object) == &object->generation && &object->generation + 1 == &object->slot);
    object->slot = slot;
    object->generation = generation;
    size_++;
    return object;
  }

  // Destroys the object; its id is stale from now on.
  void destroy(T* object) noexcept {
    const uint32_t slot = object->slot;
    const uint32_t generation = object->generation;
    object->~T();
    Cell& cell = this->cell(slot);
    cell.free.generation = generation + 1;
    cell.free.slot = slot;
    size_--;
    if (generation >= kLastGeneration) return;  // retired: the next use would wrap
    cell.free.next = free_;
    free_ = slot;
  }

  // The object of this id, or null when it is gone.
  T* find(SlotId id) const noexcept {
    if (id.slot >= touched_) return nullptr;
    Cell& cell = this->cell(id.slot);
    return (id.generation & 1) && cell.generation() == id.generation ? &cell.object() : nullptr;
  }

  // The object in this slot, or null when the slot is free.
  T* at(uint32_t slot) const noexcept {
    if (slot >= touched_) return nullptr;
    Cell& cell = this->cell(slot);
    return (cell.generation() & 1) ? &cell.object() : nullptr;
  }

  // As at(), for a slot that is known to be in use.
  T* live(uint32_t slot) const noexcept { return &cell(slot).object(); }

  uint32_t size() const noexcept { return size_; }
  // One past the highest slot ever used: the bound for walking with at().
  uint32_t extent() const noexcept { return touched_; }

  static constexpr uint32_t kLastGeneration = UINT32_MAX;

 private:
  // What a free slot holds. It overlays the first two members of T, which must be the generation and the slot.
  struct FreeCell {
    uint32_t generation;
    uint32_t slot;
    uint32_t next;
  };
  union Cell {
    FreeCell free;
    alignas(T) unsigned char memory[sizeof(T)];
    T& object() noexcept { return *std::launder(reinterpret_cast<T*>(memory)); }
    // Of the slot, whether it holds a T or a FreeCell: copied out, as the type of what is there is not known yet.
    uint32_t generation() const noexcept {
      uint32_t value;
      std::memcpy(&value, memory, sizeof value);
      return value;
    }
  };

  Cell& cell(uint32_t slot) const noexcept { return chunks_[slot / kChunkSlots][slot % kChunkSlots]; }

  uint32_t fresh_slot() noexcept {
    if (touched_ >= max_slots_) return kNone;
    if (touched_ % kChunkSlots == 0 && !add_chunk()) return kNone;
    return touched_++;
  }

  bool add_chunk() noexcept {
    if (chunk_count_ == chunk_room_ && !widen_directory()) return false;
    auto* chunk = static_cast<Cell*>(allocate(sizeof(Cell) * kChunkSlots));
    if (!chunk) return false;
    chunks_[chunk_count_++] = chunk;
    return true;
  }

  bool widen_directory() noexcept {
    const uint32_t room = chunk_room_ ? chunk_room_ * 2 : 16;
    auto** wider = static_cast<Cell**>(allocate(room * sizeof(Cell*)));
    if (!wider) return false;
    if (chunks_) std::memcpy(wider, chunks_, chunk_count_ * sizeof(Cell*));
    deallocate(chunks_);
    chunks_ = wider;
    chunk_room_ = room;
    return true;
  }

  static_assert(alignof(T) <= alignof(std::max_align_t), "allocate() aligns like malloc");

  Cell** chunks_ = nullptr;
  uint32_t chunk_count_ = 0;
  uint32_t chunk_room_ = 0;
  uint32_t touched_ = 0;
  uint32_t free_ = kNone;
  uint32_t size_ = 0;
  uint32_t max_slots_;
};

}  // namespace martlet::base
