// See random_key.h. By std::random_device: src/sys, which has random bytes, is not for guards.
#include "guards/random_key.h"

#include <cstdint>
#include <random>

namespace martlet::guards {

base::SipKey random_key() {
  std::random_device random;
  const auto word = [&random] { return uint64_t{random()} << 32 | random(); };
  return {word(), word()};
}

}  // namespace martlet::guards
