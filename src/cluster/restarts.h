// When a process that has ended may be started again, and when it is of no use any more. Pure: times are given.
#pragma once

#include <martlet/cluster.h>

#include <cstdint>
#include <vector>

namespace martlet::cluster {

class Restarts {
 public:
  explicit Restarts(const SuperviseOptions& options) noexcept : options_(options) {}

  // The process was started.
  void started(uint64_t now_ns) noexcept { started_ns_ = now_ns; }
  // It has ended: when to start it again, or false when it has done so too often.
  [[nodiscard]] bool ended(uint64_t now_ns, uint64_t& again_ns);
  // How often it has ended since it last ran for a whole window.
  uint32_t ends_in_a_row() const noexcept { return in_a_row_; }

 private:
  SuperviseOptions options_;
  std::vector<uint64_t> ends_;  // within the window, oldest first; where there is a limit to them
  uint64_t started_ns_ = 0;
  uint64_t backoff_ns_ = 0;
  uint32_t in_a_row_ = 0;
};

}  // namespace martlet::cluster
