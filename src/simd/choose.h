// How a set is chosen from a table of candidates; dispatch.cc and json_dispatch.cc have one each.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace martlet::simd {

template <class Set>
struct Candidate {
  const Set* set;
  bool (*runs_here)() noexcept;
};

inline bool always() noexcept { return true; }

// The candidates that run here, in their order.
template <class Set, size_t most>
struct Available {
  const Set* sets[most];
  size_t count = 0;

  explicit Available(const Candidate<Set> (&candidates)[most]) noexcept {
    for (const Candidate<Set>& candidate : candidates) {
      if (candidate.runs_here()) sets[count++] = candidate.set;
    }
  }
};

// The set that the environment names, if it is there, else the first.
template <class List>
auto choose(List list) noexcept {
  if (const char* forced = std::getenv("MARTLET_FORCE_KERNELS")) {
    for (const auto* set : list) {
      if (std::strcmp(set->name, forced) == 0) return set;
    }
  }
  return *list.begin();
}

}  // namespace martlet::simd
