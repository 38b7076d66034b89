// See members.h. The worker that asks keeps a Gathering: who is to be told, and what has come. Each worker of the group, itself
// too, is sent a question and sends its answer back; a question that is lost, because its worker has ended, says so when it is
// dropped. What nobody says comes to an end by the timer. Who is told of is kept in base/alloc's memory until the unit that asks
// makes a list of it (members.h): here nothing may throw.
#include <martlet/members.h>

#include <cstring>
#include <utility>

#include "base/slot_table.h"
#include "codec/ip_address.h"
#include "net/worker_registry.h"
#include "realtime/commands.h"
#include "realtime/connection_data.h"
#include "realtime/connection_slots.h"
#include "realtime/realtime.h"
#include "session/origin.h"
#include "sys/socket.h"
#include "worker/tasks.h"

namespace martlet {

namespace realtime {

namespace {

using Told = Function<void(detail::ToldMembers&)>;

// Owns them.
class Gathered {
 public:
  Gathered() noexcept = default;
  Gathered(Gathered&& other) noexcept : told(std::exchange(other.told, {})), last_(std::exchange(other.last_, nullptr)) {}
  Gathered& operator=(Gathered&&) = delete;
  ~Gathered() {
    while (detail::ToldMember* one = take_first()) base::destroy(one);
  }
  void push(detail::ToldMember& one) noexcept {
    one.next = nullptr;
    (last_ ? last_->next : told.first) = &one;
    last_ = &one;
    told.count++;
  }
  // As many as there is place for.
  void take(Gathered& from, size_t limit) noexcept {
    while (told.count < limit && from.told.first) push(*from.take_first());
    told.more |= from.told.more || from.told.first;
    told.complete &= from.told.complete;
  }

  detail::ToldMembers told;

 private:
  detail::ToldMember* take_first() noexcept {
    detail::ToldMember* one = told.first;
    if (!one) return nullptr;
    told.first = one->next;
    told.count--;
    if (!told.first) last_ = nullptr;
    return one;
  }
  detail::ToldMember* last_ = nullptr;
};

struct Gathering {
  uint32_t generation;
  uint32_t slot;
  uint32_t missing = 0;  // workers that have yet to answer
  size_t limit = 0;
  net::UserTimers::Id timer{};
  Told fn = {};
  Gathered list = {};
};

struct Gatherings final : worker::Part {
  using Part::Part;
  static constexpr worker::PartKey kKey{};
  static constexpr worker::PartHooks kHooks{};
  base::SlotTable<Gathering> all;
};

// The asking worker's side ----------------------------------------------------------------------------------------------

void tell(RealtimeWorker& w, Told& fn, Gathered& list) noexcept {
  w.note_call(RealtimeWorker::kPost);
  if (!fn(list.told)) w.report_failure(RealtimeWorker::kPost);
}

void finish(RealtimeWorker& w, Gatherings& part, Gathering& one) noexcept {
  Told fn = std::move(one.fn);
  Gathered list = std::move(one.list);
  if (one.missing) list.told.complete = false;
  if (one.timer.generation) w.reactor.timers.cancel(one.timer);
  part.all.destroy(&one);
  tell(w, fn, list);
}

// What one worker has answered.
void take(RealtimeWorker& w, base::SlotId id, Gathered& answer) noexcept {
  auto* part = w.parts.find<Gatherings>();
  Gathering* one = part ? part->all.find(id) : nullptr;
  if (!one) return;  // its time is over
  one->list.take(answer, one->limit);
  if (--one->missing == 0) finish(w, *part, *one);
}

struct GatherTimer {
  GatherTimer(RealtimeWorker& w, base::SlotId gathering) noexcept : worker(w), id(gathering) {}
  RealtimeWorker& worker;
  base::SlotId id;
};

bool start_timer(RealtimeWorker& w, Gathering& one, milliseconds time) noexcept {
  auto* context = base::create<GatherTimer>(w, base::SlotId{one.slot, one.generation});
  if (!context) return false;
  const auto run = [](void* context_of) {
    const GatherTimer timer = *static_cast<GatherTimer*>(context_of);
    auto* part = timer.worker.parts.find<Gatherings>();
    Gathering* late = part->all.find(timer.id);
    if (!late) return;
    late->timer = {};  // it is this one
    finish(timer.worker, *part, *late);
  };
  const auto drop = [](void* timer) { base::destroy(static_cast<GatherTimer*>(timer)); };
  one.timer = w.reactor.timers.after(w.reactor.now_ns(), time.count() < 0 ? 0 : static_cast<uint64_t>(time.count()), {run, drop, context});
  return one.timer.generation != 0;
}

// The asked workers' side -----------------------------------------------------------------------------------------------

class Question {
 public:
  Question(uint32_t asker, base::SlotId id) noexcept : asker_(asker), id_(id) {}
  Question(Question&& other) noexcept
      : room(other.room), wanted(std::move(other.wanted)), limit(other.limit), next_slot(other.next_slot), so_far(std::move(other.so_far)),
        asker_(std::exchange(other.asker_, 0)), id_(other.id_) {}
  Question& operator=(Question&&) = delete;
  ~Question() {
    if (!asker_) return;
    so_far.told.complete = false;  // its worker has ended
    answer();
  }
  void answer() noexcept {
    post_to(std::exchange(asker_, 0), [id = id_, with = std::move(so_far)](RealtimeWorker& w) mutable { take(w, id, with); });
  }

  base::SlotId room{};
  Decision<bool(WebSocket)> wanted = {};  // else members of the room
  size_t limit = 0;
  uint32_t next_slot = 0;  // a look at all connections is taken in pieces
  Gathered so_far = {};

 private:
  uint32_t asker_;
  base::SlotId id_;
};

// What WebSocket::ip() says.
size_t write_address(RealtimeWorker& w, const net::Connection& c, char* to) noexcept {
  session::AddressText proxied;
  const session::OriginFinder* finder = w.sessions.origins;
  if (finder && finder->proxied(finder->context, c, proxied)) {
    std::memcpy(to, proxied.text, proxied.size);
    return proxied.size;
  }
  const sys::PeerAddress peer = sys::peer_of(c.fd);
  return peer.kind == sys::PeerAddress::Kind::ip ? codec::format_ip_address(codec::IpAddress::v6(peer.bytes), to) : 0;
}

// False: it is not told of, as there are too many, or memory is out.
bool add(RealtimeWorker& w, net::Connection& c, Question& question) noexcept {
  Gathered& list = question.so_far;
  if (list.told.count == question.limit) return list.told.more = true, false;
  auto* one = base::create<detail::ToldMember>();
  const Metadata* metadata = find_slot<Metadata>(c);
  if (one && metadata) one->metadata = metadata->json;
  if (!one || !one->metadata.complete()) return base::destroy(one), list.told.complete = false;
  one->socket = w.handle(c);
  static_assert(sizeof one->id >= MessageAccess::kIdBytes && sizeof one->address >= codec::kIpAddressText);
  MessageAccess::write_id(one->socket, one->id);
  one->id_size = MessageAccess::kIdBytes;
  one->address_size = static_cast<uint8_t>(write_address(w, c, one->address));
  list.push(*one);
  return true;
}

void list_members(RealtimeWorker& w, Question& question) noexcept {
  const RoomRecord* room = w.find_room(question.room);
  if (!room) return;
  for (const Membership* m = room->first; m; m = m->room_next) {
    if (!add(w, *w.reactor.connections.live(m->connection_slot), question)) return;
  }
}

bool may_be_found(net::Connection* c) noexcept {
  return c && !c->closing && c->protocol == &session::ws_protocol && is_let_in(*c) && c->state<session::WsState>().ready == ReadyState::open;
}

// True when all have been looked at.
bool look_for_wanted(RealtimeWorker& w, Question& question) noexcept {
  constexpr uint32_t kPiece = 4096;
  const uint32_t end = question.next_slot + kPiece;
  for (; question.next_slot < end; question.next_slot++) {
    if (question.next_slot >= w.reactor.connections.extent()) return true;
    net::Connection* c = w.reactor.connections.at(question.next_slot);
    if (!may_be_found(c)) continue;
    bool found = false;
    w.note_call(RealtimeWorker::kPost);
    if (!question.wanted(w.handle(*c), found)) return w.report_failure(RealtimeWorker::kPost, w.handle(*c)), true;
    c = w.reactor.connections.at(question.next_slot);
    if (found && may_be_found(c) && !add(w, *c, question)) return true;
  }
  return false;
}

void work_at(RealtimeWorker& w, Question&& question) noexcept {
  if (!question.wanted) {
    list_members(w, question);
  } else if (!look_for_wanted(w, question)) {
    post_to(w.number, [question = std::move(question)](RealtimeWorker& own) mutable { work_at(own, std::move(question)); });
    return;
  }
  question.answer();
}

// Asking ----------------------------------------------------------------------------------------------------------------

struct Wish {
  Room room;
  Decision<bool(WebSocket)> wanted;
  size_t limit;
  milliseconds timeout;
};

bool send_question(uint32_t number, uint32_t asker, base::SlotId id, const Wish& wish) noexcept {
  Question question(asker, id);
  question.room = MessageAccess::id(wish.room);
  question.wanted = wish.wanted;
  question.limit = wish.limit;
  const SendStatus posted =
      post_to(number, [question = std::move(question)](RealtimeWorker& w) mutable { work_at(w, std::move(question)); });
  return posted == SendStatus::posted;
}

void ask_all(RealtimeWorker& w, const Wish& wish, Told fn) noexcept {
  auto* part = w.parts.find_or_add<Gatherings>(w);
  Gathering* one = part ? part->all.create() : nullptr;
  if (!one || !start_timer(w, *one, wish.timeout)) {
    if (one) part->all.destroy(one);
    post_to(w.number, [fn = std::move(fn)](RealtimeWorker& own) mutable {
      Gathered nobody;
      nobody.told.complete = false;
      tell(own, fn, nobody);
    });
    return;
  }
  one->fn = std::move(fn);
  one->limit = wish.limit;
  const uint32_t end = w.first + net::members_of(w.first);
  one->missing = end - w.first;
  const base::SlotId id{one->slot, one->generation};
  for (uint32_t number = w.first; number < end; number++) send_question(number, w.number, id, wish);
}

}  // namespace

}  // namespace realtime

void MembersRequest::ask(Function<void(detail::ToldMembers&)> fn) noexcept {
  const size_t limit = limit_ < kMostMembers ? limit_ : kMostMembers;
  realtime::Wish wish{room_, std::move(wanted_), limit, timeout_};
  if (!worker_ && worker::current_worker_) worker_ = worker::current_worker_->first;  // of a Room that never was one
  if (realtime::RealtimeWorker* w = realtime::here_among(worker_)) return realtime::ask_all(*w, wish, std::move(fn));
  realtime::post_to(worker_, [wish = std::move(wish), fn = std::move(fn)](realtime::RealtimeWorker& w) mutable {
    realtime::ask_all(w, wish, std::move(fn));
  });
}

MembersRequest Room::members(size_t limit) const noexcept { return MembersRequest(worker_, *this, limit); }

// co_await ----------------------------------------------------------------------------------------------------------------

namespace detail {

void begin_members(MembersWait& wait) noexcept { wait.worker = worker_number_of(needed(*wait.waiting)); }

void take_members(const Shared<MembersWait>& wait, MemberList list) {
  wait->list = std::move(list);  // read when it goes on
  resume_on_worker(wait->worker, [wait] {
    if (Resumable* waiting = std::exchange(wait->waiting, nullptr)) go_on(*waiting, waiting->root->calls.resume);
  });
}

}  // namespace detail

}  // namespace martlet
