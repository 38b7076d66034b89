// Filling the tables. What a small message costs is mostly this, so no entry is written that the code does not need: the
// index is no wider than the longest code, and code lengths of 0, most of them in a text, are passed over by eights.
//
// The first index grows with the codes. While the codes of n bits are handed out the table has 2^n entries; then it is
// doubled by a copy, which puts every shorter code wherever the next bit does not matter to it. Slots that no code has
// taken yet are copied as they are: those of a complete code are all taken in the end.
#include "codec/inflate_codes.h"

#include <bit>
#include <cstring>

namespace martlet::codec {

namespace {

// What the entry of a code with n bits is, less n * kOneBit.
struct SymbolEntries {
  CodeEntry litlen[kLitlenSymbols];
  CodeEntry distances[8][kDistanceSymbols];  // for window_bits 8 to 15
  CodeEntry lengths[kLengthsSymbols];
};

constexpr CodeEntry kOneBit = 0x101;

constexpr unsigned kEndOfBlock = 256;
constexpr unsigned kLastLength = 285;
constexpr unsigned kLastDistance = 29;

// RFC 1951 §3.2.5. Four lengths share a number of extra bits, but for the last one, which has none.
constexpr void make_litlen_entries(SymbolEntries& entries) {
  for (unsigned s = 0; s < kEndOfBlock; s++) entries.litlen[s] = kLiteralEntry | s << 16;
  entries.litlen[kEndOfBlock] = kSpecialEntry | kEndEntry;
  unsigned smallest = 3;
  for (unsigned s = kEndOfBlock + 1; s < kLastLength; s++) {
    const unsigned extra = s < 265 ? 0 : (s - 261) / 4;
    entries.litlen[s] = ((1u << extra) - 1) << 25 | smallest << 16 | extra;
    smallest += 1u << extra;
  }
  entries.litlen[kLastLength] = 258u << 16;
  for (unsigned s = kLastLength + 1; s < kLitlenSymbols; s++) entries.litlen[s] = kSpecialEntry;
}

// Two distances share a number of extra bits. The distances of the first 2n symbols are those up to 2^n.
constexpr void make_distance_entries(SymbolEntries& entries) {
  for (unsigned window_bits = 8; window_bits <= 15; window_bits++) {
    CodeEntry* const distances = entries.distances[window_bits - 8];
    unsigned smallest = 1;
    for (unsigned s = 0; s <= kLastDistance; s++) {
      const unsigned extra = s < 2 ? 0 : (s - 2) / 2;
      distances[s] = s < 2 * window_bits ? smallest << 16 | extra : kSpecialEntry | kBeyondEntry;
      smallest += 1u << extra;
    }
    for (unsigned s = kLastDistance + 1; s < kDistanceSymbols; s++) distances[s] = kSpecialEntry;
  }
}

constexpr SymbolEntries make_symbol_entries() {
  SymbolEntries entries{};
  make_litlen_entries(entries);
  make_distance_entries(entries);
  for (unsigned s = 0; s < kLengthsSymbols; s++) entries.lengths[s] = s << 16;
  return entries;
}

constexpr SymbolEntries kEntries = make_symbol_entries();

// Codes in order, and bit-reversed, as the stream has them. Counting up by one flips the lowest bits up to the first that
// is 0; in the reversed code those are the highest.
struct CodeCounter {
  unsigned code = 0;
  unsigned reversed = 0;

  // To the next code of this many bits.
  constexpr void next(unsigned bits) {
    const unsigned all = (1u << bits) - 1;
    code++;
    reversed ^= all - (all >> (std::countr_zero(code | 1u << 31) + 1));
  }
  // From the first code that is not taken to the first one that begins with it and has one bit more.
  constexpr void lengthen() { code <<= 1; }
};

// The fixed code (§3.2.6).
struct FixedTables {
  CodeEntry litlen[512];
  CodeEntry distances[8][32];
};

constexpr unsigned fixed_length(unsigned symbol) { return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8; }

constexpr FixedTables make_fixed_tables() {
  FixedTables tables{};
  CodeCounter counter;
  for (unsigned bits = 7; bits <= 9; bits++, counter.lengthen()) {
    for (unsigned s = 0; s < kLitlenSymbols; s++) {
      if (fixed_length(s) != bits) continue;
      for (unsigned i = counter.reversed; i < 512; i += 1u << bits) tables.litlen[i] = kEntries.litlen[s] + bits * kOneBit;
      counter.next(bits);
    }
  }
  for (unsigned window = 0; window < 8; window++) {
    counter = {};
    for (unsigned s = 0; s < kDistanceSymbols; s++) {
      tables.distances[window][counter.reversed] = kEntries.distances[window][s] + 5 * kOneBit;
      counter.next(5);
    }
  }
  return tables;
}

constexpr FixedTables kFixed = make_fixed_tables();

// How many symbols have each code length, and the symbols that have one, by length and then by number.
struct Sorted {
  uint16_t count[kMaxCodeBits + 1];
  uint16_t symbols[kLitlenSymbols + 1];  // the last place is for those that have none
};

// Calls visit(symbol, length) for all symbols but eight at a time that have the length 0. No branch tells the others with
// length 0 apart: which characters a text has nobody can predict.
template <typename Visit>
inline void for_each_length(const uint8_t* lengths, size_t symbols, Visit visit) {
  for (size_t s = 0; s < symbols; s += 8) {
    uint64_t eight;
    std::memcpy(&eight, lengths + s, sizeof eight);
    if (eight == 0) continue;
    for (size_t i = s; i < s + 8; i++) visit(i, lengths[i]);
  }
}

// In two halves, so that one count does not wait for the one before.
void count_lengths(const uint8_t* lengths, size_t symbols, Sorted& sorted) {
  uint16_t halves[2][kMaxCodeBits + 1] = {};
  for_each_length(lengths, symbols, [&](size_t symbol, uint8_t length) { halves[symbol & 1][length]++; });
  for (size_t n = 0; n <= kMaxCodeBits; n++) sorted.count[n] = static_cast<uint16_t>(halves[0][n] + halves[1][n]);
  sorted.count[0] = 0;
}

void sort_symbols(const uint8_t* lengths, size_t symbols, Sorted& sorted) {
  uint16_t next[kMaxCodeBits + 1];
  next[0] = kLitlenSymbols;
  next[1] = 0;
  for (size_t n = 2; n <= kMaxCodeBits; n++) next[n] = static_cast<uint16_t>(next[n - 1] + sorted.count[n - 1]);
  for_each_length(lengths, symbols, [&](size_t symbol, uint8_t length) {
    sorted.symbols[next[length]] = static_cast<uint16_t>(symbol);
    next[length] = static_cast<uint16_t>(next[length] + (length != 0));
  });
}

// The codes that are longer than the index: `counter` is at the first, whose symbol is *symbol.
void fill_subtables(const Sorted& sorted, const CodeEntry* entries, unsigned index_bits, unsigned longest, CodeCounter counter,
                    const uint16_t* symbol, CodeEntry* table) {
  unsigned end = 1u << index_bits;
  unsigned where = 0, sub_bits = 0;
  unsigned prefix = ~0u;
  for (unsigned bits = index_bits + 1; bits <= longest; bits++) {
    counter.lengthen();
    for (unsigned n = sorted.count[bits]; n > 0; n--) {
      const unsigned low = counter.reversed & ((1u << index_bits) - 1);
      if (low != prefix) {
        // As wide as the codes that are left fill it.
        prefix = low;
        sub_bits = bits - index_bits;
        for (unsigned filled = n; filled < 1u << sub_bits;) filled = 2 * filled + sorted.count[index_bits + ++sub_bits];
        where = end;
        end += 1u << sub_bits;
        table[prefix] = kSpecialEntry | kSubtableEntry | where << 16 | sub_bits << 8 | index_bits;
      }
      const CodeEntry entry = entries[*symbol++] + bits * kOneBit;
      const unsigned step = 1u << (bits - index_bits);
      for (unsigned i = counter.reversed >> index_bits; i < 1u << sub_bits; i += step) table[where + i] = entry;
      counter.next(bits);
    }
  }
}

// What the first `size` entries are, a power of two, the next as many become too. Most tables are small.
inline void double_table(CodeEntry* table, size_t size) {
  if (size < 4) {
    for (size_t i = 0; i < size; i++) table[size + i] = table[i];
    return;
  }
  for (size_t i = 0; i < size; i += 4) std::memcpy(table + size + i, table + i, 4 * sizeof(CodeEntry));
}

// A complete code.
void fill_table(const Sorted& sorted, const CodeEntry* entries, unsigned index_bits, unsigned longest, CodeEntry* table) {
  const uint16_t* symbol = sorted.symbols;
  CodeCounter counter;
  unsigned bits = 1;
  while (sorted.count[bits] == 0) bits++;
  for (;; bits++, counter.lengthen()) {
    for (unsigned n = sorted.count[bits]; n > 0; n--) {
      table[counter.reversed] = entries[*symbol++] + bits * kOneBit;
      counter.next(bits);
    }
    if (bits == index_bits) break;
    double_table(table, size_t{1} << bits);
  }
  if (longest > index_bits) fill_subtables(sorted, entries, index_bits, longest, counter, symbol, table);
}

// `lone`: whether the code may be incomplete, with one symbol of one bit or none.
CodeFault build(const uint8_t* lengths, size_t symbols, const CodeEntry* entries, unsigned max_index_bits, bool lone,
                CodeEntry* table, uint8_t& index_bits) {
  Sorted sorted;
  count_lengths(lengths, symbols, sorted);
  unsigned longest = kMaxCodeBits;
  while (longest > 0 && sorted.count[longest] == 0) longest--;
  int free = 1;  // codes of the length at hand that are not taken
  for (unsigned n = 1; n <= longest; n++) {
    free = 2 * free - sorted.count[n];
    if (free < 0) return CodeFault::over_subscribed;
  }
  if (free > 0 && (!lone || longest > 1)) return CodeFault::incomplete;
  sort_symbols(lengths, symbols, sorted);
  if (free > 0) {
    table[0] = table[1] = kSpecialEntry + kOneBit;
    if (longest == 1) table[0] = entries[sorted.symbols[0]] + kOneBit;
    index_bits = 1;
    return CodeFault::none;
  }
  index_bits = static_cast<uint8_t>(longest < max_index_bits ? longest : max_index_bits);
  fill_table(sorted, entries, index_bits, longest, table);
  return CodeFault::none;
}

}  // namespace

InflateCodes fixed_codes(unsigned window_bits) noexcept {
  return {kFixed.litlen, kFixed.distances[window_bits - 8], 9, 5};
}

CodeFault build_litlen_code(const uint8_t* lengths, size_t symbols, CodeEntry* table, uint8_t& index_bits) noexcept {
  return build(lengths, symbols, kEntries.litlen, kMaxLitlenIndex, true, table, index_bits);
}

CodeFault build_distance_code(const uint8_t* lengths, size_t symbols, unsigned window_bits, CodeEntry* table,
                              uint8_t& index_bits) noexcept {
  return build(lengths, symbols, kEntries.distances[window_bits - 8], kMaxDistanceIndex, true, table, index_bits);
}

CodeFault build_lengths_code(const uint8_t* lengths, CodeEntry* table, uint8_t& index_bits) noexcept {
  return build(lengths, kLengthsSymbols, kEntries.lengths, kMaxLengthsIndex, false, table, index_bits);
}

}  // namespace martlet::codec
