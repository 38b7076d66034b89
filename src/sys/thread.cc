// Threads over pthreads: std::thread knows neither stack sizes nor signal masks.
//
// The mask is inherited, so the starter blocks the signals for the moment of the start: no signal can find the new
// thread without them blocked. The new thread waits at a gate until it has been pinned, so that what it touches first
// (stack, pools) comes from memory near the processor it stays on.
#include "sys/thread.h"

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "base/check.h"
#include "sys/processors.h"

namespace martlet::sys {

namespace {

// All but those that a thread raises by its own fault: blocked, they would kill without a word to a crash handler.
sigset_t signals_of_the_program() noexcept {
  sigset_t signals;
  sigfillset(&signals);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&signals, number);
  return signals;
}

// Whole pages, as POSIX lets pthread_attr_setstacksize() demand. Sizes next to SIZE_MAX stay as they are, for the
// system to refuse.
size_t round_stack_bytes(size_t bytes) noexcept {
  const size_t least = static_cast<size_t>(PTHREAD_STACK_MIN);
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  if (bytes < least) bytes = least;
  const size_t over = bytes % page;
  if (over == 0 || bytes > SIZE_MAX - page) return bytes;
  return bytes + (page - over);
}

Error create(pthread_t* thread, size_t stack_bytes, void* (*enter)(void*), void* argument) noexcept {
  pthread_attr_t attributes;
  if (const int code = ::pthread_attr_init(&attributes)) return Error("thread attributes", code);
  int code = stack_bytes ? ::pthread_attr_setstacksize(&attributes, round_stack_bytes(stack_bytes)) : 0;
  Error error;
  if (code) {
    error = Error("stack size of a thread", code);
  } else if ((code = ::pthread_create(thread, &attributes, enter, argument)) != 0) {
    error = Error("start of a thread", code);
  }
  ::pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace

Thread::~Thread() {
  MARTLET_CHECK(!joinable_);
  ::pthread_mutex_destroy(&gate_);
}

Error Thread::start(Run run, void* context, size_t stack_bytes, int processor) noexcept {
  MARTLET_CHECK(!joinable_);
  run_ = run;
  context_ = context;
  pinned_ = false;
  const sigset_t blocked = signals_of_the_program();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  ::pthread_mutex_lock(&gate_);
  const Error error = create(&thread_, stack_bytes, [](void* self) { return enter(self); }, this);
  if (!error) {
    joinable_ = true;
    pinned_ = processor != kAnyProcessor && pin_thread(thread_, processor);
  }
  ::pthread_mutex_unlock(&gate_);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error;
}

void* Thread::enter(void* self) noexcept {
  Thread& thread = *static_cast<Thread*>(self);
  ::pthread_mutex_lock(&thread.gate_);
  ::pthread_mutex_unlock(&thread.gate_);
  thread.run_(thread.context_);
  return nullptr;
}

void Thread::join() noexcept {
  MARTLET_CHECK(joinable_);
  MARTLET_CHECK(::pthread_join(thread_, nullptr) == 0);  // a thread that waits for itself would wait for ever
  joinable_ = false;
}

}  // namespace martlet::sys
