// WebSockets over a kernel of our own (fake_kernel.h), peer by peer, for tests that let hours and weeks pass: what time does to
// them, and what becomes of them when their route's limits change. Linux's kernel: see fake_kernel.h.
#pragma once

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "support/fake_kernel.h"
#include "support/ws_client.h"

namespace martlet::test {

inline constexpr milliseconds kTick{68};  // of the wheel; limits of messages and lives are late by three of them at most
inline const std::string kPingFrame("\x89\0", 2);

// WebSockets, peer by peer.
struct Street {
  FakeKernel kernel;
  std::map<int, WebSocket> sockets;
  std::map<int, CloseInfo> ends;
  std::map<int, bool> answers;  // who answers pings
  App app;

  explicit Street(WsOptions options, const AppOptions& app_options = {}, EventListeners on = {}) : app(app_options) {
    app.ws("/:peer", {.open = [this](WebSocket ws, Request& req) { sockets[std::stoi(std::string(req.param("peer")))] = ws; },
                      .message = [](WebSocket ws, const Message& m) { if (m.text() == "talk") ws.send(pattern(60'000)); },
                      .on = std::move(on),
                      .close = [this](WebSocket ws, const CloseInfo& why) { ends[number_of(ws)] = {why.cause, why.code, {}}; },
                      .options = std::move(options)});
    REQUIRE(app.listen("127.0.0.1", 9001).ok());
  }

  int number_of(WebSocket ws) const {
    for (const auto& [number, socket] : sockets) {
      if (socket == ws) return number;
    }
    return 0;
  }
  FakePeer& peer(int number) { return *kernel.find(number); }
  void come(int number, bool answers_pings, std::string_view fields = {}) {
    kernel.connect(number).sends = ws_request("/" + std::to_string(number), fields);
    answers[number] = answers_pings;
    turns();
    REQUIRE(sockets.count(number) == 1);
    peer(number).got.clear();
  }
  void say(int number, std::string_view bytes) {
    peer(number).sends += bytes;
    turns();
  }
  // The route's options change.
  void change(WsChanges changes) {
    REQUIRE_FALSE(app.reconfigure(std::move(changes)));
    turns();
  }
  void turns() {
    for (int i = 0; i < 3; i++) app.poll_once(milliseconds(0));
  }
  // The loop runs, and those who answer do.
  void live(milliseconds time) {
    const uint64_t until = kernel.now_ms() + static_cast<uint64_t>(time.count());
    while (kernel.now_ms() < until) {
      app.poll_once(milliseconds(until - kernel.now_ms()));
      answer_all();
    }
    turns();
  }
  void answer_all() {
    for (auto& [number, peer] : kernel.peers()) {
      if (answers[number] && peer.got == kPingFrame) {
        peer.got.clear();
        peer.sends += ws_frame(kPong, "");
      }
    }
  }
  bool is_open(int number) const { return ends.count(number) == 0; }
  bool ended_with(int number, CloseCause cause, CloseCode code) const {
    const auto end = ends.find(number);
    return end != ends.end() && end->second.cause == cause && end->second.code == code;
  }
  bool was_sent_close(int number, uint16_t code, std::string_view why) {
    const std::string payload = close_payload(code, why);
    const std::string frame = "\x88" + std::string(1, static_cast<char>(payload.size())) + payload;
    return peer(number).got.ends_with(frame);
  }
};

}  // namespace martlet::test
