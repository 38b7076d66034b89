// The loop of one worker. It never blocks but in poll, and nothing blocks it.
//
// One turn:
//   1. poll (timeout 0 while the ready or the dirty list is not empty, else until the next timer, rounded up);
//   2. read the clock, once;
//   3. dispatch readiness, then the ready list (connections that hold unparsed input);
//   4. run due timers;
//   5. take mail, a bounded batch;
//   6. flush the dirty list (connections that timers, mail, or somebody else's broadcast wrote to);
//   7. reap what closed: on_close runs here, then memory goes;
//   8. announce sleep, look at the inboxes once more, and go to 1.
//
// Bytes are written at two places and by one function: a connection's own output when its dispatch (3) ends, and
// everybody else's in 6. No connection, session or callback is destroyed anywhere but in 7.
//
// Two times. now_ns() is the monotonic clock: the user's timers go by it. now_ms() and the wheel, by which peers are
// judged, leave out what the loop stood still: in a handler that blocks, in a debugger, in a frozen process or machine.
// A peer could not be heard then, and perhaps could not speak. What counts of one turn's work is kSlackNs at most; a
// poll that ends later than was planned by more than that counts as little, as nobody can say when the standstill began.
// One thread owns a reactor: the one that calls turn(). post() (through the inbox) is for all.
#pragma once

#include <martlet/error.h>
#include <martlet/options.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/block.h"
#include "base/check.h"
#include "base/node_pool.h"
#include "base/slot_table.h"
#include "net/connection.h"
#include "net/mailbox.h"
#include "net/output.h"
#include "net/timer_wheel.h"
#include "net/user_timers.h"
#include "sys/poller.h"
#include "sys/process.h"

namespace martlet::net {

// A list of slots to visit. Room for every connection is reserved when it is accepted, so push() cannot fail.
class SlotList {
 public:
  ~SlotList();
  bool reserve(uint32_t slots) noexcept;
  void push(uint32_t slot) noexcept { slots_[size_++] = slot; }
  uint32_t size() const noexcept { return size_; }
  uint32_t operator[](uint32_t i) const noexcept { return slots_[i]; }
  // Removes the first n.
  void consume(uint32_t n) noexcept;

 private:
  uint32_t* slots_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

struct Listener {
  int fd = -1;
  uint16_t port = 0;
  bool polled = false;  // the poller knows it
  bool proxied = false;  // its connections begin with a PROXY header
};

struct ReactorStats {
  uint64_t accepted = 0;
  uint64_t refused = 0;
  uint64_t accept_pauses = 0;
};

// What the layer above supplies. Called on the worker's thread.
struct ReactorHooks {
  void* context = nullptr;
  // A connection was accepted; it binds a protocol. `over_limit`: it must be refused politely.
  void (*on_accept)(void* context, Connection& c, bool over_limit) = nullptr;
  // There is no room for a connection, not even to refuse it in a dispatch of its own: says so on the socket, which the
  // reactor then closes.
  void (*on_refuse)(void* context, int fd) = nullptr;
  // Before the dirty list is flushed: what rooms published goes to their members.
  void (*before_flush)(void* context) = nullptr;
  // A signal that was asked for came.
  void (*on_signal)(void* context, int number) = nullptr;
  // Of a worker of a group; may be null: counts an accepted connection at its own seat, or at another worker's that it
  // gives it to (true).
  bool (*place)(void* context, int fd) = nullptr;
};

// Who wants to know when the output of connections has left. No call may run a callback of the user's, nor end a connection.
struct OutputWatcher {
  void* context = nullptr;
  bool looks = false;  // asks for the next call of `flushed`
  // The dirty list has been flushed.
  void (*flushed)(void* context) = nullptr;
  // Of watched connections. All that waited for a kernel that had refused has been given to it.
  void (*drained)(void* context, Connection& c) = nullptr;
  // The connection is being reaped. What it still holds is lost.
  void (*gone)(void* context, Connection& c) = nullptr;
};

// Who has more for a connection than it takes, and keeps that elsewhere meanwhile. No call may run a callback of the user's, nor end
// a connection. Of followed connections:
struct OutputFollower {
  void* context = nullptr;
  // The kernel takes no more for now; what is queued from here on waits behind that.
  void (*stalled)(void* context, Connection& c) = nullptr;
  // All that waited has been given to it.
  void (*drained)(void* context, Connection& c) = nullptr;
  // Messages for it were dropped.
  void (*lost)(void* context, Connection& c) = nullptr;
};

// What a worker of a group shares with the others.
struct SharedCounts {
  std::atomic<uint32_t>* group = nullptr;  // connections of all workers; the limit is for them together
  std::atomic<uint32_t>* seat = nullptr;   // of this one, where connections are placed
  std::atomic<uint64_t>* turn_since_ns = nullptr;  // 0 while it sleeps; null: nobody looks
};

class Reactor {
 public:
  static constexpr size_t kReceiveBytes = size_t{512} << 10;
  static constexpr size_t kReceiveHeadroom = 256;  // writable bytes before the receive buffer
  static constexpr int kAcceptsPerTurn = 64;
  static constexpr size_t kWorthGivingBack = size_t{1} << 20;  // to the system
  static constexpr size_t kPauseReadingBytes = size_t{64} << 10;  // of unsent output
  static constexpr uint64_t kSlackNs = 100'000'000;  // a turn's work, or a poll's delay, that is no standstill

  Reactor() noexcept = default;
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Makes poller and buffers; may be tried again when it fails. The inbox must be open; it stays its owner's.
  Error open(const ReactorHooks& hooks, Inbox& inbox, uint32_t max_connections) noexcept;
  // Before open().
  void share(const SharedCounts& counts) noexcept { shared_ = counts; }
  Result<uint16_t> listen(const ListenOptions& options) noexcept;
  // Takes a listening socket; on failure it is still the caller's.
  Error listen_on(int fd, bool proxied) noexcept;
  // Takes a connection that another worker has accepted.
  void adopt(int fd) noexcept { take_connection(fd, adopts_proxied); }
  // Accepts who waits in the kernel's queues, as far as they reach at this moment.
  void accept_waiting() noexcept;
  void stop_listening() noexcept;
  // Aborts and reaps every connection: the close handlers run here. The last thing done to a reactor.
  void end_all() noexcept;
  Error watch_signal(int number) noexcept;
  uint32_t max_connections() const noexcept { return max_connections_; }

  // One turn; waits at most timeout_ns (-1: until there is something to do).
  void turn(int64_t timeout_ns) noexcept;
  // How long until something is due that fd() does not show; -1: nothing.
  int64_t next_timer_ns() noexcept;
  // For those who own the loop: the worker rests until the next turn(). From here on fd() becomes readable when there
  // is mail or its own thread makes work for it, and is when work was left over.
  void rest() noexcept;
  int fd() const noexcept { return poller_.fd(); }

  // There is to be a turn at this time, if there is none before; 0: not any more.
  void look_again(uint64_t at_ns) noexcept { look_again_ns_ = at_ns; }

  // Time, as of this turn; between turns, of the last refresh_clock(). The milliseconds are those of the loop's own
  // time, without its standstills: for deadlines of connections.
  uint64_t now_ns() const noexcept { return now_ns_; }
  uint32_t now_ms() const noexcept { return now_ms_; }
  // The same in ticks of the wheel.
  uint32_t now_tick() const noexcept { return WheelBuckets::tick_of(loop_ns()); }
  // Before the worker's own thread does something between turns: deadlines must not count from the last one.
  void refresh_clock() noexcept {
    if (resting_) read_clock();
  }

  // Lists and marks -------------------------------------------------------------------------------------------------

  void mark_dirty(Connection& c) noexcept {
    if (c.in_dirty) return;
    c.in_dirty = true;
    dirty_.push(c.slot);
    rouse();
  }
  void mark_ready(Connection& c) noexcept {
    if (c.in_ready) return;
    c.in_ready = true;
    ready_.push(c.slot);
    rouse();
  }
  // There is work for the next turn that no list shows: it will not sleep.
  void want_turn() noexcept {
    turn_wanted_ = true;
    rouse();
  }
  // So many bytes came into the receive buffer: debug builds overwrite them when the dispatch is over.
  void note_received(size_t bytes) noexcept {
    if constexpr (base::kDebug) received_ = bytes;
  }
  // Ends the connection at once: nothing more is read, written or dispatched; it is reaped at the end of the turn.
  void abort(Connection& c, bool with_reset = false) noexcept;
  // Ends its session: that is reaped at the end of the turn, and nothing is dispatched to it any more. The connection with
  // its output goes on, with the protocol that on_reap binds. For the end of the connection's own dispatch, or outside it.
  void end_session(Connection& c) noexcept;
  // Ends it when its output has left. Of one that has ended `finish` says that it had.
  void finish(Connection& c) noexcept;
  // Ends it because the transport failed.
  void broken(Connection& c, int os_code) noexcept;

  void pause(Connection& c, uint8_t reason) noexcept {
    c.pause |= reason;
    update_interest(c);
  }
  void resume(Connection& c, uint8_t reason) noexcept {
    if (!(c.pause & reason)) return;
    c.pause = static_cast<uint8_t>(c.pause & ~reason);
    update_interest(c);
  }
  // Tells the poller what it should know; costs a system call only when that changed.
  void update_interest(Connection& c) noexcept;

  // Sees to it that on_deadline is called this long from now, or earlier if it was armed for earlier. The session then
  // looks at what is due and arms the next deadline; activity in between costs nothing.
  void arm(Connection& c, uint32_t after_ms) noexcept;
  // The first heartbeat: a moment within the interval that differs from connection to connection.
  void arm_spread(Connection& c, uint32_t interval_ms) noexcept;
  // Before a peer is given up for its silence: one read of what it may have said since it was last listened to. It may
  // end the connection or bind another protocol.
  void hear(Connection& c) noexcept;

  Connection* find(base::SlotId id) noexcept {
    Connection* c = connections.find(id);
    return c && !c->closing ? c : nullptr;
  }

  base::SlotTable<Connection> connections;
  base::BlockPool blocks;
  base::NodePool<Segment> segments;
  base::NodePool<OutQueue> queues;
  Cork cork;
  uint8_t* receive_buffer = nullptr;  // kReceiveBytes, with kReceiveHeadroom before it
  uint32_t write_timeout_ms = 60'000;
  size_t idle_bytes = size_t{2} << 20;  // of blocks that nobody uses, kept for reuse
  bool adopts_proxied = false;  // what other workers accept begins with a PROXY header
  ReactorStats stats;
  UserTimers timers;
  OutputWatcher watcher;  // set before the first connection is watched
  OutputFollower follower;  // set before the first one is followed
  void* sessions = nullptr;  // what the sessions of this worker share; theirs

 private:
  void dispatch(const sys::PollEvent& event) noexcept;
  void dispatch_connection(Connection& c, const sys::PollEvent& event) noexcept;
  void read_from(Connection& c) noexcept;
  void dispatch_ready() noexcept;
  void run_timers() noexcept;
  void flush_dirty() noexcept;
  void reap() noexcept;
  bool go_on(Connection& c) noexcept;
  bool tell_poller(Connection& c) noexcept;
  bool accept_from(uint32_t index) noexcept;
  void take_connection(int fd, bool proxied) noexcept;
  bool admit() noexcept;
  void forget(bool surplus) noexcept;
  void pause_accepting() noexcept;
  void resume_accepting() noexcept;
  void look_at_clock() noexcept;  // leaves the milliseconds as they are
  void read_clock() noexcept;
  void stood_still(uint64_t now_ns) noexcept;
  uint64_t loop_ns() const noexcept { return now_ns_ - lost_ns_; }
  int64_t until_due_ns() const noexcept;
  int64_t poll_timeout(int64_t timeout_ns) noexcept;
  bool must_not_sleep() const noexcept;
  void give_idle_back() noexcept;
  // Memory lies idle that a turn is to come for, if none does by itself.
  bool holds_idle_memory() const noexcept {
    return blocks.kept_bytes() > idle_bytes || blocks.given_back_bytes() >= kWorthGivingBack;
  }
  // Work was made between two turns.
  void rouse() noexcept {
    if (resting_) [[unlikely]] inbox_->gate().notify();
  }

  sys::Poller poller_;
  Inbox* inbox_ = nullptr;
  std::unique_ptr<sys::SignalWatcher> signals_;
  ReactorHooks hooks_;
  SharedCounts shared_;
  std::vector<Listener> listeners_;
  SlotList ready_;
  SlotList dirty_;
  SlotList closing_;
  std::unique_ptr<uint8_t[]> buffers_;
  uint64_t now_ns_ = 0;
  uint64_t lost_ns_ = 0;        // the time before the start, and the standstills
  uint64_t late_after_ns_ = 0;  // a clock that is looked at only after this has stood still
  uint32_t now_ms_ = 0;
  uint32_t max_connections_ = 0;
  uint32_t surplus_ = 0;  // connections above the limit that are being refused
  uint32_t accept_again_ms_ = 0;
  uint64_t next_trim_ns_ = 0;
  uint32_t blocks_made_ = 0;     // as of the last trim
  size_t given_back_bytes_ = 0;  // the same
  uint64_t look_again_ns_ = 0;
  size_t received_ = 0;  // debug builds only
  bool accepting_ = true;
  bool timers_due_ = false;  // there were more than one turn's budget
  bool mail_due_ = false;
  bool turn_wanted_ = false;
  bool resting_ = false;  // between rest() and the next turn()
  bool overslept_ = false;         // the last poll that was to wait ended late,
  bool overslept_before_ = false;  // and the one before it

  struct WheelAccess {
    base::SlotTable<Connection>* connections;
    WheelNode& operator()(uint32_t slot) const noexcept { return connections->live(slot)->wheel; }
  };
  TimerWheel<WheelAccess> wheel_{WheelAccess{&connections}};
};

// The hot half of output.h --------------------------------------------------------------------------------------------

// Opens the cork for a connection's dispatch.
inline void open_cork(Reactor& reactor, Connection& c) noexcept { reactor.cork.owner = &c; }

// Room for `size` contiguous bytes of output, which count as appended at once; null when memory is out.
inline uint8_t* append_room(Reactor& reactor, Connection& c, size_t size) noexcept {
  Cork& cork = reactor.cork;
  if (cork.owner != &c || Cork::kBytes - cork.size < size) [[unlikely]] return append_room_elsewhere(reactor, c, size);
  uint8_t* room = cork.buffer + cork.size;
  cork.size += size;
  return room;
}

// Bytes that wait in cork and queue.
inline size_t unsent_bytes(const Reactor& reactor, const Connection& c) noexcept {
  const size_t corked = reactor.cork.owner == &c ? reactor.cork.bytes() : 0;
  return corked + (c.out ? c.out->bytes : 0);
}

}  // namespace martlet::net
