// How many frames of a test's coroutines are there: each holds a Count, so that one that was not destroyed shows.
#pragma once

#include <atomic>

namespace martlet::test {

struct Frames {
  std::atomic<int> now = 0;
  std::atomic<int> begun = 0;
};
struct Count {
  explicit Count(Frames& f) : frames(&f) {
    frames->now++;
    frames->begun++;
  }
  Count(const Count&) = delete;
  Count& operator=(const Count&) = delete;
  ~Count() { frames->now--; }
  Frames* frames;
};

}  // namespace martlet::test
