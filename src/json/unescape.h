// The text of a string with escapes (RFC 8259 §7). Surrogates must come in pairs: half a character is no Unicode.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/byte_buffer.h"
#include "json/scanner.h"

namespace martlet::json {

// What is wrong, and where; `what` is null when nothing is.
struct StringFault {
  size_t place = 0;
  const char* what = nullptr;
};

// Keeps its memory for the next string.
class Unescaped {
 public:
  // `begin` is behind the opening quote, `stop` the first place after it that is not its closing quote. Takes the scanner past the closing quote.
  StringFault read(Scanner& scanner, size_t begin, size_t stop) noexcept;
  std::string_view text() const noexcept { return buffer_.text(); }

 private:
  StringFault escape(Scanner& scanner, size_t place, size_t& next) noexcept;

  base::ByteBuffer buffer_;
};

}  // namespace martlet::json
