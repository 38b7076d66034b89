// See random.h. What is kept in advance is used once and overwritten, and thrown away in a child of fork(), which would give out
// what its parent gives out.
#include <martlet/random.h>

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <cstring>

#include "sys/process.h"

namespace martlet {

namespace {

constexpr size_t kPoolBytes = 512;
constexpr size_t kLargeBytes = 64;  // more than that is asked for directly

struct Pool {
  std::byte bytes[kPoolBytes] = {};
  size_t left = 0;
  uint32_t process = 0;
};
thread_local constinit Pool pool;

std::atomic<uint32_t> forks{1};

uint32_t process_number() noexcept {
  static const int watching = ::pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
  return watching == 0 ? forks.load(std::memory_order_relaxed) : 0;
}

}  // namespace

void random_bytes(std::span<std::byte> out) noexcept {
  const uint32_t process = process_number();
  if (out.size() > kLargeBytes || process == 0) return sys::random_bytes(out.data(), out.size());
  if (pool.left < out.size() || pool.process != process) {
    sys::random_bytes(pool.bytes, kPoolBytes);
    pool.left = kPoolBytes;
    pool.process = process;
  }
  if (out.empty()) return;
  pool.left -= out.size();
  std::memcpy(out.data(), pool.bytes + pool.left, out.size());
  std::memset(pool.bytes + pool.left, 0, out.size());
}

}  // namespace martlet
