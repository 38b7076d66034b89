// What the fuzz targets share: taking an input apart, exact copies that the address sanitizer guards at both ends, and
// a check that is always on.
//
// The input decides everything, how its bytes are cut into pieces too. What steers a target is taken from the end of the
// input, so that what is parsed stands at its front as a person would write it (seeds.py).
#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

#define FUZZ_CHECK(condition)                                                              \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (0)

namespace martlet::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(data, size) {}

  // The next control byte, 0 when there is none.
  uint8_t control() {
    if (rest_.empty()) return 0;
    const uint8_t byte = rest_.back();
    rest_ = rest_.first(rest_.size() - 1);
    return byte;
  }
  size_t control_below(size_t bound) {
    const size_t high = control();
    return (high << 8 | control()) % bound;
  }
  // From the front.
  uint8_t take() {
    if (rest_.empty()) return 0;
    const uint8_t byte = rest_.front();
    rest_ = rest_.subspan(1);
    return byte;
  }
  base::ByteSpan take(size_t most) {
    const base::ByteSpan taken = rest_.first(std::min(most, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  bool empty() const { return rest_.empty(); }
  base::ByteSpan rest() const { return rest_; }

  // Up to seven places where the rest is cut, ascending, its end the last of them. The control byte 0 is no cut, 255
  // every byte.
  std::vector<size_t> cuts() {
    std::vector<size_t> places;
    const uint8_t how = control();
    if (how == 255) {
      for (size_t at = 1; at < rest_.size(); at++) places.push_back(at);
    } else {
      for (int n = how & 7; n > 0; n--) places.push_back(control_below(size_t{1} << 16));
      for (size_t& place : places) place %= rest_.size() + 1;
      std::sort(places.begin(), places.end());
    }
    places.push_back(rest_.size());
    return places;
  }

 private:
  base::ByteSpan rest_;
};

// A copy of its own on the heap: one byte too far is reported.
class Exact {
 public:
  explicit Exact(size_t size) : memory_(new uint8_t[size]), size_(size) {}
  explicit Exact(base::ByteSpan bytes) : memory_(new uint8_t[bytes.size()]), size_(bytes.size()) {
    if (size_) std::memcpy(memory_.get(), bytes.data(), size_);
  }
  uint8_t* data() const { return memory_.get(); }
  size_t size() const { return size_; }
  base::ByteSpan span() const { return {memory_.get(), size_}; }

 private:
  std::unique_ptr<uint8_t[]> memory_;
  size_t size_;
};

inline std::string lower(std::string_view text) {
  std::string all;
  for (const char c : text) all.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  return all;
}

}  // namespace martlet::fuzz
