// See memory_log.h.
#include "realtime/memory_log.h"

#include <cstring>
#include <new>

#include "base/alloc.h"

namespace martlet::realtime {

MemoryLog::~MemoryLog() {
  while (!empty()) drop_oldest();
  if (chunk_) chunk_->release();
  base::deallocate(records_);
}

uint32_t MemoryLog::first_after(uint64_t offset) const noexcept {
  uint32_t low = 0;
  uint32_t high = count_;
  if (high && newest().offset <= offset) return high;  // mostly
  if (high > 1 && at(high - 2).offset <= offset) return high - 1;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (at(middle).offset <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool MemoryLog::move_records(uint32_t room) noexcept {
  auto* records = static_cast<MemoryRecord*>(base::allocate(room * sizeof(MemoryRecord)));
  if (!records) return false;
  for (uint32_t i = 0; i < count_; i++) new (records + i) MemoryRecord(at(i));
  base::deallocate(records_);
  records_ = records;
  room_ = room;
  head_ = 0;
  return true;
}

uint8_t* MemoryLog::make_room_for(size_t size) noexcept {
  if (count_ == room_ && !move_records(room_ ? room_ * 2 : kLeastRecords)) return nullptr;
  if (chunk_ && chunk_->capacity - used_ >= size) return chunk_->data() + used_;
  const size_t wanted = bytes_ < kLeastChunk ? kLeastChunk : bytes_ < kMostChunk ? bytes_ : kMostChunk;
  base::Block* chunk = base::Block::make(size > wanted ? size : wanted);
  if (!chunk) return nullptr;
  if (chunk_) chunk_->release();
  chunk_ = chunk;
  used_ = 0;
  return chunk->data();
}

void MemoryLog::drop_oldest() noexcept {
  MemoryRecord& record = records_[head_];
  bytes_ -= record.bytes();
  record.block->release();
  base::deallocate(record.more);
  head_ = (head_ + 1) & (room_ - 1);
  count_--;
  if (room_ > kSpareRecords && count_ <= room_ / 8) move_records(room_ / 4);  // what a burst took; it may fail
  if (count_ || chunk_->capacity <= kKeptChunk) return;
  chunk_->release();
  chunk_ = nullptr;
}

}  // namespace martlet::realtime
