// src/base/node_pool.h: objects are constructed and destroyed, memory is used again, nothing is lost, and running out of
// memory is an answer.
#include "base/node_pool.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/failing_alloc.h"

using martlet::base::NodePool;
using martlet::test::FailingAlloc;

namespace {

struct Node {
  static inline int alive = 0;
  int value;
  std::string text;

  explicit Node(int v = 7, std::string t = "default") : value(v), text(std::move(t)) { alive++; }
  Node(const Node&) = delete;
  ~Node() { alive--; }
};

struct alignas(16) Wide {
  uint8_t bytes[48];
};

struct Byte {
  uint8_t value = 9;
};

}  // namespace

TEST_CASE("node_pool: take constructs, give_back destroys, and the last one given back is taken first") {
  NodePool<Node, 4> pool;
  Node* a = pool.take();
  Node* b = pool.take(1, "one");
  CHECK(a->value == 7);
  CHECK(a->text == "default");
  CHECK(b->value == 1);
  CHECK(Node::alive == 2);
  pool.give_back(a);
  CHECK(Node::alive == 1);
  CHECK(pool.take(2, "two") == a);
  CHECK(b->text == "one");
  pool.give_back(a);
  pool.give_back(b);
  CHECK(pool.take() == b);
  CHECK(pool.take() == a);
  pool.give_back(a);
  pool.give_back(b);
  CHECK(Node::alive == 0);
}

TEST_CASE("node_pool: many at once are all different, aligned, and keep their contents") {
  std::mt19937 random(1);
  NodePool<Node, 8> pool;
  std::vector<Node*> taken;
  std::set<Node*> different;
  for (int i = 0; i < 20'000; i++) {
    if (taken.empty() || random() % 5 < 3) {
      taken.push_back(pool.take(i, std::to_string(i)));
      REQUIRE(different.insert(taken.back()).second);
    } else {
      std::swap(taken[random() % taken.size()], taken.back());
      REQUIRE(taken.back()->text == std::to_string(taken.back()->value));
      different.erase(taken.back());
      pool.give_back(taken.back());
      taken.pop_back();
    }
  }
  CHECK(Node::alive == static_cast<int>(taken.size()));
  for (Node* node : taken) pool.give_back(node);
  NodePool<Wide> wide;
  NodePool<Byte> bytes;
  for (int i = 0; i < 100; i++) {
    CHECK(reinterpret_cast<uintptr_t>(wide.take()) % 16 == 0);
    CHECK(bytes.take()->value == 9);
  }
}

TEST_CASE("node_pool: allocates a chunk at a time, none when warm, and gives all back at its end") {
  FailingAlloc memory;
  {
    NodePool<Byte, 32> pool;
    CHECK(FailingAlloc::held == 0);
    std::vector<Byte*> taken;
    for (int i = 0; i < 33; i++) taken.push_back(pool.take());
    CHECK(FailingAlloc::held == 2);
    for (int round = 0; round < 10; round++) {
      for (Byte* byte : taken) pool.give_back(byte);
      for (Byte*& byte : taken) byte = pool.take();
    }
    CHECK(FailingAlloc::held == 2);
  }
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("node_pool: out of memory take() is null and constructs nothing, later it goes on") {
  FailingAlloc memory(1);
  NodePool<Node, 2> pool;
  Node* a = pool.take();
  Node* b = pool.take();
  REQUIRE((a && b));
  CHECK(pool.take() == nullptr);
  CHECK(Node::alive == 2);
  pool.give_back(a);
  CHECK(pool.take() == a);
  FailingAlloc::left = SIZE_MAX;
  Node* c = pool.take();
  REQUIRE(c);
  pool.give_back(a);
  pool.give_back(b);
  pool.give_back(c);
}
