// martlet/log_destination.h: a Log, where lines go that must not make the loop wait: a file, standard error, a function. What
// logger() writes goes through one; so may the library's own lines, and a program's.
//
//   Result<Log> log = Log::file("/var/log/app/access.log");
//   if (!log) return report(log.error());
//   app.use(logger({.format = Log::combined, .to = *log}));
//
// Who logs leaves a record in a ring of its thread's own, which never waits and takes no lock; a thread of the Log makes lines of
// the records and writes them, many at a time. When the disk is slower than what is logged the ring fills, and records are dropped:
// they are counted (stats()), and the library's log says so.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/log.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace martlet {

// The signal at which a file is opened anew by its name: what programs that rotate logs send (logrotate: postrotate kill -USR1).
enum class ReopenOn : uint8_t { never, sighup, sigusr1 };

struct LogOptions {
  // Of each thread that logs, in bytes; rounded up to a power of two, at least 4 KiB. Enough for some thousand lines.
  size_t buffer_bytes = size_t{256} << 10;
  // Lines are written together that come within this time; flush() does not wait for it.
  std::chrono::milliseconds flush_interval = std::chrono::milliseconds(50);
  // Of files. One that was ignored when the program was started stays ignored. Not the one of ServerOptions::restart_on.
  ReopenOn reopen_on = ReopenOn::sigusr1;
};

struct LogStats {
  uint64_t lines = 0;    // written
  uint64_t bytes = 0;    // of these
  uint64_t dropped = 0;  // records: a ring was full, or memory out
  uint64_t failed = 0;   // writes that have failed (no space); their lines are lost
  uint64_t reopened = 0;
};

// What a formatter makes a line of. Good until it returns.
struct LogRecord {
  std::chrono::system_clock::time_point time;  // when it was left, as precise as a tick of the system (some milliseconds)
  std::string_view bytes;                      // as they were given
};
using LogFormatter = Function<void(const LogRecord&, std::string& line)>;

// A handle: copies are the same Log, which ends with the last of them, when all has been written. Any thread.
class Log {
 public:
  // Ways in which logger() writes a request (logger.h).
  enum Format : uint8_t { common, combined, json, tiny };
  // A formatter that a Log has taken.
  class Form {
   private:
    friend class Log;
    LogFormatter* formatter_ = nullptr;
  };

  // A file to which lines are appended; made when there is none, for the owner to write and his group to read. The path may not change its
  // meaning while the Log lives (chdir).
  static Result<Log> file(std::string_view path, LogOptions options = {});
  // The process's standard error: one Log for all who ask while it lives, with the options of the first.
  static Log standard_error(LogOptions options = {});
  // Each line without its newline, on the Log's thread. It must not log.
  static Log to(Function<void(std::string_view line)> fn, LogOptions options = {});

  // A line of this text with the time and the level in front; control characters in it are dots. Nothing below log_level().
  void write(LogLevel level, std::string_view text) const noexcept;
  // Takes a formatter, which the Log keeps until it ends, and calls on its own thread: it appends one line, without its newline, and
  // nothing of a peer's in it may be a newline. Set-up.
  Form add(LogFormatter formatter) const;
  // Leaves a record of these pieces, one after the other. False: it was dropped, as are those of more than a quarter of the ring.
  bool record(Form form, std::initializer_list<std::string_view> pieces) const noexcept;

  // Waits until what this thread has left before is written. Not on the Log's own thread.
  void flush() const noexcept;
  // Opens the file anew, soon: what has been left before goes into the old one. When that fails the old one stays, and the library's log says so.
  void reopen() const noexcept;
  LogStats stats() const noexcept;

  // The library's own lines and those of martlet::log() come here from now on, in place of the sink: without a lock, which
  // set_log_sink() takes. The Log lives until the program ends.
  void take_library_lines() const;
  // They go to the sink again.
  static void give_library_lines_back() noexcept;

 private:
  struct Impl;
  friend struct Impl;
  explicit Log(detail::CountedPointer impl) noexcept : impl_(std::move(impl)) {}
  Impl& impl() const noexcept;
  detail::CountedPointer impl_;
};

}  // namespace martlet
