// See members.h. The worker that asks keeps a Gathering: who is to be told, and what has come. Each worker of the group, itself
// too, is sent a question and sends its answer back; a question that is lost, because its worker has ended, says so when it is
// dropped. What nobody says comes to an end by the timer.
#include <martlet/members.h>

#include <utility>

#include "base/slot_table.h"
#include "net/worker_registry.h"
#include "realtime/commands.h"
#include "realtime/connection_data.h"
#include "realtime/connection_slots.h"
#include "realtime/realtime.h"
#include "worker/tasks.h"

namespace martlet {

namespace realtime {

namespace {

using Told = Function<void(MemberList)>;

struct Gathering {
  uint32_t generation;
  uint32_t slot;
  uint32_t missing = 0;  // workers that have yet to answer
  size_t limit = 0;
  net::UserTimers::Id timer{};
  Told fn = {};
  MemberList list = {};
};

struct Gatherings final : worker::Part {
  using Part::Part;
  static constexpr worker::PartKey kKey{};
  static constexpr worker::PartHooks kHooks{};
  base::SlotTable<Gathering> all;
};

// The asking worker's side ----------------------------------------------------------------------------------------------

void tell(RealtimeWorker& w, Told& fn, MemberList&& list) noexcept {
  w.note_call(RealtimeWorker::kPost);
  if (!fn(std::move(list))) w.report_failure(RealtimeWorker::kPost);
}

void finish(RealtimeWorker& w, Gatherings& part, Gathering& one) noexcept {
  Told fn = std::move(one.fn);
  MemberList list = std::move(one.list);
  if (one.missing) list.complete = false;
  if (one.timer.generation) w.reactor.timers.cancel(one.timer);
  part.all.destroy(&one);
  tell(w, fn, std::move(list));
}

// What one worker has answered.
struct Answer {
  std::vector<MemberInfo> members = {};
  bool good = false;  // false: it has ended
  bool more = false;
};

void take(RealtimeWorker& w, base::SlotId id, Answer&& answer) noexcept {
  auto* part = w.parts.find<Gatherings>();
  Gathering* one = part ? part->all.find(id) : nullptr;
  if (!one) return;  // its time is over
  MemberList& list = one->list;
  for (MemberInfo& member : answer.members) {
    if (list.members.size() < one->limit) {
      list.members.push_back(std::move(member));
    } else {
      list.more = true;
    }
  }
  list.more |= answer.more;
  list.complete &= answer.good;
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
    if (asker_) answer({});
  }
  void answer(Answer&& with) noexcept {
    post_to(std::exchange(asker_, 0), [id = id_, with = std::move(with)](RealtimeWorker& w) mutable { take(w, id, std::move(with)); });
  }
  void forget() noexcept { asker_ = 0; }

  base::SlotId room{};
  Decision<bool(WebSocket)> wanted = {};  // else members of the room
  size_t limit = 0;
  uint32_t next_slot = 0;  // a look at all connections is taken in pieces
  Answer so_far = {};

 private:
  uint32_t asker_;
  base::SlotId id_;
};

MemberInfo describe(RealtimeWorker& w, net::Connection& c) {
  const WebSocket ws = w.handle(c);
  MemberInfo member{.id = ws.id(), .remote_address = ws.ip(), .socket = ws};
  if (const Metadata* metadata = find_slot<Metadata>(c)) member.metadata = metadata->json;
  return member;
}

void list_members(RealtimeWorker& w, Question& question) noexcept {
  const RoomRecord* room = w.find_room(question.room);
  if (!room) return;
  for (const Membership* m = room->first; m; m = m->room_next) {
    if (question.so_far.members.size() == question.limit) {
      question.so_far.more = true;
      return;
    }
    question.so_far.members.push_back(describe(w, *w.reactor.connections.live(m->connection_slot)));
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
    if (!found) continue;
    if (question.so_far.members.size() == question.limit) return question.so_far.more = true;
    question.so_far.members.push_back(describe(w, *c));
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
  question.so_far.good = true;
  question.answer(std::move(question.so_far));
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
    post_to(w.number, [fn = std::move(fn)](RealtimeWorker& own) mutable { tell(own, fn, MemberList{.complete = false}); });
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

void MembersRequest::then(Function<void(MemberList)> fn) {
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
  resume_on_worker(wait->worker, [wait, list = std::move(list)]() mutable {
    Resumable* waiting = std::exchange(wait->waiting, nullptr);
    if (!waiting) return;
    wait->list = std::move(list);
    go_on(*waiting, waiting->root->calls.resume);
  });
}

}  // namespace detail

}  // namespace martlet
