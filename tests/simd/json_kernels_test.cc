// Every set of JSON kernels this machine can run against a model written here byte by byte: on texts, on garbage, at
// every size, cut at every multiple of 64, each window ending at an unmapped page.
#include "simd/json_kernels.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/guarded.h"

using martlet::simd::available_json_kernels;
using martlet::simd::JsonIndexed;
using martlet::simd::JsonIndexState;
using martlet::simd::JsonKernels;
using martlet::simd::kJsonSlack;
using martlet::simd::kJsonWindow;
using martlet::test::Guarded;
using martlet::test::GuardedRoom;

namespace {

std::mt19937 rng(20240919);
size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(rng); }

bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

// What the contract says, a byte at a time. Offsets in the whole text.
struct Model {
  bool in_string = false;
  bool escaped = false;
  bool in_scalar = false;

  bool stops_at(char c) {
    if (in_string) {
      if (escaped) {
        escaped = false;
        return false;
      }
      if (c == '"') in_string = false;
      if (c == '\\') escaped = true;
      return c == '"' || c == '\\' || static_cast<uint8_t>(c) < 0x20;
    }
    const bool before = in_scalar;
    in_scalar = !is_one_of(c, " \t\n\r{}[]:,\"");
    if (c == '"') in_string = true;
    return is_one_of(c, "{}[]:,\"") || (in_scalar && !before);
  }

  bool equals(const JsonIndexState& state) const {
    return state.in_string == (in_string ? ~uint64_t{0} : 0) && state.escaped == uint64_t{escaped} &&
           state.in_scalar == uint64_t{in_scalar};
  }
};

const GuardedRoom& room() {
  static const GuardedRoom memory(kJsonWindow);
  return memory;
}

// Runs one window at an end of the guarded memory. Whether its entries, its state and what it says of ASCII are right.
bool right_window(const JsonKernels* set, std::string_view text, JsonIndexState* state, Model* model,
                  GuardedRoom::Side side) {
  uint8_t* const data = room().place(text.size(), side);
  if (!text.empty()) std::memcpy(data, text.data(), text.size());
  std::vector<uint16_t> out(kJsonWindow + kJsonSlack + 1, 4242);
  const JsonIndexed indexed = set->index(state, data, text.size(), out.data());
  size_t count = 0;
  bool ascii = true;
  for (size_t i = 0; i < text.size(); i++) {
    if (static_cast<uint8_t>(text[i]) >= 0x80) ascii = false;
    if (!model->stops_at(text[i])) continue;
    if (count == indexed.count || out[count++] != i) return false;
  }
  return count == indexed.count && ascii == indexed.ascii && model->equals(*state) && out.back() == 4242;
}

// The text in windows of `window` bytes, then of kJsonWindow.
bool right(const JsonKernels* set, std::string_view text, size_t window = kJsonWindow) {
  JsonIndexState state;
  Model model;
  const auto side = below(2) ? GuardedRoom::Side::end : GuardedRoom::Side::begin;
  do {
    const std::string_view here = text.substr(0, window);
    if (!right_window(set, here, &state, &model, side)) return false;
    text.remove_prefix(here.size());
    window = kJsonWindow;
  } while (!text.empty());
  return true;
}

std::string from_alphabet(size_t size, std::string_view alphabet) {
  std::string text(size, 0);
  for (char& c : text) c = alphabet[below(alphabet.size())];
  return text;
}

std::string random_string() {
  std::string text = "\"";
  for (size_t n = below(4) ? below(12) : below(150); n > 0; n--) {
    const size_t kind = below(40);
    if (kind == 0)
      text += "\\u00e9";
    else if (kind == 1)
      text += from_alphabet(2 * (1 + below(4)), "\\");
    else if (kind == 2)
      text += "\\\"";
    else if (kind == 3)
      text += "\xC3\xA9";
    else if (kind == 4)
      text += "{[:,]}"[below(6)];
    else
      text += static_cast<char>('a' + below(26));
  }
  return text + '"';
}

void append_value(std::string& text, size_t depth) {
  const size_t kind = below(depth == 0 ? 4 : 7);
  if (kind == 0) text += random_string();
  if (kind == 1) text += std::to_string(static_cast<int>(rng())) + (below(2) ? ".25e-3" : "");
  if (kind == 2) text += "true";
  if (kind == 3) text += "null";
  if (kind < 4) return;
  text += kind == 4 ? '[' : '{';
  for (size_t n = below(6); n > 0; n--) {
    if (below(2)) text += from_alphabet(below(20), " \n\t\r");
    if (kind != 4) text += random_string() + (below(2) ? ": " : ":");
    append_value(text, depth - 1);
    if (n > 1) text += ',';
  }
  text += kind == 4 ? ']' : '}';
}

std::string random_json() {
  std::string text;
  append_value(text, 5);
  return text;
}

// Garbage of many kinds: alphabets that make runs of backslashes, quotes and control characters, and all bytes.
std::string garbage(size_t size) {
  constexpr std::string_view kAlphabets[] = {
      "\\\"",           "\\\\\\\\\\\"a",      "\"\"\"\\a ",           "{}[]:,\"a \\",
      "\"\x01\x1F\n\\", " \t\n\r\x0C\x1A\"1", "aaaaaaaaaaaaaaaa\"\\", "\"a\xFF\x80 ,",
  };
  const size_t kind = below(std::size(kAlphabets) + 2);
  if (kind < std::size(kAlphabets)) return from_alphabet(size, kAlphabets[kind]);
  std::string text(size, 0);
  for (char& c : text) c = static_cast<char>(below(kind == std::size(kAlphabets) ? 256 : 128));
  return text;
}

std::string corrupted(std::string text) {
  for (size_t n = 1 + below(5); n > 0 && !text.empty(); n--) text[below(text.size())] = "\\\"\n\x01 {a\xC3"[below(8)];
  return text;
}

std::vector<size_t> windows_of(size_t size) {
  std::vector<size_t> windows{kJsonWindow};
  for (size_t at = 64; at < size && at < kJsonWindow; at += 64) windows.push_back(at);
  return windows;
}

}  // namespace

TEST_CASE("json_kernels: scalar is there and last, and the chosen set is the one asked for, or the widest") {
  const JsonKernels* last = nullptr;
  const char* forced = std::getenv("MARTLET_FORCE_KERNELS");
  const JsonKernels* expected = *available_json_kernels().begin();
  for (const JsonKernels* set : available_json_kernels()) {
    last = set;
    if (forced && std::string_view(set->name) == forced) expected = set;
  }
  REQUIRE(last != nullptr);
  CHECK(std::string_view(last->name) == "scalar");
  CHECK(martlet::simd::json_kernels == expected);
}

TEST_CASE("json_kernels: the entries of a text, as the contract says") {
  struct Row {
    std::string_view text;
    std::vector<size_t> entries;
  };
  const Row rows[] = {
      {"", {}},
      {" \t\r\n", {}},
      {"{\"a\": [1, -2.5e3,true ]}", {0, 1, 3, 4, 6, 7, 8, 10, 16, 17, 22, 23}},
      {"\"a\"b", {0, 2, 3}},           // a scalar right behind a string
      {"a\"b\"", {0, 1, 3}},           // and before one
      {"\"\\\"\"", {0, 1, 3}},         // an escaped quote ends nothing
      {"\"\\\\\"1", {0, 1, 3, 4}},     // an escaped backslash escapes nothing
      {"\"\\\n\n\"", {0, 1, 3, 4}},    // an escaped control character has no entry, the next one has
      {"\\\"a\" \\", {0, 1, 3, 5}},    // outside strings a backslash is a byte of a scalar
      {"\x0C\x1A 1\x0C,", {0, 3, 5}},  // control characters too
      {"\"\x0C\x1A\x7F\xFF\"", {0, 1, 2, 5}},
      {"\"{}[]:, ", {0}},
  };
  for (const JsonKernels* set : available_json_kernels()) {
    for (const Row& row : rows) {
      for (const size_t before : {0, 1, 30, 57, 62, 63, 64, 120, 127}) {
        const std::string text = std::string(before, ' ') + std::string(row.text);
        uint16_t out[kJsonWindow + kJsonSlack];
        JsonIndexState state;
        const Guarded data(text);
        const JsonIndexed indexed = set->index(&state, data.data(), data.size(), out);
        std::vector<size_t> entries;
        for (size_t i = 0; i < indexed.count; i++) entries.push_back(out[i] - before);
        CHECK_MESSAGE(entries == row.entries, set->name << " after " << before << ": " << row.text);
      }
    }
  }
}

TEST_CASE("json_kernels: index equals the model on garbage of every size") {
  for (const JsonKernels* set : available_json_kernels()) {
    for (size_t size = 0; size <= 200; size++) {
      for (int round = 0; round < 100; round++) {
        const std::string text = garbage(size);
        const bool same = right(set, text);
        CHECK_MESSAGE(same, set->name << " size " << size);
      }
    }
    for (int round = 0; round < 2000; round++) {
      const std::string text = garbage(kJsonWindow - below(round % 2 ? 70 : kJsonWindow));
      const bool same = right(set, text);
      CHECK_MESSAGE(same, set->name << " size " << text.size());
    }
  }
}

TEST_CASE("json_kernels: index equals the model on JSON, whole, spoilt, and cut at every multiple of 64") {
  for (const JsonKernels* set : available_json_kernels()) {
    for (int round = 0; round < 400; round++) {
      std::string text = random_json();
      if (round % 2) text = corrupted(text);
      for (const size_t window : windows_of(text.size())) {
        const bool same = right(set, text, window);
        CHECK_MESSAGE(same, set->name << " window " << window << " of " << text);
      }
    }
  }
}

TEST_CASE("json_kernels: index equals the model on garbage in windows of every size") {
  for (const JsonKernels* set : available_json_kernels()) {
    for (int round = 0; round < 100; round++) {
      const std::string text = garbage(1 + below(3 * kJsonWindow));
      for (const size_t window : windows_of(text.size())) {
        const bool same = right(set, text, window);
        CHECK_MESSAGE(same, set->name << " window " << window << " size " << text.size());
      }
    }
  }
}

TEST_CASE("json_kernels: a run of backslashes of any length at any place, in a string and outside") {
  for (const JsonKernels* set : available_json_kernels()) {
    bool same = true;
    for (const bool in_string : {true, false}) {
      for (size_t before = 0; before < 130; before++) {
        for (size_t run = 0; run < 132; run++) {
          const std::string text =
              std::string(before, 'a') + (in_string ? "\"" : "") + std::string(run, '\\') + "\" \"\n";
          if (!right(set, text, 64) || !right(set, text, 128)) same = false;
        }
      }
    }
    CHECK_MESSAGE(same, set->name);
  }
}

TEST_CASE("json_kernels: every byte, outside strings, in them and escaped") {
  for (const JsonKernels* set : available_json_kernels()) {
    for (size_t c = 0; c < 256; c++) {
      const char byte = static_cast<char>(c);
      const std::string outside = std::string(40, ' ') + byte + "1";
      const std::string inside = std::string("[\"") + byte + "\",\"\\" + byte + byte + "\"]";
      const std::string twice = std::string(20, byte);
      CHECK_MESSAGE((right(set, outside) && right(set, inside) && right(set, twice)), set->name << " byte " << c);
    }
  }
}

TEST_CASE("json_kernels: as many entries as bytes leave the slack's end alone") {
  for (const JsonKernels* set : available_json_kernels()) {
    for (size_t size = 0; size <= kJsonWindow; size++) CHECK(right(set, std::string(size, ',')));
  }
}

TEST_CASE("json_kernels: a set may continue the state of another") {
  for (const JsonKernels* first : available_json_kernels()) {
    for (const JsonKernels* second : available_json_kernels()) {
      for (int round = 0; round < 200; round++) {
        const std::string text = garbage(64 + below(kJsonWindow));
        JsonIndexState state;
        Model model;
        CHECK(right_window(first, std::string_view(text).substr(0, 64), &state, &model, GuardedRoom::Side::end));
        CHECK(right_window(second, std::string_view(text).substr(64), &state, &model, GuardedRoom::Side::end));
      }
    }
  }
}

namespace {

// Whether copy_plain stops at the right byte, has copied all before it, and leaves what is behind `size` alone.
bool right_copy(const JsonKernels* set, std::string_view text) {
  const GuardedRoom& memory = room();
  static const GuardedRoom other(kJsonWindow);
  const auto side = below(2) ? GuardedRoom::Side::end : GuardedRoom::Side::begin;
  uint8_t* const from = memory.place(text.size(), side);
  uint8_t* const to = other.place(text.size(), GuardedRoom::Side::end);
  if (!text.empty()) std::memcpy(from, text.data(), text.size());
  size_t expected = 0;
  while (expected < text.size() && text[expected] != '"' && text[expected] != '\\' &&
         static_cast<uint8_t>(text[expected]) >= 0x20) {
    expected++;
  }
  return set->copy_plain(to, from, text.size()) == expected &&
         (expected == 0 || std::memcmp(to, text.data(), expected) == 0);
}

}  // namespace

TEST_CASE("json_kernels: copy_plain stops at the first byte to escape, at every size and place") {
  for (const JsonKernels* set : available_json_kernels()) {
    bool same = true;
    for (size_t size = 0; size <= 200; size++) {
      const std::string plain = from_alphabet(size, "az \x7F\x80\xA0\xFF!#[]\x21\x5B\x5D");
      if (!right_copy(set, plain)) same = false;
      for (size_t at = 0; at < size; at++) {
        std::string text = plain;
        text[at] = "\"\\\x1F\n"[below(4)];
        if (below(2)) text[at + below(size - at)] = "\"\\\x01"[below(3)];
        if (!right_copy(set, text)) same = false;
      }
    }
    CHECK_MESSAGE(same, set->name);
  }
}

TEST_CASE("json_kernels: copy_plain of every byte at every place of short texts, and of long ones") {
  for (const JsonKernels* set : available_json_kernels()) {
    bool same = true;
    for (size_t c = 0; c < 256; c++) {
      for (const size_t size : {1, 7, 8, 15, 16, 31, 32, 63, 64, 65, 130}) {
        for (size_t at = 0; at < size; at++) {
          std::string text(size, 'x');
          text[at] = static_cast<char>(c);
          if (!right_copy(set, text)) same = false;
        }
      }
    }
    for (int round = 0; round < 500; round++) {
      if (!right_copy(set, garbage(below(kJsonWindow + 1))) || !right_copy(set, random_json().substr(1, kJsonWindow)))
        same = false;
    }
    CHECK_MESSAGE(same, set->name);
  }
}
