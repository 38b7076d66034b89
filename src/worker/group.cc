// A worker's side of group.h: sitting down, posting by the lanes, showing what it does, and placing connections.
#include "worker/group.h"

#include <new>

#include "net/worker_registry.h"
#include "sys/clock.h"
#include "sys/socket.h"
#include "worker/worker.h"

namespace martlet::worker {

thread_local constinit Place place_;

std::unique_ptr<Group> Group::make(uint32_t workers, uint32_t first) noexcept {
  std::unique_ptr<Group> group(new (std::nothrow) Group);
  if (!group) return nullptr;
  group->first = first;
  group->workers = workers;
  group->lanes.reset(net::Lanes::make(workers));
  group->seats.reset(new (std::nothrow) Seat[workers]);
  if (!group->lanes || !group->seats) return nullptr;
  return group;
}

const std::string Worker::kTimer = "timer";
const std::string Worker::kPost = "post";

// Posting -------------------------------------------------------------------------------------------------------------

// From a worker of a Server to another one of the same it goes by their lane; all else by the inbox. Which way a thread's
// mail for a worker goes is always the same, so its order holds.
net::Posted post_mail(uint32_t number, net::Mail* mail) noexcept {
  net::Inbox* inbox = net::find_inbox(number);
  if (!inbox) return net::Posted::closed;
  const Place& place = place_;
  const uint32_t to = place.group ? number - place.group->first : 0;
  if (!place.group || to >= place.group->workers || to == place.seat) return inbox->post(mail);
  if (place.worker && !place.worker->outgoing.empty()) place.worker->outgoing.ship(*place.worker);
  const net::Posted posted = place.group->lanes->post(place.seat, to, mail);
  if (posted == net::Posted::full) inbox->count_refused();
  return posted;
}

// The life of a member ------------------------------------------------------------------------------------------------

void Worker::sit_down(Place& place) noexcept {
  net::Inbox* box = net::find_inbox(place.group->first + place.seat);
  if (!outgoing.open(place.group->workers)) return;
  if (box->open(place.group->first + place.seat, place.group->first, place.group->lanes.get())) return;
  place.taken = true;
  place.worker = this;
  group = place.group;
  seat = place.seat;
  inbox = box;
  number = box->worker();
  first = box->first();
  group->lanes->sit(seat, box);
  if (group->watched) calling = &group->seats[seat].calling;
}

// The last turn is over, and all connections are gone.
void Worker::stand_up() noexcept {
  group->cut_connections.fetch_add(cut_connections, std::memory_order_relaxed);
  group->seats[seat].stats.show(snapshot());
  group->seats[seat].turn_since_ns.store(0, std::memory_order_relaxed);
  if (place_.worker == this) place_.worker = nullptr;
}

void Worker::end_group_turn() noexcept {
  outgoing.ship(*this);
  group->lanes->move_on(seat);
  if (outgoing.tell_missed(*this)) reactor.want_turn();
}

// No connection is left, none is on its way here, and the others have taken what they are to have from us, or have ended:
// that is waited for until the deadline, whatever has become of them.
bool Worker::is_drained() noexcept {
  if (reactor.connections.size() > 0) return false;
  if (owed > 0 && sys::monotonic_ns() < cut_at_ns) return false;
  if (!group || sys::monotonic_ns() >= cut_at_ns) return true;
  if (inbox->has_mail()) return false;
  if (group->lanes->move_on(seat)) return false;
  return group->placing == Placing::stay || group->seats[seat].connections.load(std::memory_order_seq_cst) == 0;
}

// When the turn is over: what the others may look at. Not more often than it is worth, but never later than that: what
// is not shown now has a turn of its own, if nothing else brings one.
void Worker::show_turn() noexcept {
  constexpr uint64_t kShowNs = 20'000'000;
  if (reactor.now_ns() < show_at_ns) return reactor.look_again(show_at_ns);
  reactor.look_again(0);
  show_at_ns = reactor.now_ns() + kShowNs;
  group->seats[seat].stats.show(snapshot());
}

// Counters ------------------------------------------------------------------------------------------------------------

void Group::add_stats(uint32_t of_seat, Stats& sum) const noexcept {
  const uint64_t refused = sum.mail_refused;
  seats[of_seat].stats.add_to(sum);
  sum.mail_refused = refused + net::find_inbox(first + of_seat)->refused();
}

Stats Worker::sum_of_group() const noexcept {
  Stats sum = snapshot();
  for (uint32_t other = 0; group && other < group->workers; other++) {
    if (other != seat) group->add_stats(other, sum);
  }
  if (group) sum.open_rooms = group->directory.rooms();
  if (queue_counts) queue_counts->show(sum);
  return sum;
}

// Connections ---------------------------------------------------------------------------------------------------------

namespace {

// A connection on its way to the worker it was placed with.
struct PassedConnection : net::Mail {
  int fd;
  Seat* seat;
};

void let_go(PassedConnection* passed) noexcept {
  passed->seat->connections.fetch_sub(1, std::memory_order_relaxed);
  base::destroy(passed);
}

// First it is counted, then it is asked whether a drain has begun; a worker that drains looks the other way round, and
// does not end while one is on its way (Worker::is_drained). So either it stays here, or it is waited for there.
bool pass(const Group& group, uint32_t number, Seat& seat, int fd) noexcept {
  auto* passed = base::create<PassedConnection>();
  if (!passed) return false;
  passed->fd = fd;
  passed->seat = &seat;
  passed->run = [](net::Mail* mail, void* worker) {
    static_cast<Worker*>(worker)->reactor.adopt(static_cast<PassedConnection*>(mail)->fd);
    base::destroy(static_cast<PassedConnection*>(mail));
  };
  passed->drop = [](net::Mail* mail) {
    sys::close_socket(static_cast<PassedConnection*>(mail)->fd);
    let_go(static_cast<PassedConnection*>(mail));
  };
  seat.connections.fetch_add(1, std::memory_order_seq_cst);
  const bool stays = group.draining.load(std::memory_order_seq_cst);
  if (!stays && post_mail(number, passed) == net::Posted::yes) return true;
  let_go(passed);
  return false;
}

}  // namespace

// True when another worker gets the connection. Either way it is counted at the seat it goes to.
bool Worker::place_connection(int fd) noexcept {
  Seat& own = group->seats[seat];
  uint32_t best = seat;
  uint32_t fewest = own.connections.load(std::memory_order_relaxed);
  const uint32_t mine = fewest;
  // While it drains, what it still accepts stays: the others drain, too.
  for (uint32_t n = 1; n < group->workers && !draining; n++) {
    const uint32_t other = seat + n < group->workers ? seat + n : seat + n - group->workers;
    const uint32_t theirs = group->seats[other].connections.load(std::memory_order_relaxed);
    if (theirs >= fewest) continue;
    fewest = theirs;
    best = other;
  }
  const uint32_t slack = group->placing == Placing::even ? 1 + mine / 32 : 0;
  if (fewest + slack < mine && pass(*group, group->first + best, group->seats[best], fd)) return true;
  own.connections.fetch_add(1, std::memory_order_relaxed);
  return false;
}

}  // namespace martlet::worker
