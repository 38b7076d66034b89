// See type_parameters.h.
#include "proto/type_parameters.h"

#include "base/text.h"
#include "proto/http_chars.h"

namespace martlet::proto {

namespace {

// Calls take(c) for each character that is meant, until it answers false.
template <typename Take>
bool each_meant(const ParameterValue& value, Take take) noexcept {
  for (size_t i = 0; i < value.text.size(); i++) {
    if (value.quoted && value.text[i] == '\\') i++;  // another one follows: the scanner has seen to it
    if (!take(value.text[i])) return false;
  }
  return true;
}

}  // namespace

bool ParameterValue::equals(std::string_view plain) const noexcept {
  size_t at = 0;
  return each_meant(*this, [&](char c) { return at < plain.size() && plain[at++] == c; }) && at == plain.size();
}

bool ParameterValue::equals_lower(std::string_view lower) const noexcept {
  size_t at = 0;
  return each_meant(*this, [&](char c) { return at < lower.size() && lower[at++] == base::ascii_lower(c); }) &&
         at == lower.size();
}

size_t ParameterValue::unquote(char* out) const noexcept {
  size_t size = 0;
  each_meant(*this, [&](char c) {
    out[size++] = c;
    return true;
  });
  return size;
}

void ParameterScanner::skip_blanks() noexcept {
  while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t')) rest_.remove_prefix(1);
}

std::string_view ParameterScanner::take_token() noexcept {
  size_t size = 0;
  while (size < rest_.size() && has_class(static_cast<uint8_t>(rest_[size]), char_class::token)) size++;
  const std::string_view token = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return token;
}

// Behind the opening quote.
bool ParameterScanner::take_quoted(std::string_view& text) noexcept {
  for (size_t i = 0; i < rest_.size(); i++) {
    if (rest_[i] == '"') {
      text = rest_.substr(0, i);
      rest_.remove_prefix(i + 1);
      return true;
    }
    if (rest_[i] == '\\' && ++i == rest_.size()) return false;
    if (!has_class(static_cast<uint8_t>(rest_[i]), char_class::field_value)) return false;
  }
  return false;
}

ParameterStep ParameterScanner::take_parameter(TypeParameter& parameter) noexcept {
  parameter.name = take_token();
  if (parameter.name.empty() || !rest_.starts_with('=')) return ParameterStep::malformed;
  rest_.remove_prefix(1);
  parameter.value.quoted = rest_.starts_with('"');
  if (parameter.value.quoted) {
    rest_.remove_prefix(1);
    if (!take_quoted(parameter.value.text)) return ParameterStep::malformed;
  } else {
    parameter.value.text = take_token();
    if (parameter.value.text.empty()) return ParameterStep::malformed;
  }
  return ++count_ > kMaxParameters ? ParameterStep::malformed : ParameterStep::parameter;
}

ParameterStep ParameterScanner::next(TypeParameter& parameter) noexcept {
  if (malformed_) return ParameterStep::malformed;
  skip_blanks();
  if (rest_.empty()) return ParameterStep::end;
  ParameterStep step = ParameterStep::malformed;
  if (rest_[0] == ';') {
    while (!rest_.empty() && rest_[0] == ';') {
      rest_.remove_prefix(1);
      skip_blanks();
    }
    step = rest_.empty() ? ParameterStep::end : take_parameter(parameter);
  }
  malformed_ = step == ParameterStep::malformed;
  return step;
}

bool well_formed_parameters(std::string_view text) noexcept {
  ParameterScanner scanner(text);
  std::string_view names[ParameterScanner::kMaxParameters];
  size_t count = 0;
  TypeParameter parameter;
  ParameterStep step;
  while ((step = scanner.next(parameter)) == ParameterStep::parameter) {
    for (size_t i = 0; i < count; i++) {
      if (base::same_text(names[i], parameter.name)) return false;
    }
    names[count++] = parameter.name;
  }
  return step == ParameterStep::end;
}

std::optional<ParameterValue> find_parameter(std::string_view text, std::string_view lower_name) noexcept {
  ParameterScanner scanner(text);
  for (TypeParameter parameter; scanner.next(parameter) == ParameterStep::parameter;) {
    if (base::equals_lower(parameter.name, lower_name)) return parameter.value;
  }
  return std::nullopt;
}

}  // namespace martlet::proto
