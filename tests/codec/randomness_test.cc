// What looks like noise: noise of any size does, text and records do not.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "codec/randomness.h"
#include "support/guarded.h"

namespace martlet {

namespace {

std::string random_letters(size_t size, uint32_t letters, uint32_t seed) {
  std::mt19937 random(seed);
  std::string bytes;
  for (size_t i = 0; i < size; i++) bytes.push_back(static_cast<char>((random() >> 11) % letters));
  return bytes;
}

bool noisy(std::string_view bytes) { return codec::looks_random(test::Guarded(bytes).span()); }

}  // namespace

TEST_CASE("randomness: noise of every size looks like it") {
  for (const size_t size : {200u, 255u, 256u, 257u, 263u, 1000u, 1024u, 4096u, 100'000u}) {
    for (uint32_t seed = 0; seed < 200; seed++) {
      CAPTURE(size);
      CAPTURE(seed);
      REQUIRE(noisy(random_letters(size, 256, seed)));
    }
  }
}

TEST_CASE("randomness: what a coder of single bytes makes an eighth shorter does not") {
  for (const size_t size : {64u, 100u, 256u, 1000u, 100'000u}) {
    CAPTURE(size);
    CHECK(!noisy(std::string(size, '\0')));
    std::string json;
    while (json.size() < size) json += "{\"id\":" + std::to_string(json.size() * 7919) + ",\"name\":\"somebody\"},";
    CHECK(!noisy(json.substr(0, size)));
  }
  for (uint32_t seed = 0; seed < 200; seed++) {
    CHECK(!noisy(random_letters(1000, 64, seed)));   // base64
    CHECK(!noisy(random_letters(1000, 100, seed)));
  }
  // Records of four random bytes and four that are none.
  std::string records = random_letters(4000, 256, 1);
  for (size_t i = 0; i < records.size(); i++) {
    if (i & 4) records[i] = 0;
  }
  CHECK(!noisy(records));
}

TEST_CASE("randomness: less than 64 bytes tell nothing") {
  for (size_t size = 0; size < 64; size++) CHECK(!noisy(random_letters(size, 256, 1)));
  std::string all;
  for (int i = 0; i < 64; i++) all.push_back(static_cast<char>(i));
  CHECK(noisy(all));
}

}  // namespace martlet
