// A slow and plain decoder of raw DEFLATE (RFC 1951) that knows what a compressor may do: it looks at every distance,
// demands that codes are complete, and lists the blocks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"

// What a fuzzer should not follow.
#if defined(__clang__)
#define MARTLET_NOT_COVERED __attribute__((no_sanitize("coverage")))
#else
#define MARTLET_NOT_COVERED
#endif

namespace martlet::test {

struct WalkedBlock {
  unsigned type = 0;
  bool final = false;
  size_t bits = 0;    // that it takes in the stream, with its head, and with the padding of a stored block
  size_t output = 0;  // bytes
};

struct Walked {
  std::string fault;  // empty when there is none
  std::string output;
  std::vector<WalkedBlock> blocks;
  size_t farthest = 0;  // the greatest distance
  size_t matches = 0;
};

class DeflateWalker {
 public:
  // `starts`: places of the output, ascending, from where on nothing in front of them may be referred to.
  DeflateWalker(base::ByteSpan stream, int window_bits, std::vector<size_t> starts = {})
      : stream_(stream), window_(size_t{1} << window_bits), starts_(std::move(starts)) {}

  // To the end of the final block, which must be the end of the stream, or to its end, which must be a flush.
  Walked walk() {
    while (at_ < 8 * stream_.size() && walked_.fault.empty()) {
      if (!walked_.blocks.empty() && walked_.blocks.back().final) return fail("bytes behind the end");
      block();
    }
    if (!walked_.fault.empty() || walked_.blocks.empty()) return walked_;
    const WalkedBlock& last = walked_.blocks.back();
    if (!last.final && (last.type != 0 || last.output != 0)) return fail("neither a flush nor the end");
    return walked_;
  }

 private:
  struct Code {
    uint32_t of_length[16] = {};
    std::vector<uint32_t> symbols;  // in the order of their codes
  };

  Walked& fail(const char* fault) {
    if (walked_.fault.empty()) walked_.fault = fault;
    return walked_;
  }

  MARTLET_NOT_COVERED uint32_t bits(unsigned count) {
    if (at_ + count > 8 * stream_.size()) {
      fail("cut off");
      at_ = 8 * stream_.size();
      return 0;
    }
    const uint8_t* const bytes = stream_.data();
    uint32_t value = 0;
    for (unsigned i = 0; i < count; i++, at_++) value |= (bytes[at_ / 8] >> at_ % 8 & 1u) << i;
    return value;
  }

  MARTLET_NOT_COVERED Code code_of(const uint8_t* lengths, size_t count, unsigned most_bits) {
    Code code;
    for (unsigned bits = 1; bits <= most_bits; bits++) {
      for (size_t i = 0; i < count; i++) {
        if (lengths[i] != bits) continue;
        code.of_length[bits]++;
        code.symbols.push_back(static_cast<uint32_t>(i));
      }
    }
    uint32_t share = 0;
    for (unsigned bits = 1; bits <= 15; bits++) share += code.of_length[bits] << (15 - bits);
    if (share != 1u << 15) fail("a code that is not complete");
    return code;
  }

  MARTLET_NOT_COVERED uint32_t symbol(const Code& code) {
    const uint8_t* const bytes = stream_.data();
    const size_t end = 8 * stream_.size();
    uint32_t value = 0, first = 0, index = 0;
    for (unsigned length = 1; length <= 15; length++, at_++) {
      if (at_ == end) break;
      value |= bytes[at_ / 8] >> at_ % 8 & 1u;
      const uint32_t count = code.of_length[length];
      if (value < first + count) {
        at_++;
        return code.symbols[index + value - first];
      }
      index += count;
      first = (first + count) << 1;
      value <<= 1;
    }
    fail("no such code");
    return 256;
  }

  void block() {
    const size_t from = at_, output = walked_.output.size();
    WalkedBlock block;
    block.final = bits(1);
    block.type = bits(2);
    if (block.type == 0) stored();
    if (block.type == 1) fixed();
    if (block.type == 2) dynamic();
    if (block.type == 3) fail("type 3");
    block.bits = at_ - from;
    block.output = walked_.output.size() - output;
    if (block.final) at_ = (at_ + 7) / 8 * 8;
    walked_.blocks.push_back(block);
  }

  void stored() {
    while (at_ % 8) {
      if (bits(1)) fail("padding that is not zero");
    }
    const uint32_t size = bits(16);
    if (bits(16) != (size ^ 0xFFFF)) fail("a stored block's length");
    if (!walked_.fault.empty() || stream_.size() - at_ / 8 < size) return void(fail("cut off"));
    walked_.output += base::as_text(stream_.subspan(at_ / 8, size));
    at_ += 8 * size_t{size};
  }

  void fixed() {
    if (fixed_litlen_.symbols.empty()) {
      uint8_t lengths[288 + 32];
      for (size_t i = 0; i < 288; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
      for (size_t i = 288; i < 320; i++) lengths[i] = 5;
      fixed_litlen_ = code_of(lengths, 288, 9);
      fixed_distances_ = code_of(lengths + 288, 32, 5);
    }
    symbols(fixed_litlen_, fixed_distances_);
  }

  void dynamic() {
    static constexpr uint8_t kOrder[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    const size_t litlen = bits(5) + 257, distances = bits(5) + 1, count = bits(4) + 4;
    if (litlen > 286 || distances > 30) return void(fail("too many codes"));
    uint8_t of_lengths[19] = {};
    for (size_t i = 0; i < count; i++) of_lengths[kOrder[i]] = static_cast<uint8_t>(bits(3));
    const Code code = code_of(of_lengths, 19, 7);
    std::vector<uint8_t> lengths;
    while (lengths.size() < litlen + distances && walked_.fault.empty()) {
      const uint32_t s = symbol(code);
      if (s == 16 && lengths.empty()) return void(fail("repeats nothing"));
      const size_t times = s < 16 ? 1 : s == 16 ? 3 + bits(2) : s == 17 ? 3 + bits(3) : 11 + bits(7);
      lengths.insert(lengths.end(), times, s < 16 ? static_cast<uint8_t>(s) : s == 16 ? lengths.back() : uint8_t{0});
    }
    if (lengths.size() != litlen + distances) return void(fail("repeats too often"));
    symbols(code_of(lengths.data(), litlen, 15), code_of(lengths.data() + litlen, distances, 15));
  }

  MARTLET_NOT_COVERED void symbols(const Code& litlen, const Code& distances) {
    while (walked_.fault.empty()) {
      const uint32_t s = symbol(litlen);
      if (s == 256) return;
      if (s < 256) {
        walked_.output += static_cast<char>(s);
      } else if (s > 285) {
        fail("a length that is none");
      } else {
        const size_t length = length_of(s);
        const uint32_t d = symbol(distances);
        if (d > 29) return void(fail("a distance that is none"));
        const uint32_t extra = d < 4 ? 0 : d / 2 - 1;
        copy(length, d < 4 ? d + 1 : ((2 + (d & 1u)) << extra) + 1 + bits(extra));
      }
    }
  }

  size_t length_of(uint32_t s) {
    if (s < 265) return s - 254;
    if (s == 285) return 258;
    const uint32_t extra = (s - 261) / 4;
    const size_t length = ((4 + ((s - 265) & 3u)) << extra) + 3 + bits(extra);
    if (length == 258) fail("258 written as 257 and one");
    return length;
  }

  MARTLET_NOT_COVERED void copy(size_t length, size_t distance) {
    while (next_start_ < starts_.size() && starts_[next_start_] <= walked_.output.size()) start_ = starts_[next_start_++];
    if (distance > window_) return void(fail("a distance above the window"));
    if (distance > walked_.output.size() - start_) return void(fail("a distance to before the context"));
    walked_.farthest = std::max(walked_.farthest, distance);
    walked_.matches++;
    while (length > 0) {
      const size_t piece = std::min(length, distance);
      walked_.output.append(walked_.output, walked_.output.size() - distance, piece);
      length -= piece;
    }
  }

  base::ByteSpan stream_;
  size_t window_;
  std::vector<size_t> starts_;
  size_t next_start_ = 0;
  size_t start_ = 0;
  size_t at_ = 0;  // in bits
  Code fixed_litlen_, fixed_distances_;  // once they are wanted
  Walked walked_;
};

}  // namespace martlet::test
