// Publishing to topics: what the calls of the public headers do, on a worker of the group and on other threads.
#include <cstdio>
#include <utility>

#include "base/kept_text.h"
#include "net/worker_registry.h"
#include "realtime/commands.h"
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

bool note_for_others(RealtimeWorker& w, const TopicAddress& to, const TopicResult& result, base::SlotId entry,
                     const worker::Seats& others, const PublishedRange& range) noexcept {
  const uint32_t number = MessageAccess::worker(to.except);
  const worker::ParcelExcept except{number, MessageAccess::id(to.except)};
  const bool elsewhere = number != 0 && number != w.number;
  const worker::ParcelItem item{worker::AudienceKind::topics, entry, w.log.block_of(range), w.log.data_of(range, range.begin),
                                static_cast<size_t>(range.end - range.begin), 1, 0, 0, to.compress, result.name_block,
                                result.name_bytes};
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
  const bool some_here = reaches_any(*topics, *result, except);
  log_published(*result);
  if (!some_here && !others.any()) return SendStatus::closed;
  PublishedRange range;
  if (!publish(w, some_here ? result->set : nullptr, message, {&except, 1}, range)) return SendStatus::dropped;
  if (some_here) topics->list(*result->set);
  const bool told = !others.any() || note_for_others(w, to, *result, shared.id, others, range);
  return told ? SendStatus::ok : SendStatus::dropped;
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
    base::KeptText topic(to.topic);
    if (!topic.ok()) return SendStatus::dropped;
    auto run = [to, topic = std::move(topic), frame](RealtimeWorker& w) {
      TopicAddress there = to;
      there.topic = topic.text();
      publish_here(w, there, message_of(frame, to.compress), false);
    };
    const SendStatus posted = post_to(number, std::move(run), frame.payload().size() + to.topic.size() + 1);
    if (answer == SendStatus::closed || posted == SendStatus::dropped) answer = posted;
  }
  return answer;
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
  if (result && publish_frames(w, *result->set, item.block, item.data, item.size, item.messages, item.compress, except)) {
    return topics->list(*result->set);
  }
  w.stats.messages_dropped += item.messages;
}

}  // namespace martlet::realtime

namespace martlet {

namespace {

realtime::TopicAddress from(const WebSocket& ws, std::string_view topic, const PublishOptions& options) noexcept {
  return {net::first_of(MessageAccess::worker(ws)), topic, ws, options.compress};
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
