// Connections at the same time: max_per_ip() of limits.h. Who is counted is kept for as long as its connections are there, so
// there are no more entries than connections, and none is ever given up. The counts are all workers', in parts with a mutex each.
#include <martlet/common.h>
#include <martlet/limits.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "base/alloc.h"
#include "base/hash_index.h"
#include "guards/limit_key.h"
#include "guards/mistake.h"
#include "guards/random_key.h"

namespace martlet {

namespace {

struct Entry {
  explicit Entry(uint64_t hash_) noexcept : hash(hash_) {}
  uint64_t hash;
  uint32_t count = 0;
};

enum class Entered : uint8_t { yes, too_many, no_memory };

class Counts {
 public:
  Counts() : key(guards::random_key()) {}
  Counts(const Counts&) = delete;
  Counts& operator=(const Counts&) = delete;
  ~Counts() {
    for (Part& part : parts_) part.entries.take_all([](Entry& entry) { base::destroy(&entry); });
  }

  Entered enter(uint64_t hash, uint32_t max) noexcept {
    Part& part = part_of(hash);
    const std::lock_guard lock(part.mutex);
    Entry* entry = find(part, hash);
    if (entry && entry->count >= max) return Entered::too_many;
    if (!entry) entry = add(part, hash);
    if (!entry) return Entered::no_memory;
    entry->count++;
    total_.fetch_add(1, std::memory_order_relaxed);
    return Entered::yes;
  }
  void leave(uint64_t hash) noexcept {
    Part& part = part_of(hash);
    const std::lock_guard lock(part.mutex);
    Entry* entry = find(part, hash);
    total_.fetch_sub(1, std::memory_order_relaxed);
    if (--entry->count > 0) return;
    part.entries.erase(*entry);
    base::destroy(entry);
  }
  uint64_t total() const noexcept { return total_.load(std::memory_order_relaxed); }

  const base::SipKey key;

 private:
  struct Part {
    std::mutex mutex;
    base::HashIndex<Entry> entries;
  };
  Part& part_of(uint64_t hash) noexcept { return parts_[hash >> 58]; }  // the index goes by the other end
  static Entry* find(const Part& part, uint64_t hash) noexcept {
    return part.entries.find(hash, [](const Entry&) { return true; });
  }
  static Entry* add(Part& part, uint64_t hash) noexcept {
    Entry* entry = part.entries.reserve() ? base::create<Entry>(hash) : nullptr;
    if (entry) part.entries.insert(*entry);
    return entry;
  }

  Part parts_[64];
  std::atomic<uint64_t> total_{0};
};

// One that is counted. It goes with the close handler that holds it, or when that cannot be kept, or has run: once.
class Seat {
 public:
  Seat(const Common<Counts>& counts, uint64_t hash) noexcept : counts_(counts), hash_(hash) {}
  Seat(Seat&& other) noexcept : counts_(other.counts_), hash_(other.hash_), is_taken_(std::exchange(other.is_taken_, false)) {}
  Seat& operator=(Seat&&) = delete;
  ~Seat() { leave(); }
  void leave() noexcept {
    if (std::exchange(is_taken_, false)) counts_->leave(hash_);
  }

 private:
  Common<Counts> counts_;
  uint64_t hash_;
  bool is_taken_ = true;
};

}  // namespace

struct detail::MaxPerIpState {
  explicit MaxPerIpState(MaxPerIpOptions&& o) : options(std::move(o)) {
    const char* key = LimitKeyAccess::wrong_but_for_messages(options.key);
    mistake = guards::mistake_in("max_per_ip", options.max == 0 ? "max is 0" : key);
  }
  MaxPerIpOptions options;
  Common<Counts> counts = Common<Counts>();
  Error mistake;
};

MaxPerIpStep::MaxPerIpStep(MaxPerIpOptions&& options) : state_(detail::Shared<detail::MaxPerIpState>::make(std::move(options))) {}

void MaxPerIpStep::operator()(WebSocket ws, Request& req, Next next) const noexcept {
  const detail::MaxPerIpState& s = *state_;
  if (s.mistake) return ws.close(CloseCode::internal_error);
  const std::optional<uint64_t> hash = detail::LimitKeyAccess::hash(s.options.key, req, s.counts->key);
  if (!hash) return ws.close(CloseCode::internal_error);
  switch (s.counts->enter(*hash, s.options.max)) {
    case Entered::too_many: return ws.close(CloseCode::policy_violation, s.options.reason);
    case Entered::no_memory: return ws.close(CloseCode::try_again, "Out of memory");
    case Entered::yes: break;
  }
  ws.on_close([seat = Seat(s.counts, *hash)](WebSocket, const CloseInfo&) mutable { seat.leave(); });
  next();
}

Error MaxPerIpStep::mistake() const noexcept { return state_->mistake; }

uint64_t MaxPerIpStep::connections() const noexcept { return state_->counts->total(); }

MaxPerIpStep max_per_ip(MaxPerIpOptions options) { return MaxPerIpStep(std::move(options)); }
MaxPerIpStep max_per_ip(uint32_t max) { return MaxPerIpStep(MaxPerIpOptions{.max = max}); }

}  // namespace martlet
