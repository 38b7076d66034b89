// martlet/events.h: named events with arguments, and answers to them, over a WebSocket.
//
//   ws.on("join", [](WebSocket ws, std::string room) { ws.join(room); });
//   ws.on("save", [](WebSocket ws, Json doc, EventReply reply) { reply({{"ok", true}}); });   // at once or later, any thread
//   ws.emit("tick", 7, doc);  ws.to("lobby").emit("tick", 7);  app.everybody().emit("tick", 7);
//   ws.emit_with_ack("save", doc).timeout(5s).then([](WebSocket ws, AckResult answer) { … });
//   app.ws("/chat", WsHandlers{.on = {{"join", join}, {"leave", leave}}});
//
// On the wire an event is the text {"event":"save","args":[…]}, with "ack":7 in it when an answer is wanted; the answer is
// {"ack":7,"args":[…]}. Other members are ignored. With WsOptions::envelope = Envelope::type_data it is {"type":…,"data":…}
// instead, and the answer {"ack":7,"data":…}: data is the one argument; a listener with several takes them from a list.
//
// Listeners run in order, those of the route first. A message of an event that somebody listens to, or of an answer on a
// connection that has asked for one, goes to nobody else; all other text goes to on_message: that which is no JSON or is not of this
// form, events that nobody listens to (whatever their arguments), names of more than 128 bytes. Parts that count messages see them all.
//
// A listener takes (WebSocket, arguments…, EventReply); the first and the last may be left out. Arguments are what JSON can be read
// as (json_types.h): bool, integers, double, std::string, std::string_view (good until the listener returns), Json, own types,
// containers, optional<…>. They are read from the text straight into these types. There may be more of them in the message
// than the listener takes; a missing one is an error, unless it may be empty (optional). What a listener returns, if not void, is
// its reply. Where the arguments are not what a listener takes, it does not run, and the peer is sent the event "error" with
// {code, message, event}, or App::on_event_error is told: code "bad_arguments", or "too_many_arguments" above 32.
//
// A listener that throws closes the connection with 1011, like any handler. Listeners may be added and removed anywhere, inside
// themselves, too: those that come while an event is being told hear the next one, those that are taken off hear nothing more.
//
// A listener may be a coroutine (task.h): what it is told lasts as long as it does, and what its Task<T> returns is its reply.
//   AckResult answer = co_await ws.emit_with_ack("save", doc).timeout(5s);
//
// The first listener of a connection costs a block of it (extras), each name and listener one more. A connection may wait for 1,024 answers.
#pragma once

#include <martlet/config.h>
#include <martlet/acks.h>
#include <martlet/event_listener.h>
#include <martlet/event_writer.h>
#include <martlet/rooms.h>
#include <martlet/websocket.h>

#include <string_view>
#include <utility>

namespace martlet {

// A listener of a route, in braces: {"join", fn}.
struct EventListener {
  template <typename F>
  MARTLET_THUNK EventListener(std::string_view event, F&& listener) : name(event), fn(detail::make_listener(std::forward<F>(listener))) {}
  std::string_view name;
  mutable detail::EventFunction fn;  // taken out of the braces
};

// The calls of websocket.h and rooms.h -------------------------------------------------------------------------------------

// Adds a listener; WebSocket::off takes it off again. The answer is empty (false) when the name of the event is empty or longer than
// 128 bytes: then nothing listens. The same function may listen more than once. Where memory is out for it, the connection is closed (1013).
template <typename F>
MARTLET_THUNK ListenerId WebSocket::on(std::string_view event, F&& listener) const {
  return detail::add_listener(*this, event, detail::make_listener(std::forward<F>(listener)), false);
}
// The same for one event: then it is taken off. Arguments that it cannot take do not count.
template <typename F>
MARTLET_THUNK ListenerId WebSocket::once(std::string_view event, F&& listener) const {
  return detail::add_listener(*this, event, detail::make_listener(std::forward<F>(listener)), true);
}

// Sends an event. The name has 1 to 128 bytes, else the answer is dropped. ok and the others as of send().
template <typename... Args>
SendStatus WebSocket::emit(std::string_view event, const Args&... args) const {
  return detail::emit(*this, event, args...);
}
template <typename... Args>
SendStatus Room::emit(std::string_view event, const Args&... args) const {
  return detail::emit(*this, event, args...);
}
template <typename... Args>
SendStatus Audience::emit(std::string_view event, const Args&... args) const {
  return detail::emit(*this, event, args...);
}

template <typename... Args>
AckRequest WebSocket::emit_with_ack(std::string_view event, const Args&... args) const {
  static_assert(sizeof...(Args) <= kMaxEventArguments, "an event has at most 32 arguments");
  return AckRequest(*this, event, args...);
}

}  // namespace martlet
