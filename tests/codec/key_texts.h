// Bytes from the hexadecimal digits that tests have keys and signatures in.
#pragma once

#include <string>
#include <string_view>

namespace martlet::test {

inline std::string from_hex(std::string_view hex) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(value(hex[i]) << 4 | value(hex[i + 1]));
  return bytes;
}

}  // namespace martlet::test
