// Every set of kernels that this CPU runs against the scalar one, and that against a plain decoder: UTF-8 in pieces,
// unmasking, both at once, and the classes of a head's bytes.
#include "fuzz/fuzz.h"
#include "simd/kernels.h"

using namespace martlet;

namespace {

// RFC 3629 §4, by the ranges of its grammar. How many bytes of the text are whole characters; -1 as soon as it is bad.
long whole_characters(base::ByteSpan text) {
  size_t at = 0;
  while (at < text.size()) {
    const uint8_t lead = text[at];
    size_t more = 0;
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    if (lead >= 0x80) {
      if (lead >= 0xC2 && lead <= 0xDF) more = 1;
      else if (lead >= 0xE0 && lead <= 0xEF) more = 2;
      else if (lead >= 0xF0 && lead <= 0xF4) more = 3;
      else return -1;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    for (size_t i = 1; i <= more; i++) {
      if (at + i == text.size()) return static_cast<long>(at);
      if (text[at + i] < (i == 1 ? low : uint8_t{0x80}) || text[at + i] > (i == 1 ? high : uint8_t{0xBF})) return -1;
    }
    at += more + 1;
  }
  return static_cast<long>(at);
}

void check_utf8(const simd::Kernels& set, base::ByteSpan bytes, const std::vector<size_t>& cuts) {
  simd::Utf8State state;
  size_t at = 0;
  for (const size_t cut : cuts) {
    const fuzz::Exact piece(bytes.subspan(at, cut - at));
    const bool good = set.validate_utf8(&state, piece.data(), piece.size());
    const long whole = whole_characters(bytes.first(cut));
    FUZZ_CHECK(good == (whole >= 0));
    if (!good) return;
    FUZZ_CHECK(state.at_boundary() == (static_cast<size_t>(whole) == cut));
    at = cut;
  }
}

// The bytes stand for text, masked here and unmasked by the kernel.
void check_unmask(const simd::Kernels& set, base::ByteSpan bytes, const std::vector<size_t>& cuts, uint32_t key) {
  uint8_t k[4];
  std::memcpy(k, &key, 4);
  std::string masked(base::as_text(bytes));
  for (size_t i = 0; i < masked.size(); i++) masked[i] = static_cast<char>(masked[i] ^ k[i % 4]);
  simd::Utf8State state;
  bool good = true;
  size_t at = 0;
  for (const size_t cut : cuts) {
    const fuzz::Exact piece(base::as_bytes(masked).subspan(at, cut - at));
    const uint32_t turned = simd::rotate_key(key, at);
    const fuzz::Exact again(piece.span());
    set.unmask(again.data(), again.size(), turned);
    FUZZ_CHECK(base::as_text(again.span()) == base::as_text(bytes.subspan(at, cut - at)));
    if (good) {
      good = set.unmask_validate(&state, piece.data(), piece.size(), turned);
      FUZZ_CHECK(good == (whole_characters(bytes.first(cut)) >= 0));
      if (good) FUZZ_CHECK(base::as_text(piece.span()) == base::as_text(again.span()));
    }
    at = cut;
  }
}

void check_classes(const simd::Kernels& set, const simd::Kernels& scalar, base::ByteSpan bytes) {
  const fuzz::Exact exact(bytes);
  const size_t blocks = (bytes.size() + 63) / 64;
  const auto mine = std::make_unique<simd::HeadBits[]>(blocks);
  const auto other = std::make_unique<simd::HeadBits[]>(blocks);
  set.classify_head(exact.data(), exact.size(), mine.get());
  scalar.classify_head(exact.data(), exact.size(), other.get());
  for (size_t i = 0; i < blocks; i++) {
    FUZZ_CHECK(mine[i].not_value == other[i].not_value && mine[i].not_token == other[i].not_token);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  uint8_t key_bytes[4];
  for (uint8_t& byte : key_bytes) byte = input.control();
  uint32_t key;
  std::memcpy(&key, key_bytes, 4);
  const std::vector<size_t> cuts = input.cuts();
  const auto sets = simd::available_kernels();
  const simd::Kernels& scalar = *sets.end()[-1];
  for (const simd::Kernels* set : sets) {
    check_utf8(*set, input.rest(), cuts);
    check_unmask(*set, input.rest(), cuts, key);
    check_classes(*set, scalar, input.rest());
  }
  return 0;
}
