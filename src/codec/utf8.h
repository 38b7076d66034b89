// UTF-8 (RFC 3629) as the layers above use it: a whole-text check over the vector kernels, and cutting a text to a
// length without splitting a character. No allocation; any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/bytes.h"

namespace martlet::codec {

bool is_valid_utf8(base::ByteSpan bytes) noexcept;

// The longest prefix of valid `text` that is at most `max_bytes` long and ends between two characters.
std::string_view cut_utf8(std::string_view text, size_t max_bytes) noexcept;

}  // namespace martlet::codec
