// Publishing to topics: what the calls of the public headers do, on a worker of the group and on other threads.
#include <cstdio>
#include <utility>

#include "base/kept_text.h"
#include "net/worker_registry.h"
#include "realtime/commands.h"
#include "realtime/topic_conflation.h"
#include "realtime/topic_names.h"
#include "realtime/topics.h"
#include "sys/log_line.h"

namespace martlet::realtime {

namespace {

void log_published(const TopicResult& result) noexcept {
  if (log_level() > LogLevel::debug) [[likely]] return;
  char line[200];
  const std::string_view name = result.name();
  std::snprintf(line, sizeof line, "%.*s: %u subscribers", static_cast<int>(name.size() < 160 ? name.size() : 160), name.data(),
                result.set ? result.set->count : 0);
  sys::log_limited(LogLevel::debug, "Published to", line);
}

using LeftOut = std::span<net::Connection* const>;

// The workers, but this one, with subscriptions; and the entry that says so.
worker::Directory::Found others_of(RealtimeWorker& w, const Topics* topics, worker::Seats& others) noexcept {
  if (!w.group) return {};
  const worker::Directory::Found found =
      topics && topics->shared ? worker::Directory::Found{topics->shared, topics->shared->id()}
                               : w.group->directory.find(worker::AudienceKind::topics, {});
  if (!found) return {};
  others = found.entry->where();
  others.remove(w.seat);
  return found;
}

// Whether anybody is left of them when this one is left out.
bool reaches_any(Topics& topics, TopicResult& result, const net::Connection* except) noexcept {
  if (!result.set) return false;
  if (result.set->count > 1 || !except) return true;
  const TopicSubscriber* only = topics.index.find(result.set->receivers()[0].subscriber);
  return !only || only->connection != except->id();
}

// A publish with a key: what it is called, and who it is kept for in place of being sent.
struct Keyed {
  Keyed() noexcept = default;
  Keyed(const Keyed&) = delete;
  Keyed& operator=(const Keyed&) = delete;
  ~Keyed() {
    if (name) name->release();
  }
  // False when memory is out. Where all keep up, and no other worker wants it, there is nothing to do.
  bool make(Topics& topics, const TopicAddress& to, const PublishedMessage& message, TopicResult& result,
            const net::Connection* except, bool for_others) noexcept {
    if (to.key.size() > topics.options.max_name_bytes) return false;
    if (topics.follow && topics.stalled == 0 && !for_others) return true;
    name = make_keyed_name(to.topic, to.key);
    if (!name) return false;
    key_bytes = static_cast<uint32_t>(to.key.size());
    const std::string_view text(reinterpret_cast<const char*>(name->data()), to.topic.size() + 1 + to.key.size());
    if (result.set) keep_for_stalled(topics, *result.set, text, message, except, out);
    return true;
  }
  base::Block* name = nullptr;
  uint32_t key_bytes = 0;
  base::GrowingArray<net::Connection*> out;
};

bool note_for_others(RealtimeWorker& w, const TopicAddress& to, const TopicResult& result, const Keyed& keyed,
                     base::SlotId entry, const worker::Seats& others, const PublishedRange& range) noexcept {
  const uint32_t number = MessageAccess::worker(to.except);
  const worker::ParcelExcept except{number, MessageAccess::id(to.except)};
  const bool elsewhere = number != 0 && number != w.number;
  const worker::ParcelItem item{worker::AudienceKind::topics, entry, w.log.block_of(range), w.log.data_of(range, range.begin),
                                static_cast<size_t>(range.end - range.begin), 1, 0, 0, to.compress, worker::Among::alone,
                                keyed.name ? keyed.name : result.name_block, result.name_bytes, keyed.key_bytes};
  w.reactor.want_turn();
  return w.outgoing.add(item, others, {&except, elsewhere ? size_t{1} : size_t{0}});
}

SendStatus publish_here(RealtimeWorker& w, const TopicAddress& to, const PublishedMessage& message, bool to_others) noexcept {
  Topics* topics = w.parts.find<Topics>();
  worker::Seats others;
  const worker::Directory::Found shared = to_others ? others_of(w, topics, others) : worker::Directory::Found();
  if (!topics) {
    if (!others.any()) return is_topic(to.topic) ? SendStatus::closed : SendStatus::dropped;
    topics = w.parts.find_or_add<Topics>(w);
  }
  TopicResult* result = topics ? topics->result_of(to.topic) : nullptr;
  if (!result) return SendStatus::dropped;
  net::Connection* except = MessageAccess::worker(to.except) == w.number ? w.websocket(MessageAccess::id(to.except)) : nullptr;
  log_published(*result);
  Keyed keyed;
  if (!to.key.empty() && !keyed.make(*topics, to, message, *result, except, others.any())) return SendStatus::dropped;
  const uint32_t kept = keyed.out.size();
  const bool some_here = kept == 0 ? reaches_any(*topics, *result, except) : result->set->count > kept;
  if (!some_here && !others.any()) return kept ? SendStatus::ok : SendStatus::closed;
  if (kept && except && !keyed.out.push(except)) return SendStatus::dropped;
  const LeftOut out = kept ? LeftOut(keyed.out.data(), keyed.out.size()) : LeftOut(&except, 1);
  PublishedRange range;
  if (!publish(w, some_here ? result->set : nullptr, message, out, range)) return SendStatus::dropped;
  if (some_here) topics->list(*result->set);
  if (!others.any()) return SendStatus::ok;
  return note_for_others(w, to, *result, keyed, shared.id, others, range) ? SendStatus::ok : SendStatus::dropped;
}

PublishedMessage message_of(const SharedFrame& f, Compress compress) noexcept {
  const auto payload = f.payload();
  return {f.is_text() ? proto::Opcode::text : proto::Opcode::binary, payload.data(), payload.size(), compress};
}

// From a thread that is not of the group: to each of its workers, as rooms do.
SendStatus post_publish(const TopicAddress& to, const SharedFrame& frame) noexcept {
  if (!frame) return SendStatus::dropped;
  SendStatus answer = SendStatus::closed;
  for (uint32_t number = to.first; number < to.first + net::members_of(to.first); number++) {
    base::KeptText texts(to.topic, to.key, {});
    if (!texts.ok()) return SendStatus::dropped;
    auto run = [to, texts = std::move(texts), frame](RealtimeWorker& w) {
      TopicAddress there = to;
      there.topic = texts.text().substr(0, to.topic.size());
      there.key = texts.text().substr(to.topic.size());
      publish_here(w, there, message_of(frame, to.compress), false);
    };
    const SendStatus posted = post_to(number, std::move(run), frame.payload().size() + to.topic.size() + 1);
    if (answer == SendStatus::closed || posted == SendStatus::dropped) answer = posted;
  }
  return answer;
}

bool take_frames(RealtimeWorker& w, Topics& topics, TopicResult& result, const worker::ParcelItem& item,
                 LeftOut except) noexcept {
  PublishedRange range;
  if (!publish_frames(w, *result.set, {item.block, item.data, item.size, item.messages}, item.compress, except, range)) return false;
  topics.list(*result.set);
  return true;
}

// The same of one frame with a key.
bool take_keyed(RealtimeWorker& w, Topics& topics, TopicResult& result, const worker::ParcelItem& item,
                LeftOut except) noexcept {
  const std::string_view name(reinterpret_cast<const char*>(item.topic->data()), item.topic_bytes + 1 + item.key_bytes);
  const size_t header = proto::frame_header_size_of(item.data);
  const PublishedMessage message{static_cast<proto::Opcode>(item.data[0] & 0x0f), item.data + header, item.size - header, item.compress};
  base::GrowingArray<net::Connection*> out;
  keep_for_stalled(topics, *result.set, name, message, except.empty() ? nullptr : except.front(), out);
  if (out.size() == result.set->count) return true;
  if (!except.empty() && !out.push(except.front())) return false;
  return take_frames(w, topics, result, item, {out.data(), out.size()});
}

}  // namespace

SendStatus publish_to(const TopicAddress& to, std::string_view text) noexcept {
  if (RealtimeWorker* w = here_among(to.first)) {
    return publish_here(*w, to, {proto::Opcode::text, text.data(), text.size(), to.compress}, true);
  }
  return post_publish(to, SharedFrame::text(text));
}

SendStatus publish_to(const TopicAddress& to, std::span<const std::byte> bytes) noexcept {
  if (RealtimeWorker* w = here_among(to.first)) {
    return publish_here(*w, to, {proto::Opcode::binary, bytes.data(), bytes.size(), to.compress}, true);
  }
  return post_publish(to, SharedFrame::binary(bytes));
}

SendStatus publish_to(const TopicAddress& to, const SharedFrame& frame) noexcept {
  if (!frame) return SendStatus::dropped;
  RealtimeWorker* w = here_among(to.first);
  return w ? publish_here(*w, to, message_of(frame, to.compress), true) : post_publish(to, frame);
}

void take_topic(RealtimeWorker& w, const worker::ParcelItem& item, std::span<net::Connection* const> except) noexcept {
  Topics* topics = w.parts.find<Topics>();
  const std::string_view name(reinterpret_cast<const char*>(item.topic->data()), item.topic_bytes);
  TopicResult* result = topics ? topics->result_of(name) : nullptr;
  if (result && !result->set) return;
  if (result && (item.key_bytes ? take_keyed(w, *topics, *result, item, except) : take_frames(w, *topics, *result, item, except))) return;
  w.stats.messages_dropped += item.messages;
}

}  // namespace martlet::realtime

namespace martlet {

namespace {

realtime::TopicAddress from(const WebSocket& ws, std::string_view topic, const PublishOptions& options) noexcept {
  return {net::first_of(MessageAccess::worker(ws)), topic, ws, options.compress, options.conflate};
}

}  // namespace

SendStatus WebSocket::publish(std::string_view topic, std::string_view text, PublishOptions options) const noexcept {
  return realtime::publish_to(from(*this, topic, options), text);
}

SendStatus WebSocket::publish(std::string_view topic, std::span<const std::byte> bytes, PublishOptions options) const noexcept {
  return realtime::publish_to(from(*this, topic, options), bytes);
}

SendStatus WebSocket::publish(std::string_view topic, const Message& message, PublishOptions options) const noexcept {
  return message.is_text() ? publish(topic, message.text(), options) : publish(topic, message.bytes(), options);
}

SendStatus WebSocket::publish(std::string_view topic, const SharedFrame& frame, PublishOptions options) const noexcept {
  return realtime::publish_to(from(*this, topic, options), frame);
}

}  // namespace martlet
