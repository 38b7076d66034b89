// supervise(): a small loop of its own around children and signals. See martlet/cluster.h for what it promises.
#include <martlet/cluster.h>
#include <martlet/error.h>
#include <martlet/log.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cluster/restarts.h"
#include "sys/children.h"
#include "sys/clock.h"
#include "sys/poller.h"
#include "sys/process.h"
#include "sys/processors.h"

namespace martlet {

namespace {

// How a process ended, for people.
std::string describe(uint32_t index, const sys::Ended& ended) {
  char text[96];
  std::snprintf(text, sizeof text, "process %u (pid %d) ended with %s %d", index, ended.pid,
                ended.signal ? "signal" : "status", ended.signal ? ended.signal : ended.status);
  return text;
}

// What is done about it, and why.
std::string backing_off(uint32_t ends_in_a_row, uint64_t wait_ms) {
  char text[112];
  const auto wait = static_cast<unsigned long long>(wait_ms);
  if (ends_in_a_row > 1) {
    std::snprintf(text, sizeof text, "; it ended %u times in a row: backing off, to be started again in %llu ms",
                  ends_in_a_row, wait);
  } else {
    std::snprintf(text, sizeof text, "; to be started again in %llu ms", wait);
  }
  return text;
}

class Supervisor {
 public:
  Supervisor(uint32_t count, Function<void(uint32_t, int&)> fn, const SuperviseOptions& options)
      : fn_(std::move(fn)), options_(options) {
    for (uint32_t i = 0; i < count; i++) children_.push_back({0, 0, cluster::Restarts(options)});
  }

  int run() {
    if (Error error = watch()) return report(error);
    while (!over()) {
      start_due();
      for (int events = poller_->wait(next_ns()); events > 0; events--) take_signals();
      take_ends();
      if (stopping_ && sys::monotonic_ns() >= kill_at_ns_) kill_all();
    }
    return good_ ? 0 : 1;
  }

 private:
  struct Child {
    int pid;  // 0: not running
    uint64_t start_at_ns;
    cluster::Restarts restarts;
  };

  Error watch() {
    signals_ = std::make_unique<sys::SignalWatcher>();
    poller_ = std::make_unique<sys::Poller>();
    if (Error error = lifeline_.open(stop_ms())) return error;
    if (Error error = signals_->open()) return error;
    if (Error error = signals_->watch_always(sys::child_signal)) return error;
    for (const int number : {sys::terminate_signal, sys::interrupt_signal, sys::hangup_signal, sys::user1_signal,
                             sys::user2_signal}) {
      if (Error error = signals_->watch(number)) return error;
    }
    if (Error error = poller_->open()) return error;
    return poller_->add(signals_->fd(), 0, sys::kReadable);
  }

  bool over() const noexcept {
    for (const Child& child : children_) {
      if (child.pid || !stopping_) return false;
    }
    return true;
  }

  int64_t next_ns() const noexcept {
    const uint64_t now = sys::monotonic_ns();
    uint64_t next = stopping_ ? kill_at_ns_ : UINT64_MAX;
    for (const Child& child : children_) {
      if (!child.pid && !stopping_ && child.start_at_ns < next) next = child.start_at_ns;
    }
    return next == UINT64_MAX ? -1 : next > now ? static_cast<int64_t>(next - now) : 0;
  }

  void start_due() {
    for (uint32_t i = 0; i < children_.size(); i++) {
      Child& child = children_[i];
      const uint64_t now = sys::monotonic_ns();
      if (child.pid || stopping_ || child.start_at_ns > now) continue;
      child.restarts.started(now);
      Result<int> pid = start(i);
      if (pid) {
        child.pid = *pid;
        if (log_level() <= LogLevel::info) log(LogLevel::info, "supervise: process " + std::to_string(i) + " (pid " + std::to_string(*pid) + ") is started");
      } else {
        try_again(i, "process " + std::to_string(i) + " could not be started: " + pid.error().message(), now);
      }
    }
  }

  // Signals that come before the child has put ours aside would be taken for the parent's: they wait.
  Result<int> start(uint32_t index) {
    auto held = std::make_unique<sys::SignalsHeld>();
    Result<int> pid = sys::fork_child();
    if (!pid || *pid > 0) return pid;
    signals_.reset();
    poller_.reset();
    held.reset();
    if (Error error = lifeline_.hold()) sys::exit_child(report(error));
    int status = 1;
    if (!fn_(index, status)) log(LogLevel::error, "supervise: the process's function threw");
    sys::exit_child(status);
  }

  void take_signals() {
    while (const int number = signals_->next()) {
      if (number == sys::child_signal) continue;
      if (number == sys::terminate_signal || number == sys::interrupt_signal) {
        if (stopping_) kill_all();
        stop(number);
      } else {
        signal_all(number);
      }
    }
  }

  void take_ends() {
    for (uint32_t i = 0; i < children_.size(); i++) {
      Child& child = children_[i];
      const sys::Ended ended = child.pid ? sys::collect(child.pid) : sys::Ended();
      if (!ended.pid) continue;
      child.pid = 0;
      if (stopping_) {
        const bool in_peace = ended.signal ? ended.signal == stop_signal_ : ended.status == 0;
        good_ = good_ && in_peace;  // one that had no handler yet was ended by the signal itself
      } else {
        try_again(i, describe(i, ended), sys::monotonic_ns());
      }
    }
  }

  void try_again(uint32_t index, const std::string& why, uint64_t now) {
    Child& child = children_[index];
    if (child.restarts.ended(now, child.start_at_ns)) {
      const uint64_t wait_ms = (child.start_at_ns - now) / 1'000'000;
      return log(LogLevel::warn, why + backing_off(child.restarts.ends_in_a_row(), wait_ms));
    }
    log(LogLevel::error, "supervise: giving up, " + why + " again and again");
    good_ = false;
    stop(sys::terminate_signal);
  }

  void stop(int number) {
    if (stopping_) return;
    stopping_ = true;
    stop_signal_ = number;
    kill_at_ns_ = sys::monotonic_ns() + stop_ms() * 1'000'000;
    signal_all(number);
  }

  // At most a year: sums of times do not wrap.
  uint64_t stop_ms() const noexcept {
    return static_cast<uint64_t>(std::clamp<int64_t>(options_.stop_timeout.count(), 0, int64_t{1} << 35));
  }

  void signal_all(int number) const {
    for (const Child& child : children_) {
      if (child.pid) sys::send_signal(child.pid, number);
    }
  }

  void kill_all() {
    signal_all(sys::kill_signal);
    kill_at_ns_ = UINT64_MAX / 2;
  }

  Function<void(uint32_t, int&)> fn_;
  SuperviseOptions options_;
  std::vector<Child> children_;
  std::unique_ptr<sys::SignalWatcher> signals_;
  std::unique_ptr<sys::Poller> poller_;
  sys::Lifeline lifeline_;
  uint64_t kill_at_ns_ = 0;
  int stop_signal_ = 0;
  bool stopping_ = false;
  bool good_ = true;
};

}  // namespace

int supervise_processes(uint32_t processes, Function<void(uint32_t, int&)> fn, const SuperviseOptions& options) {
  const uint32_t count = processes ? processes : static_cast<uint32_t>(sys::usable_processors());
  return Supervisor(count, std::move(fn), options).run();
}

}  // namespace martlet
