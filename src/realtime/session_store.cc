// memory_store(): sessions in this process, of all workers, under one lock. Bounded by their number and their bytes, and what is too
// old is not found. Which one goes first is what a flood of strangers is up against, who come, say a new name each, and go: those
// that hold nothing, then those that were saved once, which is all that a short visit does, down to a quarter of all, then
// the others; of each kind the one that was saved longest ago.
#include <martlet/sessions.h>

#include <mutex>

#include "base/alloc.h"
#include "base/intrusive_list.h"
#include "base/kept_text.h"
#include "base/limits.h"
#include "realtime/client_table.h"
#include "sys/clock.h"

namespace martlet {

namespace {

struct StoredSession final : base::ListHook {
  StoredSession(std::string_view client, const SessionData& d) noexcept : name(client), data(d) {}
  std::string_view key() const noexcept { return name.text(); }
  bool ok() const noexcept { return name.ok() && data.metadata.complete() && data.rooms.complete(); }
  bool holds_nothing() const noexcept { return data.metadata.empty() && data.rooms.empty(); }

  StoredSession* chain = nullptr;
  uint64_t hash = 0;
  base::KeptText name;
  SessionData data;
  uint64_t until_ns = 0;
  size_t bytes = 0;
  bool again = false;  // it was there already when it was saved
};

// Of one kind, the one that was saved first in front.
struct SessionQueue {
  base::IntrusiveList<StoredSession> by_time;
  size_t size = 0;
};

// About what it takes.
size_t weigh(const Json& value) noexcept {
  size_t bytes = sizeof(Json) + value.text_or("").size();
  for (const Json& item : value.items()) bytes += weigh(item);
  for (const auto& [name, member] : value.members()) bytes += sizeof(Json) + name.size() + weigh(member);
  return bytes;
}

class MemoryStore {
 public:
  explicit MemoryStore(MemoryStoreOptions options) noexcept : options_(options) {}
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;
  ~MemoryStore() {
    for (SessionQueue& queue : queues_) {
      while (StoredSession* session = queue.by_time.front()) drop(*session);
    }
  }

  std::optional<SessionData> load(std::string_view client) noexcept {
    const std::lock_guard lock(mutex_);
    StoredSession* session = sessions_.find(client);
    if (!session) return std::nullopt;
    std::optional<SessionData> found;
    if (session->until_ns > sys::monotonic_ns()) found = session->data;
    if (found && !(found->metadata.complete() && found->rooms.complete())) return std::nullopt;  // memory is out
    if (!found) drop(*session);
    return found;
  }
  void remove(std::string_view client) noexcept {
    const std::lock_guard lock(mutex_);
    if (StoredSession* session = sessions_.find(client)) drop(*session);
  }
  // Where memory is out, what was saved before stays.
  void save(std::string_view client, const SessionData& data, milliseconds ttl) noexcept {
    auto* made = base::create<StoredSession>(client, data);
    if (!made || !made->ok()) return base::destroy(made);
    made->bytes = kSessionBytes + client.size() + weigh(data.metadata) + weigh(data.rooms);
    const uint64_t now_ns = sys::monotonic_ns();
    made->until_ns = now_ns + uint64_t{base::to_ms(ttl)} * 1'000'000;
    const std::lock_guard lock(mutex_);
    if (StoredSession* before = sessions_.find(client)) {
      made->again = true;
      drop(*before);
    }
    drop_old(now_ns);
    if (!make_room(*made) || !sessions_.insert(*made)) return base::destroy(made);
    SessionQueue& queue = queue_of(*made);
    queue.by_time.push_back(made);
    queue.size++;
    bytes_ += made->bytes;
  }

 private:
  static constexpr size_t kSessionBytes = 256;

  SessionQueue& queue_of(const StoredSession& session) noexcept {
    return session.holds_nothing() ? nothing_ : session.again ? again_ : once_;
  }

  void drop_old(uint64_t now_ns) noexcept {
    for (SessionQueue& queue : queues_) {
      while (StoredSession* oldest = queue.by_time.front()) {
        if (oldest->until_ns > now_ns) break;
        drop(*oldest);
      }
    }
  }

  // False: it is too large, or all that is there is worth more.
  bool make_room(const StoredSession& made) noexcept {
    if (options_.max_sessions == 0 || made.bytes > options_.max_bytes) return false;
    while (sessions_.size() >= options_.max_sessions || bytes_ + made.bytes > options_.max_bytes) {
      if (nothing_.size == 0 && made.holds_nothing()) return false;
      drop(*find_first_to_go().by_time.front());
    }
    return true;
  }
  SessionQueue& find_first_to_go() noexcept {
    if (nothing_.size > 0) return nothing_;
    return once_.size > sessions_.size() / 4 || again_.size == 0 ? once_ : again_;
  }

  void drop(StoredSession& session) noexcept {
    queue_of(session).size--;
    sessions_.erase(session);
    base::IntrusiveList<StoredSession>::unlink(&session);
    bytes_ -= session.bytes;
    base::destroy(&session);
  }

  const MemoryStoreOptions options_;
  std::mutex mutex_;
  realtime::ClientTable<StoredSession> sessions_;
  SessionQueue queues_[3];
  SessionQueue& nothing_ = queues_[0];
  SessionQueue& once_ = queues_[1];
  SessionQueue& again_ = queues_[2];
  size_t bytes_ = 0;
};

}  // namespace

SessionStore memory_store(MemoryStoreOptions options) {
  const auto store = detail::Shared<MemoryStore>::make(options);
  return {.load = [store](std::string_view client, SessionAnswer answer) { answer(store->load(client)); },
          .remove = [store](std::string_view client) { store->remove(client); },
          .save = [store](std::string_view client, const SessionData& data, milliseconds ttl) { store->save(client, data, ttl); }};
}

}  // namespace martlet
