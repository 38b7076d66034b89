// martlet/topics.h: publishing to topics, which WebSockets subscribe to by filters: MQTT 3.1.1 §4.7.
//
//   ws.subscribe("news/+/sport");  ws.subscribe("news/#");  ws.unsubscribe("news/#");
//   app.publish("news/uk/sport", "2:1");  ws.publish("news/uk/sport", "2:1");   // everybody; everybody but ws
//   app.publish("prices", quote, {.conflate = "ACME"});                         // who is slow gets the newest quote of ACME only
//
// A topic is one or more levels with '/' between them; a level may be empty, so that "/news", "news/" and "news" are three topics.
// In a filter a level may be '+', which stands for any one level, and the last one may be '#', which stands for any number of
// levels, none as well: "news/#" matches "news". A filter that begins with one of them matches no topic that begins with '$'.
// Letters are compared byte by byte. Names are UTF-8 of at least one byte, without NUL; topics have no '+' and no '#' in them.
//
// A subscription is the connection's: it ends with it. What is published reaches each subscriber once, however many of its
// filters match; what was subscribed to before the call, that is. In a Server topics are those of all workers. Messages of one
// sender arrive in the order they were sent, be they published, sent to rooms, or sent to the WebSocket itself. Programs that have
// no topics have none of their code, and connections without subscriptions none of their memory.
#pragma once

#include <martlet/config.h>
#include <martlet/compression.h>
#include <martlet/websocket_names.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace martlet {

class WebSocket;

// What became of a subscription.
enum class SubscribeStatus : uint8_t {
  ok,            // it is there, or was before
  posted,        // on its way to the connection's worker, from another thread; there it may still be refused
  bad_filter,    // it is no filter: empty, a NUL, not UTF-8, a '+' or '#' that is not a level of its own, or a '#' before the end
  too_long,      // TopicsOptions::max_name_bytes
  too_deep,      // TopicsOptions::max_levels
  too_many,      // TopicsOptions::max_filters_per_socket
  worker_full,   // TopicsOptions::max_filters
  closed,        // the connection is gone, or closing
  out_of_memory,
};

// Of App::topics_options. Filters mostly come from peers: these bound what they can make a worker keep and do.
struct TopicsOptions {
  // What a worker may remember of which topics have which subscribers: a topic that it remembers is not matched again until
  // somebody subscribes or unsubscribes. Above it, it begins anew.
  size_t cache_bytes = size_t{8} << 20;
  // Topics with keys (PublishOptions::conflate) that are kept for one WebSocket which does not keep up; all together they take no more
  // than max_unsent_bytes of its route. Above it the oldest are dropped, which is counted.
  uint32_t max_conflated_keys = 1'000;
  // Different filters on one worker. Each takes some 100 bytes, its text, and where it has wildcards some 100 bytes for each of its
  // levels that no other filter has.
  uint32_t max_filters = 100'000;
  // Of one WebSocket, whose subscriptions take 40 bytes each.
  uint32_t max_filters_per_socket = 1'000;
  // Of a filter or a topic: one more than it has slashes. What is published to a deeper topic is dropped.
  uint32_t max_levels = 32;
  // Of a filter or a topic. MQTT has no more than 65,535, nor can this be more.
  uint32_t max_name_bytes = 1'024;
};

// Of App::publish and WebSocket::publish.
struct PublishOptions {
  Compress compress = Compress::automatic;
  // The key of what this is the newest state of, at most max_name_bytes: a receiver that the kernel takes no more output for gets,
  // once it goes on, only the newest message of each topic and key (Stats::messages_conflated counts the others), in the order in
  // which they were published. What else it is sent meanwhile may come before them. Who keeps up gets all. Empty: no key.
  std::string_view conflate = {};
};

namespace detail {

class EventWriter;
template <typename To, typename... Args>
SendStatus emit(const To& to, std::string_view event, const Args&... args);

// Whom an event goes to that is published: all subscribers of the topic, but one.
struct TopicEvents {
  uint32_t first;  // the worker, or the first of a Server's
  std::string_view topic;
  const WebSocket* except = nullptr;
};
SendStatus send_event(const TopicEvents& to, EventWriter& event) noexcept;

}  // namespace detail

}  // namespace martlet
