// Frames that a room keeps, each with its offset: what is read by the workers that have members, and by members that were away.
// They lie one behind the other in chunks, so that a stretch of them is sent as one piece; a chunk goes with its last frame.
// A chunk is as large as what the log holds when it is made, so that a room that keeps little owns little. Whoever uses it holds the
// room's lock.
#pragma once

#include <martlet/compression.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <cstdint>
#include <new>

#include "base/block.h"
#include "proto/ws_frame.h"

namespace martlet::realtime {

struct MemoryRecord {
  uint64_t offset = 0;
  uint64_t time_ms = 0;
  base::Block* block = nullptr;  // one reference
  uint8_t* data = nullptr;
  uint32_t size = 0;
  uint32_t except_count = 0;   // connections that it is not for
  WebSocket except;            // the first of them,
  WebSocket* more = nullptr;   // or all, where they are several
  Compress compress = Compress::automatic;

  // Of the room's bounds.
  size_t bytes() const noexcept { return sizeof *this + size + (more ? except_count * sizeof(WebSocket) : 0); }
  const WebSocket* excepts() const noexcept { return more ? more : &except; }
  bool is_for(const WebSocket& ws) const noexcept {
    for (uint32_t i = 0; i < except_count; i++) {
      if (excepts()[i] == ws) return false;
    }
    return true;
  }
};

class MemoryLog {
 public:
  static constexpr size_t kMaxFrameBytes = size_t{64} << 20;

  MemoryLog() noexcept = default;
  MemoryLog(const MemoryLog&) = delete;
  MemoryLog& operator=(const MemoryLog&) = delete;
  ~MemoryLog();

  bool empty() const noexcept { return count_ == 0; }
  uint32_t size() const noexcept { return count_; }
  size_t bytes() const noexcept { return bytes_; }  // of frames and records
  size_t spare() const noexcept { return chunk_ ? chunk_->capacity - used_ : 0; }  // what its chunk has for those to come
  const MemoryRecord& at(uint32_t index) const noexcept { return records_[(head_ + index) & (room_ - 1)]; }
  const MemoryRecord& oldest() const noexcept { return at(0); }
  const MemoryRecord& newest() const noexcept { return at(count_ - 1); }
  // The index of the first one behind this offset; size() when there is none.
  uint32_t first_after(uint64_t offset) const noexcept;

  // Room for a frame that append() then takes. Null when memory is out.
  uint8_t* room_for(size_t size) noexcept {
    return count_ < room_ && spare() >= size ? chunk_->data() + used_ : make_room_for(size);
  }
  // What is in the last room_for() belongs to the log from now on, with this record, whose place it fills in. The array of
  // `more` becomes the log's. Never fails.
  MemoryRecord& append(const MemoryRecord& record) noexcept {
    MemoryRecord& place = *new (&records_[(head_ + count_++) & (room_ - 1)]) MemoryRecord(record);
    place.block = chunk_;
    place.data = chunk_->data() + used_;
    chunk_->retain();
    used_ += record.size;
    bytes_ += record.bytes();
    return place;
  }
  void drop_oldest() noexcept;

 private:
  static constexpr uint32_t kLeastRecords = 8;
  static constexpr uint32_t kSpareRecords = 64;  // so many are never given back
  static constexpr size_t kLeastChunk = 512;
  static constexpr size_t kMostChunk = size_t{64} << 10;
  static constexpr size_t kKeptChunk = 4096;  // by an empty log
  bool move_records(uint32_t room) noexcept;
  uint8_t* make_room_for(size_t size) noexcept;

  MemoryRecord* records_ = nullptr;  // a ring
  uint32_t room_ = 0;
  uint32_t head_ = 0;
  uint32_t count_ = 0;
  size_t bytes_ = 0;
  base::Block* chunk_ = nullptr;  // written to; one reference
  size_t used_ = 0;
};

}  // namespace martlet::realtime
