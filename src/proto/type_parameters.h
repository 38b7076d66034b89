// What stands behind a media type or a disposition (RFC 9110 §5.6.6):
//
//   parameters       = *( OWS ";" OWS [ name "=" ( token / quoted-string ) ] )
//
// No blanks beside the '=': who allows them reads "a= b" in another way than the next one. No allocation, views into the
// field's value; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace martlet::proto {

struct ParameterValue {
  std::string_view text;  // as written, but without the quotes
  bool quoted = false;    // then a '\' in the text stands before a character that is meant as it is

  // The value is `plain`, or is it in any case; `lower` is in lower case.
  bool equals(std::string_view plain) const noexcept;
  bool equals_lower(std::string_view lower) const noexcept;
  // Writes the value to out, which has room for text.size() bytes; answers how many.
  size_t unquote(char* out) const noexcept;
};

struct TypeParameter {
  std::string_view name;  // in any case
  ParameterValue value;
};

enum class ParameterStep : uint8_t { parameter, end, malformed };

class ParameterScanner {
 public:
  // More are malformed: nobody sends them, and telling repeats takes each with each.
  static constexpr uint32_t kMaxParameters = 16;

  explicit ParameterScanner(std::string_view text) noexcept : rest_(text) {}

  // After end and malformed the answer stays.
  ParameterStep next(TypeParameter& parameter) noexcept;

 private:
  ParameterStep take_parameter(TypeParameter& parameter) noexcept;
  bool take_quoted(std::string_view& text) noexcept;
  std::string_view take_token() noexcept;
  void skip_blanks() noexcept;

  std::string_view rest_;
  uint32_t count_ = 0;
  bool malformed_ = false;
};

// Whether all of the text is parameters, none of them twice (RFC 6838 §4.3: of two boundaries each reader would choose
// its own).
bool well_formed_parameters(std::string_view text) noexcept;

// The value of a parameter of well-formed parameters; `lower_name` is in lower case.
std::optional<ParameterValue> find_parameter(std::string_view text, std::string_view lower_name) noexcept;

}  // namespace martlet::proto
