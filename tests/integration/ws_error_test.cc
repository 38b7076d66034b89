// on_error: which ends are errors, what the handler is told, when it runs, and what it may still do.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Writes down what on_error and on_close were told, in order.
class Diary {
 public:
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  // Waits for the end, then all of it.
  std::vector<std::string> whole() const {
    eventually([this] {
      const auto all = lines();
      return !all.empty() && all.back().starts_with("close");
    });
    return lines();
  }

  WsHandlers handlers(WsOptions options = {}) {
    WsHandlers handlers;
    handlers.error = [this](WebSocket ws, const ErrorInfo& error) {
      add("error " + std::string(name_of(error.cause)) + " " + std::to_string(static_cast<int>(error.code)) + " " +
          std::string(error.message));
      if (on_error) on_error(ws);
    };
    handlers.close = [this](WebSocket, const CloseInfo& why) {
      add("close " + std::string(name_of(why.cause)) + " " + std::to_string(static_cast<int>(why.code)));
    };
    handlers.message = [](WebSocket ws, const Message& msg) {
      if (msg.text() == "throw") throw std::runtime_error("the handler's own words");
      if (msg.text() == "bye") return ws.close();
      ws.send(msg);
    };
    handlers.options = std::move(options);
    return handlers;
  }
  std::function<void(WebSocket)> on_error;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

struct Told {
  Diary diary = {};
  TestServer server;
  WsClient client;
  explicit Told(WsOptions options = {}, std::function<void(WebSocket)> on_error = nullptr)
      : server([&](App& app) {
          diary.on_error = std::move(on_error);
          app.ws("/", diary.handlers(std::move(options)));
        }),
        client(server.port()) {
    REQUIRE(client.open());
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("ws error: what the peer does wrong is told once, before the end, in a sentence") {
  const struct {
    std::string bytes;
    Lines lines;
  } cases[] = {
      {ws_frame(kText, "\xC0\xAF"), {"error invalid_payload 1007 Text that is not UTF-8.", "close invalid_payload 1007"}},
      {ws_frame(kText, "x", {.masked = false}),
       {"error protocol_error 1002 An unmasked frame from a client.", "close protocol_error 1002"}},
      {ws_frame(kBinary, std::string(2001, 'x')),
       {"error message_too_big 1009 The message is larger than this server takes.", "close message_too_big 1009"}},
      {ws_fragments(kText, "abcdef", {1, 1, 1, 1, 1}),
       {"error too_many_fragments 1008 The message has too many fragments that carry little.", "close too_many_fragments 1008"}},
      {ws_frame(kText, "throw"), {"error handler_failure 1011 the handler's own words", "close handler_failure 1011"}},
  };
  for (const auto& one : cases) {
    CAPTURE(one.lines[0]);
    Told told({.max_fragments = 3, .max_message_bytes = 2000});
    REQUIRE(told.client.send(one.bytes));
    CHECK(told.client.read_close() != 0);
    told.client.tcp.close();
    CHECK(told.diary.whole() == one.lines);
  }
}

TEST_CASE("ws error: a last message may be sent from it, and leaves before our Close") {
  Told told({}, [](WebSocket ws) { ws.send("something went wrong"); });
  REQUIRE(told.client.send_text("throw"));
  CHECK(told.client.reads("something went wrong"));
  CHECK(told.client.read_close() == 1011);
}

TEST_CASE("ws error: its own Close goes before ours and decides code and cause; what it throws changes nothing") {
  Told own({}, [](WebSocket ws) { ws.close(static_cast<CloseCode>(4321), "as agreed"); });
  REQUIRE(own.client.send_text("throw"));
  CHECK(own.client.read_close() == 4321);
  own.client.tcp.close();
  CHECK(own.diary.whole() == Lines{"error handler_failure 1011 the handler's own words", "close local_close 4321"});

  Told again({}, [](WebSocket) { throw std::runtime_error("once more"); });
  REQUIRE(again.client.send(ws_frame(kText, "\xFF")));
  CHECK(again.client.read_close() == 1007);
  again.client.tcp.close();
  CHECK(again.diary.whole().size() == 2);

  Told cut({}, [](WebSocket ws) { ws.abort(); });
  REQUIRE(cut.client.send_text("throw"));
  CHECK(cut.client.ended());
  CHECK(cut.diary.whole() == Lines{"error handler_failure 1011 the handler's own words", "close local_close 1006"});
}

TEST_CASE("ws error: orderly ends are none, and who is closing already has no more errors") {
  {
    Told peer;
    REQUIRE(peer.client.send_close(1000));
    CHECK(peer.diary.whole() == Lines{"close peer_close 1000"});
  }
  {
    Told gone;
    gone.client.tcp.close();
    CHECK(gone.diary.whole() == Lines{"close peer_eof 1006"});
  }
  {
    Told bye;
    REQUIRE(bye.client.send(ws_frame(kText, "bye") + ws_frame(kText, "\xFF")));
    CHECK(bye.client.read_close() == 1000);
    bye.client.tcp.close();
    CHECK(bye.diary.whole() == Lines{"close local_close 1000"});
  }
}

TEST_CASE("ws error: silence, a reset and a slow peer are told when the connection has ended") {
  {
    Told silent({.heartbeat_interval = 50ms, .heartbeat_timeout = 150ms});
    CHECK(silent.diary.whole() ==
          Lines{"error heartbeat_timeout 1006 The peer gave no sign of life.", "close heartbeat_timeout 1006"});
  }
  {
    Told reset;
    reset.client.tcp.reset();
    CHECK(reset.diary.whole() == Lines{"error peer_reset 1006 The connection broke.", "close peer_reset 1006"});
  }
  {
    Told slow({.max_unsent_bytes = 64_KiB});
    slow.server.on_thread([&](App& app) { app.broadcast("hello"); });
    CHECK(slow.client.reads("hello"));
    slow.server.on_thread([&](App& app) {
      for (int i = 0; i < 400; i++) app.broadcast(std::string(60'000, 's'));
    });
    CHECK(slow.diary.whole() ==
          Lines{"error slow_consumer 1008 The peer reads too slowly.", "close slow_consumer 1008"});
  }
}

TEST_CASE("ws error: a connection's own handler runs beside the route's") {
  Diary diary;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws, Request&) {
      ws.on_error([&](WebSocket self, const ErrorInfo& error) {
        diary.add("own " + std::string(name_of(error.cause)));
        self.send("own");
      });
      ws.on_close([&](WebSocket, const CloseInfo&) { diary.add("close"); });
    });
  });
  WsClient client(server.port());
  REQUIRE(client.send(ws_frame(kText, "\xFF")));
  CHECK(client.reads("own"));
  CHECK(client.read_close() == 1007);
  client.tcp.close();
  CHECK(diary.whole() == Lines{"own invalid_payload", "close"});
}
