// See rate_table.h.
#include "guards/rate_table.h"

#include <bit>
#include <chrono>
#include <cstdlib>
#include <new>
#include <thread>

#include "guards/random_key.h"

namespace martlet::detail {

struct alignas(128) RateTable::Set {
  std::atomic<uint32_t> lock;
  uint32_t unused;
  uint32_t tags[kWays];
  uint64_t states[kWays];
};

// A set's lock. It is held for some tens of nanoseconds; whose thread is taken off the processor meanwhile has the others wait for it.
class RateTable::Held {
 public:
  explicit Held(Set& set) noexcept : set_(set) {
    for (int tries = 0; set_.lock.exchange(1, std::memory_order_acquire) != 0; tries++) {
      while (set_.lock.load(std::memory_order_relaxed) != 0 && tries < 100) tries++;
      if (tries >= 100) std::this_thread::yield();
    }
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { set_.lock.store(0, std::memory_order_release); }

 private:
  Set& set_;
};

namespace {

uint64_t sets_for(uint32_t max_keys) noexcept { return (uint64_t{max_keys} + 5) / 6; }  // six of ten places

int64_t read(MonotonicClock clock) noexcept {
  return (clock ? clock() : std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch())).count();
}

uint32_t tag_of(uint64_t hash) noexcept {
  const auto tag = static_cast<uint32_t>(hash);
  return tag ? tag : 1;
}

}  // namespace

RateTable::RateTable(const RateLimiterOptions& o)
    : wrong_(policy_.take(o)), clock_(o.clock), key_(guards::random_key()), sets_(sets_for(o.max_keys)), born_ns_(read(clock_)) {
  if (!wrong_ && (o.max_keys == 0 || o.max_keys > 1u << 28)) wrong_ = "max_keys is not from 1 to 268,435,456";
  if (!wrong_ && !allocate()) wrong_ = "no memory for a table of max_keys";
}

// Zeroed, which the system does as the pages are used.
bool RateTable::allocate() noexcept {
  memory_ = std::calloc(sets_ + 1, sizeof(Set));
  first_ = reinterpret_cast<Set*>((reinterpret_cast<uintptr_t>(memory_) + alignof(Set) - 1) / alignof(Set) * alignof(Set));
  const size_t log_bytes = policy_.log_size() * sizeof(uint32_t);
  if (log_bytes) logs_ = static_cast<uint32_t*>(std::calloc(sets_ * kWays, log_bytes));
  return memory_ && (logs_ || !log_bytes);
}

RateTable::~RateTable() {
  std::free(memory_);
  std::free(logs_);
}

size_t RateTable::bytes() const noexcept { return (sets_ + 1) * sizeof(Set) + sets_ * kWays * policy_.log_size() * sizeof(uint32_t); }

uint64_t RateTable::now_ns() const noexcept {
  const int64_t since = read(clock_) - born_ns_;
  return since < 0 ? 0 : static_cast<uint64_t>(since);
}

RateTable::Set& RateTable::set_of(uint64_t hash) const noexcept { return first_[(hash >> 32) * sets_ >> 32]; }

uint32_t* RateTable::log_of(const Set& set, uint32_t place) const noexcept {
  return logs_ ? logs_ + (static_cast<size_t>(&set - first_) * kWays + place) * policy_.log_size() : nullptr;
}

namespace {

// Without a branch for each, so that it is a few vector instructions.
template <size_t kCount>
uint32_t places_of(const uint32_t (&tags)[kCount], uint32_t tag) noexcept {
  uint32_t found = 0;
  for (uint32_t i = 0; i < kCount; i++) found |= static_cast<uint32_t>(tags[i] == tag) << i;
  return found;
}

}  // namespace

uint32_t RateTable::find_or_place(Set& set, uint32_t tag, uint64_t now_ns) noexcept {
  const uint32_t found = places_of(set.tags, tag);
  if (found) [[likely]] return static_cast<uint32_t>(std::countr_zero(found));
  const uint32_t place = least_place(set, now_ns);
  set.tags[place] = tag;
  return place;
}

// One that is free, or has run out, is cleared; else the newcomer has the count that is least.
uint32_t RateTable::least_place(Set& set, uint64_t now_ns) noexcept {
  uint32_t least = 0;
  uint64_t least_weight = UINT64_MAX;
  for (uint32_t i = 0; i < kWays && least_weight > 0; i++) {
    const uint64_t weight = set.tags[i] ? policy_.weight(set.states[i], now_ns) : 0;
    if (weight < least_weight) least = i, least_weight = weight;
  }
  if (least_weight == 0) set.states[least] = 0;
  else shared_.fetch_add(1, std::memory_order_relaxed);
  return least;
}

void RateTable::expect(uint64_t hash) const noexcept {
  const Set& set = set_of(hash);
  __builtin_prefetch(&set, 1);
  __builtin_prefetch(&set.states[kWays - 1], 1);
}

RateDecision RateTable::decide_at(uint64_t now, uint64_t hash, uint32_t cost, bool counts) noexcept {
  Set& set = set_of(hash);
  const Held held(set);
  if (!counts && !places_of(set.tags, tag_of(hash))) {
    uint64_t nothing = 0;
    return policy_.decide(nothing, nullptr, now, cost, false);
  }
  const uint32_t place = find_or_place(set, tag_of(hash), now);
  return policy_.decide(set.states[place], log_of(set, place), now, cost, counts);
}

void RateTable::forget(uint64_t hash) noexcept {
  Set& set = set_of(hash);
  const Held held(set);
  const uint32_t found = places_of(set.tags, tag_of(hash));
  if (!found) return;
  const auto place = static_cast<uint32_t>(std::countr_zero(found));
  set.tags[place] = 0;
  set.states[place] = 0;
}

}  // namespace martlet::detail
