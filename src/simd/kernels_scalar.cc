// The kernels for every machine: eight bytes at a time where order does not matter, the automaton where it does.
// Any byte order, any word size.
#include "simd/ends.h"
#include "simd/sets.h"

namespace martlet::simd {

namespace {

constexpr size_t kStep = 16;  // bytes looked at together

void unmask(uint8_t* data, size_t size, uint32_t key) {
  if (size >= kStep) {
    const uint64_t k = twice(key);
    for (; size >= kStep; data += kStep, size -= kStep) {
      const uint64_t first = load64(data) ^ k;
      const uint64_t second = load64(data + 8) ^ k;
      __builtin_memcpy(data, &first, 8);
      __builtin_memcpy(data + 8, &second, 8);
    }
  }
  unmask_short(data, size, key);
}

bool validate_utf8(Utf8State* state, const uint8_t* data, size_t size) {
  uint32_t dfa = state->dfa;
  for (; size >= kStep; data += kStep, size -= kStep) {
    if (dfa == kBoundary && is_ascii(load64(data) | load64(data + 8))) continue;
    dfa = utf8_run(dfa, data, kStep);
    if (dfa == kReject) return utf8_answer(state, dfa);
  }
  if (dfa != kBoundary || !is_ascii(gather_short(data, size))) dfa = utf8_run(dfa, data, size);
  return utf8_answer(state, dfa);
}

bool unmask_validate(Utf8State* state, uint8_t* data, size_t size, uint32_t key) {
  const uint64_t k = twice(key);
  uint32_t dfa = state->dfa;
  for (; size >= kStep; data += kStep, size -= kStep) {
    const uint64_t first = load64(data) ^ k;
    const uint64_t second = load64(data + 8) ^ k;
    __builtin_memcpy(data, &first, 8);
    __builtin_memcpy(data + 8, &second, 8);
    if (dfa == kBoundary && is_ascii(first | second)) continue;
    dfa = utf8_run(dfa, data, kStep);
    if (dfa == kReject) return utf8_answer(state, dfa);
  }
  if (!is_ascii(unmask_short(data, size, key)) || dfa != kBoundary) dfa = utf8_run(dfa, data, size);
  return utf8_answer(state, dfa);
}

// Each bit enters at the top and is shifted to its place by those after it.
void classify_head(const uint8_t* data, size_t size, HeadBits* out) {
  for (; size > 0; out++) {
    const size_t here = size < 64 ? size : 64;
    HeadBits bits{0, 0};
    for (size_t i = 0; i < here; i++) {
      const uint64_t classes = head_classes.of[data[i]];
      bits.not_value = bits.not_value >> 1 | classes << 63;
      bits.not_token = bits.not_token >> 1 | (classes / kHeadNotToken) << 63;
    }
    *out = here < 64 ? head_rest(bits, here) : bits;
    data += here;
    size -= here;
  }
}

}  // namespace

constexpr Kernels kernels_scalar{"scalar", unmask, validate_utf8, unmask_validate, classify_head};

}  // namespace martlet::simd
