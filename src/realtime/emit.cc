// Events on their way out: the text of an event or an answer, and who is sent it. Any thread.
#include <martlet/events.h>

#include <cstring>

#include "json/cells.h"
#include "json/escape.h"
#include "realtime/events.h"

namespace martlet {

namespace detail {

namespace {

using Parts = EventAccess::Parts;

constexpr size_t kBeforeName = std::string_view(R"({"event":)").size();
constexpr size_t kBehindName = std::string_view(R"(,"args":)").size();
// From here on a text is lent, not copied (json.cc).
constexpr size_t kLent = 4096;

bool is_name(std::string_view event) noexcept { return !event.empty() && event.size() <= kMaxEventNameBytes; }

template <typename To>
SendStatus send_text(const To& to, const JsonWriter& out) noexcept {
  if (!out.ok()) return SendStatus::dropped;
  const std::string_view text = out.text();
  if constexpr (requires { MessageAccess::send_event(to, text); }) {
    if (text.size() < kLent || realtime::any_memory.load(std::memory_order_relaxed)) return MessageAccess::send_event(to, text);
  } else {
    if (text.size() < kLent) return to.send(text);
  }
  return to.send(JsonText(out));
}

}  // namespace

namespace {

constexpr size_t kShortName = 15;

template <size_t Size>
char* put(char* at, const char (&word)[Size]) noexcept {
  std::memcpy(at, word, Size - 1);
  return at + Size - 1;
}

}  // namespace

// A new writer has room for what is short.
EventWriter::EventWriter(std::string_view event) noexcept : good_(is_name(event)) {
  char* const begin = json::Access::at(out_);
  char* at = put(begin, R"({"event":")");
  if (event.size() <= kShortName && json::copy_plain_short(at, event.data(), event.size())) [[likely]] {
    at = put(at + event.size(), R"(","args":[)");
    args_at_ = static_cast<uint32_t>(at - 1 - begin);
    json::Access::set_end(out_, at);
    return;
  }
  out_.begin_object();
  out_.member("event", event);
  out_.key("args");
  args_at_ = static_cast<uint32_t>(out_.text().size());
  out_.begin_array();
}

// What is not short for a JsonWriter, but for a message: two pieces that may overlap, if nothing in them must be escaped.
void EventWriter::add_text(std::string_view text) noexcept {
  constexpr size_t kPiece = sizeof(json::Sixteen);
  char* at = json::Access::at(out_);
  const size_t size = text.size();
  if (size < kPiece || size > 2 * kPiece || static_cast<size_t>(json::Access::end(out_) - at) < 3 * kPiece) return out_.value(text);
  json::Sixteen first, last;
  std::memcpy(&first, text.data(), kPiece);
  std::memcpy(&last, text.data() + size - kPiece, kPiece);
  if (json::any(json::special_marks(first) | json::special_marks(last))) return out_.value(text);
  *at = ',';
  at += json::Access::comma(out_);
  *at++ = '"';
  std::memcpy(at, &first, kPiece);
  std::memcpy(at + size - kPiece, &last, kPiece);
  at[size] = '"';
  json::Access::end_value(out_, at + size + 1);
}

EventWriter::EventWriter(std::string_view head, uint32_t args_at, uint32_t count) noexcept
    : args_at_(args_at), count_(count), ended_(true) {
  out_.raw(head);
}

EventWriter::EventWriter(uint64_t ack, Envelope envelope, size_t count) noexcept
    : bare_(envelope == Envelope::type_data && count <= 1) {
  if (envelope == Envelope::event_args) [[likely]] {
    char* const at = json::write_natural(put(json::Access::at(out_), R"({"ack":)"), ack);
    json::Access::set_end(out_, put(at, R"(,"args":[)"));
    return;
  }
  out_.begin_object();
  out_.member("ack", ack);
  if (count > 0) {
    out_.key("data");
  }
  if (!bare_) out_.begin_array();
}

void EventAccess::finish(JsonWriter& out, uint64_t ack) noexcept {
  if (ack != json::EventText::kNoAck) out.member("ack", ack);
  out.end_object();
}

// The common case: there is room for both brackets.
bool EventAccess::end(EventWriter& w) noexcept {
  char* const at = json::Access::at(w.out_);
  if (!w.good_ || w.ended_ || json::Access::end(w.out_) - at < 2) return false;
  std::memcpy(at, "]}", 2);
  json::Access::set_end(w.out_, at + 2);
  return true;
}

// The same event as {"type":…,"data":…}.
void EventAccess::write_type_data(JsonWriter& out, const Parts& event, uint64_t ack) noexcept {
  out.begin_object();
  out.key("type");
  out.raw(event.head.substr(kBeforeName, event.args_at - kBehindName - kBeforeName));
  const std::string_view list = event.head.substr(event.args_at);
  if (event.count > 0) {
    out.key("data");
    out.raw(event.count == 1 ? list.substr(1, list.size() - 2) : list);
  }
  finish(out, ack);
}

std::string_view EventAccess::text_of(EventWriter& event, bool type_data, JsonWriter& other) noexcept {
  if (!type_data && end(event)) return event.out_.text();
  const Parts known = parts(event);
  if (!good(event)) return {};
  JsonWriter& out = type_data ? other : event.out_;
  type_data ? write_type_data(other, known, json::EventText::kNoAck) : out.end_object();
  return out.ok() ? out.text() : std::string_view();
}

namespace {

template <typename To>
SendStatus send_as(const To& to, EventWriter& event, Envelope envelope) noexcept {
  if (envelope == Envelope::event_args && EventAccess::end(event)) [[likely]] return send_text(to, EventAccess::out(event));
  const Parts parts = EventAccess::parts(event);
  if (!EventAccess::good(event)) return SendStatus::dropped;
  if (envelope == Envelope::event_args) {
    EventAccess::out(event).end_object();
    return send_text(to, EventAccess::out(event));
  }
  JsonWriter out;
  EventAccess::write_type_data(out, parts, json::EventText::kNoAck);
  return send_text(to, out);
}

// On its way to the worker that knows how its route's events look. Only where some of this process look otherwise.
template <typename To>
SendStatus post_event(uint32_t worker, const To& to, EventWriter& event) noexcept {
  const Parts parts = EventAccess::parts(event);
  base::KeptText head(parts.head);
  if (!EventAccess::good(event) || !head.ok()) return SendStatus::dropped;
  auto run = [to, head = std::move(head), parts](realtime::RealtimeWorker&) {
    EventWriter again(head.text(), parts.args_at, parts.count);
    send_event(to, again);
  };
  return realtime::post_to(worker, std::move(run), parts.head.size() + 1);
}

bool all_look_alike() noexcept { return !realtime::any_type_data.load(std::memory_order_relaxed); }

}  // namespace

SendStatus send_event(const WebSocket& to, EventWriter& event) noexcept {
  if (all_look_alike()) [[likely]] return send_as(to, event, Envelope::event_args);
  realtime::RealtimeWorker* w = realtime::here(MessageAccess::worker(to));
  if (!w) return post_event(MessageAccess::worker(to), to, event);
  net::Connection* c = w->websocket(MessageAccess::id(to));
  return c ? send_as(to, event, realtime::envelope_of(realtime::route_of(*c))) : SendStatus::closed;
}

SendStatus send_event(const Room& to, EventWriter& event) noexcept {
  if (all_look_alike()) [[likely]] return send_as(to, event, Envelope::event_args);
  realtime::RealtimeWorker* w = realtime::here_among(MessageAccess::worker(to));
  return w ? send_as(to, event, w->envelope()) : post_event(MessageAccess::worker(to), to, event);
}

namespace {

// Of a route, as that says; of others, as all routes say, if they do.
Envelope envelope_of(realtime::RealtimeWorker& w, const Audience& to) noexcept {
  if (MessageAccess::kind(to) != MessageAccess::Kind::route) return w.envelope();
  const std::string_view name = MessageAccess::name(to);
  for (const auto& route : w.ws_routes) {
    if (name.data() ? route->pattern == name : w.id_of(*route) == MessageAccess::id(to)) return realtime::envelope_of(*route);
  }
  return w.envelope();
}

}  // namespace

SendStatus send_event(const Audience& to, EventWriter& event) noexcept {
  if (all_look_alike()) [[likely]] return send_as(to, event, Envelope::event_args);
  realtime::RealtimeWorker* w = realtime::here_among(MessageAccess::worker(to));
  return w ? send_as(to, event, envelope_of(*w, to)) : post_event(MessageAccess::worker(to), to, event);
}

SendStatus send_answer(const WebSocket& to, EventWriter& answer) noexcept {
  JsonWriter& out = EventAccess::out(answer);
  if (!EventAccess::bare(answer)) {
    if (EventAccess::end(answer)) [[likely]] return send_text(to, out);
    out.end_array();
  }
  out.end_object();
  return send_text(to, out);
}

}  // namespace detail

// The forms with braces ---------------------------------------------------------------------------------------------------

SendStatus WebSocket::emit(std::string_view event, const Json& only) const { return detail::emit(*this, event, only); }
SendStatus Room::emit(std::string_view event, const Json& only) const { return detail::emit(*this, event, only); }
SendStatus Audience::emit(std::string_view event, const Json& only) const { return detail::emit(*this, event, only); }

SendStatus EventReply::operator()(const Json& only) const {
  if (!*this) return SendStatus::ok;
  detail::EventWriter out(ack_, envelope_, 1);
  out.add(only);
  return detail::send_answer(ws_, out);
}

namespace realtime {

void send_event_error(const WebSocket& ws, const EventError& error) noexcept {
  JsonWriter told;
  told.object([&] {
    told.member("code", error.code);
    told.member("message", error.message);
    told.member("event", error.event);
  });
  detail::EventWriter out("error");
  detail::EventAccess::add_raw(out, told.text());
  detail::send_event(ws, out);
}

}  // namespace realtime

}  // namespace martlet
