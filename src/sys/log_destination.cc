// See log_destination.h. One thread for each Log. It sleeps in a poller when there is nothing, and is woken by the first who leaves a record
// then: it sets `sleeping` and looks at the rings once more; a producer leaves its record and looks at `sleeping`; both
// sequentially consistent, so that one of them sees the other. While there is something it rests for the flush interval between two
// rounds, in which nobody wakes it: a busy loop pays for no system call.
#include <martlet/log_destination.h>

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "sys/log_line.h"
#include "sys/log_ring.h"
#include "sys/poller.h"
#include "sys/process.h"
#include "sys/thread.h"
#include "sys/waker.h"

namespace martlet {

namespace {

#if defined(CLOCK_REALTIME_COARSE)
constexpr clockid_t kClock = CLOCK_REALTIME_COARSE;  // a fifth of the other's time
#else
constexpr clockid_t kClock = CLOCK_REALTIME;
#endif

constexpr size_t kBatchBytes = size_t{64} << 10;
constexpr size_t kStackBytes = size_t{128} << 10;
constexpr uint64_t kWoken = 0, kSignalled = 1;

uint64_t now_ns() noexcept {
  timespec now;
  ::clock_gettime(kClock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

std::chrono::system_clock::time_point time_of(uint64_t ns) noexcept {
  return std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(ns)));
}

const char* name_of(char level) noexcept {
  constexpr const char* kNames[] = {"debug ", "info ", "warn ", "error "};
  return static_cast<unsigned char>(level) < 4 ? kNames[static_cast<unsigned char>(level)] : "";
}

// "2026-11-30T02:15:09.123Z warn text"
void format_text(const LogRecord& record, std::string& line) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(record.time.time_since_epoch()).count();
  const time_t seconds = static_cast<time_t>(ms / 1000);
  tm utc{};
  ::gmtime_r(&seconds, &utc);
  char date[40];
  const size_t size = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  char rest[16];
  std::snprintf(rest, sizeof rest, ".%03dZ ", static_cast<int>(ms % 1000));
  line.append(date, size).append(rest).append(name_of(record.bytes.empty() ? '\x7f' : record.bytes[0]));
  for (const char c : record.bytes.substr(record.bytes.empty() ? 0 : 1)) line.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '.' : c);
}

void release(sys::LogRing* ring) noexcept {
  if (ring->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete ring;
}

// The rings of a thread, by the number of their Log: of those that it has used last.
struct ThreadRings {
  static constexpr size_t kMost = 4;
  struct Entry {
    uint64_t log = 0;
    sys::LogRing* ring = nullptr;
  };
  ~ThreadRings() {
    for (Entry& entry : entries) let_go(entry);
  }
  static void let_go(Entry& entry) noexcept {
    if (!entry.ring) return;
    entry.ring->has_thread.store(false, std::memory_order_release);
    release(entry.ring);
    entry = {};
  }
  sys::LogRing* find(uint64_t log) const noexcept {
    for (const Entry& entry : entries) {
      if (entry.log == log) return entry.ring;
    }
    return nullptr;
  }
  Entry entries[kMost];
  size_t oldest = 0;
};
thread_local ThreadRings thread_rings;

std::atomic<uint64_t> next_number{1};

}  // namespace

struct Log::Impl final : detail::Counted {
  explicit Impl(const LogOptions& o) noexcept
      : Counted([](Counted* self) noexcept { end(static_cast<Impl*>(self)); }), options(o), number(next_number.fetch_add(1)) {}
  static void end(Impl* self) noexcept;

  // Any thread ---------------------------------------------------------------------------------------------------------
  bool push(LogFormatter* formatter, std::initializer_list<std::string_view> pieces) noexcept {
    sys::LogRing* ring = thread_rings.find(number);
    if (!ring && !(ring = new_ring())) return lost++, false;
    if (!ring->push(formatter, now_ns(), pieces)) {
      ring->dropped.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    if (sleeping.load(std::memory_order_seq_cst)) [[unlikely]] wake();
    return true;
  }
  [[gnu::noinline]] void wake() noexcept {
    if (sleeping.exchange(false)) waker.wake();
  }
  sys::LogRing* new_ring() noexcept;
  void flush() noexcept;

  // Its own thread -----------------------------------------------------------------------------------------------------
  Error start() noexcept;
  void run() noexcept;
  bool round() noexcept;
  bool take(sys::LogRing& ring) noexcept;
  void put(const sys::LogRing::Head& head, std::string_view bytes) noexcept;
  void write_out() noexcept;
  void tell_dropped() noexcept;
  void rest(bool busy) noexcept;
  void reopen_file() noexcept;
  bool all_empty() noexcept;

  const LogOptions options;
  const uint64_t number;
  int fd = -1;
  bool owns_fd = false;
  std::string path;
  Function<void(std::string_view)> function;

  std::mutex mutex;  // of what follows
  std::vector<sys::LogRing*> rings;
  std::vector<std::unique_ptr<LogFormatter>> formatters;
  std::condition_variable flushed;
  uint64_t flush_wanted = 0, flush_done = 0;

  LogFormatter text{format_text};
  std::atomic<bool> sleeping{false}, stopping{false}, reopen_wanted{false};
  std::atomic<uint64_t> lines{0}, bytes{0}, lost{0}, failed{0}, reopened{0};
  uint64_t told_dropped = 0;
  std::string batch;
  sys::Waker waker;
  sys::Poller poller;
  sys::SignalWatcher signals;
  sys::Thread thread;
};

namespace {

std::mutex standard_mutex;
detail::Counted* standard;  // the Log of standard error, while it lives

uint64_t dropped_of(const std::vector<sys::LogRing*>& rings) noexcept {
  uint64_t all = 0;
  for (const sys::LogRing* ring : rings) all += ring->dropped.load(std::memory_order_relaxed);
  return all;
}

Result<int> open_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return Error::of({"open ", path}, errno);
  return fd;
}

}  // namespace

// A thread's ring -----------------------------------------------------------------------------------------------------

sys::LogRing* Log::Impl::new_ring() noexcept {
  sys::LogRing* ring = nullptr;
  const std::lock_guard lock(mutex);
  for (sys::LogRing* old : rings) {
    bool no_thread = false;
    if (!old->has_thread.compare_exchange_strong(no_thread, true)) continue;
    old->owners.fetch_add(1, std::memory_order_relaxed);
    ring = old;
    break;
  }
  if (!ring) {
    ring = new (std::nothrow) sys::LogRing(std::bit_ceil(options.buffer_bytes < 4096 ? size_t{4096} : options.buffer_bytes));
    if (!ring) return nullptr;
    if (!ring->ok()) return delete ring, nullptr;
    rings.push_back(ring);
  }
  ThreadRings::Entry& entry = thread_rings.entries[thread_rings.oldest++ % ThreadRings::kMost];
  ThreadRings::let_go(entry);
  entry = {number, ring};
  return ring;
}

void Log::Impl::flush() noexcept {
  std::unique_lock lock(mutex);
  const uint64_t wanted = ++flush_wanted;
  waker.wake();
  flushed.wait(lock, [&] { return flush_done >= wanted; });
}

// The thread ----------------------------------------------------------------------------------------------------------

Error Log::Impl::start() noexcept {
  if (Error error = waker.open()) return error;
  if (Error error = poller.open()) return error;
  if (Error error = poller.add(waker.fd(), kWoken, sys::kReadable)) return error;
  if (!path.empty() && options.reopen_on != ReopenOn::never) {
    if (Error error = signals.open()) return error;
    if (Error error = signals.watch(options.reopen_on == ReopenOn::sighup ? sys::hangup_signal : sys::user1_signal)) return error;
    if (Error error = poller.add(signals.fd(), kSignalled, sys::kReadable)) return error;
  }
  return thread.start([](void* self) { static_cast<Impl*>(self)->run(); }, this, kStackBytes);
}

void Log::Impl::run() noexcept {
  sys::block_sigpipe();
  for (;;) {
    const bool last = stopping.load();
    uint64_t wanted;
    {
      const std::lock_guard lock(mutex);
      wanted = flush_wanted;
    }
    bool busy = false;
    while (round()) busy = true;
    if (reopen_wanted.exchange(false)) reopen_file();
    tell_dropped();
    {
      const std::lock_guard lock(mutex);
      flush_done = wanted;
    }
    flushed.notify_all();
    if (last) return;
    rest(busy);
  }
}

// What is there now, of every ring at most a batch.
bool Log::Impl::round() noexcept {
  bool any = false;
  for (size_t i = 0;; i++) {
    sys::LogRing* ring;
    {
      const std::lock_guard lock(mutex);
      if (i >= rings.size()) break;
      ring = rings[i];
    }
    any |= take(*ring);
  }
  write_out();
  return any;
}

bool Log::Impl::take(sys::LogRing& ring) noexcept {
  return ring.drain(kBatchBytes, [this](const sys::LogRing::Head& head, std::string_view record) { put(head, record); });
}

void Log::Impl::put(const sys::LogRing::Head& head, std::string_view record) noexcept {
  const size_t begin = batch.size();
  (*static_cast<LogFormatter*>(head.formatter))(LogRecord{time_of(head.time_ns), record}, batch);
  lines.fetch_add(1, std::memory_order_relaxed);
  if (function) {
    function(std::string_view(batch).substr(begin));
    bytes.fetch_add(batch.size() - begin, std::memory_order_relaxed);
    batch.resize(begin);
    return;
  }
  batch.push_back('\n');
  if (batch.size() >= kBatchBytes) write_out();
}

void Log::Impl::write_out() noexcept {
  std::string_view rest = batch;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd, rest.data(), rest.size());
    if (n > 0) {
      rest.remove_prefix(static_cast<size_t>(n));
      bytes.fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed);
    } else if (n == 0 || errno != EINTR) {
      failed.fetch_add(1, std::memory_order_relaxed);
      break;
    }
  }
  batch.clear();
}

void Log::Impl::tell_dropped() noexcept {
  uint64_t all = lost.load(std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex);
    all += dropped_of(rings);
  }
  if (all == told_dropped) return;
  char number_text[96];
  const int size = std::snprintf(number_text, sizeof number_text, "%llu", static_cast<unsigned long long>(all - told_dropped));
  told_dropped = all;
  sys::log_limited(LogLevel::warn, "lines of a Log were dropped, which is slower than what is logged", {number_text, static_cast<size_t>(size)});
}

bool Log::Impl::all_empty() noexcept {
  const std::lock_guard lock(mutex);
  for (const sys::LogRing* ring : rings) {
    if (!ring->empty()) return false;
  }
  return flush_wanted == flush_done;
}

void Log::Impl::rest(bool busy) noexcept {
  int64_t ns = std::chrono::duration_cast<std::chrono::nanoseconds>(options.flush_interval).count();
  if (!busy) {
    sleeping.store(true, std::memory_order_seq_cst);
    ns = all_empty() && !stopping.load() && !reopen_wanted.load() ? -1 : 0;
  }
  const int events = poller.wait(ns < 0 && busy ? 0 : ns);
  sleeping.store(false);
  for (int i = 0; i < events; i++) {
    if (poller.event(i).token == kWoken) waker.drain();
    if (poller.event(i).token == kSignalled) {
      while (signals.next()) reopen_wanted.store(true);
    }
  }
}

void Log::Impl::reopen_file() noexcept {
  if (path.empty()) return;
  const Result<int> opened = open_file(path);
  if (!opened) return sys::log_limited(LogLevel::error, "a log file could not be opened anew", opened.error().message());
  ::close(fd);
  fd = *opened;
  reopened.fetch_add(1, std::memory_order_relaxed);
}

void Log::Impl::end(Impl* self) noexcept {
  {
    const std::lock_guard lock(standard_mutex);
    if (standard == self) standard = nullptr;
  }
  self->stopping.store(true);
  self->waker.wake();
  if (self->thread.joinable()) self->thread.join();
  for (sys::LogRing* ring : self->rings) release(ring);
  if (self->owns_fd) ::close(self->fd);
  delete self;
}

// Log -----------------------------------------------------------------------------------------------------------------

Log::Impl& Log::impl() const noexcept { return *static_cast<Impl*>(impl_.get()); }

Result<Log> Log::file(std::string_view path, LogOptions options) {
  auto* impl = new Impl(options);
  Log made{detail::CountedPointer(impl)};
  impl->path = path;
  const Result<int> opened = open_file(impl->path);
  if (!opened) return opened.error();
  impl->fd = *opened;
  impl->owns_fd = true;
  if (Error error = impl->start()) return error;
  return made;
}

Log Log::standard_error(LogOptions options) {
  const std::lock_guard lock(standard_mutex);
  if (standard) {
    uint32_t references = standard->references.load();
    while (references > 0 && !standard->references.compare_exchange_weak(references, references + 1)) {
    }
    if (references > 0) return Log(detail::CountedPointer(standard));
  }
  auto* impl = new Impl(options);
  impl->fd = STDERR_FILENO;
  if (Error error = impl->start()) fail_result_access(error);
  standard = impl;
  return Log(detail::CountedPointer(impl));
}

Log Log::to(Function<void(std::string_view line)> fn, LogOptions options) {
  auto* impl = new Impl(options);
  impl->function = std::move(fn);
  if (Error error = impl->start()) fail_result_access(error);
  return Log(detail::CountedPointer(impl));
}

void Log::write(LogLevel level, std::string_view text) const noexcept {
  if (level < log_level() || level == LogLevel::off) return;
  const char mark = static_cast<char>(level);
  impl().push(&impl().text, {{&mark, 1}, text});
}

Log::Form Log::add(LogFormatter formatter) const {
  Form form;
  const std::lock_guard lock(impl().mutex);
  form.formatter_ = impl().formatters.emplace_back(std::make_unique<LogFormatter>(std::move(formatter))).get();
  return form;
}

bool Log::record(Form form, std::initializer_list<std::string_view> pieces) const noexcept { return impl().push(form.formatter_, pieces); }
void Log::flush() const noexcept { impl().flush(); }

void Log::reopen() const noexcept {
  impl().reopen_wanted.store(true);
  impl().waker.wake();
}

LogStats Log::stats() const noexcept {
  const Impl& i = impl();
  LogStats stats{.lines = i.lines.load(), .bytes = i.bytes.load(), .dropped = i.lost.load(), .failed = i.failed.load(), .reopened = i.reopened.load()};
  const std::lock_guard lock(impl().mutex);
  stats.dropped += dropped_of(i.rings);
  return stats;
}

// The library's lines -------------------------------------------------------------------------------------------------

namespace {

// They are not taken from their Log while the program runs: any thread may be about to log.
struct LibraryLogs {
  ~LibraryLogs() { sys::set_log_target(nullptr); }
  std::mutex mutex;
  std::vector<std::pair<Log, sys::LogTarget>> logs;
};

LibraryLogs& library_logs() {
  static LibraryLogs all;
  return all;
}

}  // namespace

void Log::take_library_lines() const {
  const std::lock_guard lock(library_logs().mutex);
  auto& logs = library_logs().logs;
  if (logs.empty()) logs.reserve(64);  // addresses of them are out
  for (const auto& [log, target] : logs) {
    if (log.impl_.get() == impl_.get()) return sys::set_log_target(&target);
  }
  if (logs.size() == logs.capacity()) return;  // more than anybody has
  const auto& [log, target] = logs.emplace_back(*this, sys::LogTarget{[](void* to, LogLevel level, std::string_view line) {
                                                   const char mark = static_cast<char>(level);
                                                   auto& i = *static_cast<Impl*>(to);
                                                   i.push(&i.text, {{&mark, 1}, line});
                                                 }, &impl()});
  sys::set_log_target(&target);
}

void Log::give_library_lines_back() noexcept { sys::set_log_target(nullptr); }

}  // namespace martlet
