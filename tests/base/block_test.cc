// Blocks and their pool: recycling, references, other threads, and running out of memory.
#include "base/block.h"

#include <doctest/doctest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "support/failing_alloc.h"

using martlet::base::Block;
using martlet::base::BlockPool;
using martlet::test::FailingAlloc;

namespace {

// A pool that is the calling thread's while it lives.
struct CurrentPool : BlockPool {
  CurrentPool() { set_current(this); }
  ~CurrentPool() { set_current(nullptr); }
};

}  // namespace

TEST_CASE("block: has the room that was asked for, and headroom before it") {
  CurrentPool pool;
  for (const size_t size : {0, 1, 511, 512, 513, 1024, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1}) {
    Block* block = pool.acquire(size);
    REQUIRE(block);
    CHECK(block->capacity >= size);
    CHECK(block->capacity >= BlockPool::kSmallest);
    CHECK(block->capacity <= (size < 512 ? 512 : size > 65536 ? size + 65536 : 2 * size));
    CHECK(block->references.load() == 1);
    std::memset(block->data() - Block::kHeadroom, 0xAB, Block::kHeadroom + block->capacity);
    block->release();
  }
}

TEST_CASE("block: released on its pool's thread it is used again, last one first") {
  FailingAlloc memory;
  {
    CurrentPool pool;
    for (const size_t size : {size_t{700}, size_t{200000}}) {
      Block* a = pool.acquire(size);
      Block* b = pool.acquire(size);
      const size_t capacity = a->capacity;
      const long held = FailingAlloc::held.load();
      a->release();
      b->release();
      CHECK(pool.kept_bytes() == 2 * capacity);
      CHECK(pool.acquire(size) == b);
      CHECK(pool.acquire(size) == a);
      CHECK(pool.kept_bytes() == 0);
      CHECK(FailingAlloc::held == held);
      CHECK(a->references.load() == 1);
      a->release();
      b->release();
      pool.trim(0);  // they have just been used
      CHECK(pool.kept_bytes() == 2 * capacity);
      pool.trim(0);
      CHECK(pool.kept_bytes() == 0);
    }
  }
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("block: a trim leaves so many bytes, and what was used since the last one; the largest go first") {
  CurrentPool pool;
  std::vector<Block*> blocks;
  for (const size_t size : {512u, 1024u, 65536u, 200'000u}) {
    for (int i = 0; i < 4; i++) blocks.push_back(pool.acquire(size));
  }
  CHECK(pool.blocks_made() == 16);
  for (Block* block : blocks) block->release();
  const size_t all = pool.kept_bytes();
  const size_t small = 4 * 512 + 4 * 1024;
  const size_t medium = 4 * 65536;
  pool.trim(0);
  CHECK(pool.kept_bytes() == all);
  CHECK(pool.given_back_bytes() == 0);
  Block* used = pool.acquire(1024);
  used->release();
  pool.trim(small + medium);
  CHECK(pool.kept_bytes() == small + medium);
  CHECK(pool.given_back_bytes() == all - small - medium);
  pool.trim(small + 65536 - 1);
  CHECK(pool.kept_bytes() == small);
  pool.acquire(1024)->release();
  pool.trim(0);
  CHECK(pool.kept_bytes() == 1024);  // one of them was in use in between
  pool.trim(0);
  CHECK(pool.kept_bytes() == 0);
  CHECK(pool.given_back_bytes() == all);
  CHECK(pool.blocks_made() == 16);
  pool.forget_given_back();
  CHECK(pool.given_back_bytes() == 0);
}

TEST_CASE("block: what the pool lets go of is emptied first, where it holds pages") {
  static std::vector<size_t> emptied;
  emptied.clear();
  CurrentPool pool;
  pool.set_empty([](void* data, size_t bytes) noexcept {
    std::memset(data, 0, bytes);
    emptied.push_back(bytes);
  });
  for (const size_t size : {BlockPool::kHoldsPages / 2, BlockPool::kHoldsPages, size_t{1} << 20}) {
    Block* block = pool.acquire(size);
    REQUIRE(block->capacity == size);
    block->release();
  }
  pool.trim(0);  // they have just been used
  CHECK(emptied.empty());
  pool.trim(0);
  CHECK(emptied == std::vector<size_t>{size_t{1} << 20, BlockPool::kHoldsPages});
  CHECK(pool.kept_bytes() == 0);

  // What is too much to be kept; not what another thread releases, which may still be at work.
  Block* most = pool.acquire(BlockPool::kKeepBytes);
  Block* more = pool.acquire(BlockPool::kHoldsPages);
  Block* elsewhere = pool.acquire(BlockPool::kHoldsPages);
  emptied.clear();
  most->release();
  CHECK(emptied.empty());
  std::thread([&] { elsewhere->release(); }).join();
  CHECK(emptied.empty());
  more->release();
  CHECK(emptied == std::vector<size_t>{BlockPool::kHoldsPages});
}

TEST_CASE("block: it lives until its last reference") {
  CurrentPool pool;
  Block* block = pool.acquire(100);
  block->retain();
  block->retain(2);
  for (int i = 0; i < 3; i++) {
    block->release();
    CHECK(pool.kept_bytes() == 0);
  }
  block->release();
  CHECK(pool.kept_bytes() == block->capacity);
}

TEST_CASE("block: released on another thread it goes to the allocator, not to the pool") {
  FailingAlloc memory;
  {
    CurrentPool pool;
    Block* block = pool.acquire(100);
    std::thread([&] { block->release(); }).join();
    CHECK(pool.kept_bytes() == 0);
    CHECK(FailingAlloc::held == 0);
    block = pool.acquire(100);
    std::thread([&] {
      CurrentPool other;
      block->release();
      CHECK(other.kept_bytes() == 0);
    }).join();
    CHECK(FailingAlloc::held == 0);
  }
}

TEST_CASE("block: many threads share one, and it is freed exactly once") {
  FailingAlloc memory;
  CurrentPool pool;
  for (int round = 0; round < 20; round++) {
    Block* block = pool.acquire(100);
    block->retain(2);
    std::thread first([block] { block->release(); });
    std::thread second([block] { block->release(); });
    block->release();
    first.join();
    second.join();
    CHECK(FailingAlloc::held == (pool.kept_bytes() ? 1 : 0));
    pool.trim(0);
    pool.trim(0);
    CHECK(FailingAlloc::held == 0);
  }
}

TEST_CASE("block: one without a pool, and one whose pool is gone, go to the allocator") {
  FailingAlloc memory;
  Block* loose = Block::make(100);
  Block* orphan = nullptr;
  {
    BlockPool pool;
    BlockPool::set_current(&pool);
    orphan = pool.acquire(100);
    Block* unpooled = Block::make(100);
    unpooled->release();
    CHECK(pool.kept_bytes() == 0);
  }
  CHECK(BlockPool::current() == nullptr);
  CHECK(FailingAlloc::held == 2);
  loose->release();
  orphan->release();
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("block: without memory acquire and make answer null") {
  FailingAlloc memory(0);
  {
    CurrentPool pool;
    CHECK(pool.acquire(100) == nullptr);
    CHECK(pool.acquire(1 << 20) == nullptr);
    CHECK(Block::make(100) == nullptr);
    FailingAlloc::left = 1;
    Block* block = pool.acquire(100);
    REQUIRE(block);
    CHECK(pool.acquire(100) == nullptr);
    block->release();
    CHECK(pool.acquire(100) == block);  // recycling needs no memory
    block->release();
  }
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("block: absurd sizes answer null instead of wrapping") {
  CurrentPool pool;
  for (const size_t size : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 100, SIZE_MAX / 2 + 1}) {
    CHECK(pool.acquire(size) == nullptr);
    CHECK(Block::make(size) == nullptr);
  }
}

TEST_CASE("block: a large one is not wasted on a small need") {
  CurrentPool pool;
  Block* large = pool.acquire(size_t{1} << 20);
  large->release();
  Block* small = pool.acquire(size_t{100} << 10);
  CHECK(small != large);
  Block* fitting = pool.acquire(size_t{600} << 10);
  CHECK(fitting == large);
  small->release();
  fitting->release();
}

TEST_CASE("block: the pool keeps no more than its limit") {
  CurrentPool pool;
  std::vector<Block*> blocks;
  const size_t each = size_t{16} << 20;
  for (int i = 0; i < 8; i++) blocks.push_back(pool.acquire(each));  // pages are not touched
  for (Block* block : blocks) block->release();
  CHECK(pool.kept_bytes() <= BlockPool::kKeepBytes);
  CHECK(pool.kept_bytes() >= BlockPool::kKeepBytes - each);
}
