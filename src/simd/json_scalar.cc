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
  for (size_t c = 0; c < 0x20; c++) classes.of[c] = kJsonControl;
  for (const uint8_t c : std::initializer_list<uint8_t>{' ', '\t', '\n', '\r'}) classes.of[c] |= kJsonSpace;
  for (const uint8_t c : std::initializer_list<uint8_t>{'{', '}', '[', ']', ':', ','}) classes.of[c] = kJsonStructural;
  classes.of['"'] = kJsonQuote;
  classes.of['\\'] = kJsonBackslash;
  return classes;
}

bool is_plain(uint8_t byte) { return (json_classes.of[byte] & kJsonNotPlain) == 0; }

JsonIndexed index(JsonIndexState* state, const uint8_t* data, size_t size, uint16_t* out) {
  const uint16_t* const end = json_index_scalar(state, data, 0, size, out);
  uint64_t all = 0;
  size_t i = 0;
  for (; i + 16 <= size; i += 16) all |= load64(data + i) | load64(data + i + 8);
  return {static_cast<uint32_t>(end - out), is_ascii(all | gather_short(data + i, size - i))};
}

size_t copy_plain(uint8_t* to, const uint8_t* from, size_t size) {
  size_t i = 0;
  for (; i < size && is_plain(from[i]); i++) to[i] = from[i];
  return i;
}

}  // namespace

constexpr JsonClasses json_classes = make_classes();

uint16_t* json_index_scalar(JsonIndexState* state, const uint8_t* data, size_t at, size_t size,
                            uint16_t* out) noexcept {
  const size_t end = at + size;
  bool in_string = state->in_string != 0;
  bool escaped = state->escaped != 0;
  bool in_scalar = state->in_scalar != 0;
  size_t i = at;
  while (i < end) {
    if (escaped) {  // only ever inside a string
      escaped = false;
      i++;
    } else if (in_string) {
      while (i < end && is_plain(data[i])) i++;
      if (i == end) break;
      escaped = data[i] == '\\';
      in_string = data[i] != '"';
      *out++ = static_cast<uint16_t>(i++);
    } else {
      const uint8_t c = json_classes.of[data[i]];
      const bool scalar = (c & (kJsonSpace | kJsonStructural | kJsonQuote)) == 0;
      // An entry that does not count is overwritten by the next one: no branch that depends on each byte.
      *out = static_cast<uint16_t>(i++);
      out += (c & (kJsonStructural | kJsonQuote)) != 0 || (scalar && !in_scalar);
      in_scalar = scalar;
      in_string = c == kJsonQuote;
    }
  }
  *state = {in_string ? ~uint64_t{0} : 0, escaped, in_scalar};
  return out;
}

constexpr JsonKernels json_kernels_scalar{"scalar", index, copy_plain};

}  // namespace martlet::simd
