// Blocks: reference-counted runs of bytes, and the pool that recycles them.
//
// Everything on the connection path that outlives one turn of the loop is a block: a head that has not all come,
// a message on its way in, output that the kernel did not take, a frame shared by a thousand receivers. A block has
// room before its data for a WebSocket frame header, so that a received message can be sent on without copying it.
//
//   | Block header (32 bytes) | kHeadroom bytes | capacity bytes ...
//                                               ^ data()
//
// The pool belongs to one worker thread. A block may be released on any thread: on its pool's thread it is
// recycled, elsewhere it goes back to the allocator. acquire() may answer null (out of memory).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/alloc.h"

namespace martlet::base {

class BlockPool;

struct Block {
  static constexpr size_t kHeadroom = 16;

  std::atomic<uint32_t> references;
  uint8_t size_class;   // BlockPool::kUnpooled: goes straight back to the allocator
  size_t capacity;      // bytes at data()
  BlockPool* home;      // the pool that made it; null when it has none
  Block* next;          // free list of the pool

  uint8_t* data() noexcept { return reinterpret_cast<uint8_t*>(this + 1) + kHeadroom; }
  const uint8_t* data() const noexcept { return reinterpret_cast<const uint8_t*>(this + 1) + kHeadroom; }

  void retain(uint32_t count = 1) noexcept { references.fetch_add(count, std::memory_order_relaxed); }
  void release() noexcept;

  // A block without a pool, for threads that have none. Null when out of memory.
  [[nodiscard]] static Block* make(size_t capacity) noexcept;
};

class BlockPool {
 public:
  // Capacities 512 B, 1 KiB, … 64 KiB are kept by class; larger ones in a list of their own.
  static constexpr int kClasses = 8;
  static constexpr size_t kSmallest = 512;
  static constexpr size_t kLargestClass = kSmallest << (kClasses - 1);
  static constexpr uint8_t kLarge = kClasses;
  static constexpr uint8_t kUnpooled = 0xff;

  BlockPool() noexcept = default;
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // A block of at least `capacity` bytes with one reference, or null. Its bytes are not initialised, and the pages
  // of a large one are not touched.
  [[nodiscard]] Block* acquire(size_t capacity) noexcept;

  // Makes this the pool of the calling thread: releases on this thread recycle. Null ends that.
  static void set_current(BlockPool* pool) noexcept;
  static BlockPool* current() noexcept;

  // Gives what is kept above `keep` bytes, and was not used since the last call, back to the allocator; the largest
  // blocks first.
  void trim(size_t keep) noexcept;

  // Is called with the data of each block that the pool lets go of, because it was trimmed or there are too many, before
  // the allocator has it; what is there may be lost. Only for capacities from kHoldsPages on: below, there is hardly a
  // whole page in a block.
  using Empty = void (*)(void* data, size_t bytes) noexcept;
  void set_empty(Empty empty) noexcept { empty_ = empty; }
  static constexpr size_t kHoldsPages = size_t{16} << 10;

  size_t kept_bytes() const noexcept { return kept_bytes_; }
  // What this thread has given back to the allocator, which may keep it from the system, since the last
  // forget_given_back(); and how many blocks came from there.
  size_t given_back_bytes() const noexcept { return given_back_bytes_; }
  void forget_given_back() noexcept { given_back_bytes_ = 0; }
  uint32_t blocks_made() const noexcept { return blocks_made_; }

  // How much may be kept for reuse, small classes and large blocks together.
  static constexpr size_t kKeepBytes = size_t{96} << 20;

 private:
  friend struct Block;
  void recycle(Block* block) noexcept;
  void give_back(Block* block) noexcept;
  void let_go(Block* block) noexcept;
  Block* make(size_t capacity, uint8_t size_class) noexcept;
  Block* take_large(size_t capacity) noexcept;

  Block* free_[kClasses + 1] = {};
  uint32_t free_count_[kClasses + 1] = {};
  uint32_t low_water_[kClasses + 1] = {};  // the fewest that lay free since the last trim
  size_t kept_bytes_ = 0;
  size_t given_back_bytes_ = 0;
  uint32_t blocks_made_ = 0;
  Empty empty_ = nullptr;
};

}  // namespace martlet::base
