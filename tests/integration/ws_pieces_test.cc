// Messages that are larger than memory: written in pieces while others wait, and told in pieces as they come.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <utility>
#include <vector>

#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// One connection on a stepped server.
struct One {
  explicit One(WsOptions options = {}) : server([&](App& app) {
    WsHandlers handlers = events.handlers(std::move(options));
    handlers.open = [this](WebSocket opened, Request&) { ws = opened; };
    app.ws("/", std::move(handlers));
  }) {}
  WsEvents events;
  WebSocket ws;
  SteppedServer server;
};

struct Told {
  std::string bytes;
  std::vector<std::string> marks;  // of each piece: "text", "first", "last"
};

auto tell(Told& told) {
  return [&told](WebSocket, const Fragment& f) {
    told.bytes.append(f.text());
    told.marks.push_back(std::string(f.is_text() ? "t" : "b") + (f.is_first() ? "f" : "") + (f.is_last() ? "l" : ""));
  };
}

using Marks = std::vector<std::string>;

}  // namespace

// Outwards ------------------------------------------------------------------------------------------------------------

TEST_CASE("ws pieces: a message goes out in frames, and what others send meanwhile leaves behind it, in order") {
  One one;
  WsClient client = one.server.open_websocket("/");
  one.ws.join("den");
  MessageWriter out = one.ws.begin_message(MessageType::binary);
  CHECK(out);
  CHECK_FALSE(one.ws.begin_message(MessageType::text));
  CHECK(out.write("ab") == SendStatus::ok);
  CHECK(one.ws.send("behind") == SendStatus::ok);
  CHECK(one.ws.ping("p") == SendStatus::ok);
  one.server.app().room("den").send("from the room");
  one.server.turn();
  CHECK(out.write("") == SendStatus::ok);
  CHECK(out.write("cd") == SendStatus::ok);
  CHECK(one.ws.send(SharedFrame::text("shared")) == SendStatus::ok);
  CHECK(out.finish() == SendStatus::ok);
  CHECK_FALSE(out);
  CHECK(out.finish() == SendStatus::closed);
  CHECK(out.write("x") == SendStatus::closed);
  CHECK(one.ws.send("last") == SendStatus::ok);
  one.server.turn();
  WsFrame frame = client.read_frame();
  CHECK(frame.opcode == kBinary);
  CHECK_FALSE(frame.fin);
  CHECK(frame.payload == "ab");
  CHECK(client.read_frame().is(kPing, "p"));
  frame = client.read_frame();
  CHECK(frame.opcode == kContinuation);
  CHECK(frame.payload == "cd");
  CHECK(client.read_frame().is(kContinuation, ""));
  for (const char* text : {"behind", "from the room", "shared", "last"}) CHECK(client.read_frame().is(kText, text));
}

TEST_CASE("ws pieces: a message of no piece, one behind the other, and writers that move") {
  One one;
  WsClient client = one.server.open_websocket("/");
  for (int i = 0; i < 3; i++) {
    MessageWriter out = one.ws.begin_message(MessageType::text);
    MessageWriter moved = std::move(out);
    CHECK_FALSE(out);
    if (i) moved.write(std::to_string(i));
    moved.finish();
  }
  one.server.turn();
  for (const char* text : {"", "1", "2"}) CHECK(client.reads(text));
}

TEST_CASE("ws pieces: one that is not finished closes the connection, and what waited is lost with it") {
  One one;
  WsClient client = one.server.open_websocket("/");
  {
    MessageWriter out = one.ws.begin_message(MessageType::text);
    out.write("half");
    one.ws.send("behind");
  }
  for (int i = 0; i < 3; i++) one.server.turn();
  CHECK(client.read_frame().payload == "half");
  CHECK(client.read_frame().close_code() == 1011);
  MessageWriter none = one.ws.begin_message(MessageType::text);
  CHECK_FALSE(none);
  CHECK(none.write("x") == SendStatus::closed);
}

TEST_CASE("ws pieces: a Close in the middle of a message, and an end of the connection") {
  One one;
  WsClient client = one.server.open_websocket("/");
  MessageWriter out = one.ws.begin_message(MessageType::text);
  out.write("half");
  one.ws.close();
  CHECK(out.write("more") == SendStatus::closed);
  one.server.turn();
  CHECK(client.read_frame().payload == "half");
  CHECK(client.read_frame().close_code() == 1000);
  one.ws.abort();
  one.server.turn();
  CHECK(out.finish() == SendStatus::closed);
}

TEST_CASE("ws pieces: a writer may go on while the peer reads, however slowly; only what fits is taken") {
  One one({.max_unsent_bytes = 100'000, .slow_consumer = SlowConsumerPolicy::drop_oldest});
  WsClient client = one.server.open_websocket("/", {.receive_buffer_bytes = 8192});
  MessageWriter out = one.ws.begin_message(MessageType::binary);
  const std::string piece = pattern(30'000);
  std::string sent, got;
  int refused = 0;
  bool fin = false;
  for (int i = 0; sent.size() < 6'000'000; i++) {
    const SendStatus status = out.write(piece);
    if (status == SendStatus::dropped) {
      refused++;
      REQUIRE(one.ws.buffered_bytes() >= 100'000);
      one.server.turn();
      for (WsFrame f = client.read_frame(5ms); f.ok(); f = client.read_frame(0ms)) got += f.payload;
    } else {
      REQUIRE((status == SendStatus::ok || status == SendStatus::backpressure));
      sent += piece;
    }
  }
  CHECK(refused > 0);
  out.finish();
  while (!fin) {
    one.server.turn();
    for (WsFrame f = client.read_frame(5ms); f.ok(); f = client.read_frame(0ms)) {
      got += f.payload;
      fin = f.fin;
    }
  }
  CHECK(got == sent);
}

TEST_CASE("ws pieces: what may wait for the end of a message is limited") {
  One one({.max_unsent_bytes = 1000});
  WsClient client = one.server.open_websocket("/");
  MessageWriter out = one.ws.begin_message(MessageType::text);
  const std::string text = pattern(500);
  CHECK(one.ws.send(text) == SendStatus::ok);
  CHECK(one.ws.send(text) == SendStatus::ok);   // 504 wait: one more of any size
  CHECK(one.ws.send(text) == SendStatus::dropped);
  CHECK(one.server.app().stats().messages_dropped == 1);
  out.finish();
  one.server.turn();
  for (const std::string& each : {std::string(), text, text}) CHECK(client.reads(each));
}

TEST_CASE("ws pieces: from another thread") {
  Thread other;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      other = Thread([ws] {
        MessageWriter out = ws.begin_message(MessageType::text);
        CHECK(out.write("from ") == SendStatus::posted);
        ws.send("behind");
        out.write("elsewhere");
        CHECK(out.finish() == SendStatus::posted);
      });
    });
  });
  WsClient client(server.port());
  CHECK(client.reads("from elsewhere"));
  CHECK(client.reads("behind"));
}

TEST_CASE("ws pieces: a peer that does not keep up with another thread is a slow consumer, and what waited is counted") {
  Thread other;
  std::atomic<CloseCause> cause{CloseCause::peer_eof};
  std::atomic<bool> closed{false};
  TestServer server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket ws, Request&) {
                   other = Thread([&closed, ws] {
                     MessageWriter out = ws.begin_message(MessageType::binary);
                     const std::string piece(100'000, 'p');
                     while (!closed && out.write(piece) == SendStatus::posted) std::this_thread::sleep_for(1ms);
                   });
                   ws.on_drain([](WebSocket) {});
                   ws.after(20ms, [ws] { ws.send("waits for the end"); });
                 },
                 .close = [&](WebSocket, const CloseInfo& why) {
                   cause = why.cause;
                   closed = true;
                 },
                 .options = {.max_unsent_bytes = 300'000, .slow_consumer = SlowConsumerPolicy::drop_newest}});
  });
  WsClient deaf(server.port(), "/", {}, {.receive_buffer_bytes = 16'384});
  REQUIRE(deaf.open());
  REQUIRE(eventually([&] { return closed.load(); }));
  CHECK(cause == CloseCause::slow_consumer);
  CHECK(server.stats().slow_consumers == 1);
  CHECK(server.stats().messages_dropped == 1);
  deaf.tcp.close();
}

// Inwards -------------------------------------------------------------------------------------------------------------

TEST_CASE("ws pieces: messages are told as they come, split at every byte") {
  const std::string message = ws_fragments(kText, "\xC3\xA4" "bc\xE2\x82\xAC", {1, 0, 3});
  const std::string wire = ws_frame(kBinary, "whole") + message + ws_frame(kPing, "p") + ws_frame(kText, "");
  for (size_t cut = 0; cut <= wire.size(); cut++) {
    Told told;
    One one;
    WsClient client = one.server.open_websocket("/");
    one.ws.on_fragment(tell(told));
    REQUIRE(client.send(wire.substr(0, cut)));
    one.server.turn_until([&] { return false; }, 3ms);
    REQUIRE(client.send(wire.substr(cut)));
    const uint64_t wanted = 3;
    REQUIRE(one.server.turn_until([&] { return one.server.app().stats().messages_received == wanted; }));
    CHECK(told.bytes == "whole\xC3\xA4" "bc\xE2\x82\xAC");
    size_t lasts = 0, firsts = 0;
    for (const std::string& mark : told.marks) lasts += mark.ends_with('l'), firsts += mark[1] == 'f';
    CHECK(lasts == 3);
    CHECK(firsts == 3);
    CHECK(one.events.messages().empty());
    CHECK(client.read_frame().is(kPong, "p"));
  }
}

TEST_CASE("ws pieces: a message above the limit of whole ones, of which nothing is kept") {
  size_t most = 0, bytes = 0, ends = 0;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.on_message([](WebSocket from, const Message&) { from.send("whole"); });
      ws.on_fragment([&](WebSocket from, const Fragment& f) {
        most = std::max(most, f.size());
        bytes += f.size();
        if (f.is_last()) from.send(std::to_string(bytes)), ends++;
      });
    }, {.max_message_bytes = 1000});
  });
  WsClient client(server.port());
  const std::string part = pattern(1'000'000);
  for (int i = 0; i < 20; i++) {
    REQUIRE(client.send(ws_frame(i ? kContinuation : kBinary, part, {.fin = i == 19})));
  }
  CHECK(client.reads("20000000"));
  CHECK(most <= 600'000);
  REQUIRE(client.send_text("more"));
  CHECK(client.reads("20000004"));
}

TEST_CASE("ws pieces: pausing in a piece bounds what comes, and the rest is told later") {
  Told told;
  One one;
  WsClient client = one.server.open_websocket("/");
  one.ws.on_fragment(tell(told));
  one.ws.on_fragment([](WebSocket from, const Fragment&) { from.pause(); });
  const std::string text = pattern(3000);
  REQUIRE(client.send(ws_fragments(kBinary, text, {1000, 1000})));
  std::string so_far;
  REQUIRE(one.server.turn_until([&] { return !told.marks.empty(); }));
  for (int i = 0; i < 10; i++) one.server.turn();
  CHECK(told.marks == Marks{"bf"});
  CHECK(told.bytes.size() <= 1000);
  REQUIRE(one.server.turn_until([&] {
    one.ws.resume();
    return told.bytes.size() == 3000;
  }));
  CHECK(told.bytes == text);
  CHECK(told.marks.back() == "bl");
}

TEST_CASE("ws pieces: taken out they come whole again, from the next message on; mistakes of the peer close as always") {
  Told told;
  One one;
  WsClient client = one.server.open_websocket("/");
  const ListenerId id = one.ws.on_fragment(tell(told));
  REQUIRE(client.send(ws_frame(kText, "half", {.fin = false})));
  REQUIRE(one.server.turn_until([&] { return told.bytes == "half"; }));
  one.ws.off(id);
  REQUIRE(client.send(ws_frame(kContinuation, "unheard") + ws_frame(kText, "whole")));
  REQUIRE(one.server.turn_until([&] { return one.events.messages().size() == 1; }));
  CHECK(one.events.messages()[0] == "whole");
  CHECK(told.bytes == "half");

  one.ws.on_fragment(tell(told));
  SUBCASE("text that is not UTF-8") {
    REQUIRE(client.send(ws_frame(kText, "ok\xff")));
    REQUIRE(one.server.turn_until([&] { return one.events.closes().size() == 1; }));
    CHECK(one.events.closes()[0].code == CloseCode::invalid_payload);
  }
  SUBCASE("text that ends inside a character") {
    REQUIRE(client.send(ws_frame(kText, "ok\xE2\x82")));
    REQUIRE(one.server.turn_until([&] { return one.events.closes().size() == 1; }));
    CHECK(one.events.closes()[0].code == CloseCode::invalid_payload);
  }
  SUBCASE("a message inside of another") {
    REQUIRE(client.send(ws_frame(kText, "a", {.fin = false}) + ws_frame(kText, "b")));
    REQUIRE(one.server.turn_until([&] { return one.events.closes().size() == 1; }));
    CHECK(one.events.closes()[0].code == CloseCode::protocol_error);
  }
  SUBCASE("its end in the middle") {
    REQUIRE(client.send(ws_frame(kText, "abc").substr(0, 8)));
    one.server.turn_until([&] { return false; }, 5ms);
    one.ws.abort();
    REQUIRE(one.server.turn_until([&] { return one.events.closes().size() == 1; }));
  }
}

TEST_CASE("ws pieces: a listener that throws closes with 1011") {
  TestServer server([](App& app) {
    app.ws("/", [](WebSocket ws) { ws.on_fragment([](WebSocket, const Fragment&) { throw 1; }); });
  });
  WsClient client(server.port());
  REQUIRE(client.send(ws_frame(kText, "a", {.fin = false})));
  CHECK(client.read_frame().close_code() == 1011);
}
