// See change_list.h.
#include "realtime/change_list.h"

#include <algorithm>

#include "realtime/memory_map.h"

namespace martlet::realtime {

namespace {

size_t bytes_on_page(const MemoryEntry& entry) noexcept { return entry.key_text().size() + entry.value_text().size() + 2; }

size_t bytes_of(const base::Block& page) noexcept { return sizeof page + base::Block::kHeadroom + page.capacity; }

}  // namespace

// Stretches -----------------------------------------------------------------------------------------------------------

ChangeList::Stretch& ChangeList::stretch_of(uint64_t offset) noexcept {
  if (offset > open_.after || full_.empty()) return open_;
  return *(std::partition_point(full_.begin(), full_.end(), [offset](const Stretch& s) { return s.after < offset; }) - 1);
}

// Puts the newest entry where it belongs. Without memory for one stretch more the open one grows.
void ChangeList::take_in(MemoryEntry& entry) noexcept {
  if (open_.bytes >= kPageBytes && full_.push(open_)) {
    counted_ += sizeof(Stretch);
    open_ = {.after = entry.older->offset};
  }
  if (!open_.first) open_.first = &entry;
  open_.bytes += bytes_on_page(entry);
}

// When most of what the stretches had is gone. Pages that are written are written again, then, as they have other numbers.
void ChangeList::cut_anew() noexcept {
  drop_pages();
  counted_ -= full_.size() * sizeof(Stretch);
  full_.clear();
  open_ = {};
  for (MemoryEntry* entry = oldest_; entry; entry = entry->newer) take_in(*entry);
}

// Entries -------------------------------------------------------------------------------------------------------------

void ChangeList::push(MemoryEntry& entry) noexcept {
  entry.older = newest_;
  entry.newer = nullptr;
  (newest_ ? newest_->newer : oldest_) = &entry;
  newest_ = &entry;
  bytes_ += bytes_on_page(entry);
  is_sparse() ? cut_anew() : take_in(entry);
}

void ChangeList::remove(MemoryEntry& entry) noexcept {
  Stretch& stretch = stretch_of(entry.offset);
  const size_t bytes = bytes_on_page(entry);
  drop_page(stretch);
  bytes_ -= bytes;
  stretch.bytes -= bytes;
  if (stretch.first == &entry) stretch.first = stretch.bytes ? entry.newer : nullptr;
  (entry.older ? entry.older->newer : oldest_) = entry.newer;
  (entry.newer ? entry.newer->older : newest_) = entry.older;
  if (!oldest_) cut_anew();
}

MemoryEntry* ChangeList::first_after(uint64_t offset) const noexcept {
  MemoryEntry* entry = open_.first;
  if (offset < open_.after) {
    const Stretch* at = std::partition_point(full_.begin(), full_.end(), [offset](const Stretch& s) { return s.after <= offset; }) - 1;
    while (at != full_.end() && !at->first) at++;
    if (at != full_.end()) entry = at->first;
  }
  while (entry && entry->offset <= offset) entry = entry->newer;
  return entry;
}

// Pages ---------------------------------------------------------------------------------------------------------------

void ChangeList::keep_page(uint32_t index, base::Block* page) noexcept {
  page->retain();
  full_[index].page = page;
  page_bytes_ += bytes_of(*page);
  counted_ += bytes_of(*page);
}

void ChangeList::drop_page(Stretch& stretch) noexcept {
  if (!stretch.page) return;
  page_bytes_ -= bytes_of(*stretch.page);
  counted_ -= bytes_of(*stretch.page);
  stretch.page->release();
  stretch.page = nullptr;
}

bool ChangeList::drop_pages() noexcept {
  if (page_bytes_ == 0) return false;
  for (Stretch& stretch : full_) drop_page(stretch);
  return true;
}

}  // namespace martlet::realtime
