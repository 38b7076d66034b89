// The process around us: limits, randomness, and signals as bytes in a pipe.
//
// A signal handler may do next to nothing: it looks up the pipes of its signal in a table of atomics and writes the
// number into each. A watcher that goes away leaves the table first (the last one restores the former action), then waits
// until no handler is between the look-up and the write, then closes the pipe; otherwise a late handler could write into a
// descriptor that has been given to somebody else. Any thread, except that one SignalWatcher belongs to one thread.
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
#include <mutex>

#include "base/check.h"
#include "sys/syscalls.h"

namespace martlet::sys {

const int terminate_signal = SIGTERM;
const int interrupt_signal = SIGINT;
const int hangup_signal = SIGHUP;
const int user1_signal = SIGUSR1;
const int user2_signal = SIGUSR2;

namespace {

constexpr int kMaxSignal = 64;

// 2 is always, 1 where the machine below decides: before ARMv6 the compare-and-exchange is the Linux kernel's, still no lock.
static_assert(ATOMIC_INT_LOCK_FREE != 0, "the handler must not take a lock");

// Where the handler looks. A slot belongs to the watcher that has made `taken` true; of its signals it is told.
struct Slot {
  std::atomic<bool> taken;
  std::atomic<int> pipe;
  std::atomic<bool> watches[kMaxSignal + 1];
};
Slot slots[SignalWatcher::kMost];
std::atomic<int> slots_used;  // none above this one was ever taken
std::atomic<int> handlers_running;

// Who watches what, under the mutex.
std::mutex watching;
uint32_t watchers_of[kMaxSignal + 1];
struct sigaction former_action[kMaxSignal + 1];

void on_signal(int signal_number) {
  const int saved_errno = errno;
  handlers_running.fetch_add(1);
  const int used = slots_used.load();
  for (int i = 0; i < used; i++) {
    if (!slots[i].watches[signal_number].load()) continue;
    const unsigned char byte = static_cast<unsigned char>(signal_number);
    (void)!::write(slots[i].pipe.load(), &byte, 1);  // a full pipe has signals enough
  }
  handlers_running.fetch_sub(1);
  errno = saved_errno;
}

uint64_t bit_of(int signal_number) noexcept { return uint64_t{1} << (signal_number - 1); }

// The handler in place of what was there, for the first watcher. `left` becomes true when it was and stays ignored.
Error install(int signal_number, bool always, bool& left) noexcept {
  if (watchers_of[signal_number] > 0) return {};
  struct sigaction before;
  if (::sigaction(signal_number, nullptr, &before) != 0) return Error("sigaction", errno);
  left = !always && before.sa_handler == SIG_IGN;
  if (left) return {};
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (::sigaction(signal_number, &action, &former_action[signal_number]) != 0) return Error("sigaction", errno);
  return {};
}

// Descriptors ---------------------------------------------------------------------------------------------------------

std::mutex limiting;
uint64_t claimed;
std::atomic<bool> raised;
rlim_t former_limit;  // before we raised it

// macOS calls its hard limit unlimited, and then refuses more than OPEN_MAX.
bool raise_to(rlimit limit, rlim_t soft) noexcept {
  constexpr rlim_t kOpenMax = 10240;
  limit.rlim_cur = soft;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return true;
  limit.rlim_cur = soft < kOpenMax ? soft : kOpenMax;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

}  // namespace

uint64_t descriptor_limit() noexcept {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;  // _POSIX_OPEN_MAX and then some
  return limit.rlim_cur;
}

uint64_t claim_descriptors(uint64_t count) noexcept {
  const std::lock_guard lock(limiting);
  claimed += count;
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return descriptor_limit();
  const rlim_t wanted = claimed < limit.rlim_max ? static_cast<rlim_t>(claimed) : limit.rlim_max;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  const rlim_t before = limit.rlim_cur;
  if (!raise_to(limit, wanted)) return before;
  if (!raised.load()) {
    former_limit = before;
    raised.store(true);
  }
  return descriptor_limit();
}

void release_descriptors(uint64_t count) noexcept {
  const std::lock_guard lock(limiting);
  claimed -= count;
}

void restore_descriptor_limit() noexcept {
  rlimit limit;
  if (!raised.load() || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = former_limit;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
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
  if (slot_ >= 0) {
    const std::lock_guard lock(watching);
    for (int number = 1; number <= kMaxSignal; number++) {
      if (!(watched_ & bit_of(number))) continue;
      if (--watchers_of[number] == 0) ::sigaction(number, &former_action[number], nullptr);
      slots[slot_].watches[number].store(false);
    }
    while (watched_ && handlers_running.load() != 0) ::sched_yield();
    slots[slot_].taken.store(false);
  }
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

Error SignalWatcher::watch(int signal_number) noexcept { return add(signal_number, false); }
Error SignalWatcher::watch_always(int signal_number) noexcept { return add(signal_number, true); }

bool SignalWatcher::ignored(int signal_number) const noexcept { return ignored_ & bit_of(signal_number); }

// Under the mutex.
bool SignalWatcher::take_slot() noexcept {
  for (int i = 0; i < kMost && slot_ < 0; i++) {
    if (slots[i].taken.load()) continue;
    slots[i].taken.store(true);
    slots[i].pipe.store(write_fd_);
    if (i >= slots_used.load()) slots_used.store(i + 1);
    slot_ = i;
  }
  return slot_ >= 0;
}

Error SignalWatcher::add(int signal_number, bool always) noexcept {
  MARTLET_CHECK(write_fd_ >= 0);
  if (signal_number < 1 || signal_number > kMaxSignal) return Error("watch signal", EINVAL);
  if (watched_ & bit_of(signal_number)) return {};
  const std::lock_guard lock(watching);
  if (!take_slot()) return Error("too many watch signals", EBUSY);
  // Before the handler is there: a signal that comes with it is not lost.
  slots[slot_].watches[signal_number].store(true);
  bool left = false;
  const Error error = install(signal_number, always, left);
  if (error || left) {
    slots[slot_].watches[signal_number].store(false);
    if (left) ignored_ |= bit_of(signal_number);
    return error;
  }
  watchers_of[signal_number]++;
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
