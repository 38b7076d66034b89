// Events and their answers as a part of a worker: there when somebody listens to one, or waits for an answer. A route whose
// connections do has a sink of its own (route.own_sink), which looks at each text before the handlers do; others, and programs
// without events, have no part in it. See martlet/events.h for what it does. The worker's thread.
#pragma once

#include <martlet/events.h>

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/growing_array.h"
#include "base/hash.h"
#include "json/event_text.h"
#include "realtime/event_table.h"
#include "realtime/realtime.h"
#include "worker/parts.h"

namespace martlet::realtime {

struct Events;

// Mostly one step or two: names are short.
inline uint64_t name_hash(std::string_view name, uint64_t key) noexcept {
  const auto word = [&name](size_t at) {
    uint64_t bytes;
    std::memcpy(&bytes, name.data() + at, 8);
    return bytes;
  };
  const auto half = [&name](size_t at) {
    uint32_t bytes;
    std::memcpy(&bytes, name.data() + at, 4);
    return uint64_t{bytes};
  };
  const size_t size = name.size();
  uint64_t hash = key ^ size;
  for (size_t at = 0; at + 8 < size; at += 8) hash = base::mix64(hash ^ word(at)) + key;
  if (size >= 8) return base::mix64(hash ^ word(size - 8));
  if (size >= 4) return base::mix64(hash ^ (half(0) << 32 | half(size - 4)));
  uint64_t last = 0;
  for (const char letter : name) last = last << 8 | static_cast<uint8_t>(letter);
  return base::mix64(hash ^ last);
}

// Of a route: the listeners of WsHandlers::on.
struct RouteEvents {
  explicit RouteEvents(Events& p) noexcept : part(p) {}
  Events& part;
  EventTable table;
};

// A slot of a connection: its own listeners.
struct OwnEvents {
  static constexpr worker::PartKey kKey{};
  EventTable table;
};

struct Events final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  explicit Events(worker::Worker& w) noexcept;
  ~Events();

  // The route's, made when they are not there yet; from then on its connections' texts are looked at. Null when memory is out.
  static RouteEvents* of(RealtimeWorker& w, WsRouteEntry& route) noexcept;
  uint64_t hash(std::string_view name) const noexcept { return name_hash(name, key_of_hash); }

  const uint64_t key_of_hash;
  session::WsSink sink;
  Function<void(WebSocket, const EventError&)> on_error;
  base::GrowingArray<RouteEvents*> routes;  // all there are
};

inline json::EventForm form_of(Envelope envelope) noexcept {
  return envelope == Envelope::type_data ? json::EventForm::type_data : json::EventForm::event_args;
}
inline Envelope envelope_of(const WsRouteEntry& route) noexcept { return route.handlers.options.envelope; }
inline WsRouteEntry& route_of(net::Connection& c) noexcept {
  return static_cast<WsRouteEntry&>(*c.state<session::WsState>().route);
}

// Whether this connection has ever asked for an answer (acks.cc).
bool waits_for_answers(net::Connection& c) noexcept;
// An answer has come, perhaps one that nobody waits for. False when the one who waited has thrown.
bool take_answer(RealtimeWorker& w, net::Connection& c, const json::EventText& answer) noexcept;
// The connection has ended: who still waits is told.
void cancel_acks(RealtimeWorker& w, net::Connection& c) noexcept;
// {"event":"error",…}, as the route's envelope says (emit.cc).
void send_event_error(const WebSocket& ws, const EventError& error) noexcept;

}  // namespace martlet::realtime

namespace martlet::detail {

// What the library may look at in the values of events.h.
struct EventAccess {
  struct Parts {
    std::string_view head;  // the text without its last brace
    uint32_t args_at;
    uint32_t count;
  };
  static Parts parts(EventWriter& w) noexcept {
    if (!std::exchange(w.ended_, true)) w.out_.end_array();
    return {w.out_.text(), w.args_at_, w.count_};
  }
  static bool end(EventWriter& w) noexcept;
  // The whole text of an event, which may lie in `other`; empty when it is not good.
  static std::string_view text_of(EventWriter& w, bool type_data, JsonWriter& other) noexcept;
  // Behind the list, or the value.
  static void finish(JsonWriter& out, uint64_t ack) noexcept;
  static void write_type_data(JsonWriter& out, const Parts& event, uint64_t ack) noexcept;
  static void add_raw(EventWriter& w, std::string_view json) noexcept {
    w.out_.raw(json);
    w.count_++;
  }
  static JsonWriter& out(EventWriter& w) noexcept { return w.out_; }
  static bool good(const EventWriter& w) noexcept { return w.good_ && w.out_.ok(); }
  static bool bare(const EventWriter& w) noexcept { return w.bare_; }

  static EventReply reply(const WebSocket& ws, uint64_t ack, Envelope envelope) noexcept {
    EventReply to;
    to.ws_ = ws;
    to.ack_ = ack;
    to.envelope_ = envelope;
    return to;
  }
  static AckResult result(AckStatus status, std::string_view args = {}, bool bare = false) noexcept {
    AckResult to;
    to.status_ = status;
    to.args_ = args;
    to.bare_ = bare;
    return to;
  }

  static EventArguments arguments(const WebSocket& ws, const json::EventText& event, Envelope envelope) noexcept {
    return EventArguments(ws, event.args, event.ack, envelope);
  }
  static void start_again(EventArguments& a, const json::EventText& event) noexcept {
    a.args_ = event.args.empty() && a.envelope_ == Envelope::event_args ? "[]" : event.args;
    a.ack_ = event.ack;
    a.refused_ = a.too_many_ = false;
  }
  static bool refused(const EventArguments& a) noexcept { return a.refused_; }
  static bool too_many(const EventArguments& a) noexcept { return a.too_many_; }
  static const char* what(const EventArguments& a) noexcept { return a.what_; }
  static const char* path(const EventArguments& a) noexcept { return a.too_many_ ? "" : a.path_; }

};

}  // namespace martlet::detail
