// Every set of JSON kernels that this CPU runs against a byte-by-byte reading of their contract: the index in windows
// that the input cuts at multiples of 64, and copying up to what must be escaped.
#include "fuzz/fuzz.h"
#include "simd/json_kernels.h"

using namespace martlet;

namespace {

bool is_one_of(uint8_t c, std::string_view set) { return set.find(static_cast<char>(c)) != std::string_view::npos; }

// Where a parser must stop in the whole text.
std::vector<size_t> stops(base::ByteSpan text, bool* open) {
  std::vector<size_t> places;
  bool in_string = false;
  bool in_scalar = false;
  for (size_t i = 0; i < text.size(); i++) {
    const uint8_t c = text[i];
    if (in_string) {
      if (c == '"' || c == '\\' || c < 0x20) places.push_back(i);
      if (c == '"') in_string = false;
      if (c == '\\') i++;
      continue;
    }
    const bool before = in_scalar;
    in_scalar = !is_one_of(c, " \t\n\r{}[]:,\"");
    in_string = c == '"';
    if (is_one_of(c, "{}[]:,\"") || (in_scalar && !before)) places.push_back(i);
  }
  *open = in_string;
  return places;
}

void check_index(const simd::JsonKernels& set, base::ByteSpan text, size_t first_window) {
  bool open;
  const std::vector<size_t> expected = stops(text, &open);
  const auto out = std::make_unique<uint16_t[]>(simd::kJsonWindow + simd::kJsonSlack);
  simd::JsonIndexState state;
  size_t found = 0;
  size_t window = first_window;
  for (size_t at = 0; at < text.size(); at += window, window = simd::kJsonWindow) {
    const fuzz::Exact piece(text.subspan(at, std::min(window, text.size() - at)));
    const simd::JsonIndexed indexed = set.index(&state, piece.data(), piece.size(), out.get());
    for (size_t i = 0; i < indexed.count; i++) {
      FUZZ_CHECK(found < expected.size() && at + out[i] == expected[found]);
      found++;
    }
    const auto is_ascii = [](uint8_t c) { return c < 0x80; };
    FUZZ_CHECK(indexed.ascii == std::all_of(piece.data(), piece.data() + piece.size(), is_ascii));
  }
  FUZZ_CHECK(found == expected.size());
  FUZZ_CHECK(state.in_string == (open ? ~uint64_t{0} : 0));
}

void check_copy(const simd::JsonKernels& set, base::ByteSpan text) {
  const fuzz::Exact from(text);
  const auto to = std::make_unique<uint8_t[]>(text.size());
  const size_t copied = set.copy_plain(to.get(), from.data(), from.size());
  const auto is_special = [](uint8_t c) { return c == '"' || c == '\\' || c < 0x20; };
  FUZZ_CHECK(copied == static_cast<size_t>(std::find_if(text.begin(), text.end(), is_special) - text.begin()));
  FUZZ_CHECK(std::equal(to.get(), to.get() + copied, text.begin()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const size_t first_window = 64 * (1 + input.control() % (simd::kJsonWindow / 64));
  const size_t copy_from = input.control_below(size + 1);
  const base::ByteSpan text = input.rest();
  for (const simd::JsonKernels* set : simd::available_json_kernels()) {
    check_index(*set, text, first_window);
    check_copy(*set, text.subspan(std::min(copy_from, text.size())));
  }
  return 0;
}
