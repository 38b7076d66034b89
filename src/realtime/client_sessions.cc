// See client_sessions.h. In order: who comes, what it had, what waits for it, its end, set-up.
//
// What a new connection is to have comes from the store, or from an older connection that it displaces, on whatever worker that
// is. Either way it is a question with a number, which a SessionAnswer answers; what answers none that is open is ignored.
#include "realtime/client_sessions.h"

#include <martlet/events.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "realtime/admission.h"
#include "realtime/commands.h"
#include "realtime/connection_data.h"
#include "realtime/events.h"
#include "sys/clock.h"

namespace martlet {

namespace realtime {

namespace {

const std::string kStore = "session store";

constexpr CloseCode kDisplaced{4001};

bool is_open(net::Connection& c) noexcept { return !c.closing && c.state<session::WsState>().ready == ReadyState::open; }

ClientOfSocket* find_own(RealtimeWorker& w, base::SlotId id) noexcept {
  net::Connection* c = w.websocket(id);
  return c ? find_slot<ClientOfSocket>(*c) : nullptr;
}

// Who comes -----------------------------------------------------------------------------------------------------------

bool refuse(session::Exchange& e, int status, std::string_view text) noexcept {
  refuse_handshake(e, status, text);
  return false;
}

bool admit_as(RealtimeWorker& w, const net::Connection& c, session::Exchange& e, session::WsExtras*& extras, ClientSessions& part,
              const SaidIdentity& said) noexcept {
  if (!extras) extras = base::create<session::WsExtras>();
  auto* own = extras ? extras->slots.find_or_add<ClientOfSocket>(part) : nullptr;
  if (!own) return refuse(e, 503, "Out of memory.");
  own->fresh = said.fresh;
  own->link.worker = w.number;
  own->link.id = c.id();
  using Admitted = ClientDirectory::Admitted;
  const Admitted admitted = part.directory->admit(said.identity(), own->link);
  if (admitted == Admitted::refused) return refuse(e, 409, "This client is connected already.");
  return admitted == Admitted::yes || refuse(e, 503, "Out of memory.");
}

bool admit(RealtimeWorker& w, const net::Connection& c, WsRouteEntry& route, session::Exchange& e, session::WsExtras*& extras) noexcept {
  ClientSessions& part = *w.parts.find<ClientSessions>();
  if (!part.serves(route)) return true;
  SaidIdentity said;
  w.note_call(route.pattern);
  find_identity(part.options.identify, part.directory->token_key(), e.request, said);
  if (said.failed) {
    w.report_failure(route.pattern, e);
    return refuse(e, 500, "Internal Server Error");
  }
  if (said.identity().empty()) return true;
  if (is_identity(said.identity())) return admit_as(w, c, e, extras, part, said);
  return !part.options.refuse_bad_identities || refuse(e, 400, "This is no identity.");
}

// What it had ---------------------------------------------------------------------------------------------------------

void finish(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own, std::optional<SessionData>&& found) noexcept;

SessionData collect(RealtimeWorker& w, net::Connection& c, size_t most_rooms) noexcept {
  SessionData data;
  if (const auto* metadata = find_slot<Metadata>(c)) data.metadata = metadata->json;
  const session::Membership* m = c.state<session::WsState>().rooms;
  for (; m && data.rooms.size() < most_rooms; m = m->next_of_socket) {
    if (!data.rooms.push_back(Json(w.rooms.find_live(m->room_slot)->name()))) data.rooms = Json();
  }
  const std::span<Json> rooms = data.rooms.items();
  std::reverse(rooms.begin(), rooms.end());  // the last one that it joined stands first with us
  const uint64_t silent_ms = w.reactor.now_ms() - c.last_seen_ms;
  data.last_seen += milliseconds(sys::wall_ms() - std::min(sys::wall_ms(), silent_ms));
  return data;
}

// Whether memory was enough for it.
bool is_whole(const SessionData& data) noexcept { return data.rooms.is_array() && data.rooms.complete() && data.metadata.complete(); }

// A member of this name that is there already is newer.
void add_metadata(Json& now, Json&& then) noexcept {
  if (now.empty()) {
    now = std::move(then);
    return;
  }
  for (auto [name, member] : then.members()) {
    if (!now.contains(name)) now[name] = std::move(member);
  }
}

// What came too late to be restored is in what is stored, beside what the client has now; where both are too much, only that.
void add_late(RealtimeWorker& w, net::Connection& c, const SessionData& late, size_t most_rooms, SessionData& data) noexcept {
  Json metadata(data.metadata);
  add_metadata(metadata, Json(late.metadata));
  if (metadata_fits(c, metadata)) data.metadata = std::move(metadata);
  for (const Json& name : late.rooms.items()) {
    const RoomRecord* room = w.rooms.find(name.text_or(""));
    const bool known = !name.is_string() || (room && w.rooms.is_member(c.state<session::WsState>(), *room));
    if (!known && data.rooms.size() < most_rooms && !data.rooms.push_back(Json(name))) data.rooms = Json();
  }
}

SessionData collect_to_store(RealtimeWorker& w, net::Connection& c, const ClientOfSocket& own) noexcept {
  const size_t most_rooms = own.part->options.max_rooms;
  SessionData data = collect(w, c, most_rooms);
  if (own.late && data.rooms.is_array()) add_late(w, c, *own.late, most_rooms, data);
  return data;
}

bool may_store(const ClientOfSocket& own) noexcept {
  return own.live && !own.handed_over && !own.unknown && own.part->directory->is_last(own.link);
}

void save(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own, const SessionData& data) noexcept {
  ClientDirectory& directory = *own.part->directory;
  own.saved_ms = w.reactor.now_ms();
  if (!directory.store().save || !is_whole(data)) return;
  w.note_call(kStore);
  if (!directory.store().save(own.link.client->key(), data, directory.ttl())) w.report_failure(kStore, w.handle(c));
}

void wait_for_answer(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own);
void ask_store_after_worker(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own) noexcept;

void answer_nothing(const SessionAnswer& answer) noexcept;

// What is stored is there still, and for whoever asks next.
void finish_unknown(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own) noexcept {
  own.unknown = true;
  own.missed = own.question;
  if (own.heir) answer_nothing(*std::exchange(own.heir, std::nullopt));
  finish(w, c, own, std::nullopt);
}

void ask_store(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own) noexcept {
  own.asked_store = true;
  SessionStore& store = own.part->directory->store();
  if (!store.load) return finish(w, c, own, std::nullopt);
  own.part->directory->note_unknown(own.link, true);
  w.note_call(kStore);
  if (store.load(own.link.client->key(), SessionAccess::answer(w.handle(c), own.question))) return;
  w.report_failure(kStore, w.handle(c));
  if (own.waiting) finish_unknown(w, c, own);
}

// The time is over: of another worker, which the store may know better than; of the store, which has had its chance.
void take_no_answer(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own) {
  if (!own.waiting) return;
  if (own.asked_store) return finish_unknown(w, c, own);
  own.missed = std::exchange(own.question, ++own.part->questions);
  ask_store_after_worker(w, c, own);
}

// It has all its time for that.
void ask_store_after_worker(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own) noexcept {
  if (own.timer) w.handle(c).cancel(std::exchange(own.timer, {}));
  ask_store(w, c, own);
  if (own.waiting) wait_for_answer(w, c, own);
}

void wait_for_answer(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own) {
  own.timer = w.handle(c).after(own.part->directory->store_timeout(), [](WebSocket late) {
    RealtimeWorker* worker = here(MessageAccess::worker(late));
    net::Connection* of = worker ? worker->websocket(MessageAccess::id(late)) : nullptr;
    auto* waits = of ? find_slot<ClientOfSocket>(*of) : nullptr;
    if (waits) take_no_answer(*worker, *of, *waits);
  });
  if (!own.timer) finish_unknown(w, c, own);  // memory is out
}

void restore_rooms(RealtimeWorker& w, net::Connection& c, const Json& rooms, size_t most) noexcept {
  if (!w.log.empty()) take_published(w, c);
  size_t joined = 0;
  for (const Json& name : rooms.items()) {
    if (name.is_string() && joined++ < most) (void)w.enter_room(c, name.text_or(""), {.trusted = true});
  }
  skip_published(c, w.log.end());  // what was published to the rooms before is not for it
}

// False: memory was out, or what is stored is too much for this route. Then it stays stored.
bool restore(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own, const SessionData& found) noexcept {
  own.handed_over = true;
  auto* metadata = slot_for<Metadata>(c);
  Json then(found.metadata);
  if (!metadata || !is_whole(found) || !then.complete()) return false;
  own.handed_over = false;
  add_metadata(metadata->json, std::move(then));
  limit_metadata(w, c, *metadata);
  if (!is_open(c)) return false;
  restore_rooms(w, c, found.rooms, own.part->options.max_rooms);
  return true;
}

void send_written(const WebSocket& ws, std::string_view event, const JsonWriter& data) noexcept {
  if (!data.ok()) return;
  detail::EventWriter out(event);
  detail::EventAccess::add_raw(out, data.text());
  detail::send_event(ws, out);
}

void tell_token(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own, bool resumed) noexcept {
  char token[kSessionTokenLetters];
  write_token(own.part->directory->token_key(), own.link.client->key(), token);
  JsonWriter data;
  data.object([&] {
    data.member("token", std::string_view(token, sizeof token));
    data.member("ttl", own.part->directory->ttl().count());
    data.member("resumed", resumed);
  });
  send_written(w.handle(c), "session", data);
}

void tell_restored(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own, const SessionData& found) noexcept {
  const WebSocket ws = w.handle(c);
  if (own.part->options.on_restored) {
    w.note_call(kStore);
    if (own.part->options.on_restored(ws, found)) return;
    w.report_failure(kStore, ws, RealtimeWorker::Then::closes);
    return session::handler_failed(w.sessions, c);
  }
  const SessionData now = collect(w, c, SIZE_MAX);
  JsonWriter data;
  data.object([&] {
    data.member("rooms", now.rooms);
    data.member("previousRooms", found.rooms);
    data.member("lastSeen", std::chrono::duration_cast<milliseconds>(found.last_seen.time_since_epoch()).count());
  });
  send_written(ws, "session-restored", data);
}

// The answer is there, or there will be none.
void finish(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own, std::optional<SessionData>&& found) noexcept {
  own.waiting = false;
  if (own.timer) w.handle(c).cancel(std::exchange(own.timer, {}));
  if (own.heir) return (*std::exchange(own.heir, std::nullopt))(std::move(found));
  if (!is_open(c)) return;
  const bool restored = found && restore(w, c, own, *found);
  if (!is_open(c)) return;
  if (SessionAccess::by_token(own.part->options.identify)) tell_token(w, c, own, restored || (!own.fresh && !own.part->directory->store().load));
  if (restored) tell_restored(w, c, own, *found);
  own.live = own.part->directory->make_live(own.link, sys::monotonic_ns());
  if (own.live) deliver_to_client(w, c, own);
}

// On the worker of the older connection: what that had goes to the new one, which asks the store where there is nothing of it.
void hand_over(RealtimeWorker& w, base::SlotId id, const SessionAnswer& answer, void (*nothing)(const SessionAnswer&)) noexcept {
  ClientOfSocket* own = find_own(w, id);
  if (!own) return nothing(answer);
  net::Connection& c = *w.websocket(id);
  if (own->waiting) {
    own->heir = answer;
  } else if (own->live && !own->handed_over && !own->unknown && own->part->directory->store().load) {
    SessionData data = collect_to_store(w, c, *own);
    own->handed_over = is_whole(data);
    save(w, c, *own, data);
    own->handed_over ? answer(std::move(data)) : nothing(answer);
  } else {
    nothing(answer);
  }
  w.handle(c).close(kDisplaced, "Connected elsewhere");
}

// Commands to the worker of the one that waits.
struct Nothing {
  WebSocket ws;
  uint32_t question;
  void operator()(RealtimeWorker& w) const noexcept {
    ClientOfSocket* own = find_own(w, MessageAccess::id(ws));
    const bool open = own && own->waiting && own->question == question && !own->asked_store;
    if (open) ask_store_after_worker(w, *w.websocket(MessageAccess::id(ws)), *own);
  }
};

void answer_nothing(const SessionAnswer& answer) noexcept {
  const Nothing act{SessionAccess::socket(answer), SessionAccess::number(answer)};
  RealtimeWorker* w = here(MessageAccess::worker(act.ws));
  w ? act(*w) : static_cast<void>(post_to(MessageAccess::worker(act.ws), act));
}

void displace(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own, const LinkName& older) noexcept {
  const SessionAnswer answer = SessionAccess::answer(w.handle(c), own.question);
  if (RealtimeWorker* other = here(older.worker)) return hand_over(*other, older.id, answer, answer_nothing);
  const auto act = [id = older.id, answer](RealtimeWorker& there) { hand_over(there, id, answer, answer_nothing); };
  own.asked_worker = older.worker;
  if (post_to(older.worker, act) != SendStatus::posted) answer_nothing(answer);
}

// Its end comes before its answer. What the older connection has is stored when that gives it away, for nobody: its worker sends
// the heir to the store, behind that.
void send_heir_to_store(ClientOfSocket& own) noexcept {
  const SessionAnswer answer = *std::exchange(own.heir, std::nullopt);
  const auto act = [answer](RealtimeWorker&) { answer_nothing(answer); };
  const bool behind = own.waiting && !own.asked_store && own.asked_worker;
  if (!behind || post_to(own.asked_worker, act) != SendStatus::posted) answer_nothing(answer);
}

void begin(RealtimeWorker& w, net::Connection& c) noexcept {
  auto* own = find_slot<ClientOfSocket>(c);
  if (!own) return;
  ClientSessions& part = *own->part;
  part.open.push_back(own);
  part.open_count++;
  own->saved_ns = sys::monotonic_ns();
  own->saved_ms = c.last_seen_ms;
  const ClientDirectory::Began began = part.directory->begin(own->link);
  own->question = ++part.questions;
  own->waiting = true;
  if (began.displaced.worker) {
    displace(w, c, *own, began.displaced);
  } else if (own->fresh || !began.alone) {
    finish(w, c, *own, std::nullopt);
  } else {
    ask_store(w, c, *own);
  }
  if (own->waiting && !own->timer) wait_for_answer(w, c, *own);
}

constexpr OpenSessions kOpenSessions{admit, begin};

// Where there are several connections the others have gone on without it: then it stays as it is stored.
void take_late(ClientOfSocket& own, std::optional<SessionData>&& found) noexcept {
  own.missed = 0;
  if (found) {
    if (own.part->directory->limits().duplicate == DuplicateClient::both || !is_whole(*found)) return;
    if (!own.late) own.late = base::create<SessionData>();
    if (!own.late) return;
    *own.late = std::move(*found);
  }
  own.unknown = false;
  own.part->directory->note_unknown(own.link, false);
}

void take_session(RealtimeWorker& w, base::SlotId id, uint32_t question, std::optional<SessionData>&& found) noexcept {
  ClientOfSocket* own = find_own(w, id);
  if (own && own->missed == question) return take_late(*own, std::move(found));
  if (!own || !own->waiting || own->question != question) return;
  own->part->directory->note_unknown(own->link, false);
  finish(w, *w.websocket(id), *own, std::move(found));
}

// What waits for it ---------------------------------------------------------------------------------------------------

void tell(ClientDirectory& directory, std::string_view client, const LinkName& name) noexcept {
  const auto act = [id = name.id](RealtimeWorker& w) {
    if (ClientOfSocket* own = find_own(w, id)) deliver_to_client(w, *w.websocket(id), *own);
  };
  if (RealtimeWorker* w = here(name.worker)) return act(*w);
  if (post_to(name.worker, act) == SendStatus::dropped) directory.note_untold(client, name);
}

// Now and then ----------------------------------------------------------------------------------------------------------

void deliver_untold(RealtimeWorker& w, ClientSessions& part) noexcept {
  const uint32_t untold = part.directory->untold();
  if (std::exchange(part.untold_seen, untold) == untold) return;
  for (SaveHook* hook = part.open.front(); hook; hook = part.open.after(hook)) {
    auto& own = *static_cast<ClientOfSocket*>(hook);
    net::Connection* c = part.directory->is_untold(own.link) ? w.websocket(own.link.id) : nullptr;
    if (c) deliver_to_client(w, *c, own);
  }
}

// How often to look, so that what has a short life does not outlive it by much.
uint64_t tick_ms(const ClientSessions& part) noexcept {
  uint64_t shortest = part.directory->limits().message_ns / 1'000'000;
  if (const uint32_t save_ms = base::to_ms(part.options.save_interval)) shortest = std::min<uint64_t>(shortest, save_ms);
  return std::clamp<uint64_t>(shortest / 4, 20, 1'000);
}

// In the same millisecond counts, as it may have been later.
bool heard_since(const net::Connection& c, uint32_t then_ms) noexcept { return static_cast<int32_t>(c.last_seen_ms - then_ms) >= 0; }

void save_some(RealtimeWorker& w, ClientSessions& part) noexcept {
  const uint64_t every_ms = base::to_ms(part.options.save_interval);
  const uint64_t every_ns = every_ms * 1'000'000;
  const uint64_t now_ns = sys::monotonic_ns();
  if (every_ns == 0) return;
  // Of those who all came in the same moment only some at a time, but as many as it takes.
  for (uint64_t budget = 256 + part.open_count * tick_ms(part) / every_ms; budget > 0; budget--) {
    SaveHook* hook = part.open.front();
    auto* own = static_cast<ClientOfSocket*>(hook);
    if (!hook || own->saved_ns + every_ns > now_ns) return;
    part.open.pop_front();
    part.open.push_back(hook);
    own->saved_ns = now_ns;
    net::Connection* c = w.websocket(own->link.id);
    const bool due = c && is_open(*c) && heard_since(*c, own->saved_ms) && may_store(*own);
    if (due) save(w, *c, *own, collect_to_store(w, *c, *own));
  }
}

void tick(void* context) {
  auto& part = *static_cast<ClientSessions*>(context);
  RealtimeWorker& w = realtime_of(part.worker);
  part.directory->expire(sys::monotonic_ns(), 10'000);
  deliver_untold(w, part);
  save_some(w, part);
}

// Its end -------------------------------------------------------------------------------------------------------------

void closed(worker::Part& self, net::Connection& c, const CloseInfo&) {
  auto* own = find_slot<ClientOfSocket>(c);
  if (!own) return;
  RealtimeWorker& w = realtime_of(self.worker);
  if (own->heir) send_heir_to_store(*own);
  if (may_store(*own)) save(w, c, *own, collect_to_store(w, c, *own));
}

}  // namespace

// It has left its rooms, so that whoever goes by identities could still know it.
ClientOfSocket::~ClientOfSocket() {
  if (linked()) {
    base::IntrusiveList<SaveHook>::unlink(this);
    part->open_count--;
  }
  base::destroy(late);
  if (link.client) part->directory->leave(link, sys::monotonic_ns());
}

const worker::PartHooks ClientSessions::kHooks{.closed = closed};

bool ClientSessions::serves(const WsRouteEntry& route) const noexcept {
  return options.routes.empty() || std::find(options.routes.begin(), options.routes.end(), route.pattern) != options.routes.end();
}

void deliver_to_client(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own) noexcept {
  if (!is_open(c) || !own.live) return;  // what is on its way waits for the next one
  ClientMessages messages;
  own.part->directory->take(own.link, messages);
  const WebSocket ws = w.handle(c);
  while (QueueHook* hook = messages.front()) {
    auto* message = static_cast<ClientMessage*>(hook);
    if (ws.send(message->frame) == SendStatus::closed) break;
    messages.pop_front();
    ClientDirectory::destroy(message);
  }
  if (!messages.empty()) own.part->directory->give_back(own.link, messages);
}

SendStatus put_for_client(ClientDirectory& directory, std::string_view client, const SharedFrame& frame) noexcept {
  if (!frame) return SendStatus::dropped;
  ClientDirectory::Told told;
  const SendStatus status = directory.put(client, frame, sys::monotonic_ns(), told);
  for (size_t i = 0; i < told.count; i++) tell(directory, client, told.names[i]);
  return status;
}

// Set-up --------------------------------------------------------------------------------------------------------------

Error add_sessions(RealtimeWorker& w, SessionOptions&& options) noexcept {
  auto* directory = worker::common_of(w).find_or_add<ClientDirectory>();
  auto* part = directory ? w.parts.find_or_add<ClientSessions>(w) : nullptr;
  if (!part) return Error("no memory for sessions");
  directory->open(options);
  part->directory = directory;
  part->options = std::move(options);
  const net::TimerTask task{tick, nullptr, part};
  if (w.reactor.timers.every(sys::monotonic_ns(), tick_ms(*part), task).generation == 0) return Error("no memory for sessions");
  w.queue_counts = &directory->counts;
  if (w.group) w.group->queue_counts.store(&directory->counts, std::memory_order_release);
  w.clients = directory;
  w.open_sessions = &kOpenSessions;
  return {};
}

}  // namespace realtime

void SessionAnswer::operator()(std::optional<SessionData> found) const noexcept {
  const uint32_t worker = MessageAccess::worker(ws_);
  const base::SlotId id = MessageAccess::id(ws_);
  if (realtime::RealtimeWorker* w = realtime::here(worker)) return realtime::take_session(*w, id, number_, std::move(found));
  realtime::post_to(worker, [id, number = number_, found = std::move(found)](realtime::RealtimeWorker& w) mutable {
    realtime::take_session(w, id, number, std::move(found));
  });
}

}  // namespace martlet
