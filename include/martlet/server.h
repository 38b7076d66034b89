// martlet/server.h: every core. A Server runs one App per worker thread, all on the same port; rooms span them.
#pragma once

#include <martlet/config.h>
#include <martlet/app.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/options.h>
#include <martlet/stats.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

// As many workers as this process has processors for: its affinity mask, cut down by the quota of its cgroup (a container
// with `cpus: 1.5` gets two).
inline constexpr uint32_t per_core = 0;

// Which worker gets a new connection.
enum class Balance : uint8_t {
  // The kernel's hash decides (SO_REUSEPORT). Costs nothing; right for many short connections. With few long ones some
  // workers have far more than others. Where the kernel does not balance (macOS, a Unix socket, a single socket handed
  // down by systemd), worker 0 accepts and gives each connection to the worker that has fewest.
  kernel,
  // As `kernel`, but a worker that has clearly more connections than another one gives new ones away. Right for
  // WebSockets; costs a message between threads for each connection that moves.
  even,
  // Linux: a connection goes to the worker that is pinned to the processor which took its packet. Right where the network
  // card spreads its interrupts over all processors and the traffic is what counts; implies pin_workers.
  by_processor,
};

// Which signal restarts (see Server::restart) while the Server is in run() or wait().
enum class RestartOn : uint8_t { never, sighup, sigusr2 };

// Of a Server. Its workers' Apps are made with `app`; max_connections there (and in WsOptions) is for all of them together,
// the other limits are each worker's own.
struct MARTLET_LAYOUT ServerOptions {
  AppOptions app = {};
  // As in ListenOptions; so are host, only_ipv6, port and unix_mode.
  int backlog = 4096;
  Balance balance = Balance::kernel;
  std::string host = "*";
  bool only_ipv6 = false;
  // Each worker runs on one processor and stays there. Better for caches when the machine is ours alone, worse when it is
  // shared.
  bool pin_workers = false;
  uint16_t port = 0;
  // As in ListenOptions, of all that the Server listens on; it needs app.trusted_proxies.
  bool proxy_protocol = false;
  // An error of start() in a process of supervise(). A signal that was ignored when the program was started (SIGHUP by
  // nohup) stays ignored, which the log says.
  RestartOn restart_on = RestartOn::never;
  // How long a successor may take until it serves; then it is killed and we go on.
  milliseconds restart_timeout = std::chrono::seconds(30);
  // Other processes that say the same may listen on the port, too (SO_REUSEPORT), as those of supervise() do. False: start()
  // fails when anybody listens there, and who comes later cannot; the workers share the port among themselves all the same.
  // Linux keeps no other program of the same user from joining a Server of several workers when that one uses SO_REUSEPORT,
  // but it does keep Apps and Servers of this library. FreeBSD: those who start in the same instant may both succeed.
  bool reuse_port = false;
  // Of each worker's thread, in bytes. Handlers run on it. The same everywhere, as the system's default is 8 MiB here and
  // 128 KiB there.
  size_t stack_bytes = size_t{1} << 20;
  int unix_mode = -1;
  // Whether sockets that systemd has bound for us (LISTEN_FDS) are taken instead of host and port.
  bool use_systemd_sockets = true;
  // A worker whose loop has not turned for this long is reported (Server::on_stall, and the log), with the route whose
  // handler it is in; while there is one, systemd's watchdog is not fed. 0: nobody looks.
  milliseconds watchdog = milliseconds(0);
  // Worker threads, at most 256.
  uint32_t workers = per_core;
};

// A worker that has not turned, for Server::on_stall. Valid until the handler returns.
struct Stall {
  uint32_t worker = 0;  // from 0
  milliseconds since = {};
  std::string_view route = {};  // the pattern of the route whose handler it was called last for; "timer", "post", or empty
};

// How far a drain is.
struct DrainProgress {
  bool draining = false;
  bool over = false;             // the Server has ended
  uint64_t connections = 0;      // left, WebSockets among them
  uint64_t websockets = 0;       // left
  milliseconds time_left = {};   // until what is left is cut
};

// Workers, from 1 to many, and their life. start(), wait(), run() and the destructor belong to one thread; drain(),
// close(), reconfigure(), restart(), stats() and progress() may be called from any thread while the Server exists.
//
//   int main() {
//     Server server({.port = 3000});
//     return server.run([](App& app) { app.ws("/echo", ...); });
//   }
//
// The function runs once for each worker, on its thread, one after the other. What it captures by reference is shared by
// all workers: handlers of different workers run at the same time. It registers routes, and may answer an Error; it does
// not call listen() or run(). Each worker should register the same routes. An App lives until the next
// start() or until the Server goes: till then its calls for any thread may be made, also when its worker has ended.
//
// Rooms, to_route(), everybody(), broadcast(), connections(), rooms(), stats(), close_all() and reconfigure() mean all
// workers.
// Messages of one sender to one room arrive in order, wherever sender and receiver are. WebSocket, Room, Response and
// Next may be used on any worker and any thread, as they say.
class Server {
 public:
  explicit Server(ServerOptions options = {});
  // Ends what is left, as close() does.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Runs until a drain has ended or close() was called: start() and wait(). Answers the exit status for main: 0 when
  // drained or closed, 1 (and a line on standard error) when a worker could not start.
  template <typename SetUp>
  MARTLET_THUNK int run(SetUp&& set_up, RunOptions run_options = {}) {
    if (Error error = start(std::forward<SetUp>(set_up))) return report(error);
    return wait(run_options);
  }

  // Binds, starts the workers, and answers when all of them serve; or the first error, when none runs any more. May be
  // called again after the Server has ended.
  template <typename SetUp>
  MARTLET_THUNK Error start(SetUp&& set_up) {
    constexpr bool fits = std::is_invocable_v<SetUp&, App&>;
    static_assert(fits, "what sets up the App of each worker is called with (App&)");
    if constexpr (!fits) {
      return Error();
    } else if constexpr (std::is_same_v<std::invoke_result_t<SetUp&, App&>, Error>) {
      return start_workers([fn = std::forward<SetUp>(set_up)](App& app, Error& error) mutable { error = fn(app); });
    } else {
      return start_workers([fn = std::forward<SetUp>(set_up)](App& app, Error&) mutable { fn(app); });
    }
  }
  // Waits for the end. Signals, the watchdog and systemd are looked after meanwhile. Answers the exit status.
  int wait(RunOptions options = {});

  // The port, 0 before start() and for a Unix socket.
  uint16_t port() const noexcept;
  // How many workers there are: the option, resolved. 0 before start().
  uint32_t workers() const noexcept;

  // Runs on the thread in wait() for each worker that has stalled, once per stall. Before start().
  Server& on_stall(Function<void(const Stall&)> handler);

  // Any thread: accepts who waits in the kernel's queue, stops listening, lets requests finish with Connection: close,
  // sends WebSockets the notice and then 1001, spread over time, and cuts what is left at the deadline. wait() then
  // answers 0.
  void drain(DrainOptions options = {});
  // Any thread.
  DrainProgress progress() const noexcept;
  // Any thread: ends everything at once.
  void close();

  // Any thread: starts this program anew (the file that now lies where this one was started from, with the same
  // arguments) and hands over the listening sockets, so that no connection is refused or lost. When the successor
  // serves, this Server drains; when it fails or takes too long, this one goes on and says so in the log. Takes effect
  // in wait(). Linux, macOS and FreeBSD.
  void restart(DrainOptions options = {});

  // Any thread, from the end of start() on: App::reconfigure, on all workers. start() again, and the successor of restart(),
  // begin with what the Apps' set-up says.
  Error reconfigure(WsChanges changes);
  Error reconfigure(std::string_view pattern, WsChanges changes);

  // Any thread: the sum of all workers, each as of at most 20 ms ago.
  Stats stats() const noexcept;
  // Of one worker, from 0.
  Stats stats(uint32_t worker) const noexcept;

  // Any thread: runs `fn` on a worker's thread, soon, with its App. Calls of one thread to one worker keep their order.
  void post(uint32_t worker, Function<void(App&)> fn);

 private:
  struct Impl;
  Error start_workers(Function<void(App&, Error&)> set_up);
  Impl* impl_;
};

}  // namespace martlet
