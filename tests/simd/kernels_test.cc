// Every set of kernels this machine can run against obvious versions written here, on random lengths, places and keys,
// each buffer ending at an unmapped page.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "simd/kernels.h"
#include "support/guarded.h"

using martlet::simd::available_kernels;
using martlet::simd::HeadBits;
using martlet::simd::Kernels;
using martlet::simd::rotate_key;
using martlet::simd::Utf8State;
using martlet::test::Guarded;

namespace {

constexpr size_t kMaxLength = 700;

std::mt19937 rng(20240607);
size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(rng); }

void masked(uint8_t* data, size_t size, uint32_t key) {
  uint8_t k[4];
  std::memcpy(k, &key, 4);
  for (size_t i = 0; i < size; i++) data[i] = static_cast<uint8_t>(data[i] ^ k[i % 4]);
}

const uint8_t* at(const std::string& text) { return reinterpret_cast<const uint8_t*>(text.data()); }

// How many bytes of the text can begin valid UTF-8: all, or the index of the first bad byte. `open`: ends inside a
// character. Decodes code points, so it shares nothing with the kernels' tables.
size_t good_prefix(const std::string& text, bool* open) {
  *open = false;
  size_t i = 0;
  while (i < text.size()) {
    const uint8_t lead = at(text)[i];
    const size_t length = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 0;
    if (length == 0) return i;
    // The smallest and largest code point that the bytes so far allow.
    uint32_t low = length == 1 ? lead : lead & (0xFFu >> (length + 1));
    uint32_t high = low;
    static constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t k = 0; k < length; k++) {
      if (k > 0) {
        if (i + k == text.size()) {
          *open = true;
          return text.size();
        }
        const uint8_t byte = at(text)[i + k];
        if ((byte & 0xC0) != 0x80) return i + k;
        low = low << 6 | (byte & 0x3F);
        high = low;
      }
      const size_t left = 6 * (length - 1 - k);
      const uint32_t first = low << left;
      const uint32_t last = (high << left) | ((1u << left) - 1);
      const bool surrogates_only = first >= 0xD800 && last <= 0xDFFF;
      if (last < kSmallest[length] || first > 0x10FFFF || surrogates_only) return i + k;
    }
    i += length;
  }
  return i;
}

void append(std::string& text, uint32_t c) {
  const auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

uint32_t random_character(size_t kind) {
  switch (kind) {
    case 0:
      return static_cast<uint32_t>(below(0x80));
    case 1:
      return static_cast<uint32_t>(0x80 + below(0x780));
    case 2: {
      const auto c = static_cast<uint32_t>(0x800 + below(0xF800));
      return c >= 0xD800 && c < 0xE000 ? 0xFFFD : c;
    }
    default:
      return static_cast<uint32_t>(0x10000 + below(0x100000));
  }
}

// Text of about `size` bytes: ASCII, one script, or a mixture with runs of ASCII in it.
std::string random_text(size_t size) {
  std::string text;
  const size_t style = below(6);
  size_t ascii_left = 0;
  while (text.size() < size) {
    if (style == 5 && ascii_left == 0 && below(8) == 0) ascii_left = below(150);
    const size_t kind = style < 4 ? style : ascii_left > 0 ? 0 : below(4);
    if (ascii_left > 0) ascii_left--;
    append(text, random_character(kind));
  }
  return text;
}

std::string corrupted(std::string text) {
  static const char* const kBad[] = {"\xC0\x80",
                                     "\xC1\xBF",
                                     "\xE0\x80\x80",
                                     "\xE0\x9F\xBF",
                                     "\xED\xA0\x80",
                                     "\xED\xBF\xBF",
                                     "\xF0\x80\x80\x80",
                                     "\xF0\x8F\xBF\xBF",
                                     "\xF4\x90\x80",
                                     "\xF5\x80\x80\x80",
                                     "\xFF",
                                     "\xFE",
                                     "\x80",
                                     "\xBF\xBF",
                                     "\xE1\x80",
                                     "\xC3"};
  switch (below(4)) {
    case 0:
      if (!text.empty()) text[below(text.size())] = static_cast<char>(below(256));
      break;
    case 1:
      if (!text.empty()) text.erase(below(text.size()), 1);
      break;
    case 2:
      text.insert(below(text.size() + 1), kBad[below(std::size(kBad))]);
      break;
    default:
      text.resize(text.size() - std::min(text.size(), below(4)));
      break;
  }
  return text;
}

// Feeds `pieces` of the text to a set. The answer: how many pieces were taken before the false one, and the end state.
struct Outcome {
  bool valid = true;
  bool boundary = false;
};

Outcome feed(const Kernels* set, const std::string& text, const std::vector<size_t>& cuts, const uint32_t* key) {
  Utf8State state;
  size_t from = 0;
  for (size_t i = 0; i <= cuts.size(); i++) {
    const size_t to = i < cuts.size() ? cuts[i] : text.size();
    std::string piece = text.substr(from, to - from);
    bool valid;
    if (key) {
      const uint32_t turned = rotate_key(*key, from);
      masked(reinterpret_cast<uint8_t*>(piece.data()), piece.size(), turned);
      Guarded guarded(piece);
      valid = set->unmask_validate(&state, guarded.data(), guarded.size(), turned);
      if (valid) CHECK(std::memcmp(guarded.data(), text.data() + from, to - from) == 0);
    } else {
      Guarded guarded(piece);
      valid = set->validate_utf8(&state, guarded.data(), guarded.size());
    }
    if (!valid) return {false, false};
    from = to;
  }
  return {true, state.at_boundary()};
}

void check_verdict(const Kernels* set, const std::string& text, const std::vector<size_t>& cuts) {
  bool open = false;
  const bool valid = good_prefix(text, &open) == text.size();
  const auto key = static_cast<uint32_t>(rng());
  for (const uint32_t* k : {static_cast<const uint32_t*>(nullptr), &key}) {
    const Outcome outcome = feed(set, text, cuts, k);
    if (outcome.valid == valid && outcome.boundary == (valid && !open)) continue;
    std::string hex;
    for (const char c : text) {
      static const char kDigits[] = "0123456789ABCDEF";
      hex += kDigits[static_cast<uint8_t>(c) >> 4];
      hex += kDigits[c & 15];
    }
    FAIL_CHECK(set->name << (k ? " unmask_validate: " : " validate_utf8: ") << hex << " cut at "
                         << (cuts.empty() ? 0 : cuts[0]));
  }
}

}  // namespace

TEST_CASE("kernels: scalar is always there, comes last, and the set in use is one of them") {
  const Kernels* last = nullptr;
  bool found = false;
  for (const Kernels* set : available_kernels()) {
    last = set;
    found = found || set == martlet::simd::kernels;
  }
  REQUIRE(last != nullptr);
  CHECK(std::string(last->name) == "scalar");
  CHECK(found);
  const char* forced = std::getenv("MARTLET_FORCE_KERNELS");
  const bool forced_is_there = forced && [&] {
    for (const Kernels* set : available_kernels()) {
      if (std::string(set->name) == forced) return true;
    }
    return false;
  }();
  CHECK(std::string(martlet::simd::kernels->name) == (forced_is_there ? forced : (*available_kernels().begin())->name));
}

TEST_CASE("kernels: a turned key continues a mask") {
  const uint8_t key_bytes[] = {1, 2, 3, 4};
  uint32_t key;
  std::memcpy(&key, key_bytes, 4);
  for (size_t offset = 0; offset < 9; offset++) {
    const uint32_t turned = rotate_key(key, offset);
    uint8_t bytes[4];
    std::memcpy(bytes, &turned, 4);
    for (size_t i = 0; i < 4; i++) CHECK(bytes[i] == (i + offset) % 4 + 1);
  }
}

TEST_CASE("kernels: unmask equals one XOR per byte and touches nothing else") {
  for (const Kernels* set : available_kernels()) {
    for (size_t length = 0; length <= kMaxLength; length++) {
      const size_t lead = below(64);
      const size_t trail = below(4) == 0 ? below(64) : 0;
      std::string bytes(lead + length + trail, 0);
      for (char& c : bytes) c = static_cast<char>(rng());
      const auto key = static_cast<uint32_t>(rng());
      Guarded buffer(bytes);
      set->unmask(buffer.data() + lead, length, key);
      masked(reinterpret_cast<uint8_t*>(bytes.data()) + lead, length, key);
      const bool same = std::memcmp(buffer.data(), bytes.data(), bytes.size()) == 0;
      CHECK_MESSAGE(same, set->name << " length " << length << " after " << lead);
    }
  }
}

TEST_CASE("kernels: every set gives the reference's verdict on good and bad UTF-8") {
  for (const Kernels* set : available_kernels()) {
    for (int round = 0; round < 2500; round++) {
      std::string text = random_text(below(round % 4 == 0 ? kMaxLength : 100));
      if (round % 2) text = corrupted(text);
      check_verdict(set, text, {});
      std::vector<size_t> cuts;
      for (size_t at = below(40); at < text.size() && cuts.size() < 6; at += below(200)) cuts.push_back(at);
      check_verdict(set, text, cuts);
    }
  }
}

TEST_CASE("kernels: unmask_validate writes exactly the text, at every alignment") {
  for (const Kernels* set : available_kernels()) {
    for (size_t round = 0; round < 640; round++) {
      const size_t lead = round % 64;
      const std::string text = random_text(below(kMaxLength));
      std::string bytes = std::string(lead, '#') + text + std::string(round % 7, '#');
      const std::string expected = bytes;
      const auto key = static_cast<uint32_t>(rng());
      masked(reinterpret_cast<uint8_t*>(bytes.data()) + lead, text.size(), key);
      Guarded buffer(bytes);
      Utf8State state;
      CHECK(set->unmask_validate(&state, buffer.data() + lead, text.size(), key));
      const bool same = std::memcmp(buffer.data(), expected.data(), expected.size()) == 0;
      CHECK_MESSAGE(same, set->name << " length " << text.size() << " after " << lead);
      CHECK(state.at_boundary());
      state = {};
      CHECK(set->validate_utf8(&state, buffer.data() + lead, text.size()));
    }
  }
}

TEST_CASE("kernels: a text cut at any byte gets the verdict of the whole") {
  for (const Kernels* set : available_kernels()) {
    for (int round = 0; round < 24; round++) {
      std::string text = random_text(20 + below(180));
      if (round % 2) text = corrupted(text);
      for (size_t cut = 0; cut <= text.size(); cut++) check_verdict(set, text, {cut});
    }
  }
}

TEST_CASE("kernels: a bad sequence is refused at its first bad byte, wherever the chunk ends") {
  const std::string sequences[] = {
      "\x80",
      "\xBF",
      "\xC0",
      "\xC1",
      "\xC2\x41",
      "\xC2\xC2",
      "\xE0\x80",
      "\xE0\x9F",
      "\xE1\x41",
      "\xE1\x80\x41",
      "\xE1\x80\xE1",
      "\xED\xA0",
      "\xED\xBF",
      "\xEF\xBF\x7F",
      "\xF0\x80",
      "\xF0\x8F",
      "\xF1\x41",
      "\xF1\x80\x41",
      "\xF1\x80\x80",
      "\xF4\x90",
      "\xF4\x8F\xC0",
      "\xF5",
      "\xF8",
      "\xFE",
      "\xFF",
      "\xDF\xBF\x80",
      "\xEF\xBF\xBF",
      "\xF4\x8F\xBF\xBF",
      "\xE0\xA0\x80\x80",
      "\xF0\x90\x80\x80\x80",
  };
  for (const Kernels* set : available_kernels()) {
    for (const std::string& sequence : sequences) {
      for (size_t before : {0, 1, 2, 3, 13, 15, 16, 29, 31, 32, 61, 63, 64, 65, 126, 127, 128, 255, 256, 300}) {
        std::string text = below(2) ? std::string(before, 'a') : random_text(before);
        for (size_t k = 0; k < sequence.size(); k++) {
          text += sequence[k];
          check_verdict(set, text, {});                 // the chunk ends with this byte
          check_verdict(set, text, {text.size() - 1});  // this byte is a chunk
        }
        std::vector<size_t> cuts;
        for (size_t at = 1; at < text.size(); at++) cuts.push_back(at);
        if (before < 32) check_verdict(set, text, cuts);  // every byte is a chunk
      }
    }
  }
}

TEST_CASE("kernels: an unfinished character before a long run of ASCII is refused, wherever it ends") {
  for (const Kernels* set : available_kernels()) {
    for (const char* open : {"\xC3", "\xE2", "\xE2\x82", "\xF0", "\xF0\x9F", "\xF0\x9F\x98"}) {
      bool refused = true;
      for (size_t before = 0; before < 330; before++) {
        for (const size_t after : {1, 40, 64, 130, 192, 257, 320, 600}) {
          std::string text = std::string(before, 'a') + open + std::string(after, 'b');
          Utf8State state;
          if (set->validate_utf8(&state, at(text), text.size())) refused = false;
          state = {};
          if (set->unmask_validate(&state, reinterpret_cast<uint8_t*>(text.data()), text.size(), 0)) refused = false;
        }
      }
      CHECK_MESSAGE(refused, set->name);
    }
  }
}

TEST_CASE("kernels: every pair of bytes, alone and continued, is judged like the reference") {
  for (const Kernels* set : available_kernels()) {
    bool same = true;
    for (uint32_t n = 0; n < 0x100 * 0x100; n++) {
      // The pair in the middle of 64 bytes, then continuations that complete what it may have begun.
      std::string text(80, 'x');
      text[40] = static_cast<char>(n >> 8);
      text[41] = static_cast<char>(n);
      for (size_t more = 0; more < 3; more++) {
        bool open = false;
        const bool expected = good_prefix(text, &open) == text.size() && !open;
        Utf8State state;
        const bool valid = set->validate_utf8(&state, at(text), text.size()) && state.at_boundary();
        if (valid != expected) same = false;
        text[42 + more] = '\x80';
      }
    }
    CHECK_MESSAGE(same, set->name);
  }
}

TEST_CASE("kernels: a set may continue the state of another") {
  const std::string text = "\xF0\x9F\x98\x80 \xE2\x82\xAC \xC3\xA9";
  for (const Kernels* first : available_kernels()) {
    for (const Kernels* second : available_kernels()) {
      for (size_t cut = 0; cut <= text.size(); cut++) {
        Utf8State state;
        CHECK(first->validate_utf8(&state, at(text), cut));
        CHECK(second->validate_utf8(&state, at(text) + cut, text.size() - cut));
        CHECK(state.at_boundary());
      }
    }
  }
}

TEST_CASE("kernels: classify_head marks every byte as RFC 9110 does, and what lies past the end") {
  const std::string marks = "!#$%&'*+-.^_`|~";
  for (const Kernels* set : available_kernels()) {
    for (size_t length = 0; length <= kMaxLength; length++) {
      std::string bytes(length, 0);
      for (char& c : bytes) c = static_cast<char>(below(3) ? 32 + below(96) : below(256));
      Guarded buffer(bytes);
      std::vector<HeadBits> bits((length + 63) / 64 + 1, HeadBits{42, 42});
      set->classify_head(buffer.data(), length, bits.data());
      bool same = bits.back().not_value == 42 && bits.back().not_token == 42;
      for (size_t i = 0; i < (length + 63) / 64 * 64; i++) {
        const unsigned c = i < length ? at(bytes)[i] : 0;
        const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool token = alnum || (c != 0 && marks.find(static_cast<char>(c)) != std::string::npos);
        const bool value = c == '\t' || (c >= 0x20 && c != 0x7F);
        if ((bits[i / 64].not_value >> i % 64 & 1) == value || (bits[i / 64].not_token >> i % 64 & 1) == token) {
          same = false;
        }
      }
      CHECK_MESSAGE(same, set->name << " length " << length);
    }
  }
}
