// Rooms with memory by names, patterns and positions of all kinds, in other envelopes and compressed, and without memory.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "support/failing_alloc.h"
#include "support/history_member.h"
#include "support/history_rooms.h"
#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"
#include "support/ws_deflate_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

}  // namespace

// Names, patterns, positions ----------------------------------------------------------------------------------------------

TEST_CASE("history: of patterns that fit a name, the longest counts; names may be anything") {
  const std::string hostile = "a/\"\\\n\x01{}],\"offset\":7,";
  const std::string huge(size_t{1} << 20, 'h');
  TestServer server([&](App& app) {
    app.history("*", {.messages = 1});
    app.history("a/b/*", {.messages = 3});
    app.history("a/*", {.messages = 2});
    app.history("a/b/c", {.messages = 4});
    app.ws("/", {.message = [&](WebSocket ws, const Message& m) {
      const std::string name = m.text() == "hostile" ? hostile : m.text() == "huge" ? huge : m.text() == "empty" ? "" : std::string(m.text());
      for (int i = 0; i < 9; i++) app.to(name).emit("told", i);
      ws.join(name, {.last = 100});
      ws.leave(name);
      ws.send("done");
    }});
  });
  WsClient a(server.port());
  const auto count = [&](std::string_view name) {
    CHECK(a.send_text(name));
    int events = 0;
    for (;;) {
      const WsFrame frame = a.read_frame();
      if (frame.payload == "done") return events;
      const auto json = Json::parse(frame.payload);
      REQUIRE(json);
      if ((*json)["event"] == "told") events++;
      if (name == "hostile") CHECK((*json)["room"] == hostile);
      if (name == "huge") CHECK((*json)["room"] == huge);
    }
  };
  CHECK(count("x") == 1);
  CHECK(count("empty") == 1);
  CHECK(count("huge") == 0);  // with its name each is more than the room may keep
  CHECK(count("a/x") == 2);
  CHECK(count("hostile") == 2);
  CHECK(count("a/b/x") == 3);
  CHECK(count("a/b/c") == 4);
  CHECK(count("a/b/cd") == 3);
}

TEST_CASE("history: positions that nobody was told are gaps, however large, and epochs may be anything") {
  TestServer server([&](App& app) {
    app.history("room", {});
    app.ws("/", history_handlers());
  });
  WsClient a(server.port());
  CHECK(a.send_text("come room - - 0"));
  const std::string epoch(HistoryEvent::parse(a.read_frame().payload).epoch);
  const auto reason = [&](std::string_view since, std::string_view of) {
    WsClient b(server.port());
    CHECK(b.send_text("come room " + std::string(since) + " " + std::string(of) + " 0"));
    const WsFrame frame = b.read_frame();
    const HistoryEvent event = HistoryEvent::parse(frame.payload);
    CHECK(event.epoch == epoch);
    return std::string(event.name) + std::string(event.args);
  };
  CHECK(reason("0", epoch) == R"(room:joined{"recovered":true})");
  for (const char* since : {"1", "9007199254740992", "9223372036854775808", "18446744073709551615"}) {
    CHECK(reason(since, epoch) == R"(room:gap{"reason":"future"})");
    CHECK(reason(since, "0000000000000000") == R"(room:gap{"reason":"epoch"})");
  }
  for (const std::string& wrong : {epoch + "0", epoch.substr(1), std::string(16, 'g'), std::string(16, 'F'), std::string(100'000, '0'), std::string("\"\\")}) {
    CHECK(reason("0", wrong) == R"(room:gap{"reason":"epoch"})");
  }
}

TEST_CASE("history: 100,000 rooms have a memory, and one more has when others have gone") {
  WebSocket socket;
  SteppedServer server([&](App& app) {
    app.history("*", {.age = milliseconds(1000)});
    app.ws("/", {.open = [&](WebSocket ws, Request&) { socket = ws; }});
  });
  App& app = server.app();
  const auto in_a_turn = [&](const std::function<bool()>& act) {
    bool answer = false;
    app.post([&] { answer = act(); });
    server.turn();
    return answer;
  };
  const auto remembers = [&](std::string_view room) { return in_a_turn([&] { return app.to(room).send("text") == SendStatus::ok; }); };
  CHECK(in_a_turn([&] {
    int good = 0;
    for (int i = 0; i < 100'000; i++) good += app.to(std::to_string(i)).send("text") == SendStatus::ok;
    return good == 100'000;
  }));
  CHECK_FALSE(remembers("one more"));
  CHECK_FALSE(in_a_turn([&] { return app.shared("one more").ok(); }));
  WsClient client = server.open_websocket("/");
  const auto is_told = [&](std::string_view room) {
    in_a_turn([&] { return socket.join(room, {.last = 1}).ok(); });
    server.turn();
    SteppedServer::read_what_is_there(client.tcp);
    int frames = 0;
    while (client.read_frame(milliseconds(0)).ok()) frames++;
    return frames;
  };
  CHECK(is_told("7") == 2);         // the text, and its position
  CHECK(is_told("one more") == 0);  // a room as any
  in_a_turn([&] { return socket.leave("one more"), true; });
  // A few are looked at every five seconds: all in some minutes.
  CHECK(server.turn_until([&] { return server.live(milliseconds(5000)), remembers("one more"); }));
  CHECK(is_told("one more") == 2);
  CHECK(in_a_turn([&] { return app.shared("one more").ok(); }));
}

// Other forms -------------------------------------------------------------------------------------------------------------

TEST_CASE("history: where events look otherwise, so do those of rooms with memory") {
  Shared room;
  TestServer server([&](App& app) {
    room = app.shared("room");
    app.ws("/", history_handlers({.envelope = Envelope::type_data}));
  });
  CHECK(room.set("a", 1) == SendStatus::ok);
  CHECK(room.send("told", "early") == SendStatus::ok);
  WsClient a(server.port());
  CHECK(a.send_text("come room - - 1"));
  CHECK(a.reads(R"({"type":"room:state","data":[{"a":1},{"page":0,"more":false}],"room":"room","offset":2})"));
  CHECK(a.reads(R"({"type":"told","data":"early","room":"room","offset":2})"));
  const std::string joined = a.read_frame().payload;
  CHECK(joined.starts_with(R"({"type":"room:joined","data":{"recovered":false},"room":"room","offset":2,"epoch":")"));
  CHECK(room.set("a", 2) == SendStatus::ok);
  CHECK(room.remove("a") == SendStatus::ok);
  CHECK(room.send("told", "one") == SendStatus::ok);
  CHECK(room.send("told", 1, 2) == SendStatus::ok);
  CHECK(room.send("told") == SendStatus::ok);
  CHECK(a.reads(R"({"type":"room:set","data":["a",2],"room":"room","offset":3})"));
  CHECK(a.reads(R"({"type":"room:remove","data":"a","room":"room","offset":4})"));
  CHECK(a.reads(R"({"type":"told","data":"one","room":"room","offset":5})"));
  CHECK(a.reads(R"({"type":"told","data":[1,2],"room":"room","offset":6})"));
  CHECK(a.reads(R"({"type":"told","room":"room","offset":7})"));
  CHECK(a.send_text("come room 9 - 0"));
  CHECK(a.reads(R"({"type":"room:state","data":[{},{"page":0,"more":false}],"room":"room","offset":7})"));
  CHECK(a.read_frame().payload.starts_with(R"({"type":"room:gap","data":{"reason":"epoch"},"room":"room","offset":7,"epoch":")"));
}

TEST_CASE("history: members whose messages are compressed are told the same") {
  Shared room;
  TestServer server([&](App& app) {
    room = app.shared("room");
    app.ws("/", history_handlers({.compression = Deflate{.threshold = 1}}));
  });
  const std::string text(5000, 'x');
  for (int i = 0; i < 3; i++) CHECK(room.send("told", text) == SendStatus::ok);
  DeflateClient a(server.port(), "/", "permessage-deflate");
  CHECK(a.send_packed(kText, "come room - - 2"));
  CHECK(a.read().is(kText, told(text, "room", 2)));
  CHECK(a.read().is(kText, told(text, "room", 3)));
  CHECK(HistoryEvent::parse(a.read().text).name == "room:joined");
  for (uint64_t i = 4; i < 8; i++) {
    CHECK(room.send("told", text) == SendStatus::ok);
    CHECK(a.read().is(kText, told(text, "room", i)));
  }
}

// Without memory ----------------------------------------------------------------------------------------------------------

TEST_CASE("history: without memory a join happens as a whole or not at all, and what comes later comes") {
  bool refused = false, came = false;
  for (size_t allowed = 0; allowed < 24; allowed++) {
    CAPTURE(allowed);
    FailingAlloc memory;
    {
      Shared room;
      WebSocket socket;
      SteppedServer server([&](App& app) {
        room = app.shared("room");
        app.ws("/", {.open = [&](WebSocket ws, Request&) { socket = ws; }});
      });
      CHECK(room.set("key", 1) == SendStatus::ok);
      CHECK(room.send("told", "one") == SendStatus::ok);
      WsClient client = server.open_websocket("/");
      FailingAlloc::left = allowed;
      const bool joined = socket.join("room", {.last = 5}).ok();
      FailingAlloc::left = SIZE_MAX;
      CHECK(server.app().stats().open_rooms == (joined ? 1 : 0));
      CHECK(room.send("told", "two") == SendStatus::ok);
      server.live(milliseconds(6000));  // it is looked after every five seconds
      std::vector<std::string> texts;
      for (SteppedServer::read_what_is_there(client.tcp);;) {
        const WsFrame frame = client.read_frame(milliseconds(0));
        if (!frame.ok()) break;
        texts.push_back(frame.payload);
      }
      (joined ? came : refused) = true;
      CHECK(texts.size() == (joined ? 4 : 0));
      if (texts.size() == 4) {
        CHECK(HistoryEvent::parse(texts[0]).name == "room:state");
        CHECK(texts[1] == told("one", "room", 2));
      }
      const bool at_once = joined && texts.size() == 4 && texts[3] == told("two", "room", 3);
      const bool later = joined && texts.size() == 4 && texts[2] == told("two", "room", 3);
      CHECK((at_once || later) == joined);
    }
    CHECK(FailingAlloc::held == 0);
  }
  CHECK(refused);
  CHECK(came);
}
