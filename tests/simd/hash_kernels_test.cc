// Every set of hash kernels this machine can run against the portable one, on random blocks that end at an unmapped page, and
// against the state after "abc" that FIPS 180-4 gives.
#include "simd/hash_kernels.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "support/guarded.h"

using martlet::simd::available_hash_kernels;
using martlet::simd::hash_kernels;
using martlet::simd::HashKernels;
using martlet::test::Guarded;

namespace {

using State = std::array<uint32_t, 8>;

constexpr State kStart = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

}  // namespace

TEST_CASE("hash kernels: scalar is always there, and the one in use is one of them") {
  const auto list = available_hash_kernels();
  REQUIRE(list.begin() != list.end());
  CHECK(std::string(list.end()[-1]->name) == "scalar");
  CHECK(std::find(list.begin(), list.end(), hash_kernels) != list.end());
  MESSAGE("in use: " << std::string(hash_kernels->name));
}

TEST_CASE("hash kernels: one block of FIPS 180-4") {
  std::string block(64, 0);
  std::memcpy(block.data(), "abc\x80", 4);
  block[63] = 24;
  const Guarded guarded(block);
  for (const HashKernels* set : available_hash_kernels()) {
    CAPTURE(std::string(set->name));
    State state = kStart;
    set->sha256(state.data(), guarded.data(), 1);
    CHECK(state == State{0xBA7816BF, 0x8F01CFEA, 0x414140DE, 0x5DAE2223, 0xB00361A3, 0x96177A9C, 0xB410FF61, 0xF20015AD});
    set->sha256(state.data(), guarded.data(), 0);
    CHECK(state[0] == 0xBA7816BF);
  }
}

TEST_CASE("hash kernels: all sets do the same to random states and blocks") {
  std::mt19937 rng(20261130);
  const HashKernels* scalar = available_hash_kernels().end()[-1];
  for (size_t blocks = 1; blocks <= 9; blocks++) {
    for (int round = 0; round < 50; round++) {
      std::string bytes(blocks * 64, 0);
      for (char& byte : bytes) byte = static_cast<char>(rng());
      State start;
      for (uint32_t& word : start) word = static_cast<uint32_t>(rng());
      const Guarded guarded(bytes);
      State wanted = start;
      scalar->sha256(wanted.data(), guarded.data(), blocks);
      for (const HashKernels* set : available_hash_kernels()) {
        CAPTURE(std::string(set->name));
        State state = start;
        set->sha256(state.data(), guarded.data(), blocks);
        REQUIRE(state == wanted);
      }
    }
  }
}
