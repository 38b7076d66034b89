// src/sys/thread.h: stacks of a given size, processors of choice, and no signals of the program.
#include "sys/thread.h"

#include <doctest/doctest.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "support/aborts.h"
#include "sys/processors.h"

using namespace martlet::sys;

namespace {

// Runs a function on a Thread to its end.
template <typename F>
martlet::Error run_on(Thread& thread, F function, size_t stack_bytes = 0, int processor = Thread::kAnyProcessor) {
  const auto call = [](void* context) { (*static_cast<F*>(context))(); };
  const martlet::Error error = thread.start(call, &function, stack_bytes, processor);
  if (!error) thread.join();
  return error;
}

sigset_t mask_now() {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return mask;
}

}  // namespace

TEST_CASE("thread: runs, is joined, and can be started again") {
  Thread thread;
  CHECK(!thread.joinable());
  int calls = 0;
  pthread_t other{};
  for (int i = 1; i <= 3; i++) {
    CHECK(!run_on(thread, [&] {
      calls++;
      other = ::pthread_self();
    }));
    CHECK(calls == i);
    CHECK(!::pthread_equal(other, ::pthread_self()));
    CHECK(!thread.joinable());
  }
  REQUIRE(!thread.start([](void*) {}, nullptr));
  CHECK(thread.joinable());
  CHECK(!thread.pinned());
  thread.join();
}

#if defined(__GLIBC__)
namespace {

// A sanitizer makes stacks larger for its own use.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kStacksAreOurs = false;
#elif defined(__has_feature)
constexpr bool kStacksAreOurs = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool kStacksAreOurs = true;
#endif

size_t stack_of_this_thread() {
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return 0;
  void* low = nullptr;
  size_t size = 0;
  ::pthread_attr_getstack(&attributes, &low, &size);
  ::pthread_attr_destroy(&attributes);
  return size;
}

}  // namespace

TEST_CASE("thread: the stack has the size asked for, in whole pages, and not less than a thread needs") {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t least = static_cast<size_t>(PTHREAD_STACK_MIN);
  for (const size_t wanted : {size_t{1}, least - 1, least, least + 1, size_t{262144}, size_t{262145}, size_t{33554432}}) {
    CAPTURE(wanted);
    Thread thread;
    size_t got = 0;
    REQUIRE(!run_on(thread, [&] { got = stack_of_this_thread(); }, wanted));
    CHECK(got >= wanted);
    CHECK(got >= least);
    if (!kStacksAreOurs) continue;
    CHECK(got % page == 0);
    // glibc gives a new thread the stack of one that has ended, when that is at most four times as large.
    CHECK(got <= 4 * (std::max(wanted, least) + 2 * page));
  }
}
#endif

TEST_CASE("thread: a large stack can be used") {
  Thread thread;
  size_t touched = 0;
  REQUIRE(!run_on(
      thread,
      [&] {
        volatile char bytes[20 << 20];  // more than the default of any system
        for (size_t i = 0; i < sizeof bytes; i += 1024) bytes[i] = 1;
        for (size_t i = 0; i < sizeof bytes; i += 1024) touched += static_cast<size_t>(bytes[i]);
      },
      size_t{32} << 20));
  CHECK(touched == 20 * 1024);
}

TEST_CASE("thread: a stack that cannot be had is an error, and leaves everything as it was") {
  Thread thread;
  for (const size_t impossible : {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 16}) {
    const sigset_t before = mask_now();
    int calls = 0;
    CHECK(run_on(thread, [&] { calls++; }, impossible).os_code() != 0);
    CHECK(calls == 0);
    CHECK(!thread.joinable());
    const sigset_t after = mask_now();
    for (int number = 1; number <= 31; number++) CHECK(sigismember(&after, number) == sigismember(&before, number));
  }
  bool ran = false;
  CHECK(!run_on(thread, [&] { ran = true; }));
  CHECK(ran);
}

TEST_CASE("thread: only the signals of its own faults reach it, and the starter keeps its mask") {
  Thread thread;
  sigset_t inside;
  const sigset_t before = mask_now();
  REQUIRE(!run_on(thread, [&] { inside = mask_now(); }));
  const sigset_t after = mask_now();
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGCHLD, SIGALRM, SIGQUIT}) {
    CAPTURE(number);
    CHECK(sigismember(&inside, number) == 1);
  }
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
    CAPTURE(number);
    CHECK(sigismember(&inside, number) == 0);
  }
  for (int number = 1; number <= 31; number++) CHECK(sigismember(&after, number) == sigismember(&before, number));
}

TEST_CASE("thread: a signal to the process waits for the thread that wants it") {
  // Blocked here: if a worker had it unblocked, it would die of it.
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &one, &before);
  std::atomic<int> running{0};
  std::atomic<bool> stop{false};
  struct Context {
    std::atomic<int>& running;
    std::atomic<bool>& stop;
  } context{running, stop};
  Thread threads[3];
  for (Thread& thread : threads) {
    REQUIRE(!thread.start(
        [](void* given) {
          auto& [count, end] = *static_cast<Context*>(given);
          count++;
          count.notify_all();
          end.wait(false);
        },
        &context));
  }
  for (int n = running.load(); n < 3; n = running.load()) running.wait(n);
  ::kill(::getpid(), SIGUSR1);
  int got = 0;
  CHECK(::sigwait(&one, &got) == 0);
  CHECK(got == SIGUSR1);
  stop = true;
  stop.notify_all();
  for (Thread& thread : threads) thread.join();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

#if defined(__linux__) || defined(__FreeBSD__)
TEST_CASE("thread: pinned to each processor in turn") {
  std::vector<int> allowed(4096);
  allowed.resize(static_cast<size_t>(allowed_processors(allowed.data(), 4096)));
  REQUIRE(!allowed.empty());
  for (const int processor : allowed) {
    CAPTURE(processor);
    Thread thread;
    int ours[2] = {-1, -1};
    int count = 0;
    REQUIRE(!run_on(thread, [&] { count = allowed_processors(ours, 2); }, 0, processor));
    CHECK(thread.pinned());
    CHECK(count == 1);  // from the first instruction on
    CHECK(ours[0] == processor);
  }
}
#endif

TEST_CASE("thread: a processor that cannot be had is no error") {
  for (const int processor : {16000, 1 << 20, INT_MAX, -2}) {
    CAPTURE(processor);
    Thread thread;
    bool ran = false;
    CHECK(!run_on(thread, [&] { ran = true; }, 0, processor));
    CHECK(ran);
    CHECK(!thread.pinned());
  }
}

TEST_CASE("thread: to let go of one that runs, or to wait for none, is the programmer's mistake") {
  CHECK(martlet::test::aborts([] {
    Thread thread;
    if (thread.start([](void*) {}, nullptr)) ::_exit(0);
  }));
  CHECK(martlet::test::aborts([] { Thread().join(); }));
}
