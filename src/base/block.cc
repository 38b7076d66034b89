// The pool behind block.h. Free lists are last-in first-out, so that what is reused is warm in the cache.
#include "base/block.h"

#include <bit>
#include <cstring>
#include <new>

#include "base/check.h"

namespace martlet::base {

namespace {

thread_local BlockPool* current_pool = nullptr;

constexpr size_t kLargeStep = size_t{64} << 10;  // large capacities are rounded up, so that they fit one another
constexpr int kLargeProbes = 16;                 // how far the list of large blocks is searched for a fit

Block* make_block(size_t capacity, uint8_t size_class, BlockPool* home) noexcept {
  if (capacity > SIZE_MAX / 2) return nullptr;
  void* memory = allocate(sizeof(Block) + Block::kHeadroom + capacity);
  if (!memory) return nullptr;
  return new (memory) Block{1, size_class, capacity, home, nullptr};
}

uint8_t class_of(size_t capacity) noexcept {
  if (capacity <= BlockPool::kSmallest) return 0;
  if (capacity > BlockPool::kLargestClass) return BlockPool::kLarge;
  return static_cast<uint8_t>(std::bit_width(capacity - 1) - std::bit_width(BlockPool::kSmallest - 1));
}

}  // namespace

void BlockPool::set_current(BlockPool* pool) noexcept { current_pool = pool; }

BlockPool* BlockPool::current() noexcept { return current_pool; }

Block* Block::make(size_t capacity) noexcept { return make_block(capacity, BlockPool::kUnpooled, nullptr); }

void Block::release() noexcept {
  // The last owner needs no read-modify-write: nobody else can add a reference to a block they do not hold.
  if (references.load(std::memory_order_acquire) != 1 && references.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  if (home && home == current_pool) {
    home->recycle(this);
  } else if (current_pool) {
    current_pool->give_back(this);
  } else {
    deallocate(this);
  }
}

Block* BlockPool::make(size_t capacity, uint8_t size_class) noexcept {
  blocks_made_++;
  return make_block(capacity, size_class, this);
}

void BlockPool::give_back(Block* block) noexcept {
  given_back_bytes_ += block->capacity;
  deallocate(block);
}

// One that lay here, or would have. Rare: it is kept out of recycle(), which is not.
[[gnu::noinline]] void BlockPool::let_go(Block* block) noexcept {
  if (empty_ && block->capacity >= kHoldsPages) empty_(block->data(), block->capacity);
  give_back(block);
}

Block* BlockPool::acquire(size_t capacity) noexcept {
  const uint8_t size_class = class_of(capacity);
  if (size_class == kLarge) return take_large(capacity);
  Block* block = free_[size_class];
  if (!block) return make(kSmallest << size_class, size_class);
  free_[size_class] = block->next;
  if (--free_count_[size_class] < low_water_[size_class]) low_water_[size_class] = free_count_[size_class];
  kept_bytes_ -= block->capacity;
  block->references.store(1, std::memory_order_relaxed);
  return block;
}

// Takes the first kept block that fits without wasting more than it holds.
Block* BlockPool::take_large(size_t capacity) noexcept {
  Block** link = &free_[kLarge];
  for (int probe = 0; *link && probe < kLargeProbes; probe++, link = &(*link)->next) {
    Block* block = *link;
    if (block->capacity < capacity || block->capacity / 2 > capacity) continue;
    *link = block->next;
    if (--free_count_[kLarge] < low_water_[kLarge]) low_water_[kLarge] = free_count_[kLarge];
    kept_bytes_ -= block->capacity;
    block->references.store(1, std::memory_order_relaxed);
    return block;
  }
  if (capacity > SIZE_MAX / 2) return nullptr;
  return make((capacity + kLargeStep - 1) / kLargeStep * kLargeStep, kLarge);
}

void BlockPool::recycle(Block* block) noexcept {
  if (kept_bytes_ + block->capacity > kKeepBytes) {
    let_go(block);
    return;
  }
  if constexpr (kDebug) std::memset(block->data(), kSpoiled, block->capacity);
  kept_bytes_ += block->capacity;
  block->next = free_[block->size_class];
  free_[block->size_class] = block;
  free_count_[block->size_class]++;
}

void BlockPool::trim(size_t keep) noexcept {
  for (int c = kClasses; c >= 0; c--) {
    for (uint32_t n = low_water_[c]; n > 0 && free_[c] && kept_bytes_ > keep; n--) {
      Block* block = free_[c];
      free_[c] = block->next;
      free_count_[c]--;
      kept_bytes_ -= block->capacity;
      let_go(block);
    }
    low_water_[c] = free_count_[c];
  }
}

BlockPool::~BlockPool() {
  if (current_pool == this) current_pool = nullptr;  // a block released later goes to the allocator
  for (Block* block : free_) {
    while (block) {
      Block* next = block->next;
      deallocate(block);
      block = next;
    }
  }
}

}  // namespace martlet::base
