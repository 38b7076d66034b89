// random_id.h: names that nobody has had before, as messages have them.
#pragma once

#include <cstddef>
#include <random>
#include <string>
#include <string_view>

#include "clock.h"

namespace gallery {

// So many digits of 0 to 9 and a to z. Good for telling things apart, not for keeping them secret.
inline std::string base36(int digits) {
  std::random_device random;
  std::uniform_int_distribution<size_t> digit(0, 35);
  std::string text;
  for (int i = 0; i < digits; i++) text += "0123456789abcdefghijklmnopqrstuvwxyz"[digit(random)];
  return text;
}

// "msg_1772366400123_k3j9x0a1b".
inline std::string new_id(std::string_view what) { return std::string(what) + "_" + std::to_string(now_ms()) + "_" + base36(9); }

}  // namespace gallery
