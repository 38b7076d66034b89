// An App, or a Server, in a child process of its own: for signals, exit statuses, limits on descriptors, and the memory
// and CPU time of a server apart from its clients. Made before any thread of the test runs. The child is killed with the
// scope.
#pragma once

#include <martlet/martlet.h>

#include <dirent.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>

#include "support/client.h"

namespace martlet::test {

// Soft and hard limit on descriptors of this process. The hard one does not come back.
inline void limit_descriptors(rlim_t soft, rlim_t hard) {
  const rlimit limit{soft, hard};
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Whether memory and time of the process say something about the server: a sanitizer keeps what was freed, and is slow.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kFiguresTell = false;
#elif defined(__has_feature)
inline constexpr bool kFiguresTell = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool kFiguresTell = true;
#endif

// Gives the free memory of the heap back to the system. A child inherits what its parent has freed, and would otherwise
// grow into that unseen.
#if defined(__GLIBC__)
inline void trim_heap() { ::malloc_trim(0); }
#else
inline void trim_heap() {}
#endif

class ServerProcess {
 public:
  static constexpr int kNotOver = -1;
  static constexpr int kSignalled = 1000;  // plus the number of the signal that killed it

  struct Options {
    AppOptions app = {};
    uint32_t workers = 0;  // a Server of so many instead of an App: on `listen.host`, and without before_run
    ListenOptions listen = {.host = "127.0.0.1"};
    std::function<void()> before_listen = {};  // in the child
    std::function<void()> before_run = {};     // in the child, while it listens
  };

  explicit ServerProcess(const std::function<void(App&)>& set_up, const Options& options) {
    int ends[2];
    if (::pipe(ends) != 0) return;
    std::fflush(stdout);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      ::_exit(serve(set_up, options, ends[1]));
    }
    ::close(ends[1]);
    if (::read(ends[0], &port_, sizeof port_) != sizeof port_) port_ = 0;
    ::close(ends[0]);
  }
  explicit ServerProcess(const std::function<void(App&)>& set_up) : ServerProcess(set_up, Options{}) {}
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess() {
    if (pid_ <= 0 || status_ != kNotOver) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  // 0 when it could not listen.
  uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }

  // Waits for its end: the exit status, kSignalled + the signal, or kNotOver.
  int wait(milliseconds patience = kPatience) {
    const auto deadline = Clock::now() + patience;
    while (status_ == kNotOver) {
      int status = 0;
      rusage usage{};
      if (::wait4(pid_, &status, WNOHANG, &usage) == pid_) {
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
        break;
      }
      if (Clock::now() >= deadline) break;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return status_;
  }

  // Of the living process; -1 where the system does not tell.
  double cpu_seconds() const {
    std::FILE* file = std::fopen(path("stat").c_str(), "r");
    if (!file) return -1;
    unsigned long user = 0, system = 0;
    const char* form = "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu";
    const int got = std::fscanf(file, form, &user, &system);
    std::fclose(file);
    return got == 2 ? static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK)) : -1;
  }
  // Counted page by page: the figure in statm is a rough one.
  long resident_bytes() const {
    std::FILE* file = std::fopen(path("smaps_rollup").c_str(), "r");
    if (!file) return -1;
    long kib = -1;
    char line[256];
    while (kib < 0 && std::fgets(line, sizeof line, file)) {
      if (std::sscanf(line, "Rss: %ld kB", &kib) != 1) kib = -1;
    }
    std::fclose(file);
    return kib < 0 ? -1 : kib * 1024;
  }
  int descriptors() const {
    DIR* directory = ::opendir(path("fd").c_str());
    if (!directory) return -1;
    int count = 0;
    while (const dirent* entry = ::readdir(directory)) count += entry->d_name[0] != '.';
    ::closedir(directory);
    return count;
  }

 private:
  std::string path(const char* name) const { return "/proc/" + std::to_string(pid_) + "/" + name; }

  static int serve(const std::function<void(App&)>& set_up, const Options& options, int report_fd) {
    // The test runner's handlers would report the child's end as the test's.
    for (const int number : {SIGABRT, SIGSEGV, SIGILL, SIGFPE, SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
    trim_heap();
    if (options.before_listen) options.before_listen();
    if (options.workers > 0) return serve_workers(set_up, options, report_fd);
    App app(options.app);
    set_up(app);
    const auto port = app.listen(options.listen);
    if (!port) return 100;
    if (options.before_run) options.before_run();
    return report(*port, report_fd) ? app.run() : 101;
  }
  static int serve_workers(const std::function<void(App&)>& set_up, const Options& options, int report_fd) {
    Server server({.app = options.app, .host = options.listen.host, .workers = options.workers});
    if (server.start(set_up)) return 100;
    return report(server.port(), report_fd) ? server.wait() : 101;
  }
  static bool report(uint16_t port, int fd) {
    const bool told = ::write(fd, &port, sizeof port) == sizeof port;
    ::close(fd);
    return told;
  }

  pid_t pid_ = -1;
  uint16_t port_ = 0;
  int status_ = kNotOver;
};

}  // namespace martlet::test
