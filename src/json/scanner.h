// The places of a JSON text at which a parser must stop, one after the other: brackets, commas, colons, quotes, the first
// byte of each number and literal, and inside strings what is not plain text. A vector kernel finds them, a window of 1 KiB
// at a time (simd/json_kernels.h says which they are); the same pass checks that the text is UTF-8, so that nobody else has to.
//
// next() is for those who are not in a hurry. Run holds the same in registers: a parser takes it out, and puts it back before
// anybody else asks the scanner.
//
// Text that is not UTF-8 ends, for the parser, where it goes wrong: limit() is then there, and fault_at_end() says why. The
// text must outlive the scanner. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "simd/json_kernels.h"
#include "simd/kernels.h"

namespace martlet::json {

inline constexpr const char* kCut = "the text ends too early";
inline constexpr const char* kNotUtf8 = "this is not UTF-8";

class Scanner {
 public:
  // What is left of a window.
  struct Run {
    const uint16_t* at;
    const uint16_t* end;
    const uint8_t* window;
  };
  // Stands for the end of the text: no byte of it, and 0.
  static constexpr uint8_t kEnd[1] = {0};

  Run take() const noexcept { return {places_ + at_, places_ + count_, text_ + base_}; }
  void put_back(const Run& run) noexcept { at_ = static_cast<uint32_t>(run.at - places_); }
  // When a run is at its end: the next place, or kEnd. The new run begins behind it.
  const uint8_t* refill() noexcept {
    at_ = count_;
    const size_t place = next_window();
    return place < limit_ ? text_ + place : kEnd;
  }

  explicit Scanner(std::string_view text) noexcept
      : text_(reinterpret_cast<const uint8_t*>(text.data())), limit_(text.size()) {}
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  // The next place; limit() when there is none.
  size_t next() noexcept {
    if (at_ == count_) [[unlikely]] return next_window();
    return base_ + places_[at_++];
  }
  // About how far it has come: for guesses, and for errors that are not about the text.
  size_t reached() const noexcept { return base_; }
  // The same as next(), without taking it.
  size_t peek() noexcept {
    const size_t place = next();
    at_--;
    return place;
  }
  // The byte at a place, 0 at limit(). A NUL of the text is told apart by its place.
  uint8_t byte(size_t place) const noexcept { return place < limit_ ? text_[place] : 0; }

  const uint8_t* text() const noexcept { return text_; }
  size_t limit() const noexcept { return limit_; }
  // False when the text goes wrong at limit(), which is then not its end.
  bool good() const noexcept { return !bad_utf8_; }
  // What is wrong with a text that ends before it should.
  const char* fault_at_end() const noexcept { return bad_utf8_ ? kNotUtf8 : kCut; }

 private:
  size_t next_window() noexcept;
  void check_utf8(size_t size, bool ascii) noexcept;

  const uint8_t* text_;
  size_t limit_;
  size_t base_ = 0;   // of the window
  size_t ahead_ = 0;  // where the next one begins
  uint32_t at_ = 0;
  uint32_t count_ = 0;
  bool bad_utf8_ = false;
  simd::Utf8State utf8_;
  simd::JsonIndexState state_;
  uint16_t places_[simd::kJsonWindow + simd::kJsonSlack];  // not initialised
};

// Where a text stops being UTF-8, up to and with this place; text.size() when it does not. A window is checked when it is
// scanned, and who finds a fault may have looked past it: so the same fault is told wherever the windows begin.
size_t find_bad_utf8(std::string_view text, size_t place) noexcept;

// Line and column of a place, both from 1.
struct LineAndColumn {
  uint32_t line;
  uint32_t column;
};
LineAndColumn find_line(std::string_view text, size_t position) noexcept;

}  // namespace martlet::json
