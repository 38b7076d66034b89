// One connection of a worker: what every protocol needs, and room for the state of the one that is bound to it.
//
// It lives in the worker's slot table; nobody keeps a Connection& beyond the callback that received it. An idle
// WebSocket is this struct and nothing else, so its size is a promise: see the static_assert below.
// One thread, the worker's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/slot_table.h"
#include "net/timer_wheel.h"

namespace martlet::net {

class Reactor;
struct Connection;
struct OutQueue;

// In place of an os_code: there was no memory for output.
inline constexpr int kNoMemory = -1;

// What a protocol does on its connection. Called by the reactor, never nested. No function destroys the connection:
// it is marked by Reactor::abort() or finish() and reaped at the end of the turn.
struct Protocol {
  void (*on_readable)(Reactor&, Connection&);
  // From the ready list: go on with input that is held.
  void (*on_ready)(Reactor&, Connection&);
  // Everything that waited has been given to the kernel (after it had to wait).
  void (*on_drained)(Reactor&, Connection&);
  // Its deadline in the wheel has passed; it arms the next one itself.
  void (*on_deadline)(Reactor&, Connection&);
  // The transport is broken, or what it did not take could not be kept (kNoMemory): the connection is already marked
  // for reaping.
  void (*on_broken)(Reactor&, Connection&, int os_code);
  // Last call: gives back what it owns; user callbacks about the end run here. After Reactor::end_session() it binds the
  // protocol that the connection goes on with.
  void (*on_reap)(Reactor&, Connection&);
  // Server-to-client bytes are WebSocket frames, so that whole unsent ones can be dropped.
  bool framed;
  // It reads on however much output waits.
  bool always_reads = false;
  // HTTP has not begun: a drain treats it as a connection that has sent nothing.
  bool before_http = false;
};

// Why reading is off. Reading goes on when no reason is left.
enum Pause : uint8_t {
  kPauseOutput = 1,    // too much output waits
  kPauseInput = 2,     // held input is full, or is being worked off
  kPauseEof = 4,     // the peer has ended its direction
  kPauseUser = 8,    // the application wants no more for now
  kPauseSteps = 16,  // steps have not let it through yet
  kPauseTasks = 32,  // too many of its coroutines are at work
  kPauseApplication = kPauseUser | kPauseSteps | kPauseTasks,
};

struct Connection {
  static constexpr size_t kSessionBytes = 80;

  // The first two belong to the slot table.
  uint32_t generation;
  uint32_t slot;
  int32_t fd = -1;
  WheelNode wheel;
  uint32_t last_seen_ms = 0;  // when bytes last came from the peer
  uint8_t interest = 0;       // what the poller has been told
  uint8_t pause = 0;          // Pause reasons
  bool closing : 1 = false;    // marked for reaping: nothing is dispatched to it any more
  bool in_dirty : 1 = false;   // on the dirty list
  bool in_ready : 1 = false;   // on the ready list
  bool finish : 1 = false;     // close when the output has left
  bool reset : 1 = false;      // close with a reset
  bool proxied : 1 = false;    // of a listener that speaks the PROXY protocol
  bool surplus : 1 = false;    // above the limit of connections: only here to be told so
  bool goes_on : 1 = false;    // with `closing`: only the session is reaped
  bool watched : 1 = false;    // for the OutputWatcher
  bool followed : 1 = false;   // for the OutputFollower
  const Protocol* protocol = nullptr;
  OutQueue* out = nullptr;  // null: nothing waits
  alignas(8) unsigned char session[kSessionBytes] = {};

  base::SlotId id() const noexcept { return {slot, generation}; }
  template <typename State>
  State& state() noexcept {
    static_assert(sizeof(State) <= kSessionBytes && alignof(State) <= 8);
    return *reinterpret_cast<State*>(session);
  }
};

// 128 bytes; with the allocator's and the table's share, under the 192 that an idle WebSocket may cost.
static_assert(sizeof(Connection) <= 128);

}  // namespace martlet::net
