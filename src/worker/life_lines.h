// Lines about how an App, or a Server, ends (L-07); at info. Any thread.
#pragma once

#include <martlet/stats.h>

#include <cstdint>

namespace martlet::worker {

// All connections are gone: what there was. `cut` of them had not ended by themselves; a drain that began at this time, or 0.
void log_end(const Stats& sum, uint32_t cut, uint64_t drain_since_ns) noexcept;

}  // namespace martlet::worker
