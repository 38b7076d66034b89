// A Log: lines arrive whole and in order, nobody waits for it, and what is dropped is counted.
#include <doctest/doctest.h>
#include <martlet/log_destination.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/in_child.h"
#include "support/stderr_text.h"

using namespace martlet;
using namespace martlet::test;

namespace {

struct Lines {
  void add(std::string_view line) {
    const std::lock_guard lock(mutex);
    all.emplace_back(line);
  }
  std::vector<std::string> get() {
    const std::lock_guard lock(mutex);
    return all;
  }
  std::mutex mutex;
  std::vector<std::string> all;
};

void as_it_is(const LogRecord& record, std::string& line) { line.append(record.bytes); }

struct Folder {
  Folder() { REQUIRE(::mkdtemp(path) != nullptr); }
  ~Folder() {
    for (const char* name : {"/a.log", "/a.log.1"}) ::unlink(at(name).c_str());
    ::rmdir(path);
  }
  std::string at(const char* name) const { return path + std::string(name); }
  std::string text(const char* name) const {
    std::ifstream in(at(name));
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
  }
  char path[32] = "/tmp/martlet_log_XXXXXX";
};

}  // namespace

TEST_CASE("log_destination: lines of a function, with time and level, control bytes as dots") {
  Lines lines;
  {
    const Log log = Log::to([&](std::string_view line) { lines.add(line); });
    log.write(LogLevel::warn, "one\ntwo");
    log.write(LogLevel::error, "");
    log.write(LogLevel::debug, "not at this level");
    log.flush();
    CHECK(lines.get().size() == 2);
  }
  const auto all = lines.get();
  REQUIRE(all.size() == 2);
  CHECK(all[0].size() == std::string_view("2026-11-30T02:15:09.123Z warn one.two").size());
  CHECK(all[0].ends_with("Z warn one.two"));
  CHECK(all[1].ends_with("Z error "));
}

TEST_CASE("log_destination: records of many threads arrive whole, each thread's in order, and the last handle waits for them") {
  Lines lines;
  constexpr int kThreads = 6, kRecords = 5000;
  {
    const Log log = Log::to([&](std::string_view line) { lines.add(line); }, {.buffer_bytes = size_t{1} << 20, .flush_interval = std::chrono::milliseconds(1)});
    const Log::Form form = log.add(as_it_is);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kRecords; i++) {
          const std::string number = std::to_string(i);
          while (!log.record(form, {std::to_string(t), " ", number, " ", std::string(static_cast<size_t>(i % 90), 'x')})) std::this_thread::yield();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  int next[kThreads] = {};
  for (const std::string& line : lines.get()) {
    const int t = line[0] - '0';
    const std::string want = std::to_string(t) + " " + std::to_string(next[t]) + " " + std::string(static_cast<size_t>(next[t] % 90), 'x');
    next[t]++;
    REQUIRE(line == want);
  }
  for (const int n : next) CHECK(n == kRecords);
}

TEST_CASE("log_destination: who is slower than what is logged is not waited for; what is dropped is counted and told") {
  Lines told;
  std::mutex mutex;
  std::condition_variable gate;
  bool open = false;
  std::atomic<uint64_t> arrived = 0;
  const Log log = Log::to([&](std::string_view) {
    std::unique_lock lock(mutex);
    gate.wait(lock, [&] { return open; });
    arrived++;
  }, {.buffer_bytes = 4096});
  const Log::Form form = log.add(as_it_is);
  set_log_sink([&](LogLevel, std::string_view line) { told.add(line); });
  uint64_t kept = 0;
  for (int i = 0; i < 1000; i++) kept += log.record(form, {"a line of some forty bytes that must wait"});
  CHECK(kept < 1000);
  CHECK(kept >= 50);
  CHECK(!log.record(form, {std::string(1025, 'x')}));  // more than a quarter
  {
    const std::lock_guard lock(mutex);
    open = true;
  }
  gate.notify_all();
  log.flush();
  CHECK(arrived == kept);
  CHECK(log.stats().lines == kept);
  CHECK(log.stats().dropped == 1001 - kept);
  CHECK(log.record(form, {std::string(1024, 'x')}));
  log.flush();
  set_log_sink({});
  REQUIRE(told.get().size() >= 1);
  CHECK(told.get()[0].starts_with("lines of a Log were dropped"));
}

TEST_CASE("log_destination: a file is appended to, and opened anew when it was moved away, by a call or a signal") {
  const Folder folder;
  const std::string path = folder.at("/a.log");
  std::ofstream(path) << "before\n";
  auto log = Log::file(path, {.flush_interval = std::chrono::milliseconds(1)});
  REQUIRE(log.ok());
  const Log::Form form = log->add(as_it_is);
  log->record(form, {"one"});
  log->flush();
  CHECK(folder.text("/a.log") == "before\none\n");
  for (const bool by_signal : {false, true}) {
    CAPTURE(by_signal);
    REQUIRE(std::rename(path.c_str(), folder.at("/a.log.1").c_str()) == 0);
    const uint64_t before = log->stats().reopened;
    if (by_signal) ::kill(::getpid(), SIGUSR1);
    else log->reopen();
    for (int i = 0; i < 10'000 && log->stats().reopened == before; i++) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(log->stats().reopened == before + 1);
    log->record(form, {by_signal ? "three" : "two"});
    log->flush();
    CHECK(folder.text("/a.log") == (by_signal ? "three\n" : "two\n"));
  }
  CHECK(folder.text("/a.log.1") == "two\n");
  CHECK(log->stats().bytes == 4 + 4 + 6);
}

TEST_CASE("log_destination: what cannot be opened is an error; what cannot be written is counted") {
  const auto none = Log::file("/nowhere/at/all.log");
  CHECK(!none.ok());
  CHECK(none.error().what() == "open /nowhere/at/all.log");
  if (::access("/dev/full", W_OK) != 0) return;
  auto full = Log::file("/dev/full");
  REQUIRE(full.ok());
  full->record(full->add(as_it_is), {"lost"});
  full->flush();
  CHECK(full->stats().failed == 1);
  CHECK(full->stats().bytes == 0);
}

TEST_CASE("log_destination: standard error is one Log for all who ask while it lives") {
  StderrText err;
  {
    const Log one = Log::standard_error();
    const Log two = Log::standard_error();
    one.write(LogLevel::warn, "first");
    two.write(LogLevel::warn, "second");
    one.flush();
    CHECK(two.stats().lines == 2);
  }
  CHECK(Log::standard_error().stats().lines == 0);
  const std::string text = err.take();
  CHECK(text.find("Z warn first\n") != text.npos);
  CHECK(text.find("Z warn second\n") != text.npos);
}

// In a child: such a Log, and its thread, live until the program ends, and later cases replace what threads call (sys/syscalls.h).
TEST_CASE("log_destination: the library's own lines and those of log() may come here, and go back") {
  CHECK(martlet::test::in_child([] {
          Lines lines;
          const Log log = Log::to([&](std::string_view line) { lines.add(line); });
          log.take_library_lines();
          martlet::log(LogLevel::error, "from anybody");
          log.flush();
          Log::give_library_lines_back();
          set_log_sink([&](LogLevel, std::string_view line) { lines.add(line); });
          martlet::log(LogLevel::error, "elsewhere");
          set_log_sink({});
          const auto all = lines.get();
          MARTLET_EXPECT(all.size() == 2);
          MARTLET_EXPECT(all[0].ends_with("Z error from anybody"));
          MARTLET_EXPECT(all[1] == "elsewhere");
          return 0;
        }) == 0);
}
