// See client_directory.h. In order: connections, what waits, its end.
#include "realtime/client_directory.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "realtime/access.h"

namespace martlet::realtime {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

uint64_t ns_of(milliseconds time) noexcept { return uint64_t{base::to_ms(time)} * 1'000'000; }

ClientMessage* message_of(QueueHook* hook) noexcept { return static_cast<ClientMessage*>(hook); }
ClientMessage* message_of(ByTimeHook* hook) noexcept { return static_cast<ClientMessage*>(hook); }

bool has_begun(const ClientLink& link) noexcept { return link.state == LinkState::live || link.state == LinkState::restoring; }

ClientLink* find_live(const ClientRecord& record) noexcept {
  ClientLink* link = record.links;
  while (link && link->state != LinkState::live) link = link->next;
  return link;
}

// Signatures of tokens; HMAC takes a key of any length.
codec::HmacKey make_key(std::string_view secret) noexcept {
  if (!secret.empty()) return codec::hmac_key(base::as_bytes(secret));
  uint8_t random[32];
  sys::random_bytes(random, sizeof random);
  return codec::hmac_key({random, sizeof random});
}

}  // namespace

void ClientDirectory::open(SessionOptions& options) noexcept {
  const std::lock_guard lock(mutex_);
  if (std::exchange(open_, true)) return;
  const milliseconds waits = options.message_ttl.count() > 0 ? options.message_ttl : options.ttl;
  limits_ = {options.duplicate, std::max<size_t>(options.max_clients, 1), options.max_queue_bytes, options.queue, options.queue_bytes,
             options.queue_unknown, ns_of(waits), ns_of(options.ttl), std::max(ns_of(options.ttl), ns_of(waits))};
  token_key_ = make_key(options.token_key);
  store_ = std::move(options.store);
  ttl_ = options.ttl;
  store_timeout_ = options.store_timeout;
}

// All workers are over, and with them the connections.
ClientDirectory::~ClientDirectory() {
  while (ByTimeHook* oldest = by_time_.front()) drop(*message_of(oldest));
  for (AwayClients* away : {&strangers_, &known_}) {
    while (ClientRecord* record = away->records.front()) destroy_record(*record);
  }
}

// Connections ---------------------------------------------------------------------------------------------------------

ClientRecord* ClientDirectory::find_or_make(std::string_view client) noexcept {
  if (ClientRecord* record = records_.find(client)) return record;
  auto* record = base::create<ClientRecord>(client);
  if (record && record->name.ok() && records_.insert(*record)) return record;
  base::destroy(record);
  return nullptr;
}

ClientDirectory::Admitted ClientDirectory::admit(std::string_view identity, ClientLink& link) noexcept {
  const std::lock_guard lock(mutex_);
  ClientRecord* record = find_or_make(identity);
  if (!record) return Admitted::no_memory;
  if (record->links && (limits_.duplicate == DuplicateClient::refuse || record->link_count == kMostLinks)) return Admitted::refused;
  unlist_away(*record);
  link.client = record;
  link.next = record->links;
  link.state = LinkState::admitted;
  record->links = &link;
  record->link_count++;
  return Admitted::yes;
}

ClientDirectory::Began ClientDirectory::begin(ClientLink& link) noexcept {
  const std::lock_guard lock(mutex_);
  Began began;
  ClientRecord& record = *link.client;
  record.came_back = record.was_here;
  record.was_here = true;
  for (ClientLink* other = record.links; other; other = other->next) {
    if (other == &link || !has_begun(*other)) continue;
    began.alone = false;
    if (limits_.duplicate == DuplicateClient::both) continue;
    began.displaced = {other->worker, other->id};
    move_to_queue(*other);
    other->state = LinkState::displaced;
  }
  link.state = LinkState::restoring;
  return began;
}

bool ClientDirectory::make_live(ClientLink& link, uint64_t now_ns) noexcept {
  const std::lock_guard lock(mutex_);
  if (link.state != LinkState::restoring) return false;
  ClientRecord& record = *link.client;
  while (QueueHook* oldest = record.queue.front()) {
    if (message_of(oldest)->at_ns + limits_.message_ns > now_ns) break;
    drop_count(*message_of(oldest), counts.expired);
  }
  link.state = LinkState::live;
  move_to_pending(record, link);
  return true;
}

void ClientDirectory::note_unknown(const ClientLink& link, bool unknown) noexcept {
  if (limits_.duplicate != DuplicateClient::both) return;
  const std::lock_guard lock(mutex_);
  link.client->unknown = unknown;
}

bool ClientDirectory::is_last(const ClientLink& link) noexcept {
  if (limits_.duplicate != DuplicateClient::both) return true;
  const std::lock_guard lock(mutex_);
  bool last = !link.client->unknown;
  for (const ClientLink* other = link.client->links; other; other = other->next) last = last && (other == &link || !has_begun(*other));
  return last;
}

void ClientDirectory::leave(ClientLink& link, uint64_t now_ns) noexcept {
  const std::lock_guard lock(mutex_);
  ClientRecord& record = *link.client;
  ClientLink** to = &record.links;
  while (*to != &link) to = &(*to)->next;
  *to = link.next;
  record.link_count--;
  if (link.state != LinkState::admitted) record.left_ns = now_ns;
  link.state = LinkState::none;
  if (find_live(record)) {
    while (QueueHook* oldest = link.pending.front()) drop(*message_of(oldest));  // the others have it
  } else {
    move_to_queue(link);
  }
  link.client = nullptr;
  if (record.links) return;
  if (is_idle(record)) return destroy_record(record);  // and makes nobody go in its place
  touch(record, now_ns);
}

// Of a record without a connection: from now on it counts as away.
void ClientDirectory::touch(ClientRecord& record, uint64_t now_ns) noexcept {
  if (record.links) return;
  unlist_away(record);
  record.touched_ns = now_ns;
  record.away = record.queue.empty() && !record.came_back ? &strangers_ : &known_;
  record.away->records.push_back(&record);
  record.away->count++;
  if (strangers_.count + known_.count > limits_.clients) make_way();
}

// Strangers go first, but for some: among those is who has just come for the first time.
void ClientDirectory::make_way() noexcept {
  const bool many = strangers_.count > limits_.clients / 4 || known_.count == 0;
  ClientRecord& oldest = *(many ? strangers_ : known_).records.front();
  while (QueueHook* message = oldest.queue.front()) drop_count(*message_of(message), counts.dropped);
  destroy_record(oldest);
}

void ClientDirectory::unlist_away(ClientRecord& record) noexcept {
  if (!record.away) return;
  base::IntrusiveList<ClientRecord>::unlink(&record);
  std::exchange(record.away, nullptr)->count--;
}

// Nothing waits for it, and nothing is to be known of it.
bool ClientDirectory::is_idle(const ClientRecord& record) const noexcept {
  return record.queue.empty() && (limits_.unknown || !record.was_here);
}

void ClientDirectory::destroy_record(ClientRecord& record) noexcept {
  while (QueueHook* message = record.queue.front()) drop(*message_of(message));
  unlist_away(record);
  records_.erase(record);
  base::destroy(&record);
}

// What waits ----------------------------------------------------------------------------------------------------------

// Drops the oldest of all until there is room. False: it is more than there can be.
bool ClientDirectory::make_room(size_t bytes) noexcept {
  const size_t most = limits_.all_bytes;
  if (most < kMessageBytes || bytes > most - kMessageBytes) return false;
  while (all_bytes_ > most - kMessageBytes - bytes) drop_count(*message_of(by_time_.front()), counts.dropped);
  return true;
}

ClientMessage* ClientDirectory::make(const SharedFrame& frame, ClientRecord& record, uint64_t now_ns) noexcept {
  const size_t bytes = frame.payload().size();
  auto* message = make_room(bytes) ? base::create<ClientMessage>(frame, record) : nullptr;
  if (!message) return nullptr;
  message->at_ns = now_ns;
  message->bytes = bytes;
  by_time_.push_back(message);
  all_bytes_ += bytes + kMessageBytes;
  counts.waiting.fetch_add(1, kRelaxed);
  return message;
}

// Out of the lists of all; it is in none of its client's.
void ClientDirectory::unlist(ClientMessage& message) noexcept {
  base::IntrusiveList<ByTimeHook>::unlink(&message);
  all_bytes_ -= message.bytes + kMessageBytes;
  counts.waiting.fetch_sub(1, kRelaxed);
}

void ClientDirectory::drop(ClientMessage& message) noexcept {
  ClientMessages::unlink(&message);
  if (message.link) {
    message.link->pending_bytes -= message.bytes;
    message.link->pending_count--;
  } else {
    message.client->queue_bytes -= message.bytes;
    message.client->queued--;
  }
  unlist(message);
  base::destroy(&message);
}

void ClientDirectory::drop_count(ClientMessage& message, std::atomic<uint64_t>& count) noexcept {
  count.fetch_add(1, kRelaxed);
  drop(message);
}

// Small ones are bounded by what they take beside their payload.
bool ClientDirectory::put_pending(ClientLink& link, const SharedFrame& frame, uint64_t now_ns, Told& told) noexcept {
  const size_t beside = link.pending_count * kMessageBytes;
  const bool fits = link.pending.empty() || (link.pending_bytes < limits_.bytes && beside < limits_.bytes);
  ClientMessage* message = fits ? make(frame, *link.client, now_ns) : nullptr;
  if (!message) return counts.dropped.fetch_add(1, kRelaxed), false;
  message->link = &link;
  link.pending.push_back(message);
  link.pending_bytes += message->bytes;
  link.pending_count++;
  if (!std::exchange(link.mailed, true)) told.names[told.count++] = {link.worker, link.id};
  return true;
}

bool ClientDirectory::put_queue(ClientRecord& record, const SharedFrame& frame, uint64_t now_ns) noexcept {
  const size_t bytes = frame.payload().size();
  ClientMessage* message = bytes <= limits_.bytes ? make(frame, record, now_ns) : nullptr;
  if (!message) return counts.dropped.fetch_add(1, kRelaxed), false;
  while (record.queued >= limits_.messages || record.queue_bytes > limits_.bytes - bytes) {
    drop_count(*message_of(record.queue.front()), counts.dropped);
  }
  record.queue.push_back(message);
  record.queue_bytes += bytes;
  record.queued++;
  return true;
}

// Whether something may wait for it.
bool ClientDirectory::is_served(const ClientRecord* record, uint64_t now_ns) const noexcept {
  if (limits_.messages == 0 || limits_.unknown) return limits_.messages > 0;
  return record && record->was_here && (record->links || record->left_ns + limits_.known_ns > now_ns);
}

SendStatus ClientDirectory::put(std::string_view client, const SharedFrame& frame, uint64_t now_ns, Told& told) noexcept {
  const std::lock_guard lock(mutex_);
  expire_some(now_ns, 16);
  ClientRecord* record = records_.find(client);
  if (record && find_live(*record)) {
    bool any = false;
    for (ClientLink* link = record->links; link; link = link->next) {
      if (link->state == LinkState::live) any |= put_pending(*link, frame, now_ns, told);
    }
    return any ? SendStatus::posted : SendStatus::dropped;
  }
  if (!is_served(record, now_ns)) return SendStatus::closed;
  if (!record) record = find_or_make(client);
  if (!record) return counts.dropped.fetch_add(1, kRelaxed), SendStatus::dropped;
  const bool good = put_queue(*record, frame, now_ns);
  if (!record->links && is_idle(*record)) return destroy_record(*record), SendStatus::dropped;
  touch(*record, now_ns);
  return good ? SendStatus::posted : SendStatus::dropped;
}

base::SlotId ClientDirectory::find_direct(std::string_view client, uint32_t worker) noexcept {
  const std::lock_guard lock(mutex_);
  const ClientRecord* record = records_.find(client);
  const ClientLink* link = record ? record->links : nullptr;
  const bool good = link && !link->next && link->state == LinkState::live && link->worker == worker && link->pending.empty();
  return good ? link->id : base::SlotId{};
}

// As messages that wait they are bounded by what is said of those.
void ClientDirectory::move_to_queue(ClientLink& link) noexcept {
  ClientRecord& record = *link.client;
  while (QueueHook* hook = link.pending.pop_front()) {
    ClientMessage& message = *message_of(hook);
    message.link = nullptr;
    record.queue.push_back(&message);
    record.queue_bytes += message.bytes;
    record.queued++;
  }
  link.pending_bytes = 0;
  link.pending_count = 0;
  link.mailed = false;
  while (record.queued > limits_.messages || record.queue_bytes > limits_.bytes) {
    drop_count(*message_of(record.queue.front()), counts.dropped);
  }
}

void ClientDirectory::move_to_pending(ClientRecord& record, ClientLink& link) noexcept {
  while (QueueHook* hook = record.queue.pop_front()) {
    ClientMessage& message = *message_of(hook);
    message.link = &link;
    link.pending.push_back(&message);
    link.pending_bytes += message.bytes;
    link.pending_count++;
  }
  record.queue_bytes = 0;
  record.queued = 0;
}

void ClientDirectory::take(ClientLink& link, ClientMessages& to) noexcept {
  const std::lock_guard lock(mutex_);
  while (QueueHook* hook = link.pending.pop_front()) {
    unlist(*message_of(hook));
    to.push_back(hook);
  }
  link.pending_bytes = 0;
  link.pending_count = 0;
  link.mailed = false;
}

// Of one that has been displaced meanwhile they are its successor's, which looks for itself.
void ClientDirectory::give_back(ClientLink& link, ClientMessages& rest) noexcept {
  const std::lock_guard lock(mutex_);
  ClientRecord& record = *link.client;
  ClientLink* to = link.state == LinkState::displaced ? find_live(record) : &link;
  ClientMessages& waiting = to ? to->pending : record.queue;
  ClientMessages newer;
  while (QueueHook* hook = waiting.pop_front()) newer.push_back(hook);
  while (QueueHook* hook = rest.pop_front()) {
    ClientMessage& message = *message_of(hook);
    by_time_.push_back(&message);
    all_bytes_ += message.bytes + kMessageBytes;
    counts.waiting.fetch_add(1, kRelaxed);
    message.link = to;
    waiting.push_back(hook);
    (to ? to->pending_bytes : record.queue_bytes) += message.bytes;
    (to ? to->pending_count : record.queued)++;
  }
  while (QueueHook* hook = newer.pop_front()) waiting.push_back(hook);
  if (!to || to == &link) return;
  to->mailed = false;
  untold_.fetch_add(1, kRelaxed);
}

void ClientDirectory::note_untold(std::string_view client, const LinkName& name) noexcept {
  const std::lock_guard lock(mutex_);
  ClientRecord* record = records_.find(client);
  for (ClientLink* link = record ? record->links : nullptr; link; link = link->next) {
    if (link->worker != name.worker || link->id != name.id) continue;
    link->mailed = false;
    untold_.fetch_add(1, kRelaxed);
  }
}

bool ClientDirectory::is_untold(ClientLink& link) noexcept {
  const std::lock_guard lock(mutex_);
  return !link.pending.empty() && !link.mailed;
}

// Its end -------------------------------------------------------------------------------------------------------------

void ClientDirectory::forget(std::string_view client) noexcept {
  const std::lock_guard lock(mutex_);
  ClientRecord* record = records_.find(client);
  if (!record) return;
  while (QueueHook* message = record->queue.front()) drop(*message_of(message));
  if (!record->links) destroy_record(*record);
}

void ClientDirectory::expire(uint64_t now_ns, size_t budget) noexcept {
  const std::lock_guard lock(mutex_);
  expire_some(now_ns, budget);
}

void ClientDirectory::expire_some(uint64_t now_ns, size_t budget) noexcept {
  for (; budget > 0; budget--) {
    ByTimeHook* oldest = by_time_.front();
    if (!oldest || message_of(oldest)->at_ns + limits_.message_ns > now_ns) break;
    drop_count(*message_of(oldest), counts.expired);
  }
  expire_away(strangers_, limits_.known_ns, now_ns, budget);
  expire_away(known_, limits_.away_ns, now_ns, budget);
}

void ClientDirectory::expire_away(AwayClients& away, uint64_t life_ns, uint64_t now_ns, size_t& budget) noexcept {
  for (; budget > 0; budget--) {
    ClientRecord* record = away.records.front();
    if (!record || record->touched_ns + life_ns > now_ns) break;
    while (QueueHook* message = record->queue.front()) drop_count(*message_of(message), counts.expired);
    destroy_record(*record);
  }
}

}  // namespace martlet::realtime
