// Events on their way in: what a text is, who listens, and calling them. See events.h.
#include "realtime/events.h"

#include <cstring>
#include <string>
#include <vector>

#include "proto/ws_frame.h"
#include "realtime/commands.h"
#include "realtime/connection_slots.h"
#include "realtime/event_parts.h"
#include "sys/process.h"

namespace martlet::realtime {

namespace {

using detail::EventAccess;
using json::EventKind;
using json::EventText;

uint64_t random_key() noexcept {
  uint64_t key = 0;
  sys::random_bytes(&key, sizeof key);
  return key;
}

void closed(worker::Part& part, net::Connection& c, const CloseInfo&) { cancel_acks(realtime_of(part.worker), c); }

// One text on its way to the listeners of its event. A false answer of the sink means that one of them threw.
class Delivery {
 public:
  Delivery(WsRouteEntry& route, net::Connection& c, std::string_view text) noexcept
      : route_(route), w_(*route.worker), c_(c), form_(form_of(envelope_of(route))), text_(text) {}

  // Whether it is one that somebody waits for.
  bool wanted() noexcept {
    if (!json::glance_at_event(text_, form_, event_)) {
      if (!may_be_one()) return false;
      json::parse_event(text_, form_, event_);
    }
    if (event_.kind == EventKind::event) return find_listeners();
    return event_.kind == EventKind::answer && waits_for_answers(c_);
  }

  // Afterwards good() says whether all went well. False: it is none after all, and nobody has seen it.
  bool deliver() noexcept {
    if (event_.kind == EventKind::answer) return good_ = take_answer(w_, c_, event_), true;
    EventArguments args = EventAccess::arguments(w_.handle(c_), event_, envelope_of(route_));
    tell(args, route_.events->table, of_route_);
    if (own_) tell(args, own_->table, of_own_);
    if (again_) return deliver_checked();
    if (refused_) answer_refused(args);
    return !not_one_;
  }
  bool good() const noexcept { return good_; }

 private:
  // What has none of the words is not read to its end for that. A name may be written with escapes.
  bool may_be_one() const noexcept {
    size_t at = 0;
    while (at < text_.size() && static_cast<uint8_t>(text_[at]) <= ' ') at++;
    if (at == text_.size() || text_[at] != '{') return false;
    const std::string_view name = form_ == json::EventForm::event_args ? R"("event")" : R"("type")";
    const auto has = [this](std::string_view word) { return text_.find(word) != std::string_view::npos; };
    return has(name) || (extras_of(c_) && has(R"("ack")")) || has(R"(\u)");
  }

  bool find_listeners() noexcept {
    const uint64_t hash = route_.events->part.hash(event_.name);
    own_ = find_slot<OwnEvents>(c_);
    of_route_ = route_.events->table.find(event_.name, hash);
    of_own_ = own_ ? own_->table.find(event_.name, hash) : nullptr;
    return of_route_ || of_own_;
  }

  void tell(EventArguments& args, EventTable& table, EventNode* first) noexcept {
    const uint64_t newest = table.newest();
    for (EventNode* l = first; l && !again_ && !not_one_; l = l->following) {
      if (!l->gone && l->order <= newest) call(args, table, *l);
    }
  }

  void call(EventArguments& args, EventTable& table, EventNode& l) noexcept {
    if (!l.function(args)) {
      w_.report_failure(route_.pattern, args.socket(), RealtimeWorker::Then::closes);
      good_ = false;
    }
    if (EventAccess::refused(args)) [[unlikely]] {
      if (event_.checked || !look_closer(args)) refuse(args);
      return;
    }
    event_.checked = true;
    if (l.once) table.remove(w_, l);
  }

  // It was only glanced at, and its first listener could not read it: is it what it looked like? True: it is not, and has to be
  // told again, or to others.
  bool look_closer(EventArguments& args) noexcept {
    const std::string_view before = event_.args;
    json::parse_event(text_, form_, event_);
    if (event_.kind == EventKind::event && event_.args.data() == before.data() && event_.args.size() == before.size()) return false;
    if (event_.kind == EventKind::event && find_listeners()) return EventAccess::start_again(args, event_), again_ = true;
    return not_one_ = true;
  }

  bool deliver_checked() noexcept {
    again_ = false;
    return deliver();
  }

  // The first one is told; a text that no listener can read is one mistake.
  void refuse(EventArguments& args) noexcept {
    if (!refused_) {
      refused_ = true;
      too_many_ = EventAccess::too_many(args);
      const std::string_view path(EventAccess::path(args));
      if (!path.empty()) put(path), put(": ");
      put(EventAccess::what(args));
    }
    EventAccess::start_again(args, event_);
  }
  void put(std::string_view part) noexcept { why_size_ += part.copy(why_ + why_size_, sizeof why_ - why_size_); }

  void answer_refused(const EventArguments& args) noexcept {
    EventError error{event_.name, too_many_ ? "too_many_arguments" : "bad_arguments", {why_, why_size_}};
    error.reply = args.reply();
    auto& handler = route_.events->part.on_error;
    if (!handler) return send_event_error(args.socket(), error);
    if (handler(args.socket(), error)) return;
    w_.report_failure(route_.pattern, args.socket(), RealtimeWorker::Then::closes);
    good_ = false;
  }

  WsRouteEntry& route_;
  RealtimeWorker& w_;
  net::Connection& c_;
  json::EventForm form_;
  std::string_view text_;
  OwnEvents* own_ = nullptr;
  EventNode* of_route_ = nullptr;
  EventNode* of_own_ = nullptr;
  bool good_ = true;
  bool again_ = false;
  bool not_one_ = false;
  bool refused_ = false;
  bool too_many_ = false;
  size_t why_size_ = 0;
  char why_[JsonError::kPathBytes + 96];  // not initialised
  EventText event_;
};

void off_event(RealtimeWorker& w, net::Connection& c, uint64_t listener) noexcept {
  if (auto* own = find_slot<OwnEvents>(c)) own->table.remove(w, listener);
}

// As the sinks of websocket_events.cc do, whether it is an event or not.
bool on_message(session::WsRoute& to, net::Connection& c, const session::MessageView& view) {
  WsRouteEntry& route = static_cast<WsRouteEntry&>(to);
  Delivery delivery(route, c, {reinterpret_cast<const char*>(view.data), view.size});
  if (!view.is_text || !delivery.wanted()) return observed_ws_sink.on_message(to, c, view);
  RealtimeWorker& w = *route.worker;
  if (w.observed()) [[unlikely]] {
    w.note_call(route.pattern);
    if (!w.observe(c, view)) return true;
  }
  if (!delivery.deliver()) return ws_sink.on_message(to, c, view);
  return delivery.good();
}

}  // namespace

const worker::PartHooks Events::kHooks{.closed = closed};

Events::Events(worker::Worker& w) noexcept : Part(w), key_of_hash(random_key()), sink(observed_ws_sink) { sink.on_message = on_message; }

Events::~Events() {
  for (RouteEvents* route : routes) base::destroy(route);
}

RouteEvents* Events::of(RealtimeWorker& w, WsRouteEntry& route) noexcept {
  if (route.events) return route.events;
  auto* part = w.parts.find_or_add<Events>(w);
  auto* events = part ? base::create<RouteEvents>(*part) : nullptr;
  if (!events || !part->routes.push(events)) return base::destroy(events), nullptr;
  w.off_event = off_event;
  route.events = events;
  route.own_sink = &part->sink;
  if (w.opened) w.choose_sink(route);
  return events;
}

}  // namespace martlet::realtime

namespace martlet {

// Arguments ---------------------------------------------------------------------------------------------------------------

EventReply EventArguments::reply() const noexcept { return detail::EventAccess::reply(socket_, ack_, envelope_); }

bool EventArguments::refuse_count(JsonReader& in) noexcept {
  too_many_ = true;
  return in.fail("an event has at most 32 arguments");
}

bool EventArguments::finish(json::TextReader& in, bool read, uint64_t missing) noexcept {
  JsonError error;
  if (missing == 0 && (args_.empty() || in.finish(read, error))) [[likely]] return true;
  refused_ = true;
  if (missing == 0) {
    what_ = error.what;
    std::memcpy(path_, error.path, sizeof path_);
  } else {
    const int number = __builtin_ctzll(missing);
    const std::string_view place("/0\0\0/10\0/20\0/30", 15);
    what_ = "an argument is missing";
    std::memcpy(path_, place.data() + number / 10 * 4, 4);
    path_[number < 10 ? 1 : 2] = static_cast<char>('0' + number % 10);
  }
  return false;
}

// Listeners ---------------------------------------------------------------------------------------------------------------

namespace {

using realtime::Events;
using realtime::RealtimeWorker;

bool is_name(std::string_view event) noexcept { return !event.empty() && event.size() <= kMaxEventNameBytes; }

bool add_to(RealtimeWorker& w, net::Connection& c, std::string_view event, realtime::EventNode* listener) noexcept {
  const realtime::RouteEvents* route = Events::of(w, realtime::route_of(c));
  auto* own = route ? realtime::slot_for<realtime::OwnEvents>(c) : nullptr;
  return own && own->table.add(event, route->part.hash(event), listener);
}

// Better no connection than one that misses its events.
void add_here(RealtimeWorker& w, base::SlotId id, std::string_view event, detail::EventFunction fn, uint64_t number, bool once) noexcept {
  net::Connection* c = w.websocket(id);
  if (!c || c->state<session::WsState>().ready == ReadyState::closed) return;
  auto* listener = base::create<realtime::EventNode>(std::move(fn), number, once);
  if (listener && add_to(w, *c, event, listener)) return;
  base::destroy(listener);
  session::fail_websocket(w.sessions, *c, proto::close_code::try_again, "Out of memory.", CloseCause::out_of_memory);
}

}  // namespace

ListenerId detail::add_listener(const WebSocket& ws, std::string_view event, EventFunction fn, bool once) {
  if (!is_name(event) || !fn) return {};
  const uint64_t number = realtime::next_listener();
  const uint32_t worker = MessageAccess::worker(ws);
  if (RealtimeWorker* w = realtime::here(worker)) {
    add_here(*w, MessageAccess::id(ws), event, std::move(fn), number, once);
    return {number};
  }
  base::KeptText name(event);
  if (!name.ok()) return {};
  realtime::post_to(worker, [id = MessageAccess::id(ws), name = std::move(name), fn = std::move(fn), number, once](RealtimeWorker& w) mutable {
    add_here(w, id, name.text(), std::move(fn), number, once);
  });
  return {number};
}

void WebSocket::off(std::string_view event) const {
  base::KeptText name(event);
  if (!name.ok()) return;
  realtime::command(*this, [name = std::move(name)](RealtimeWorker& w, net::Connection& c) {
    auto* own = realtime::find_slot<realtime::OwnEvents>(c);
    if (own) own->table.remove(w, name.text(), w.parts.find<Events>()->hash(name.text()));
  });
}

// Those of a route ----------------------------------------------------------------------------------------------------------

// Set-up: by the language's own memory.
struct EventListeners::List {
  struct One {
    std::string name;
    detail::EventFunction fn;
  };
  std::vector<One> all;
};

EventListeners::EventListeners(std::initializer_list<EventListener> listeners) : list_(new List) {
  static constexpr Parts parts{
      [](List* list) noexcept { delete list; },
      [](List& list, RealtimeWorker& w, realtime::WsRouteEntry& route) noexcept {
        realtime::RouteEvents* events = Events::of(w, route);
        if (!events) return false;
        for (List::One& one : list.all) {
          auto* listener = base::create<realtime::EventNode>(std::move(one.fn), uint64_t{0}, false);
          if (!listener || !events->table.add(one.name, events->part.hash(one.name), listener)) return base::destroy(listener), false;
        }
        return true;
      }};
  parts_ = &parts;
  for (const EventListener& one : listeners) list_->all.push_back({std::string(one.name), std::move(one.fn)});
}

}  // namespace martlet
