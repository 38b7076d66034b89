// Keys in the order of their last changes, and where in that order they stand. It is cut into stretches of about a page, each of what
// was changed behind an offset, up to where the next one begins:
//
//   behind 0                behind 412              behind 980, the open one
//   | a3  c7  k40  …  b412 | d415  …         f980 | a981  x990
//     page: written          changed: not written
//
// A change takes a key out of its stretch and to the end, so that of all stretches but the open one keys only go: their pages are
// written once for all who come, and again when a key has gone. Whoever uses it holds the room's lock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/block.h"
#include "base/growing_array.h"

namespace martlet::realtime {

struct MemoryEntry;

class ChangeList {
 public:
  static constexpr size_t kPageBytes = size_t{16} << 10;

  struct Stretch {
    uint64_t after = 0;
    MemoryEntry* first = nullptr;
    size_t bytes = 0;             // of its keys and values on a page, each with a colon and a comma
    base::Block* page = nullptr;  // the frame, if it is written; one reference
  };

  // What it takes beside its entries is counted there.
  explicit ChangeList(size_t& counted) noexcept : counted_(counted) {}
  ChangeList(const ChangeList&) = delete;
  ChangeList& operator=(const ChangeList&) = delete;
  ~ChangeList() { drop_pages(); }

  MemoryEntry* oldest() const noexcept { return oldest_; }
  // It was changed last of all.
  void push(MemoryEntry& entry) noexcept;
  // As it was when it came.
  void remove(MemoryEntry& entry) noexcept;
  // The first one that was changed behind this offset.
  MemoryEntry* first_after(uint64_t offset) const noexcept;

  // Stretches that are not open.
  uint32_t full() const noexcept { return full_.size(); }
  const Stretch& stretch(uint32_t index) const noexcept { return full_[index]; }
  uint64_t end_of(uint32_t index) const noexcept { return index + 1 < full_.size() ? full_[index + 1].after : open_.after; }
  void keep_page(uint32_t index, base::Block* page) noexcept;
  // False when there were none.
  bool drop_pages() noexcept;

 private:
  Stretch& stretch_of(uint64_t offset) noexcept;
  void take_in(MemoryEntry& entry) noexcept;
  void drop_page(Stretch& stretch) noexcept;
  void cut_anew() noexcept;
  bool is_sparse() const noexcept { return full_.size() > 8 + 2 * (bytes_ / kPageBytes); }

  MemoryEntry* oldest_ = nullptr;
  MemoryEntry* newest_ = nullptr;
  size_t bytes_ = 0;
  size_t page_bytes_ = 0;
  Stretch open_{};
  base::GrowingArray<Stretch> full_{};
  size_t& counted_;
};

}  // namespace martlet::realtime
