// Finding what has been there before: a stretch of input becomes sequences of some literals and a match (RFC 1951 §4).
//
// Tables hold positions, 32-bit numbers that only grow, over all calls; what a table says counts when it is not further
// back than the window and the context reach. So nothing is ever cleared, but when the numbers run out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/deflate_tables.h"

namespace martlet::codec {

// Literals, and the match behind them, which is of four bytes or more: three bytes from elsewhere seldom cost less than
// three literals. Length 0: no match, the stretch ends.
struct Sequence {
  uint32_t literals;
  uint16_t length;
  uint16_t distance;  // 32,768 fits
};

inline constexpr uint32_t kMostSequences = 16384;

// What is known of a block when its input has become sequences.
struct Parsed {
  uint32_t sequences = 0;
  uint32_t literals[288] = {};  // how often each symbol is there, the end of the block not counted
  uint32_t distances[32] = {};
};

// The input: `base` points to `reach` bytes that may be referred to, and the stretch to be parsed behind them.
struct MatchInput {
  const uint8_t* base;
  uint32_t reach;     // at most the window
  uint32_t end;       // of the stretch
  uint32_t position;  // of base[0], in the tables' count; at least 1
  uint32_t window;    // the greatest distance
};

// Tables of 1 << bits entries, or pairs of them.
class FastMatcher {
 public:
  static constexpr size_t bytes(int window_bits) noexcept { return sizeof(uint32_t) << table_bits(window_bits); }
  FastMatcher(uint8_t* tables, int window_bits) noexcept
      : heads_(reinterpret_cast<uint32_t*>(tables)), shift_(static_cast<uint32_t>(32 - table_bits(window_bits))) {}

  // Parses from base[reach] on, to the end or until the sequences are full; answers where it stopped.
  uint32_t parse(const MatchInput& in, Sequence* sequences, Parsed& parsed) noexcept;

 private:
  static constexpr int table_bits(int window_bits) noexcept { return window_bits > 14 ? 14 : window_bits < 10 ? 9 : window_bits - 1; }
  uint32_t* heads_;
  uint32_t shift_;
};

class ChainMatcher {
 public:
  static constexpr size_t bytes(int window_bits) noexcept {
    return (sizeof(uint32_t) << head_bits(window_bits)) + (sizeof(uint16_t) << window_bits);
  }
  ChainMatcher(uint8_t* tables, int window_bits) noexcept;

  uint32_t parse(const MatchInput& in, Sequence* sequences, Parsed& parsed) noexcept;

 private:
  struct Match {
    uint32_t length = 0;
    uint32_t distance = 0;
  };
  static constexpr int head_bits(int window_bits) noexcept { return window_bits > 14 ? 14 : window_bits < 10 ? 9 : window_bits - 1; }
  void insert(const MatchInput& in, uint32_t at) noexcept;
  Match find(const MatchInput& in, uint32_t at, uint32_t longer_than, uint32_t depth) noexcept;

  uint32_t* heads_;   // the last position of each hash of four bytes
  uint16_t* steps_;   // from a position to the one before it with the same hash; 0: none in reach
  uint32_t head_shift_;
  uint32_t mask_;
};

}  // namespace martlet::codec
