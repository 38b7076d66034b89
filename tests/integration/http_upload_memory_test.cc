// What the body of a request costs before somebody wants it: nothing of its size. Over a kernel of our own, with each
// allocation looked at.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <optional>
#include <string>
#include <utility>

#include "support/failing_alloc.h"
#include "support/fake_kernel.h"

using namespace martlet;
using namespace martlet::test;

namespace {

constexpr int kPeer = 1;
constexpr size_t kBody = 4'000'000;
// More than the session needs for a head, what came with it, and an answer. A read is 64 KiB, and what is held is doubled.
constexpr size_t kMuch = 400'000;

std::string head(std::string_view path, std::string_view fields, size_t size = kBody) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(size) + "\r\n" + std::string(fields) + "\r\n";
}

struct House {
  House() {
    app.use([](Request& req, Response& res, Next next) { req.header("x-token") ? next() : res.status(401).send("who?"); });
    app.post("/size", [](Request& req, Response& res) { res.send(std::to_string(req.body().size()) + std::string(req.body().substr(0, 4))); });
    app.post("/late", [this](Request&, Response&, Next next) { kept = next; }, [](Request& req, Response& res) { res.send(std::to_string(req.body().size())); });
    app.get("/", [](Request&, Response& res) { res.send("up"); });
    REQUIRE(app.listen("127.0.0.1", 9001).ok());
    kernel.connect(kPeer);
    turn();
    says("GET / HTTP/1.1\r\nHost: t\r\nX-Token: 1\r\n\r\n");
    REQUIRE(heard().ends_with("up"));
    FailingAlloc::largest = 0;
  }
  void turn(int times = 3) {
    for (int i = 0; i < times; i++) app.poll_once(milliseconds(0));
  }
  void says(std::string_view text, int turns = 3) {
    kernel.find(kPeer)->sends += text;
    turn(turns);
  }
  std::string heard() { return std::exchange(kernel.find(kPeer)->got, {}); }
  size_t largest() const { return FailingAlloc::largest; }

  FailingAlloc memory;
  FakeKernel kernel;
  std::optional<Next> kept;
  App app{AppOptions{.max_body_bytes = 16'000'000}};
};

}  // namespace

TEST_CASE("http_upload: a body that is refused at the head costs nothing of its size, announced or sent in part") {
  for (const size_t sent : {size_t{0}, size_t{1000}, size_t{60'000}, kBody}) {
    CAPTURE(sent);
    House house;
    house.says(head("/size", "") + std::string(sent, 'b'), 100);
    CHECK(house.heard().starts_with("HTTP/1.1 401 "));
    CHECK(house.largest() < kMuch);
  }
}

TEST_CASE("http_upload: a body that is passed over behind an answer is not kept, and the connection goes on") {
  constexpr size_t kPassed = 1'000'000;
  for (const size_t first : {size_t{0}, size_t{1000}, size_t{60'000}, kPassed - 1, kPassed}) {
    CAPTURE(first);
    House house;
    const std::string body(kPassed, 'b');
    house.says(head("/size", "", kPassed) + body.substr(0, first), 100);
    CHECK(house.heard().starts_with("HTTP/1.1 401 "));
    house.says(body.substr(first) + "GET / HTTP/1.1\r\nHost: t\r\nX-Token: 1\r\n\r\n", 100);
    CHECK(house.heard().ends_with("up"));
    CHECK(house.largest() < kMuch);
  }
}

TEST_CASE("http_upload: while a step thinks about the head there is no block, when the body is wanted and comes there is one") {
  for (const size_t first : {size_t{0}, size_t{1000}, size_t{60'000}, size_t{300'000}}) {
    CAPTURE(first);
    House house;
    const std::string body(kBody, 'b');
    house.says(head("/late", "X-Token: 1\r\n") + body.substr(0, first), 20);
    REQUIRE(house.kept);
    CHECK(house.largest() < kMuch);
    (*house.kept)();
    house.turn();
    CHECK((house.largest() >= kBody) == (first > 0));
    house.says(body.substr(first) + "GET / HTTP/1.1\r\nHost: t\r\nX-Token: 1\r\n\r\n", 200);
    const std::string heard = house.heard();
    CHECK(heard.find("\r\n\r\n4000000HTTP/1.1 200") != heard.npos);
    CHECK(heard.ends_with("up"));
    CHECK(house.largest() < kBody + kMuch);
  }
}

TEST_CASE("http_upload: an announcement that nothing follows takes no block, though the handler waits for it") {
  House house;
  house.says(head("/size", "X-Token: 1\r\nExpect: 100-continue\r\n"));
  CHECK(house.heard() == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(house.largest() < kMuch);
  house.says("body" + std::string(kBody - 4, 'b'), 200);
  CHECK(house.heard().ends_with("\r\n\r\n4000000body"));
  CHECK(house.largest() >= kBody);
}

TEST_CASE("http_upload: memory that is out for the head or the body of a request is its 503, or its end") {
  for (const bool with_some : {false, true}) {
    for (size_t n = 0;; n++) {
      REQUIRE(n < 50);
      CAPTURE(with_some);
      CAPTURE(n);
      House house;
      FailingAlloc::left = n;
      const std::string body(kBody, 'b');
      house.says(head("/size", "X-Token: 1\r\n") + body.substr(0, with_some ? 1000 : 0), 5);
      house.says(body.substr(with_some ? 1000 : 0), 200);
      const bool was_short = FailingAlloc::left == 0;
      FailingAlloc::left = SIZE_MAX;
      house.turn();
      const std::string heard = house.heard();
      const bool served = heard.ends_with("\r\n\r\n4000000bbbb");
      CHECK((served || heard.starts_with("HTTP/1.1 503 ") || (heard.empty() && house.kernel.find(kPeer)->closed)));
      if (served && !was_short) break;
    }
  }
}

#endif  // MARTLET_SYS_EPOLL
