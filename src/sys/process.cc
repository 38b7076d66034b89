// The process around us: limits, randomness, and signals as bytes in a pipe.
//
// A signal handler may do next to nothing: it looks up the pipe of its signal in a table of atomics and writes the
// number into it. A watcher that goes away restores the former action first, then waits until no handler is between
// the look-up and the write, then closes the pipe; otherwise a late handler could write into a descriptor that has
// been given to somebody else. Any thread, except that one SignalWatcher belongs to one thread.
#include "sys/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sys/platform.h"

#if MARTLET_SYS_EPOLL
#include <sys/random.h>
#endif

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/check.h"
#include "sys/syscalls.h"

namespace martlet::sys {

const int terminate_signal = SIGTERM;
const int interrupt_signal = SIGINT;
const int hangup_signal = SIGHUP;
const int user2_signal = SIGUSR2;

namespace {

constexpr int kMaxSignal = 64;
constexpr int kUnwatched = 0;  // so that the table is all zeroes; descriptor n is stored as n + 1

// 2 is always, 1 where the machine below decides: before ARMv6 the compare-and-exchange is the Linux kernel's, still no lock.
static_assert(ATOMIC_INT_LOCK_FREE != 0, "the handler must not take a lock");

std::atomic<int> watching_pipe[kMaxSignal + 1];
std::atomic<int> handlers_running;
struct sigaction former_action[kMaxSignal + 1];

void on_signal(int signal_number) {
  const int saved_errno = errno;
  handlers_running.fetch_add(1);
  const int entry = watching_pipe[signal_number].load();
  if (entry != kUnwatched) {
    const unsigned char byte = static_cast<unsigned char>(signal_number);
    (void)!::write(entry - 1, &byte, 1);  // a full pipe has signals enough
  }
  handlers_running.fetch_sub(1);
  errno = saved_errno;
}

uint64_t bit_of(int signal_number) noexcept { return uint64_t{1} << (signal_number - 1); }

}  // namespace

uint64_t raise_descriptor_limit() noexcept {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;  // _POSIX_OPEN_MAX and then some
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (limit.rlim_cur == before || ::setrlimit(RLIMIT_NOFILE, &limit) == 0) return limit.rlim_cur;
  // macOS calls its hard limit unlimited, and then refuses more than OPEN_MAX.
  constexpr rlim_t kOpenMax = 10240;
  limit.rlim_cur = kOpenMax;
  if (before < kOpenMax && ::setrlimit(RLIMIT_NOFILE, &limit) == 0) return kOpenMax;
  return before;
}

#if MARTLET_SYS_EPOLL

void random_bytes(void* out, size_t size) noexcept {
  unsigned char* at = static_cast<unsigned char*>(out);
  int device = -1;
  while (size > 0) {
    const ssize_t got = device < 0 ? ::getrandom(at, size, 0) : syscalls.read(device, at, size);
    if (got > 0) {
      at += got;
      size -= static_cast<size_t>(got);
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      // No getrandom (old kernel, strict sandbox). Without the device either, ids and nonces would be guessable.
      MARTLET_CHECK(device < 0);
      device = syscalls.open("/dev/urandom", O_RDONLY | O_CLOEXEC);
      MARTLET_CHECK(device >= 0);
    }
  }
  if (device >= 0) syscalls.close(device);
}

#else

void random_bytes(void* out, size_t size) noexcept { ::arc4random_buf(out, size); }

#endif

void block_sigpipe() noexcept {
  sigset_t pipe_only;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_only, nullptr);
}

SignalWatcher::~SignalWatcher() {
  for (int number = 1; number <= kMaxSignal; number++) {
    if (!(watched_ & bit_of(number))) continue;
    ::sigaction(number, &former_action[number], nullptr);
    watching_pipe[number].store(kUnwatched);
  }
  while (watched_ && handlers_running.load() != 0) ::sched_yield();
  if (read_fd_ >= 0) syscalls.close(read_fd_);
  if (write_fd_ >= 0) syscalls.close(write_fd_);
}

Error SignalWatcher::open() noexcept {
  MARTLET_CHECK(read_fd_ < 0);
  int ends[2];
  if (syscalls.pipe(ends) < 0) return Error("pipe", errno);
  read_fd_ = ends[0];
  write_fd_ = ends[1];
  if (syscalls.set_flags(read_fd_) < 0 || syscalls.set_flags(write_fd_) < 0) return Error("pipe flags", errno);
  return {};
}

Error SignalWatcher::watch(int signal_number) noexcept {
  MARTLET_CHECK(write_fd_ >= 0);
  if (signal_number < 1 || signal_number > kMaxSignal) return Error("watch signal", EINVAL);
  if (watched_ & bit_of(signal_number)) return {};
  int nobody = kUnwatched;
  if (!watching_pipe[signal_number].compare_exchange_strong(nobody, write_fd_ + 1)) {
    return Error("signal is already watched", EBUSY);
  }
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (::sigaction(signal_number, &action, &former_action[signal_number]) != 0) {
    const int code = errno;
    watching_pipe[signal_number].store(kUnwatched);
    return Error("sigaction", code);
  }
  watched_ |= bit_of(signal_number);
  return {};
}

int SignalWatcher::next() noexcept {
  unsigned char byte = 0;
  ssize_t got;
  do {
    got = syscalls.read(read_fd_, &byte, 1);
  } while (got < 0 && errno == EINTR);
  return got == 1 ? byte : 0;
}

}  // namespace martlet::sys
