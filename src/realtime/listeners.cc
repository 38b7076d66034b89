// A connection's own listeners: adding them, and taking them out by their ids. websocket_events.cc calls them.
#include <martlet/websocket.h>

#include <atomic>

#include "realtime/connection_slots.h"
#include "realtime/listeners.h"
#include "session/ws_input.h"

namespace martlet {

using realtime::Event;
using realtime::ListenerBase;
using realtime::RealtimeWorker;
using realtime::add;
using session::WsExtras;

namespace {

bool remove(RealtimeWorker& w, WsExtras& extras, uint64_t id) noexcept {
  for (ListenerBase*& first : extras.first) {
    for (ListenerBase** link = &first; *link; link = &(*link)->following) {
      if ((*link)->id == id) return realtime::take_out(w, *link), true;
    }
  }
  return false;
}

}  // namespace

namespace realtime {

// Of the process: a listener has its id before the command has reached its connection.
uint64_t next_listener() noexcept {
  static constinit std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void append(WsExtras& extras, Event event, ListenerBase& made) noexcept {
  made.number = ++extras.last_number;
  ListenerBase** link = &extras.listeners(event);
  while (*link) link = &(*link)->following;
  *link = &made;
}

// Better no connection than one that misses its messages.
void no_memory(RealtimeWorker& w, net::Connection& c) noexcept {
  session::fail_websocket(w.sessions, c, proto::close_code::try_again, "Out of memory.", CloseCause::out_of_memory);
}

void take_out(RealtimeWorker& w, ListenerBase*& link) noexcept {
  ListenerBase* listener = link;
  link = listener->following;
  listener->gone = true;
  w.retire(listener);
}

void take_out_all(RealtimeWorker& w, ListenerBase*& first) noexcept {
  while (first) take_out(w, first);
}

}  // namespace realtime

ListenerId WebSocket::on_message(Function<void(WebSocket, const Message&)> handler) const {
  return add(*this, Event::message, std::move(handler));
}
ListenerId WebSocket::once_message(Function<void(WebSocket, const Message&)> handler) const {
  return add(*this, Event::message, std::move(handler), {.once = true});
}
ListenerId WebSocket::set_message(Function<void(WebSocket, const Message&)> handler) const {
  return add(*this, Event::message, std::move(handler), {.alone = true});
}
ListenerId WebSocket::on_close(Function<void(WebSocket, const CloseInfo&)> handler) const {
  return add(*this, Event::close, std::move(handler));
}
ListenerId WebSocket::on_drain(Function<void(WebSocket)> handler) const { return add(*this, Event::drain, std::move(handler)); }
ListenerId WebSocket::once_drain(Function<void(WebSocket)> handler) const {
  return add(*this, Event::drain, std::move(handler), {.once = true});
}
ListenerId WebSocket::on_error(Function<void(WebSocket, const ErrorInfo&)> handler) const {
  return add(*this, Event::error, std::move(handler));
}
ListenerId WebSocket::on_ping(Function<void(WebSocket, std::string_view)> handler) const {
  return add(*this, Event::ping, std::move(handler));
}
ListenerId WebSocket::on_pong(Function<void(WebSocket, std::string_view)> handler) const {
  return add(*this, Event::pong, std::move(handler));
}
ListenerId WebSocket::once_pong(Function<void(WebSocket, std::string_view)> handler) const {
  return add(*this, Event::pong, std::move(handler), {.once = true});
}

void WebSocket::off(ListenerId listener) const noexcept {
  if (!listener) return;
  realtime::command(*this, [id = listener.number](RealtimeWorker& w, net::Connection& c) {
    WsExtras* extras = realtime::extras_of(c);
    if (!extras) return;
    if (!remove(w, *extras, id)) {
      if (w.off_event) w.off_event(w, c, id);
    } else if (!extras->listeners(Event::fragment)) {
      session::stream_messages(w.sessions, c, false);
    }
  });
}

}  // namespace martlet
