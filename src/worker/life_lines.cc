// See life_lines.h.
#include "worker/life_lines.h"

#include "codec/log_text.h"
#include "sys/clock.h"
#include "sys/log_line.h"
#include "worker/worker.h"

namespace martlet::worker {

namespace {

constexpr uint64_t kNsPerMs = 1'000'000;

void add_statistics(codec::LogText& line, const Stats& sum) noexcept {
  const struct {
    const char* what;
    uint64_t number;
  } figures[] = {{" connections, ", sum.accepted},
                 {" requests, ", sum.requests},
                 {" messages received, ", sum.messages_received},
                 {" sent, ", sum.messages_sent},
                 {" dropped, ", sum.messages_dropped},
                 {" handlers failed", sum.handler_failures}};
  for (const auto& figure : figures) line.add(figure.number).add(figure.what);
}

}  // namespace

// Of a Server the first worker that hears of it speaks for all. Of the others it knows what they have shown last.
void Worker::tell_drain(uint32_t deadline_ms) const noexcept {
  if (log_level() > LogLevel::info) return;
  const Stats sum = sum_of_group();
  codec::LogText line;
  line.add("draining: ").add(sum.open_connections).add(" connections are open, ").add(sum.open_websockets).add(" of them WebSockets");
  sys::log_line(LogLevel::info, line.add("; what is left after ").add(deadline_ms).add(" ms is cut").text());
}

void Worker::tell_end() const noexcept { log_end(snapshot(), cut_connections, drain_since_ns); }

void log_end(const Stats& sum, uint32_t cut, uint64_t drain_since_ns) noexcept {
  if (log_level() > LogLevel::info) return;
  codec::LogText line;
  line.add("ended");
  if (drain_since_ns) line.add(" after draining for ").add((sys::monotonic_ns() - drain_since_ns) / kNsPerMs).add(" ms");
  line.add(": ").add(cut).add(" connections were cut; in all ");
  add_statistics(line, sum);
  sys::log_line(LogLevel::info, line.text());
}

}  // namespace martlet::worker
