// src/base/hash.h: the keyed hash of room names: depends on every byte, on the length and on the key, reads nothing
// beyond its text, and spreads names that are alike.
#include "base/hash.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <set>
#include <string>
#include <vector>

#include "support/guarded.h"

using martlet::base::keyed_hash;
using martlet::test::Guarded;

TEST_CASE("hash: the same text and key give the same hash, wherever the text lies, and nothing behind it is read") {
  std::string text;
  for (size_t size = 0; size < 70; size++) {
    const Guarded guarded({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    const std::string_view there(reinterpret_cast<const char*>(guarded.data()), text.size());
    const std::string shifted = "x" + text;
    CHECK(keyed_hash(there, 42) == keyed_hash(text, 42));
    CHECK(keyed_hash(std::string_view(shifted).substr(1), 42) == keyed_hash(text, 42));
    text.push_back(static_cast<char>(size * 37));
  }
}

TEST_CASE("hash: every byte, the length and the key matter, and half of the bits change") {
  const std::string text = "a name of some length, with more than one word of it";
  const uint64_t hash = keyed_hash(text, 1);
  int changed = 0;
  int tries = 0;
  for (size_t i = 0; i < text.size(); i++) {
    for (int bit = 0; bit < 8; bit++) {
      std::string other = text;
      other[i] = static_cast<char>(other[i] ^ (1 << bit));
      REQUIRE(keyed_hash(other, 1) != hash);
      changed += std::popcount(keyed_hash(other, 1) ^ hash);
      tries++;
    }
  }
  CHECK(changed > tries * 30);
  CHECK(changed < tries * 34);
  CHECK(keyed_hash(text, 2) != hash);
  std::set<uint64_t> zeros;
  for (size_t size = 0; size < 100; size++) zeros.insert(keyed_hash(std::string(size, '\0'), 1));
  CHECK(zeros.size() == 100);
}

TEST_CASE("hash: names that are alike spread over a small table as chance would have it") {
  std::vector<int> places(1024);
  for (int i = 0; i < 10'240; i++) {
    std::string name("room-");
    places[keyed_hash(name.append(std::to_string(i)), 99) & 1023]++;
  }
  CHECK(*std::max_element(places.begin(), places.end()) < 35);  // 10 on average
  CHECK(std::count(places.begin(), places.end(), 0) < 8);
}

TEST_CASE("hash: the empty text may be at no address") {
  CHECK(keyed_hash({}, 42) == keyed_hash("", 42));  // under UBSan: nothing is read from null
}
