// Who the clients of all workers are, where their connections are, and what waits for them (martlet/sessions.h). One object of a group
// (worker/common.h), under one lock, which is held for a few pointers' time: never while something is sent, posted, stored, or
// the user's code runs.
//
//   ClientRecord ──links──▶ ClientLink (a connection's, in its slot) ──pending──▶ messages on their way to that worker
//        └──queue──▶ messages that wait: no connection is live
//
// Every message for a client goes through one of these lists, whatever thread sends it, and the connection's worker takes them in
// order: so nothing overtakes when a client comes back. A list is empty where a message is sent directly.
//
// A record is there while the client has a connection, or something waits for it; or, where only clients are served that
// have been here, for as long as that counts. Of those who are away the ones go first for whom nothing waits and who were here once:
// so that a flood of strangers who come and go drives out strangers. Any thread.
#pragma once

#include <martlet/message.h>
#include <martlet/sessions.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>

#include "base/intrusive_list.h"
#include "base/kept_text.h"
#include "base/slot_table.h"
#include "codec/hmac.h"
#include "realtime/client_table.h"
#include "worker/common.h"
#include "worker/group.h"

namespace martlet::realtime {

struct ClientRecord;
struct ClientLink;

struct ByTimeHook : base::ListHook {};
struct QueueHook : base::ListHook {};

struct ClientMessage final : ByTimeHook, QueueHook {
  ClientMessage(const SharedFrame& f, ClientRecord& of) noexcept : frame(f), client(&of) {}
  SharedFrame frame;
  uint64_t at_ns = 0;
  size_t bytes = 0;          // of the payload
  ClientRecord* client;
  ClientLink* link = nullptr;  // whose pending one it is; null: in the queue
};
using ClientMessages = base::IntrusiveList<QueueHook>;

enum class LinkState : uint8_t {
  none,
  admitted,   // its handshake is going on, or its steps behind the 101
  restoring,  // what was stored is being asked for
  live,
  displaced,  // a newer one has come
};

// A connection of a client.
struct ClientLink {
  uint32_t worker = 0;
  base::SlotId id = {};
  // Under the lock.
  ClientRecord* client = nullptr;
  ClientLink* next = nullptr;
  ClientMessages pending;
  size_t pending_bytes = 0;
  size_t pending_count = 0;
  LinkState state = LinkState::none;
  bool mailed = false;  // its worker will look
};

// Those who are away, the longest untouched first.
struct AwayClients {
  base::IntrusiveList<ClientRecord> records;
  size_t count = 0;
};

struct ClientRecord final : base::ListHook {
  explicit ClientRecord(std::string_view identity) noexcept : name(identity) {}
  std::string_view key() const noexcept { return name.text(); }

  ClientRecord* chain = nullptr;
  uint64_t hash = 0;
  base::KeptText name;
  ClientLink* links = nullptr;
  uint32_t link_count = 0;
  ClientMessages queue;
  size_t queue_bytes = 0;
  size_t queued = 0;
  AwayClients* away = nullptr;  // the list that it is in
  uint64_t touched_ns = 0;
  uint64_t left_ns = 0;  // when its last connection ended
  bool was_here = false;
  bool came_back = false;
  bool unknown = false;  // what is stored of it
};

// Another worker's, or another connection of this one's: by name.
struct LinkName {
  uint32_t worker = 0;
  base::SlotId id = {};
};

// What the directory goes by; of SessionOptions, without what a worker has for itself.
struct ClientLimits {
  DuplicateClient duplicate = DuplicateClient::newest_wins;
  size_t clients = 0;
  size_t all_bytes = 0;
  size_t messages = 0;
  size_t bytes = 0;
  bool unknown = true;
  uint64_t message_ns = 0;
  uint64_t known_ns = 0;  // how long it counts that it was here
  uint64_t away_ns = 0;
};

class ClientDirectory final : public worker::CommonObject {
 public:
  static constexpr worker::PartKey kKey{};
  static constexpr size_t kMessageBytes = 160;  // that a message counts beside its own

  ClientDirectory() noexcept = default;
  ~ClientDirectory();

  // What the first worker says; what others say is for nobody.
  void open(SessionOptions& options) noexcept;
  const ClientLimits& limits() const noexcept { return limits_; }
  const codec::HmacKey& token_key() const noexcept { return token_key_; }
  SessionStore& store() noexcept { return store_; }
  milliseconds ttl() const noexcept { return ttl_; }
  milliseconds store_timeout() const noexcept { return store_timeout_; }

  // A connection says to be this client. refused: it has one already, by DuplicateClient::refuse, or too many: all that is
  // done here walks over the connections of one client.
  static constexpr uint32_t kMostLinks = 64;
  enum class Admitted : uint8_t { yes, refused, no_memory };
  Admitted admit(std::string_view identity, ClientLink& link) noexcept;
  // Its handler is about to run: from here on it is the client's. Whom it displaces is answered; worker 0: nobody. `alone`: the
  // client has no other connection, so that the store knows what it had.
  struct Began {
    LinkName displaced = {};
    bool alone = true;
  };
  Began begin(ClientLink& link) noexcept;
  // It has been restored: what has waited is its own now. False when it was displaced meanwhile.
  bool make_live(ClientLink& link, uint64_t now_ns) noexcept;
  // Of a client with several connections: whether what is stored is known to none of them yet, which nobody stores over then.
  void note_unknown(const ClientLink& link, bool unknown) noexcept;
  // Whether its end is the client's: what it had is to be stored.
  bool is_last(const ClientLink& link) noexcept;
  void leave(ClientLink& link, uint64_t now_ns) noexcept;

  // The messages on their way to a connection, for its worker to send. What it cannot send goes back, before what has come since.
  void take(ClientLink& link, ClientMessages& to) noexcept;
  void give_back(ClientLink& link, ClientMessages& rest) noexcept;
  static void destroy(ClientMessage* message) noexcept { base::destroy(message); }
  // Counts how often some worker was not told, as memory was out: each looks for itself then.
  uint32_t untold() const noexcept { return untold_.load(std::memory_order_relaxed); }
  bool is_untold(ClientLink& link) noexcept;
  void note_untold(std::string_view client, const LinkName& name) noexcept;

  // The one live connection, when it is on that worker and nothing waits for it: then it may be sent to directly.
  base::SlotId find_direct(std::string_view client, uint32_t worker) noexcept;
  // Puts a message where it waits. `told` gets the connections whose workers are to be told.
  struct Told {
    LinkName names[kMostLinks];
    size_t count = 0;
  };
  SendStatus put(std::string_view client, const SharedFrame& frame, uint64_t now_ns, Told& told) noexcept;
  // Drops what waits for it.
  void forget(std::string_view client) noexcept;
  // Drops what has waited too long; a bounded piece of it.
  void expire(uint64_t now_ns, size_t budget) noexcept;

  worker::QueueCounts counts;

 private:
  ClientRecord* find_or_make(std::string_view client) noexcept;
  void destroy_record(ClientRecord& record) noexcept;
  bool is_idle(const ClientRecord& record) const noexcept;
  bool is_served(const ClientRecord* record, uint64_t now_ns) const noexcept;
  void touch(ClientRecord& record, uint64_t now_ns) noexcept;
  void make_way() noexcept;
  static void unlist_away(ClientRecord& record) noexcept;
  ClientMessage* make(const SharedFrame& frame, ClientRecord& record, uint64_t now_ns) noexcept;
  bool make_room(size_t bytes) noexcept;
  void unlist(ClientMessage& message) noexcept;
  void drop(ClientMessage& message) noexcept;
  void drop_count(ClientMessage& message, std::atomic<uint64_t>& count) noexcept;
  bool put_pending(ClientLink& link, const SharedFrame& frame, uint64_t now_ns, Told& told) noexcept;
  bool put_queue(ClientRecord& record, const SharedFrame& frame, uint64_t now_ns) noexcept;
  void move_to_queue(ClientLink& link) noexcept;
  void move_to_pending(ClientRecord& record, ClientLink& link) noexcept;
  void expire_some(uint64_t now_ns, size_t budget) noexcept;
  void expire_away(AwayClients& away, uint64_t life_ns, uint64_t now_ns, size_t& budget) noexcept;

  std::mutex mutex_;
  bool open_ = false;
  ClientLimits limits_;
  codec::HmacKey token_key_;
  SessionStore store_;
  milliseconds ttl_{0};
  milliseconds store_timeout_{0};
  ClientTable<ClientRecord> records_;
  AwayClients strangers_;  // were here once, and nothing waits for them
  AwayClients known_;
  base::IntrusiveList<ByTimeHook> by_time_;     // all messages, about in the order in which they came
  size_t all_bytes_ = 0;
  std::atomic<uint32_t> untold_{0};
};

}  // namespace martlet::realtime
