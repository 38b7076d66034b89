// See form.h. The pairs are those of codec::QueryPairs, so that a form in a body and a query string are walked alike.
#include "proto/form.h"


namespace martlet::proto {

namespace {

// Takes one decoded byte from the front of encoded text, which is not empty.
char take_decoded(std::string_view encoded, size_t& at) noexcept {
  const char c = encoded[at];
  const int byte = codec::escaped_byte(encoded, at);
  at += byte < 0 ? 1 : codec::kEscapeBytes;
  if (byte >= 0) return static_cast<char>(byte);
  return c == '+' ? ' ' : c;
}

}  // namespace

FormStep FormScanner::next(FormPair& pair) noexcept {
  if (last_ != FormStep::pair) return last_;
  if (!pairs_.next(pair.name, pair.value)) return last_ = FormStep::end;
  if (left_ == 0) return last_ = FormStep::too_many;
  left_--;
  return FormStep::pair;
}

size_t decode_form_text(std::string_view encoded, char* out) noexcept {
  size_t size = 0;
  for (size_t at = 0; at < encoded.size();) out[size++] = take_decoded(encoded, at);
  return size;
}

size_t decoded_form_size(std::string_view encoded) noexcept {
  size_t size = 0;
  for (size_t at = 0; at < encoded.size(); size++) take_decoded(encoded, at);
  return size;
}

bool form_text_equals(std::string_view encoded, std::string_view plain) noexcept {
  if (encoded.size() < plain.size()) return false;
  size_t at = 0;
  for (const char c : plain) {
    if (at == encoded.size() || take_decoded(encoded, at) != c) return false;
  }
  return at == encoded.size();
}

size_t count_form_pairs(std::string_view text) noexcept {
  codec::QueryPairs pairs(text);
  FormPair pair;
  size_t count = 0;
  while (pairs.next(pair.name, pair.value)) count++;
  return count;
}

bool FormValues::next(std::string_view& value) noexcept {
  FormPair pair;
  FormStep step;
  while ((step = scanner_.next(pair)) == FormStep::pair) {
    if (!form_text_equals(pair.name, name_)) continue;
    value = pair.value;
    return true;
  }
  too_many_ = step == FormStep::too_many;
  return false;
}

size_t count_form_values(std::string_view text, std::string_view plain_name, uint32_t max_pairs) noexcept {
  FormValues values(text, plain_name, max_pairs);
  size_t count = 0;
  for (std::string_view value; values.next(value);) count++;
  return count;
}

std::optional<std::string_view> find_form_value(std::string_view text, std::string_view plain_name,
                                                uint32_t max_pairs) noexcept {
  FormValues values(text, plain_name, max_pairs);
  std::string_view value;
  if (!values.next(value)) return std::nullopt;
  return value;
}

}  // namespace martlet::proto
