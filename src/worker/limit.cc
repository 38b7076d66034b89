// How many connections a worker may have: what was asked for, as far as there are descriptors for it. On the worker's thread.
#include "worker/worker.h"

#include <cstdio>

#include "sys/log_line.h"
#include "sys/process.h"

namespace martlet::worker {

namespace {

constexpr uint32_t kReservedDescriptors = 64;  // for listeners, the poller, and what the program opens
constexpr uint32_t kWorkersDescriptors = 8;    // of each worker of a group: its waker, poller, listeners

}  // namespace

// For connections: how many there may be. Those of a group share one limit, for which the first one claims.
uint32_t Worker::make_room() noexcept {
  const uint64_t reserve = kReservedDescriptors + (group ? uint64_t{kWorkersDescriptors} * group->workers : 0);
  uint64_t descriptors = sys::descriptor_limit();
  if (options.raise_descriptor_limit && seat == 0 && claimed_descriptors == 0) {
    claimed_descriptors = options.max_connections ? options.max_connections + reserve : sys::kAllDescriptors;
    descriptors = sys::claim_descriptors(claimed_descriptors);
  }
  uint64_t most = descriptors > 2 * reserve ? descriptors - reserve : descriptors / 2;
  if (options.max_connections && options.max_connections < most) most = options.max_connections;
  if (most > UINT32_MAX / 4) most = UINT32_MAX / 4;
  if (seat == 0) {
    const bool fewer = most < options.max_connections;
    char line[160];
    std::snprintf(line, sizeof line, fewer ? "at most %llu connections, not %u: RLIMIT_NOFILE allows %llu descriptors"
                                           : "at most %llu connections",
                  static_cast<unsigned long long>(most), options.max_connections,
                  static_cast<unsigned long long>(descriptors));
    sys::log_line(fewer ? LogLevel::warn : LogLevel::info, line);
  }
  return static_cast<uint32_t>(most);
}

// Once in ten seconds, as long as there are such connections: it is peers who make them.
void Worker::tell_limit() noexcept {
  constexpr uint64_t kQuietNs = 10'000'000'000;
  if (limit_told_ns && reactor.now_ns() < limit_told_ns + kQuietNs) return;
  limit_told_ns = reactor.now_ns();
  char line[96];
  std::snprintf(line, sizeof line, "the limit of %u connections is reached: more are refused", reactor.max_connections());
  sys::log_line(LogLevel::warn, line);
}

}  // namespace martlet::worker
