// Objects that the workers of a Server have in common (common.h).
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <string>
#include <vector>

#include "support/multi_server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

struct Hits {
  explicit Hits(int from = 0) : count(from) { alive++; }
  Hits(const Hits&) = delete;
  Hits& operator=(const Hits&) = delete;
  ~Hits() { alive--; }
  std::atomic<int> count;
  static inline std::atomic<int> alive{0};
};

struct Other {
  int value = 0;
};

ServerOptions local(uint32_t workers) { return {.host = "127.0.0.1", .workers = workers}; }

}  // namespace

TEST_CASE("common: the first that a worker makes is the first of every other, the second the second, for each type by itself") {
  std::vector<Hits*> first, second;
  std::vector<Other*> other;
  Server server(local(3));
  const auto set_up = [&](App&) {
    Common<Hits> a(7);
    Common<Other> between;
    Common<Hits> b(static_cast<int>(first.size()));
    first.push_back(&*a);
    second.push_back(&*b);
    other.push_back(&*between);
  };
  REQUIRE(!server.start(set_up));
  CHECK(first == std::vector<Hits*>(3, first[0]));
  CHECK(second == std::vector<Hits*>(3, second[0]));
  CHECK(other == std::vector<Other*>(3, other[0]));
  CHECK(first[0] != second[0]);
  CHECK(first[0]->count == 7);
  CHECK(second[0]->count == 0);  // of the worker that came first
  server.close();
  CHECK(server.wait() == 0);
  REQUIRE(!server.start(set_up));  // none of the life before
  CHECK(first[3] == first[5]);
  CHECK(first[3]->count == 7);
  CHECK(Hits::alive == 2);
}

TEST_CASE("common: all workers count in it, and it ends with its Server and the handlers that have it") {
  const int before = Hits::alive;
  {
    MultiServer server(3, [](App& app, uint32_t) {
      const Common<Hits> hits;
      app.get("/", [hits](Request&, Response& res) { res.send(std::to_string(++hits->count)); });
    });
    int last = 0;
    for (int i = 0; i < 30; i++) {
      Client client(server.port());
      last = std::stoi(client.get("/").body);
    }
    CHECK(last == 30);
    CHECK(Hits::alive == before + 1);
  }
  CHECK(Hits::alive == before);
}

TEST_CASE("common: an App by itself and a handler have one of their own; copies name the same") {
  App app, another;
  const Common<Hits> mine(1), his(1);
  CHECK(&*mine != &*his);
  Common<Hits> copy = mine;
  copy->count = 5;
  CHECK(mine->count == 5);
  copy = his;
  CHECK(copy->count == 1);
  MultiServer server(2, [](App& app_, uint32_t) {
    const Common<Hits> at_set_up(10);
    app_.get("/", [at_set_up](Request&, Response& res) {
      const Common<Hits> later(20);
      res.send(std::to_string(at_set_up->count + later->count));
    });
  });
  CHECK(Client(server.port()).get("/").body == "30");
}
