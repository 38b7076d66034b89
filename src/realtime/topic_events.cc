// Events and JSON that are published to topics. In a file of its own so that a program that publishes none links none.
#include <utility>

#include "base/kept_text.h"
#include "net/worker_registry.h"
#include "realtime/events.h"
#include "realtime/topics.h"

namespace martlet {

namespace detail {

namespace {

realtime::TopicAddress address_of(const TopicEvents& to) noexcept {
  return {to.first, to.topic, to.except ? *to.except : WebSocket(), Compress::automatic};
}

// On its way to a worker, which knows how its routes' events look.
SendStatus post_event(const TopicEvents& to, const EventAccess::Parts& parts) noexcept {
  base::KeptText topic(to.topic);
  base::KeptText head(parts.head);
  if (!topic.ok() || !head.ok()) return SendStatus::dropped;
  const size_t bytes = parts.head.size() + to.topic.size() + 1;
  auto run = [first = to.first, except = to.except ? *to.except : WebSocket(), topic = std::move(topic), head = std::move(head),
              at = parts.args_at, count = parts.count](realtime::RealtimeWorker&) {
    EventWriter again(head.text(), at, count);
    send_event(TopicEvents{first, topic.text(), &except}, again);
  };
  return realtime::post_to(to.first, std::move(run), bytes);
}

}  // namespace

SendStatus send_event(const TopicEvents& to, EventWriter& event) noexcept {
  const EventAccess::Parts parts = EventAccess::parts(event);
  if (!EventAccess::good(event)) return SendStatus::dropped;
  Envelope envelope = Envelope::event_args;
  if (realtime::any_type_data.load(std::memory_order_relaxed)) {
    realtime::RealtimeWorker* w = realtime::here_among(to.first);
    if (!w) return post_event(to, parts);
    envelope = w->envelope();
  }
  JsonWriter told;
  JsonWriter& out = envelope == Envelope::event_args ? EventAccess::out(event) : told;
  if (envelope == Envelope::event_args) {
    out.end_object();
  } else {
    EventAccess::write_type_data(out, parts, json::EventText::kNoAck);
  }
  return out.ok() ? realtime::publish_to(address_of(to), out.text()) : SendStatus::dropped;
}

}  // namespace detail

detail::TopicEvents WebSocket::topic_events(std::string_view topic) const noexcept { return {net::first_of(worker_), topic, this}; }

SendStatus WebSocket::publish(std::string_view topic, const JsonText& json, PublishOptions options) const noexcept {
  return json.ok() ? publish(topic, json.text(), options) : SendStatus::dropped;
}

}  // namespace martlet
