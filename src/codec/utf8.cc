// UTF-8 as a whole text: the check hands it to the vector kernels in one chunk; the cut walks back over at most three
// continuation bytes.
#include "codec/utf8.h"

#include "simd/kernels.h"

namespace martlet::codec {

bool is_valid_utf8(base::ByteSpan bytes) noexcept {
  simd::Utf8State state;
  return simd::kernels->validate_utf8(&state, bytes.data(), bytes.size()) && state.at_boundary();
}

std::string_view cut_utf8(std::string_view text, size_t max_bytes) noexcept {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) end--;
  return text.substr(0, end);
}

}  // namespace martlet::codec
