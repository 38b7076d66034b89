// The comparison in constant time: what it answers, and that it does the same whatever differs. The latter is counted: a child
// process is stepped through it one instruction at a time, which repeats exactly, as time does not.
#include "base/constant_time.h"

#include <doctest/doctest.h>

#include <string>

#include "support/guarded.h"

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#define MARTLET_TEST_STEPS 1
#endif

using martlet::base::as_bytes;
using martlet::base::ByteSpan;
using martlet::base::equal_in_constant_time;
using martlet::test::Guarded;

namespace {

std::string counted(size_t size) {
  std::string text;
  for (size_t i = 1; i <= size; i++) text += static_cast<char>(i);
  return text;
}

}  // namespace

TEST_CASE("constant_time: equal means every byte and the length") {
  CHECK(equal_in_constant_time("", ""));
  CHECK_FALSE(equal_in_constant_time("", "a"));
  CHECK_FALSE(equal_in_constant_time(std::string_view("a\0", 2), "a"));
  for (size_t size = 1; size <= 40; size++) {
    const Guarded one(counted(size));
    Guarded other(counted(size));
    CHECK(equal_in_constant_time(one.span(), other.span()));
    CHECK_FALSE(equal_in_constant_time(one.span(), other.span().first(size - 1)));
    for (size_t bit = 0; bit < size * 8; bit++) {
      other.data()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      REQUIRE_FALSE(equal_in_constant_time(one.span(), other.span()));
      other.data()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    }
  }
}

#if MARTLET_TEST_STEPS

namespace {

[[gnu::noinline]] bool compare(ByteSpan a, ByteSpan b) { return equal_in_constant_time(a, b); }

// In the child: stops before and after.
[[noreturn]] void be_stepped(ByteSpan a, ByteSpan b) {
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(3);
  compare(a, b);  // what the loader does for the first call is done
  raise(SIGSTOP);
  const bool equal = compare(a, b);
  raise(SIGSTOP);
  _exit(equal ? 1 : 0);
}

bool stopped_by(int status, int signal) { return WIFSTOPPED(status) && WSTOPSIG(status) == signal; }

// How many instructions a comparison takes, with those of the two stops; 0 where processes cannot be stepped.
long steps(const std::string& a, const std::string& b) {
  const pid_t child = fork();
  if (child == 0) be_stepped(as_bytes(a), as_bytes(b));
  int status = 0;
  long count = 0;
  if (waitpid(child, &status, 0) == child && stopped_by(status, SIGSTOP)) {
    while (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) == 0 && waitpid(child, &status, 0) == child && stopped_by(status, SIGTRAP)) {
      count++;
    }
    count = stopped_by(status, SIGSTOP) ? count : 0;
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return count;
}

}  // namespace

TEST_CASE("constant_time: as many instructions whatever differs, and wherever") {
  const std::string secret = counted(43);
  const long equal = steps(secret, secret);
  if (equal == 0) {
    MESSAGE("processes cannot be stepped here: not counted");
    return;
  }
  const long unequal = steps(secret, std::string(43, '\xff'));
  for (size_t at = 0; at < secret.size(); at++) {
    std::string guess = secret;
    guess[at] ^= 0x20;
    CAPTURE(at);
    CHECK(steps(secret, guess) == unequal);
  }
  // Yes may take another way out than no, as what sanitizers add does: the answer is no secret.
  CHECK(unequal - equal <= 16);
  CHECK(equal - unequal <= 16);
  CHECK(steps(counted(44), counted(44)) > equal);  // it does count
}

#endif
