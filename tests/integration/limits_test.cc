// Every limit of DESIGN §8 that concerns HTTP and the handshake, on both sides of it. Times are set short, and what
// happens is waited for with much patience; "not before" is what the server's own clock may be held to.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;
using namespace martlet::literals;

namespace {

void echoes(App& app) {
  app.get("/*", [](Request&, Response& res) { res.send("ok"); });
  app.get("/", [](Request&, Response& res) { res.send("ok"); });
  app.post("/echo", [](Request& req, Response& res) { res.send(req.body()); });
}

// A GET whose head is exactly this long.
std::string head_of(size_t bytes) {
  std::string head = "GET / HTTP/1.1\r\nHost: t\r\nX-Pad: ";
  return head.append(bytes - head.size() - 4, 'p').append("\r\n\r\n");
}
// A GET with this many fields, Host among them.
std::string fields_of(size_t count) {
  std::string head = "GET / HTTP/1.1\r\nHost: t\r\n";
  for (size_t i = 1; i < count; i++) head.append("F").append(std::to_string(i)).append(": v\r\n");
  return head.append("\r\n");
}
// A GET with a target of this length.
std::string target_of(size_t bytes) {
  std::string head = "GET /";
  return head.append(bytes - 1, 'a').append(" HTTP/1.1\r\nHost: t\r\n\r\n");
}

// The status of the answer to these bytes on a new connection; and whether it then closed.
int status_of(TestServer& server, std::string_view bytes) {
  Client client(server.port());
  client.send(bytes);
  const HttpResponse response = client.read_response();
  if (response.status >= 400) CHECK(response.closes());
  return response.status;
}

milliseconds since(Clock::time_point begin) { return std::chrono::duration_cast<milliseconds>(Clock::now() - begin); }

constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

// How long this thread was away between two marks: on a busy machine a client may be late through no fault of the server.
class Pauses {
 public:
  void mark() {
    const auto now = Clock::now();
    longest_ = std::max(longest_, now - last_);
    last_ = now;
  }
  Clock::duration longest() const { return longest_; }
  Clock::duration total() const { return Clock::now() - begin_; }

 private:
  Clock::time_point begin_ = Clock::now(), last_ = begin_;
  Clock::duration longest_{};
};

}  // namespace

TEST_CASE("limits: request line and fields, 431 above the limit") {
  for (const uint32_t limit : {0u, 200u, 4096u, 65'535u, 1'000'000u}) {
    CAPTURE(limit);
    AppOptions options;
    if (limit) options.max_head_bytes = limit;
    TestServer server(echoes, {.app = options});
    const size_t effective = limit == 0 ? 16'384 : std::min(limit, 65'535u);
    CHECK(status_of(server, head_of(effective)) == 200);
    CHECK(status_of(server, head_of(effective + 1)) == 431);
    CHECK(status_of(server, head_of(effective + 50'000)) == 431);
    CHECK(status_of(server, head_of(effective).substr(0, effective - 4).append(1000, 'x')) == 431);  // no end
    CHECK(server.stats().bad_requests == 3);
  }
}

TEST_CASE("limits: a head over the limit that drips in, and one behind a good request") {
  TestServer server(echoes, {.app = {.max_head_bytes = 300}});
  Client client(server.port());
  const std::string bytes = head_of(300) + head_of(301);
  for (size_t at = 0; at < bytes.size(); at += 37) {
    if (!client.send(std::string_view(bytes).substr(at, 37))) break;
    server.turn();
  }
  CHECK(client.read_response().body == "ok");
  CHECK(client.read_response().status == 431);
}

TEST_CASE("limits: number of fields, 431 above the limit") {
  {
    TestServer server(echoes);
    CHECK(status_of(server, fields_of(100)) == 200);
    CHECK(status_of(server, fields_of(101)) == 431);
  }
  TestServer server(echoes, {.app = {.max_header_fields = 7}});
  CHECK(status_of(server, fields_of(7)) == 200);
  CHECK(status_of(server, fields_of(8)) == 431);
}

TEST_CASE("limits: the target, 414 when it alone is too long") {
  TestServer server(echoes, {.app = {.max_head_bytes = 1000}});
  CHECK(status_of(server, target_of(900)) == 200);
  CHECK(status_of(server, target_of(2000)) == 414);
  CHECK(status_of(server, target_of(60'000)) == 414);
  CHECK(status_of(server, std::string("GET /").append(5000, 'a')) == 414);
}

TEST_CASE("limits: the body, 413 above the limit, known from the head or while chunks come") {
  TestServer server(echoes, {.app = {.max_body_bytes = 1000}});
  const auto length = [](size_t n) {
    return "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(n) + "\r\n\r\n";
  };
  const std::string chunked = "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(status_of(server, length(1000) + std::string(1000, 'b')) == 200);
  CHECK(status_of(server, length(1001)) == 413);  // without waiting for it
  CHECK(status_of(server, length(1001) + std::string(1001, 'b')) == 413);
  CHECK(status_of(server, length(18'446'744'073'709'551'615u)) == 413);
  CHECK(status_of(server, chunked + "3e8\r\n" + std::string(1000, 'b') + "\r\n0\r\n\r\n") == 200);
  CHECK(status_of(server, chunked + "3e9\r\n" + std::string(1001, 'b') + "\r\n0\r\n\r\n") == 413);
  CHECK(status_of(server, chunked + "3e9\r\n") == 413);  // as soon as it is announced
  CHECK(status_of(server, chunked + "3e8\r\n" + std::string(1000, 'b') + "\r\n1\r\n") == 413);
  CHECK(status_of(server, chunked + "ffffffffffffffff\r\n") == 413);
  std::string pieces = chunked;
  for (int i = 0; i < 1001; i++) pieces += "1\r\nb\r\n";
  CHECK(status_of(server, pieces + "0\r\n\r\n") == 413);
  TestServer none(echoes, {.app = {.max_body_bytes = 0}});
  CHECK(status_of(none, length(0)) == 200);
  CHECK(status_of(none, length(1) + "b") == 413);
}

TEST_CASE("limits: what HEAD is refused with has no body (RFC 9110 9.3.2)") {
  TestServer server(echoes);
  for (const char* request : {"HEAD /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999\r\n\r\n",
                              "HEAD /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"}) {
    CAPTURE(std::string(request));
    Client client(server.port());
    REQUIRE(client.send(request));
    CHECK(client.read_to_end());
    CHECK(client.in().starts_with("HTTP/1.1 4"));
    CHECK(client.in().find("Content-Length: ") != std::string::npos);
    CHECK(client.in().ends_with("\r\n\r\n"));
  }
}

TEST_CASE("limits: a client that sends its whole body before it reads still gets to read the 413") {
  TestServer server(echoes);  // 1 MiB
  for (const size_t size : {1_MiB + 1, 1_MiB + 40_KiB, 8_MiB, 20_MiB}) {
    CAPTURE(size);
    Client client(server.port());
    REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n"));
    CHECK(client.send(std::string(size, 'b')));
    const HttpResponse response = client.read_response();
    CHECK(response.status == 413);
    CHECK(response.body.size() > 0);
    CHECK(client.read_to_end());
    CHECK(client.end() == Client::End::eof);
  }
  CHECK(server.wait_for_connections(0));
}

TEST_CASE("limits: overhead of chunks is bounded: extensions and trailers") {
  TestServer server(echoes);
  const std::string chunked = "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(status_of(server, chunked + "1;" + std::string(1000, 'e') + "\r\nb\r\n0\r\n\r\n") == 200);
  CHECK(status_of(server, chunked + "1;" + std::string(100'000, 'e') + "\r\nb\r\n0\r\n\r\n") >= 400);
  CHECK(status_of(server, chunked + "0\r\nT: " + std::string(100'000, 't') + "\r\n\r\n") >= 400);
  std::string many = chunked;
  for (int i = 0; i < 20'000; i++) many += "1;ext=ension\r\nb\r\n";
  CHECK(status_of(server, many + "0\r\n\r\n") >= 400);
}

TEST_CASE("limits: time to send a head, from the connection's start: 408, however it drips") {
  TestServer server(echoes, {.app = {.head_timeout = milliseconds(200)}});
  const auto begin = Clock::now();
  Client dripping(server.port());
  Client half(server.port());
  Client mute(server.port());
  REQUIRE(half.send("GET / HTTP/1.1\r\nHo"));
  const std::string head = head_of(2000);
  for (size_t i = 0; i < head.size() && dripping.end() == Client::End::open && dripping.in().empty(); i++) {
    dripping.send({&head[i], 1}, milliseconds(10));
    dripping.read_more(Clock::now() + milliseconds(5));
  }
  CHECK(dripping.read_response().status == 408);
  CHECK(since(begin) >= milliseconds(200));
  CHECK(half.read_response().status == 408);
  CHECK(half.closed_by_peer());
  CHECK(mute.closed_by_peer());  // nothing was asked, nothing is said
  dripping.close();
  half.close();
  CHECK(server.wait_for_connections(0));
}

TEST_CASE("limits: time to send a later head counts from its first byte") {
  TestServer server(echoes, {.app = {.head_timeout = milliseconds(200)}});
  Client client(server.port());
  CHECK(client.get("/").body == "ok");
  std::this_thread::sleep_for(milliseconds(300));  // idle is not slow
  CHECK(client.get("/").body == "ok");
  const auto begin = Clock::now();
  REQUIRE(client.send("GET / HTTP"));
  CHECK(client.read_response().status == 408);
  CHECK(since(begin) >= milliseconds(195));
}

TEST_CASE("limits: a pause within a body is 408, a slow body is not") {
  TestServer server(echoes, {.app = {.body_timeout = milliseconds(400)}});
  const auto begin = Clock::now();
  Client length(server.port()), chunks(server.port()), slow(server.port());
  REQUIRE(length.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n01234"));
  REQUIRE(chunks.send("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01"));
  REQUIRE(slow.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n"));
  Pauses pauses;
  for (int i = 0; i < 10; i++) {
    std::this_thread::sleep_for(milliseconds(55));
    REQUIRE(slow.send("s"));
    pauses.mark();
  }
  CHECK((slow.read_response().body == "ssssssssss" || pauses.longest() > milliseconds(300)));
  CHECK(length.read_response().status == 408);
  CHECK(chunks.read_response().status == 408);
  CHECK(since(begin) >= milliseconds(400));
  CHECK(length.closed_by_peer());
}

TEST_CASE("limits: an idle keep-alive connection is closed after its time, silently") {
  TestServer server(echoes, {.app = {.keep_alive_timeout = milliseconds(300)}});  // the head may take 10 s
  Client client(server.port());
  const auto begin = Clock::now();
  CHECK(client.get("/").body == "ok");
  CHECK(client.closed_by_peer());
  CHECK(since(begin) >= milliseconds(295));
}

TEST_CASE("limits: a connection in use is not idle") {
  TestServer server(echoes, {.app = {.keep_alive_timeout = milliseconds(400)}});
  Client client(server.port());
  Pauses pauses;
  for (int i = 0; i < 7; i++) {
    const bool answered = client.get("/").body == "ok";
    pauses.mark();
    CHECK((answered || pauses.longest() > milliseconds(300)));
    if (!answered) return;
    std::this_thread::sleep_for(milliseconds(90));
  }
}

TEST_CASE("limits: keep-alive time counts from the answer, not from the request") {
  TestServer server([](App& app) {
    app.get("/slow", [&app](Request&, Response& res) {
      app.after(milliseconds(500), [later = res.defer()]() mutable { later.send("slow"); });
    });
    app.get("/", [](Request&, Response& res) { res.send("ok"); });
  }, {.app = {.head_timeout = milliseconds(400), .keep_alive_timeout = milliseconds(400)}});
  // Several, begun at different moments, so that the wheel's phase does not decide.
  std::vector<Client> clients;
  for (int i = 0; i < 6; i++) {
    clients.emplace_back(server.port());
    REQUIRE(clients.back().send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n"));
    std::this_thread::sleep_for(milliseconds(23));
  }
  Pauses pauses;
  for (Client& client : clients) CHECK(client.read_response().body == "slow");
  for (Client& client : clients) {
    const bool answered = client.get("/").body == "ok";
    pauses.mark();
    CHECK((answered || pauses.total() > milliseconds(600)));  // of which up to 500 are the answers' own
  }
}

TEST_CASE("limits: a connection whose answers are still leaving is not idle") {
  const std::string large(12'000'000, 'x');
  TestServer server([&](App& app) {
    app.get("/large", [&](Request&, Response& res) { res.send(large); });
    app.get("/small", [](Request&, Response& res) { res.send("small"); });
  }, {.app = {.head_timeout = milliseconds(300), .keep_alive_timeout = milliseconds(300)}});
  Client client(server.port(), {.receive_buffer_bytes = 8192});
  REQUIRE(client.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\nGET /small HTTP/1.1\r\nHost: t\r\n\r\n"));
  std::this_thread::sleep_for(milliseconds(750));
  CHECK(client.read_response().body.size() == large.size());
  CHECK(client.read_response().body == "small");
  Pauses pauses;
  const bool answered = client.get("/small").body == "small";
  CHECK((answered || pauses.total() > milliseconds(200)));
}

TEST_CASE("limits: a handshake that is decided too late gets 408, and the late decision is nobody's") {
  std::atomic<int> opened = 0;
  std::vector<Next> kept;
  TestServer server([&](App& app) {
    app.use("/ws", [&](Request&, Response&, Next next) { kept.push_back(next); });
    app.ws("/ws", {.open = [&](WebSocket, Request&) { opened++; }});
    app.get("/", [](Request&, Response& res) { res.send("ok"); });
  }, {.app = {.handshake_timeout = milliseconds(400)}});
  const auto decided = [&](size_t n) { return server.on_thread([&](App&) { return kept.size(); }) == n; };
  {
    Client client(server.port());
    REQUIRE(client.send(kUpgrade));
    REQUIRE(eventually([&] { return decided(1); }));
    server.on_thread([&](App&) { kept[0](); });
    CHECK(client.read_response().status == 101);
  }
  {
    const auto begin = Clock::now();
    Client client(server.port());
    REQUIRE(client.send(kUpgrade));
    const HttpResponse refusal = client.read_response();
    CHECK(refusal.status == 408);
    CHECK(since(begin) >= milliseconds(400));
    server.on_thread([&](App&) { kept[1](); });
    CHECK(client.read_to_end());
  }
  CHECK(opened == 1);
}

TEST_CASE("limits: connections above the limit get 503 and are closed; places are given again") {
  TestServer server(echoes, {.app = {.max_connections = 5}});
  std::vector<Client> served;
  for (int i = 0; i < 5; i++) {
    served.emplace_back(server.port());
    CHECK(served.back().get("/").body == "ok");
  }
  for (int i = 0; i < 3; i++) {
    Client extra(server.port());
    const HttpResponse refusal = extra.read_response();
    CHECK(refusal.status == 503);
    CHECK(refusal.closes());
    CHECK(extra.closed_by_peer());
  }
  CHECK(server.stats().refused_connections == 3);
  for (Client& client : served) CHECK(client.get("/").body == "ok");
  served.pop_back();
  CHECK(eventually([&] {
    Client again(server.port());
    return again.get("/").body == "ok";
  }));
}

TEST_CASE("limits: however many come above the limit, each is told 503") {
  TestServer server(echoes, {.app = {.max_connections = 5}});
  std::vector<Client> served;
  for (int i = 0; i < 5; i++) {
    served.emplace_back(server.port());
    CHECK(served.back().get("/").body == "ok");
  }
  std::vector<Client> extra;
  for (int i = 0; i < 200; i++) extra.emplace_back(server.port());  // they do not close
  int told = 0;
  for (Client& client : extra) told += client.read_response().status == 503;
  CHECK(told == 200);
  CHECK(server.stats().refused_connections == 200);
  for (Client& client : served) CHECK(client.get("/").body == "ok");
}

TEST_CASE("limits: 'no limit' written as the largest number there is") {
  TestServer server(
      [](App& app) {
        echoes(app);
        app.ws("/ws", {.message = [](WebSocket ws, const Message& m) { ws.send(m); },
                       .options = {.max_message_bytes = SIZE_MAX, .max_unsent_bytes = SIZE_MAX}});
      },
      {.app = {.max_body_bytes = SIZE_MAX, .receive_budget_bytes = SIZE_MAX}});
  for (const std::string length : {"18446744073709551615", "18446744073709551000", "9223372036854775807"}) {
    CAPTURE(length);
    Client client(server.port());
    REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " + length + "\r\n\r\n" + std::string(6000, 'x')));
    const int status = client.read_response().status;
    CHECK((status == 413 || status == 503));
  }
  WsClient huge(server.port(), "/ws");
  REQUIRE(huge.open());
  REQUIRE(huge.send(ws_frame(kBinary, "x", {.length_bytes = 8, .announced = INT64_MAX})));
  CHECK(huge.read_close() != 0);
  WsClient fine(server.port(), "/ws");
  CHECK(fine.echoes("hello"));
  Client client(server.port());
  CHECK(client.post("/echo", "body").body == "body");
}

// A client that sent its request with the connection must be able to read the 503 although its request is not read.
TEST_CASE("limits: a refused connection that has sent a request reads its 503") {
  TestServer server(echoes, {.app = {.max_connections = 1}});
  Client first(server.port());
  CHECK(first.get("/").body == "ok");
  for (int i = 0; i < 20; i++) {
    Client extra(server.port());
    extra.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(extra.read_response().status == 503);
  }
}

TEST_CASE("limits: refused connections that linger do not take the places of others") {
  TestServer server(echoes, {.app = {.max_connections = 3}});
  std::vector<Client> served, lingering;
  for (int i = 0; i < 3; i++) {
    served.emplace_back(server.port());
    CHECK(served.back().get("/").body == "ok");
  }
  for (int i = 0; i < 3; i++) {
    lingering.emplace_back(server.port());
    CHECK(lingering.back().read_response().status == 503);  // and it stays connected
  }
  served.clear();
  REQUIRE(server.wait_for_stats([](const Stats& s) { return s.open_connections <= 3; }));
  Client fresh(server.port());
  CHECK(fresh.get("/").body == "ok");
}

TEST_CASE("limits: a write without progress ends the connection, a slow reader is spared") {
  const std::string large(20'000'000, 'x');
  TestServer server([&](App& app) { app.get("/large", [&](Request&, Response& res) { res.send(large); }); },
                    {.app = {.write_timeout = milliseconds(500)}});
  Client stuck(server.port(), {.receive_buffer_bytes = 8192});
  REQUIRE(stuck.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n"));
  Client slow(server.port(), {.receive_buffer_bytes = 64 * 1024});
  REQUIRE(slow.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n"));
  Pauses pauses;
  while (pauses.total() < milliseconds(800)) {
    REQUIRE((slow.read_more(Clock::now() + kPatience) || pauses.longest() > milliseconds(300)));
    std::this_thread::sleep_for(milliseconds(20));
    pauses.mark();
  }
  if (pauses.longest() > milliseconds(300)) {  // the slow one may have been stuck, too
    MESSAGE("this thread was kept from running for " << std::chrono::duration_cast<milliseconds>(pauses.longest()).count() << " ms: nothing is known");
    return;
  }
  CHECK(server.wait_for_connections(1));
  CHECK(slow.read_response().body.size() == large.size());
  CHECK(stuck.read_to_end());
  CHECK(stuck.end() == Client::End::reset);  // a truncated answer must not look like an end
}
