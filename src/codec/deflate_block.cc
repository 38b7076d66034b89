// See deflate_block.h.
#include "codec/deflate_block.h"

#include "codec/huffman.h"

namespace martlet::codec {

namespace {

constexpr size_t kMostStored = 65535;
constexpr size_t kDistancesFrom = 288;  // in a workspace's codes
constexpr unsigned kHeaderBits = 3;

// The fixed code (§3.2.6).
struct FixedCode {
  uint8_t lengths[288 + 32];
  uint16_t codes[288 + 32];
};
constexpr uint16_t reversed(uint32_t code, unsigned bits) noexcept {
  uint32_t out = 0;
  for (unsigned i = 0; i < bits; i++) out |= (code >> i & 1) << (bits - 1 - i);
  return static_cast<uint16_t>(out);
}
constexpr FixedCode make_fixed_code() noexcept {
  FixedCode fixed{};
  for (uint32_t i = 0; i < 288; i++) {
    const unsigned bits = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    const uint32_t code = i < 144 ? 0x30 + i : i < 256 ? 0x190 + i - 144 : i < 280 ? i - 256 : 0xc0 + i - 280;
    fixed.lengths[i] = static_cast<uint8_t>(bits);
    fixed.codes[i] = reversed(code, bits);
  }
  for (uint32_t i = 0; i < 32; i++) {
    fixed.lengths[kDistancesFrom + i] = 5;
    fixed.codes[kDistancesFrom + i] = reversed(i, 5);
  }
  return fixed;
}
constexpr FixedCode kFixed = make_fixed_code();

// A dynamic code's lengths, as they are written (§3.2.7): runs of equal ones are shortened.
struct CodeHeader {
  struct Symbol {
    uint8_t symbol;
    uint8_t extra;
  };
  static constexpr uint8_t kOrder[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

  uint32_t literal_count = 0;
  uint32_t distance_count = 0;
  uint32_t order_count = 0;
  uint32_t symbol_count = 0;
  Symbol symbols[kLiteralCodes + kDistanceCodes];
  uint8_t lengths[19];
  uint16_t codes[19];

  static unsigned extra_bits(uint8_t symbol) noexcept { return symbol < 16 ? 0 : symbol == 16 ? 2 : symbol == 17 ? 3 : 7; }

  explicit CodeHeader(const uint8_t* all) noexcept {
    literal_count = kLiteralCodes;
    while (literal_count > 257 && all[literal_count - 1] == 0) literal_count--;
    distance_count = kDistanceCodes;
    while (distance_count > 1 && all[kDistancesFrom + distance_count - 1] == 0) distance_count--;
    uint8_t joined[kLiteralCodes + kDistanceCodes];
    std::memcpy(joined, all, literal_count);
    std::memcpy(joined + literal_count, all + kDistancesFrom, distance_count);
    uint32_t frequencies[19] = {};
    shorten(joined, literal_count + distance_count, frequencies);
    make_huffman_code(frequencies, 19, 7, lengths, codes);
    order_count = 19;
    while (order_count > 4 && lengths[kOrder[order_count - 1]] == 0) order_count--;
  }

  size_t bits() const noexcept {
    size_t sum = 5 + 5 + 4 + 3 * order_count;
    for (uint32_t i = 0; i < symbol_count; i++) sum += lengths[symbols[i].symbol] + extra_bits(symbols[i].symbol);
    return sum;
  }

  void write(BitWriter& writer) const noexcept {
    writer.put(literal_count - 257, 5);
    writer.put(distance_count - 1, 5);
    writer.put(order_count - 4, 4);
    writer.flush();
    for (uint32_t i = 0; i < order_count; i++) {
      writer.put(lengths[kOrder[i]], 3);
      writer.flush();
    }
    for (uint32_t i = 0; i < symbol_count; i++) {
      writer.put(codes[symbols[i].symbol], lengths[symbols[i].symbol]);
      writer.put(symbols[i].extra, extra_bits(symbols[i].symbol));
      writer.flush();
    }
  }

 private:
  void add(uint32_t symbol, size_t extra, uint32_t (&frequencies)[19]) noexcept {
    symbols[symbol_count++] = {static_cast<uint8_t>(symbol), static_cast<uint8_t>(extra)};
    frequencies[symbol]++;
  }
  void shorten(const uint8_t* all, size_t count, uint32_t (&frequencies)[19]) noexcept {
    for (size_t i = 0; i < count;) {
      size_t run = 1;
      while (i + run < count && all[i + run] == all[i]) run++;
      i += run;
      const uint8_t length = all[i - 1];
      if (length != 0) {
        add(length, 0, frequencies);
        run--;
      }
      while (run >= 3) {
        const size_t most = length ? 6 : 138;
        size_t here = run < most ? run : most;
        if (length) {
          add(16, here - 3, frequencies);
        } else {
          add(here < 11 ? 17 : 18, here - (here < 11 ? 3 : 11), frequencies);
        }
        run -= here;
      }
      for (; run > 0; run--) add(length, 0, frequencies);
    }
  }
};

// Bits that the block's symbols take in a code, their extra bits included.
size_t count_bits(const Parsed& parsed, const uint8_t* lengths) noexcept {
  size_t bits = lengths[kEndOfBlock];
  for (uint32_t i = 0; i < kEndOfBlock; i++) bits += size_t{parsed.literals[i]} * lengths[i];
  for (uint32_t i = 0; i < 29; i++) {
    const uint32_t symbol = kEndOfBlock + 1 + i;
    bits += size_t{parsed.literals[symbol]} * (lengths[symbol] + size_t{kLengthExtra[i]});
  }
  for (uint32_t i = 0; i < kDistanceCodes; i++) {
    bits += size_t{parsed.distances[i]} * (lengths[kDistancesFrom + i] + size_t{distance_extra(i)});
  }
  return bits;
}

size_t stored_bits(size_t size, unsigned waiting) noexcept {
  const size_t blocks = size ? (size + kMostStored - 1) / kMostStored : 1;
  const size_t padding = (8 - (waiting + kHeaderBits) % 8) % 8;
  return kHeaderBits + padding + 32 + 8 * size + (blocks - 1) * 40;
}

// A symbol as it is written: its bits, and above them how many.
using Entry = uint32_t;
constexpr unsigned kBitsAt = 16;

inline void put(BitWriter& writer, Entry entry) noexcept { writer.put(entry & 0xffff, entry >> kBitsAt); }

void make_entries(const uint8_t* lengths, const uint16_t* codes, Entry* entries) noexcept {
  for (size_t i = 0; i < 288 + 32; i++) entries[i] = codes[i] | Entry{lengths[i]} << kBitsAt;
}

void write_sequences(BitWriter& to, const BlockWorkspace& work, const uint8_t* from, const uint8_t* lengths,
                     const uint16_t* codes) noexcept {
  Entry entries[288 + 32];
  make_entries(lengths, codes, entries);
  BitWriter writer = to;  // in registers
  for (uint32_t i = 0; i < work.parsed.sequences; i++) {
    const Sequence& sequence = work.sequences[i];
    const uint8_t* const end = from + sequence.literals;
    for (; from + 3 <= end; from += 3) {
      put(writer, entries[from[0]]);
      put(writer, entries[from[1]]);
      put(writer, entries[from[2]]);
      writer.flush();
    }
    for (; from < end; from++) put(writer, entries[*from]);
    writer.flush();
    if (sequence.length == 0) break;
    const uint32_t number = kLengthCode[sequence.length];
    put(writer, entries[kEndOfBlock + 1 + number]);
    writer.put(sequence.length - uint32_t{kLengthBase[number]}, kLengthExtra[number]);
    const uint32_t distance = distance_code(sequence.distance);
    const uint32_t extra = distance_extra(distance);
    put(writer, entries[kDistancesFrom + distance]);
    writer.put((sequence.distance - 1u) & ((1u << extra) - 1), extra);
    writer.flush();
    from = end + sequence.length;
  }
  put(writer, entries[kEndOfBlock]);
  writer.flush();
  to = writer;
}

}  // namespace

void write_stored(BitWriter& writer, const uint8_t* from, size_t size, bool final) noexcept {
  do {
    const size_t here = size < kMostStored ? size : kMostStored;
    size -= here;
    writer.put(final && size == 0, kHeaderBits);
    writer.align();
    writer.put(here | (~here & 0xffff) << 16, 32);
    writer.flush();
    writer.copy(from, here);
    from += here;
  } while (size > 0);
}

void write_block(BitWriter& writer, BlockWorkspace& work, const uint8_t* from, size_t size, bool final,
                 uint32_t least_for_dynamic) noexcept {
  Parsed& parsed = work.parsed;
  uint32_t symbols = 0;
  for (uint32_t i = 0; i < work.parsed.sequences; i++) symbols += work.sequences[i].literals + 1;
  const size_t fixed = kHeaderBits + count_bits(parsed, kFixed.lengths);
  const size_t stored = stored_bits(size, writer.count());
  if (symbols < least_for_dynamic) {
    if (stored < fixed) return write_stored(writer, from, size, final);
    writer.put(2 | (final ? 1 : 0), kHeaderBits);
    return write_sequences(writer, work, from, kFixed.lengths, kFixed.codes);
  }
  parsed.literals[kEndOfBlock] = 1;
  make_huffman_code(parsed.literals, kLiteralCodes, 15, work.lengths, work.codes);
  make_huffman_code(parsed.distances, kDistanceCodes, 15, work.lengths + kDistancesFrom, work.codes + kDistancesFrom);
  const CodeHeader header(work.lengths);
  const size_t dynamic = kHeaderBits + header.bits() + count_bits(parsed, work.lengths);
  if (stored <= fixed && stored <= dynamic) return write_stored(writer, from, size, final);
  const bool is_fixed = fixed <= dynamic;
  writer.put((is_fixed ? 2 : 4) | (final ? 1 : 0), kHeaderBits);
  if (!is_fixed) header.write(writer);
  write_sequences(writer, work, from, is_fixed ? kFixed.lengths : work.lengths, is_fixed ? kFixed.codes : work.codes);
}

}  // namespace martlet::codec
