// The JSON kernels for every machine: one byte at a time by a table of classes, and the rest of a string in one go.
// Any byte order, any word size. It is also what the others hand a block to that they do not understand: one with a
// backslash outside strings, which no JSON text has.
#include <initializer_list>

#include "simd/ends.h"
#include "simd/json_sets.h"

namespace martlet::simd {

namespace {

constexpr JsonClasses make_classes() {
  JsonClasses classes{};
  for (size_t c = 0; c < 256; c++) classes.of[c] = kJsonScalar;
  for (const uint8_t c : std::initializer_list<uint8_t>{'{', '}', '[', ']', ':', ','}) classes.of[c] = kJsonStop;
  for (const uint8_t c : std::initializer_list<uint8_t>{' ', '\t', '\n', '\r'}) classes.of[c] = 0;
  for (size_t c = 0; c < 0x20; c++) classes.of[c] |= kJsonControl;
  classes.of[uint8_t{'"'}] = kJsonQuote | kJsonStop;
  classes.of[uint8_t{'\\'}] = kJsonBackslash | kJsonScalar;
  return classes;
}

bool is_plain(uint8_t byte) { return (json_classes.of[byte] & kJsonNotPlain) == 0; }

// A walk over the bytes data[i..end).
struct Walk {
  const uint8_t* data;
  size_t i, end;
  uint16_t* out;
  bool escaped;  // the next byte is, and it is in a string

  void step_over_escaped() {
    if (i == end) return;
    escaped = false;
    i++;
  }

  // Up to behind the next quote: true, or false at the end. `before` are the classes of the byte before.
  bool outside(uint32_t* before) {
    while (i < end) {
      const uint32_t c = json_classes.of[data[i]];
      // An entry that does not count is overwritten by the next one: no branch that depends on each byte.
      *out = static_cast<uint16_t>(i++);
      out += (c / kJsonStop | (c & ~*before)) & 1;
      *before = c;
      if (c & kJsonQuote) return true;
    }
    return false;
  }

  // Up to behind the quote that closes a string: true, or false at the end.
  bool finish_string() {
    while (i < end) {
      const uint8_t byte = data[i++];
      if (is_plain(byte)) continue;
      *out++ = static_cast<uint16_t>(i - 1);
      if (byte == '"') return true;
      escaped = byte == '\\';
      if (escaped) step_over_escaped();
    }
    return false;
  }
};

JsonIndexed index(JsonIndexState* state, const uint8_t* data, size_t size, uint16_t* out) {
  const uint16_t* const end = json_index_scalar(state, data, 0, size, out);
  uint64_t all = 0;
  size_t i = 0;
  for (; i + 16 <= size; i += 16) all |= load64(data + i) | load64(data + i + 8);
  return {static_cast<uint32_t>(end - out), is_ascii(all | gather_short(data + i, size - i))};
}

size_t copy_plain(uint8_t* to, const uint8_t* from, size_t size) {
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    const uint64_t bytes = load64(from + i);
    if (json_not_plain(bytes) != 0) break;
    __builtin_memcpy(to + i, &bytes, 8);
  }
  for (; i < size && is_plain(from[i]); i++) to[i] = from[i];
  return i;
}

}  // namespace

constexpr JsonClasses json_classes = make_classes();

uint16_t* json_index_scalar(JsonIndexState* state, const uint8_t* data, size_t at, size_t size,
                            uint16_t* out) noexcept {
  Walk walk{data, at, at + size, out, state->escaped != 0};
  if (walk.escaped) walk.step_over_escaped();
  bool in_string = state->in_string != 0;
  auto before = static_cast<uint32_t>(state->in_scalar);
  while (walk.i < walk.end) {
    if (in_string) {
      in_string = !walk.finish_string();
    } else {
      in_string = walk.outside(&before);
    }
  }
  *state = {in_string ? ~uint64_t{0} : 0, walk.escaped, before & kJsonScalar};
  return walk.out;
}

constexpr JsonKernels json_kernels_scalar{"scalar", index, copy_plain};

}  // namespace martlet::simd
