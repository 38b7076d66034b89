// What a Server is made of. Three threads of thought: the one that started it and waits (signals, watchdog, successor),
// its workers, and any other that calls drain(), stats() and so on.
#pragma once

#include <martlet/server.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "sys/poller.h"
#include "sys/process.h"
#include "sys/socket.h"
#include "sys/successor.h"
#include "sys/thread.h"
#include "sys/waker.h"
#include "worker/group.h"

namespace martlet {

struct Server::Impl {
  explicit Impl(ServerOptions o) : options(std::move(o)) {}

  struct Member {
    Impl* server = nullptr;
    uint32_t seat = 0;
    std::vector<int> listeners;  // until its reactor has them
    std::unique_ptr<App> app;    // its thread's; kept when that has ended, for threads that still call it
    sys::Thread thread;
  };

  // Starting (server.cc)
  Error start();
  Error start_members();
  Error start_member(Member& member);
  void run_member(Member& member) noexcept;
  Error set_up_member(Member& member, App& app) noexcept;
  void report_start(Error error) noexcept;
  bool wait_for_go() noexcept;
  void end_all() noexcept;
  // The numbers of the workers. What is posted to them is posted without the mutex: what is not taken is destroyed then
  // and there, with all that the program has put into it, and that may call us.
  struct Numbers {
    uint32_t first = 0;
    uint32_t end = 0;
  };
  Numbers numbers() const noexcept;
  void end_workers() noexcept;
  Stats stats() const noexcept;
  void tell_end() const noexcept;
  // (server_reconfigure.cc)
  Error reconfigure(std::optional<std::string_view> pattern, WsChanges&& changes) noexcept;
  void join_all() noexcept;

  // Listening (server_listen.cc)
  Error make_listeners();
  Error inherit(std::vector<int>& sockets);
  Error add_missing(std::vector<int>& sockets);
  sys::ListenAddress address() const noexcept;
  Error bind_sockets(std::vector<int>& sockets, uint32_t each);
  Error place_listeners(const std::vector<int>& sockets);
  Error steer(const std::vector<int>& sockets);
  void close_listeners() noexcept;
  void let_claims_go() noexcept;

  // Waiting (server_wait.cc)
  int wait(const RunOptions& run_options);
  Error may_restart() const noexcept;
  Error watch_restart();
  Error watch_signals(const RunOptions& run_options);
  void on_signal(int number) noexcept;
  void drain(const DrainOptions& drain_options);
  void look_at_workers() noexcept;
  size_t copy_of_calling(const worker::Seat& seat, char* to, size_t most) const noexcept;
  void tell_stopping() noexcept;
  void begin_restart() noexcept;
  void look_at_successor() noexcept;
  void give_up_successor() noexcept;
  int64_t next_look_ns() const noexcept;

  ServerOptions options;
  Function<void(App&, Error&)> set_up;
  Function<void(const Stall&)> on_stall;

  std::unique_ptr<worker::Group> group;  // outlives the members' Apps; replaced by start() under `mutex`
  std::unique_ptr<Member[]> members;
  uint32_t count = 0;  // of members
  std::atomic<uint32_t> alive{0};
  std::vector<int> sockets;  // all that listen, in order; the workers own them once they run
  std::vector<int> claims;   // on their ports, while they listen (port_claim.h)
  std::vector<int> processors;
  uint16_t port = 0;

  mutable std::mutex mutex;
  std::condition_variable changed;
  // Under the mutex.
  bool reported = false;
  Error start_error;
  enum class Go : uint8_t { not_yet, run, end } go = Go::not_yet;
  bool close_wanted = false;  // while starting; so is drain_wanted
  bool drain_wanted = false;
  DrainOptions wanted_drain;
  bool restart_wanted = false;
  DrainOptions restart_drain;

  // Of the thread that waits.
  std::unique_ptr<sys::Waker> control;
  sys::Poller poller;
  std::unique_ptr<sys::SignalWatcher> signals;
  std::optional<sys::Successor> successor;  // made by start()
  std::vector<uint64_t> stalled_since;  // by worker: the turn that has been reported
  bool signalled = false;
  uint64_t successor_until_ns = 0;
  uint64_t fed_at_ns = 0;      // systemd's watchdog
  uint64_t feed_every_ns = 0;  // 0: there is none
  bool told_stopping = false;
};

}  // namespace martlet
