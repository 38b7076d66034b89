// Forms as application/x-www-form-urlencoded, and query strings, which have the same grammar (WHATWG URL §5.1):
//
//   a=1&b=x+y&a=%E2%82%AC&&flag     a: "1", "€"    b: "x y"    flag: ""
//
// Pairs are walked in their order, and are views of what is still encoded: who wants one name of many decodes one value.
// Empty pairs ("&&") are passed over; a pair without '=' has an empty value; an empty name is a name. Nothing is nested:
// "a[b]=1" has the name "a[b]", so no depth needs a limit. Repeats stay, in order.
//
// Decoding cannot fail: '+' is a space, an escape is its byte, and a '%' that begins no escape stays, as in browsers and
// Node. Unlike there the bytes are not made UTF-8: what is none comes out as it was sent. (codec::decode_percent, which
// paths are decoded with, refuses instead.)
//
// No allocation, linear time; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "codec/percent.h"

namespace martlet::proto {

struct FormPair {
  std::string_view name, value;  // still encoded
};

enum class FormStep : uint8_t { pair, end, too_many };

// As many pairs as Express takes (parameterLimit): each may become an entry of somebody's table.
inline constexpr uint32_t kMaxFormPairs = 1000;

class FormScanner {
 public:
  explicit FormScanner(std::string_view text, uint32_t max_pairs = kMaxFormPairs) noexcept
      : pairs_(text), left_(max_pairs) {}

  // pair: there was one. end: all have been walked. too_many: there is one more than max_pairs, and the rest is not
  // looked at. After end and too_many the answer stays.
  FormStep next(FormPair& pair) noexcept;

 private:
  codec::QueryPairs pairs_;
  uint32_t left_;
  FormStep last_ = FormStep::pair;
};

// Writes the decoded text to out, which has room for encoded.size() bytes and may be encoded's own memory; answers how
// many bytes. What codec::is_plain(encoded, Plus::is_space) can be used as it is.
size_t decode_form_text(std::string_view encoded, char* out) noexcept;

// How many bytes decode_form_text() writes.
size_t decoded_form_size(std::string_view encoded) noexcept;

// Whether encoded text, once decoded, is `plain`; without decoding it.
bool form_text_equals(std::string_view encoded, std::string_view plain) noexcept;

// How many pairs there are, for who refuses before the first of them is kept.
size_t count_form_pairs(std::string_view text) noexcept;

// All values of one name, in order, still encoded.
class FormValues {
 public:
  FormValues(std::string_view text, std::string_view plain_name, uint32_t max_pairs = kMaxFormPairs) noexcept
      : scanner_(text, max_pairs), name_(plain_name) {}

  // False behind the last one; too_many() then says whether the walk ended early.
  bool next(std::string_view& value) noexcept;
  bool too_many() const noexcept { return too_many_; }

 private:
  FormScanner scanner_;
  std::string_view name_;
  bool too_many_ = false;
};

// How many values a name has.
size_t count_form_values(std::string_view text, std::string_view plain_name, uint32_t max_pairs = kMaxFormPairs) noexcept;

// The first value of a name, still encoded.
std::optional<std::string_view> find_form_value(std::string_view text, std::string_view plain_name,
                                                uint32_t max_pairs = kMaxFormPairs) noexcept;

}  // namespace martlet::proto
