// martlet/cluster.h: several processes, where a crash must not take everybody along.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>

#include <chrono>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

// Of supervise().
struct SuperviseOptions {
  // How long a process that has ended is left alone before it is started again, the first time; twice as long each
  // further time, until it has run for crash_window without ending.
  std::chrono::milliseconds backoff_first = std::chrono::milliseconds(100);
  std::chrono::milliseconds backoff_longest = std::chrono::seconds(30);
  // When one of the processes ends so often within crash_window, it is of no use to go on: all are ended. 0: never, as what
  // it lacks (a database, a disk that is full) may come back, and the other processes serve meanwhile.
  uint32_t crash_limit = 0;
  std::chrono::milliseconds crash_window = std::chrono::seconds(60);
  // How long a process may take to end after it was told to, or after we died; then it is killed.
  std::chrono::milliseconds stop_timeout = std::chrono::seconds(10);
};

int supervise_processes(uint32_t processes, Function<void(uint32_t, int&)> fn, const SuperviseOptions& options);

// Forks so many processes, each of which runs fn(index) and ends with what it returns, and starts those anew that end.
// 0: as many as there are processors for us. To be called from main, before there are threads.
//
//   int main() {
//     return supervise(4, [](uint32_t) {
//       App app;
//       app.get("/", [](Request&, Response& res) { res.send("Hello"); });
//       if (auto port = app.listen({.port = 3000, .reuse_port = true}); !port) return report(port.error());
//       return app.run();
//     });
//   }
//
// SIGTERM and SIGINT are passed on to all, which is what makes an App drain; when they have ended supervise() answers 0,
// or 1 when one of them ended with another status or had to be killed. A second one kills them. SIGHUP, SIGUSR1 and SIGUSR2 are
// passed on, too. Processes that end at other times are started anew, whatever their status; each time that is logged, with
// how it ended and how long we back off. At the crash_limit, if there is one, supervise() logs the last status as an error,
// ends the others, and answers 1. When this process dies, however that happens, its processes get SIGTERM, and SIGKILL if
// they have not ended after stop_timeout: a thread of the library's in each of them sees to it.
//
// A process without a handler for SIGHUP, SIGUSR1 or SIGUSR2 is ended by it; an App has none. A Server here must not
// restart itself (ServerOptions::restart_on, Server::restart): its successor would run main, and with it supervise(), anew.
//
// The processes share nothing but the port: rooms span a Server's threads, not processes. In a process stdout, stderr,
// environment and memory are copies of ours; it has a process group of its own, so that a terminal's Ctrl-C comes once.
// Which port that is all must know before they start: for one that is free see HeldPort.
template <typename F>
  requires std::is_invocable_r_v<int, std::decay_t<F>&, uint32_t>
MARTLET_THUNK int supervise(uint32_t processes, F&& fn, const SuperviseOptions& options = {}) {
  return supervise_processes(
      processes, [call = std::forward<F>(fn)](uint32_t index, int& status) mutable { status = call(index); }, options);
}

// A port that processes will share by reuse_port, kept for them while this lives: nobody else can take it before the first
// of them listens, or while all of them are being started again. It is bound and does not listen, so it gets no connection.
//
//   auto port = HeldPort::take("127.0.0.1");   // port 0: one that is free
//   if (!port) return report(port.error());
//   return supervise(4, [number = port->port()](uint32_t) { ... app.listen({.host = "127.0.0.1", .port = number, .reuse_port = true}) ... });
//
// On systems other than Linux a bound socket would be given connections: there the port is found, and kept only by the
// processes that listen on it.
class HeldPort {
 public:
  // A numeric address, as in ListenOptions.
  static Result<HeldPort> take(std::string_view host = "0.0.0.0", uint16_t port = 0);
  HeldPort(HeldPort&& other) noexcept;
  HeldPort& operator=(HeldPort&& other) noexcept;
  ~HeldPort();

  uint16_t port() const noexcept { return port_; }

 private:
  HeldPort() noexcept = default;
  int fd_ = -1;
  uint16_t port_ = 0;
};

}  // namespace martlet
