// What a server does in its life, in parts that are small enough to be played a thousand times: see fault_world.h.
// Where it does not matter who was hit there is a bystander, who comes first and asks again at the end.
#pragma once

#include <string>
#include <vector>

#include "support/fault_world.h"

namespace martlet::test {

namespace faults {

inline std::string http(std::string_view line, std::string_view fields = {}, std::string_view body = {}) {
  return std::string(line) + " HTTP/1.1\r\nHost: test\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

inline std::string post(std::string_view body) {
  return http("POST /echo", "Content-Length: " + std::to_string(body.size()) + "\r\n", body);
}

inline std::string server_text(std::string_view payload) { return ws_frame(kText, payload, {.masked = false}); }

constexpr int kBystander = 0;

inline void play_http(World& w) {
  w.say(kBystander, kGet, "Hello, World!");
  w.say(1, kGet, "Hello, World!");
  w.say(1, http("GET /users/a%20b?x=1") + http("GET /nowhere") + std::string(kGet), "Hello, World!");
  const std::string request = post(pattern(3000));
  w.say(1, request.substr(0, 1000));
  w.say(1, request.substr(1000) + std::string(kGet), pattern(3000));
  w.say(1, http("POST /echo", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n8;x=y\r\n, chu"), {});
  w.say(1, "nks\r\n0\r\nTrailer: x\r\n\r\n" + std::string(kGet), "hello, chunks");
  w.say(1, http("POST /echo", "Expect: 100-continue\r\nContent-Length: 2\r\n"), "100 Continue");
  w.say(1, "ok", "\r\n\r\nok");
  w.say(1, http("GET /", "Connection: close\r\n"), "Connection: close");
  w.say(kBystander, kGet, "Hello, World!");
}

inline void play_large_http(World& w) {
  w.say(kBystander, kGet, "Hello, World!");
  w.say(1, post(pattern(100'000)), pattern(100'000));
  w.say(1, http("GET /big") + http("GET /big") + std::string(kGet), "Hello, World!");
  w.peer(2).takes = 0;
  w.say(2, http("GET /big") + http("GET /big") + std::string(kGet));
  w.peer(2).takes = SIZE_MAX;
  w.say(2, kGet, "Hello, World!");
  w.say(kBystander, kGet, "Hello, World!");
}

inline void play_deferred(World& w) {
  w.say(kBystander, kGet, "Hello, World!");
  w.say(1, http("GET /later", "X-Kept: yes\r\n") + std::string(kGet));
  w.say(2, http("POST /echo", "Content-Length: 10\r\n", "never"));
  w.say(kBystander, kGet, "Hello, World!");
  for (Response& response : w.later) response.status(201).set("X-Late", "yes").send("later");
  w.settle();
  w.say(1, kGet, "Hello, World!");
  w.peer(2).ended = true;
  w.say(kBystander, kGet, "Hello, World!");
}

inline void play_errors(World& w) {
  w.say(kBystander, kGet, "Hello, World!");
  w.say(1, "GET / HTTP/1.1\r\nNo colon\r\n\r\n", " 400 ");
  w.say(2, http("POST /echo", "Content-Length: 9999999\r\n", pattern(2000)), " 413 ");
  w.say(3, http("GET /echo", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 7\r\n"), " 426 ");
  w.say(4, kGet.substr(0, 20));
  w.peer(4).reset = true;
  w.say(kBystander, kGet, "Hello, World!");
}

inline void play_echo(World& w) {
  w.say(kBystander, ws_request("/echo"), " 101 ");
  w.say(1, ws_request("/echo") + ws_frame(kText, "with the handshake"), "with the handshake");
  w.say(1, ws_frame(kText, "one") + ws_frame(kPing, "two") + ws_frame(kBinary, pattern(700)), pattern(700));
  w.say(1, ws_frame(kText, "cut in two").substr(0, 9));
  w.say(1, ws_frame(kText, "cut in two").substr(9), server_text("cut in two"));
  w.say(1, ws_frame(kText, "a message ", {.fin = false}) + ws_frame(kPing, "between"), "between");
  w.say(1, ws_frame(kContinuation, "in ", {.fin = false}) + ws_frame(kContinuation, "parts"), "a message in parts");
  w.say(1, ws_frame(kClose, close_payload(1000, "bye")), "\x88");
  w.say(kBystander, ws_frame(kText, "still here"), "still here");
}

inline void play_large_echo(World& w) {
  w.say(kBystander, ws_request("/echo"), " 101 ");
  w.say(1, ws_request("/echo"), " 101 ");
  w.say(1, ws_frame(kBinary, pattern(100'000)), pattern(100'000));
  w.say(1, ws_fragments(kText, pattern(90'000), {40'000, 1}), pattern(90'000));
  w.peer(1).takes = 5000;
  w.say(1, ws_frame(kText, pattern(80'000)) + ws_frame(kText, pattern(20'000)) + ws_frame(kText, "last"));
  w.peer(1).takes = SIZE_MAX;
  w.say(1, ws_frame(kText, "more"), "more");
  w.say(kBystander, ws_frame(kText, "still here"), "still here");
}

inline void play_room(World& w) {
  w.say(kBystander, ws_request("/echo"), " 101 ");
  for (const int member : {1, 2, 3}) w.say(member, ws_request("/room", "Origin: here\r\n"), " 101 ");
  w.peer(3).takes = 100;  // of what it is told, until it reads on
  std::string many;
  for (uint32_t i = 0; i < 12; i++) many += ws_frame(kText, pattern(1500, i));
  w.say(1, many, "you said something");
  w.say(2, ws_frame(kText, "me too"), "you said something");
  w.say(1, ws_frame(kText, pattern(70'000)), "you said something");
  w.say(2, ws_frame(kClose, close_payload(1000)));
  w.peer(3).takes = SIZE_MAX;
  w.settle();
  w.say(3, ws_frame(kText, "I have read it all"), "you said something");
  w.say(kBystander, ws_frame(kText, "still here"), "still here");
}

inline void play_closes(World& w) {
  w.say(kBystander, ws_request("/echo"), " 101 ");
  for (int i = 1; i <= 6; i++) w.say(i, ws_request("/echo"), " 101 ");
  w.say(1, ws_frame(kText, "close"), "as you say");
  w.say(1, ws_frame(kClose, close_payload(1001)));
  w.say(2, ws_frame(kClose, ""), std::string_view("\x88\0", 2));
  w.say(3, ws_frame(kText, "throw") + ws_frame(kText, "more"), "\x88");
  w.say(4, ws_frame(7, "no such opcode") + pattern(300), "\x88");
  w.peer(5).ended = true;
  w.peer(6).reset = true;
  w.say(kBystander, ws_frame(kText, "still here"), "still here");
}

inline void play_heartbeat(World& w) {
  w.say(kBystander, ws_request("/echo"), " 101 ");
  w.say(1, ws_request("/echo"), " 101 ");  // and never again
  for (int i = 0; i < 20; i++) {  // a ping that finds no memory is sent later, and then it has its time to be answered
    w.kernel.advance_ms(900);
    w.say(kBystander, ws_frame(kPong, "") + ws_frame(kText, "alive"), "alive");
  }
  if (!w.peer(1).closed) w.complain("who is silent is still there");
}

inline void play_full(World& w) {
  w.say(kBystander, kGet, "Hello, World!");
  w.say(1, ws_request("/echo"), " 101 ");
  w.say(2, kGet, " 503 ");
  w.say(1, ws_frame(kClose, close_payload(1000)), "\x88");
  w.say(3, kGet, "Hello, World!");
  w.say(kBystander, kGet, "Hello, World!");
}

inline void play_drain(World& w) {
  w.say(kBystander, kGet, "Hello, World!");
  w.say(1, ws_request("/echo"), " 101 ");
  w.say(2, ws_request("/room"), " 101 ");
  w.say(3, http("GET /later"));
  w.peer(4);
  for (int i = 0; i < 2 && w.kernel.listening(); i++) {  // again, should the first get lost
    w.app.drain({.deadline = milliseconds(3000)});
    w.settle();
  }
  w.say(1, ws_frame(kClose, close_payload(1001)));
  for (Response& response : w.later) response.send("later");
  w.settle();
}

}  // namespace faults

inline const std::vector<Scenario>& fault_scenarios() {
  using namespace faults;
  static const std::vector<Scenario> all = {
      {.name = "http", .play = play_http},
      {.name = "large http", .play = play_large_http},
      {.name = "deferred", .play = play_deferred},
      {.name = "errors", .play = play_errors},
      {.name = "echo", .play = play_echo},
      {.name = "large echo", .play = play_large_echo},
      {.name = "room", .play = play_room, .dependent = {1, 2, 3}},
      {.name = "closes", .play = play_closes},
      {.name = "heartbeat", .play = play_heartbeat},
      {.name = "full", .play = play_full, .dependent = {2, 3}, .options = {.max_connections = 2}, .full = true},
      {.name = "drain", .play = play_drain, .drains = true},
  };
  return all;
}

}  // namespace martlet::test
