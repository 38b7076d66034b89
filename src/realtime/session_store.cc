// memory_store(): sessions in this process, of all workers, under one lock. Bounded by their number and their bytes; the one that
// was saved longest ago goes first, and what is too old is not found.
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

  StoredSession* chain = nullptr;
  uint64_t hash = 0;
  base::KeptText name;
  SessionData data;
  uint64_t until_ns = 0;
  size_t bytes = 0;
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
    while (StoredSession* session = by_time_.front()) drop(*session);
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
    if (StoredSession* before = sessions_.find(client)) drop(*before);
    while (StoredSession* oldest = by_time_.front()) {
      if (oldest->until_ns > now_ns) break;
      drop(*oldest);
    }
    while (by_time_.front() && (sessions_.size() >= options_.max_sessions || bytes_ + made->bytes > options_.max_bytes)) drop(*by_time_.front());
    if (options_.max_sessions == 0 || made->bytes > options_.max_bytes || !sessions_.insert(*made)) return base::destroy(made);
    by_time_.push_back(made);
    bytes_ += made->bytes;
  }

 private:
  static constexpr size_t kSessionBytes = 256;

  void drop(StoredSession& session) noexcept {
    sessions_.erase(session);
    base::IntrusiveList<StoredSession>::unlink(&session);
    bytes_ -= session.bytes;
    base::destroy(&session);
  }

  const MemoryStoreOptions options_;
  std::mutex mutex_;
  realtime::ClientTable<StoredSession> sessions_;
  base::IntrusiveList<StoredSession> by_time_;  // the one that was saved first
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
