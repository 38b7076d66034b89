// See topic_conflation.h.
#include "realtime/topic_conflation.h"

#include <cstring>

#include "realtime/connection_slots.h"
#include "session/ws_session.h"

namespace martlet::realtime {

// What is kept for one connection --------------------------------------------------------------------------------------

KeptNewest::~KeptNewest() {
  while (oldest_) drop(*oldest_);
}

void KeptNewest::unlink(NewestMessage& m) noexcept {
  (m.older ? m.older->newer : oldest_) = m.newer;
  (m.newer ? m.newer->older : newest_) = m.older;
  bytes_ -= m.frame_bytes;
}

void KeptNewest::drop(NewestMessage& m) noexcept {
  unlink(m);
  index_.erase(m);
  m.frame->release();
  m.name->release();
  base::destroy(&m);
}

bool KeptNewest::put(const KeyedMessage& message, Stats& stats) noexcept {
  const std::string_view name = message.name_text();
  NewestMessage* m = index_.find(message.hash, [name](const NewestMessage& one) { return one.name_text() == name; });
  if (m) {
    unlink(*m);
    m->frame->release();
    m->frame = message.frame;
    m->frame_bytes = message.frame_bytes;
    m->compress = message.compress;
    stats.messages_conflated++;
  } else {
    m = index_.reserve() ? base::create<NewestMessage>(NewestMessage{message}) : nullptr;
    if (!m) return false;
    m->name->retain();
    index_.insert(*m);
  }
  m->frame->retain();
  m->older = newest_;
  m->newer = nullptr;
  (newest_ ? newest_->newer : oldest_) = m;
  newest_ = m;
  bytes_ += m->frame_bytes;
  return true;
}

// The part -------------------------------------------------------------------------------------------------------------

namespace {

// It is there from the first message with a key on: until then nobody looks at who stalls.
struct Conflation final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  using Part::Part;
};

TopicSubscriber* subscriber_of(Topics& topics, net::Connection& c) noexcept {
  const Subscribed* slot = find_slot<Subscribed>(c);
  return slot && slot->topics ? topics.index.find(slot->subscriber) : nullptr;
}

void note_stalled(Topics& topics, TopicSubscriber& subscriber, bool stalled) noexcept {
  if (subscriber.stalled == stalled) return;
  subscriber.stalled = stalled;
  topics.stalled += stalled ? 1 : UINT32_MAX;
}

// The queue is empty, so that no policy has a reason to act: no more is kept than may wait.
void send_kept_newest(RealtimeWorker& w, net::Connection& c) noexcept {
  KeptNewest* kept = find_slot<KeptNewest>(c);
  if (!kept) return;
  while (NewestMessage* m = kept->oldest()) {
    session::send_shared(w.sessions, c, m->frame, m->frame->data(), m->frame_bytes, m->compress);
    kept->drop(*m);
  }
  extras_of(c)->slots.remove<KeptNewest>();
}

void stalled(worker::Part& part, net::Connection& c) {
  Topics& topics = *part.worker.parts.find<Topics>();
  if (TopicSubscriber* subscriber = subscriber_of(topics, c)) note_stalled(topics, *subscriber, true);
}

void drained(worker::Part& part, net::Connection& c) {
  Topics& topics = *part.worker.parts.find<Topics>();
  TopicSubscriber* subscriber = subscriber_of(topics, c);
  if (!subscriber) return;
  note_stalled(topics, *subscriber, false);
  send_kept_newest(topics.owner(), c);
}

const worker::PartHooks Conflation::kHooks{.stalled = stalled, .drained = drained};

void follow(Topics& topics, net::Connection& c) noexcept {
  c.followed = true;
  TopicSubscriber* subscriber = subscriber_of(topics, c);
  if (subscriber && c.out && c.out->blocked) note_stalled(topics, *subscriber, true);
}

// Whoever has subscribed, and will, is followed from now on.
bool begin(Topics& topics) noexcept {
  if (topics.follow) return true;
  if (!topics.worker.parts.find_or_add<Conflation>(topics.worker)) return false;
  topics.follow = follow;
  topics.flush = send_kept_newest;
  topics.index.for_each_subscriber([&](const TopicSubscriber& subscriber) {
    follow(topics, *topics.owner().reactor.connections.live(subscriber.connection.slot));
  });
  return true;
}

// Keeps it within its bounds.
void cut(Topics& topics, KeptNewest& kept, size_t most_bytes) noexcept {
  while (kept.keys() > topics.options.max_conflated_keys || (kept.bytes() > most_bytes && kept.keys() > 1)) {
    topics.owner().stats.messages_dropped++;
    kept.drop(*kept.oldest());
  }
}

}  // namespace

base::Block* make_keyed_name(std::string_view topic, std::string_view key) noexcept {
  base::Block* block = base::Block::make(topic.size() + 1 + key.size());
  if (!block) return nullptr;
  std::memcpy(block->data(), topic.data(), topic.size());
  block->data()[topic.size()] = 0;
  if (!key.empty()) std::memcpy(block->data() + topic.size() + 1, key.data(), key.size());
  return block;
}

namespace {

base::Block* make_copy(std::string_view text) noexcept {
  base::Block* block = base::Block::make(text.size());
  if (block) std::memcpy(block->data(), text.data(), text.size());
  return block;
}

// A message to keep, which is made when the first one wants it.
struct ToKeep : KeyedMessage {
  ToKeep() noexcept = default;
  ToKeep(const ToKeep&) = delete;
  ToKeep& operator=(const ToKeep&) = delete;
  ~ToKeep() {
    if (name) name->release();
    if (frame) frame->release();
  }
  bool make(const Topics& topics, std::string_view text, const PublishedMessage& m) noexcept {
    if (frame) return true;
    hash = topics.index.hash_of(text);
    if (!name) name = make_copy(text);
    name_bytes = static_cast<uint32_t>(text.size());
    const size_t header = proto::frame_header_size(m.size);
    frame_bytes = header + m.size;
    compress = m.compress;
    frame = name ? base::Block::make(frame_bytes) : nullptr;
    if (!frame) return false;
    proto::encode_frame_header(frame->data(), m.opcode, m.size);
    if (m.size) std::memcpy(frame->data() + header, m.data, m.size);
    return true;
  }
};

// One that the message is kept for instead of being sent now; null when it is sent now.
net::Connection* stalled_connection(const Topics& topics, const TopicReceiver& receiver) noexcept {
  const TopicSubscriber* subscriber = topics.index.find(receiver.subscriber);
  if (!subscriber || !subscriber->stalled) return nullptr;
  net::Connection& c = *topics.owner().reactor.connections.live(subscriber->connection.slot);
  const bool open = !c.closing && is_let_in(c) && c.state<session::WsState>().ready == ReadyState::open;
  return open ? &c : nullptr;
}

}  // namespace

void keep_for_stalled(Topics& topics, ReceiverSet& set, std::string_view name, const PublishedMessage& message,
                      const net::Connection* but, base::GrowingArray<net::Connection*>& kept_for) noexcept {
  if (!begin(topics) || topics.stalled == 0) return;
  Stats& stats = topics.owner().stats;
  ToKeep to_keep;
  for (const TopicReceiver& receiver : set.receivers()) {
    net::Connection* c = stalled_connection(topics, receiver);
    if (!c || c == but || !to_keep.make(topics, name, message)) continue;
    KeptNewest* kept = slot_for<KeptNewest>(*c);
    if (!kept || !kept_for.push(c)) continue;
    if (kept->put(to_keep, stats)) {
      cut(topics, *kept, static_cast<size_t>(c->state<session::WsState>().route->limits.unsent_bytes));
    } else {
      kept_for.truncate(kept_for.size() - 1);
    }
  }
}

}  // namespace martlet::realtime
