// Rooms with memory (history.h): what is missed is told, in order, each once; keys are told to who comes; and what is gone is said.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/history_rooms.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

// Clients steer it: {"event":"join","args":["room", since or null, epoch, last]} and so on.
void serve_rooms(App& app) {
  app.ws("/", [](WebSocket ws) {
    ws.on("join", [](WebSocket from, std::string room) { from.join(room); });
    ws.on("come", [](WebSocket from, std::string room, std::optional<uint64_t> since, std::string epoch, uint32_t last) {
      from.join(room, {.epoch = epoch, .last = last, .since = since});
    });
    ws.on("leave", [](WebSocket from, std::string room) { from.leave(room); });
    ws.on("tell", [](WebSocket from, std::string room, std::string text) { from.to(room).emit("told", text); });
    ws.on("raw", [](WebSocket from, std::string room, std::string text) { from.to(room).send(text); });
  });
}

std::string ask(std::string_view event, const Json& args) { return Json{{"event", std::string(event)}, {"args", args}}.dump(); }

struct Member : WsClient {
  using WsClient::WsClient;
  Json next() {
    const WsFrame frame = read_frame();
    auto json = Json::parse(frame.payload);
    return json ? std::move(*json) : Json();
  }
  bool come(std::string_view room, std::optional<uint64_t> since, std::string_view epoch, uint32_t last) {
    Json args = Json::array({std::string(room), since ? Json(*since) : Json(), std::string(epoch), last});
    return send_text(ask("come", args));
  }
  bool join(std::string_view room) { return send_text(ask("join", Json::array({std::string(room)}))); }
  bool leave(std::string_view room) { return send_text(ask("leave", Json::array({std::string(room)}))); }
  bool tell(std::string_view room, std::string_view text) { return send_text(ask("tell", Json::array({std::string(room), std::string(text)}))); }
  bool raw(std::string_view room, std::string_view text) { return send_text(ask("raw", Json::array({std::string(room), std::string(text)}))); }
};

}  // namespace

TEST_CASE("history: events say where they stand, and who comes back is told what it missed") {
  TestServer server([](App& app) {
    app.history("chat/*", {.messages = 3});
    serve_rooms(app);
  });
  Member a(server.port()), b(server.port());
  CHECK(a.come("chat/1", std::nullopt, "", 0));
  Json joined = a.next();
  CHECK(joined["event"] == "room:joined");
  CHECK(joined["room"] == "chat/1");
  CHECK(joined["offset"] == 0);
  CHECK(joined["args"][0]["recovered"] == false);
  const std::string epoch(joined["epoch"].text_or(""));
  CHECK(epoch.size() == 16);
  for (const char* text : {"one", "two", "three"}) CHECK(b.tell("chat/1", text));
  CHECK(a.reads(told("one", "chat/1", 1)));
  CHECK(a.reads(told("two", "chat/1", 2)));
  CHECK(a.reads(told("three", "chat/1", 3)));
  Member c(server.port());
  CHECK(c.come("chat/1", 1, epoch, 0));
  CHECK(c.reads(told("two", "chat/1", 2)));
  CHECK(c.reads(told("three", "chat/1", 3)));
  joined = c.next();
  CHECK(joined["event"] == "room:joined");
  CHECK(joined["args"][0]["recovered"] == true);
  CHECK(joined["offset"] == 3);
  CHECK(b.raw("chat/1", "as it is"));
  CHECK(a.reads("as it is"));
  CHECK(c.reads("as it is"));
  Member d(server.port());
  CHECK(d.come("chat/1", std::nullopt, "", 2));
  CHECK(d.reads(told("three", "chat/1", 3)));
  CHECK(d.reads("as it is"));
  CHECK(d.next()["event"] == "room:joined");
  struct Wrong {
    uint64_t since;
    std::string epoch, reason;
  };
  for (const Wrong& wrong : {Wrong{0, epoch, "trimmed"}, Wrong{5, epoch, "future"}, Wrong{3, "0123456789abcdef", "epoch"}, Wrong{3, "x", "epoch"},
                             Wrong{3, "", "epoch"}}) {
    CAPTURE(wrong.reason);
    Member e(server.port());
    CHECK(e.come("chat/1", wrong.since, wrong.epoch, 0));
    Json gap = e.next();
    CHECK(gap["event"] == "room:gap");
    CHECK(gap["args"][0]["reason"].text_or("") == wrong.reason);
    CHECK(gap["offset"] == 4);
    CHECK(gap["epoch"].text_or("") == epoch);
    CHECK(e.send_text("x"));
    CHECK(e.close_nicely());
    // One who would have the last ones then is given them, behind the position that is said.
    Member f(server.port());
    CHECK(f.come("chat/1", wrong.since, wrong.epoch, 2));
    gap = f.next();
    CHECK(gap["event"] == "room:gap");
    CHECK(gap["args"][0]["reason"].text_or("") == wrong.reason);
    CHECK(gap["offset"] == 2);
    CHECK(f.reads(told("three", "chat/1", 3)));
    CHECK(f.reads("as it is"));
    joined = f.next();
    CHECK(joined["event"] == "room:joined");
    CHECK(joined["args"][0]["recovered"] == false);
    CHECK(joined["offset"] == 4);
    Member g(server.port());
    CHECK(g.come("chat/1", 2, epoch, 2));
    CHECK(g.reads(told("three", "chat/1", 3)));
    CHECK(g.reads("as it is"));
    CHECK(g.next()["args"][0]["recovered"] == true);
  }
}

TEST_CASE("history: after a gap one who asked for the last messages is told the keys first, then these, then all that comes") {
  TestServer server([](App& app) {
    app.history("chat/*", {.messages = 100});
    app.presence("chat/*", [](WebSocket) { return Json{{"name", "A"}}; }, {.identify = [](WebSocket) { return std::string("a"); }});
    serve_rooms(app);
  });
  Member a(server.port());
  CHECK(a.come("chat/1", std::nullopt, "", 0));
  CHECK(a.next()["event"] == "room:joined");
  CHECK(a.next()["event"] == "presence:join");
  Member b(server.port());
  for (const char* text : {"one", "two", "three"}) CHECK(b.tell("chat/1", text));
  for (uint64_t i = 2; i <= 4; i++) CHECK(a.next()["offset"] == i);
  Member c(server.port());
  CHECK(c.come("chat/1", 7, "0123456789abcdef", 2));
  CHECK(c.reads(R"({"event":"presence:state","args":[{"a":{"name":"A"}},{"page":0,"more":false}],"room":"chat/1","offset":4})"));
  CHECK(b.tell("chat/1", "four"));
  CHECK(c.next()["event"] == "room:gap");
  CHECK(c.reads(told("two", "chat/1", 3)));
  CHECK(c.reads(told("three", "chat/1", 4)));
  CHECK(c.next()["event"] == "room:joined");
  CHECK(c.reads(told("four", "chat/1", 5)));
}

TEST_CASE("history: keys are told to who comes, in pages, and then as they change") {
  Shared prices;
  TestServer server([&](App& app) {
    prices = app.shared("prices");
    serve_rooms(app);
  });
  REQUIRE(prices);
  CHECK(prices.set("ACME", 7) == SendStatus::ok);
  CHECK(prices.set("EMCA", Json{{"bid", 1}}) == SendStatus::ok);
  CHECK(prices.set("ACME", 8) == SendStatus::ok);
  Member a(server.port());
  CHECK(a.join("prices"));
  CHECK(a.reads(R"({"event":"room:state","args":[{"EMCA":{"bid":1},"ACME":8},{"page":0,"more":false}],"room":"prices","offset":3})"));
  CHECK(prices.set("ACME", 9) == SendStatus::ok);
  CHECK(a.reads(R"({"event":"room:set","args":["ACME",9],"room":"prices","offset":4})"));
  CHECK(prices.remove("EMCA") == SendStatus::ok);
  CHECK(prices.remove("EMCA") == SendStatus::closed);
  CHECK(a.reads(R"({"event":"room:remove","args":["EMCA"],"room":"prices","offset":5})"));
  CHECK(prices.send("halted", "ACME") == SendStatus::ok);
  CHECK(a.reads(R"({"event":"halted","args":["ACME"],"room":"prices","offset":6})"));
  CHECK(prices.size() == 1);
  CHECK(prices.get("ACME") == 9);
  RoomPosition position;
  CHECK(prices.entries(&position).dump() == R"({"ACME":9})");
  CHECK(position.offset == 6);
  // A client that knows them up to 3 is told the newest of each since.
  Member b(server.port());
  CHECK(b.come("prices", 3, position.epoch, 0));
  CHECK(b.reads(R"({"event":"room:set","args":["ACME",9],"room":"prices","offset":4})"));
  CHECK(b.reads(R"({"event":"room:remove","args":["EMCA"],"room":"prices","offset":5})"));
  CHECK(b.reads(R"({"event":"halted","args":["ACME"],"room":"prices","offset":6})"));
  CHECK(b.next()["event"] == "room:joined");
}

TEST_CASE("history: one order for all workers of a Server, whoever publishes") {
  std::mutex mutex;
  std::vector<Shared> rooms;
  MultiServer server(3, [&](App& app, uint32_t) {
    {
      const std::lock_guard lock(mutex);
      rooms.push_back(app.shared("r"));
    }
    serve_rooms(app);
  });
  REQUIRE(rooms.size() == 3);
  CHECK(rooms[0].set("k", 1) == SendStatus::ok);
  CHECK(rooms[1].get("k") == 1);
  CHECK(rooms[2].position().offset == 1);
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < 12; i++) {
    members.push_back(std::make_unique<Member>(server.port()));
    CHECK(members.back()->come("r", std::nullopt, "", 0));
    CHECK(members.back()->next()["event"] == "room:state");
    CHECK(members.back()->next()["event"] == "room:joined");
  }
  constexpr int kEach = 20;
  for (int i = 0; i < kEach; i++) {
    for (const auto& member : members) CHECK(member->tell("r", std::to_string(i)));
  }
  // Each is told of all but its own, by rising offsets, and all know the same of an offset.
  std::map<uint64_t, std::string> known;
  for (const auto& member : members) {
    uint64_t last = 1;
    for (size_t i = 0; i < kEach * (members.size() - 1); i++) {
      const Json event = member->next();
      const auto offset = static_cast<uint64_t>(event["offset"].int_or(0));
      CHECK(offset > last);
      last = offset;
      const std::string text(event["args"][0].text_or(""));
      CHECK(known.emplace(offset, text).first->second == text);
    }
  }
  CHECK(known.size() == kEach * members.size());
  members.clear();
  server.stop();
}

TEST_CASE("presence: members are told who is there, who comes and who goes, once for each identity") {
  Presence presence;
  TestServer server([&](App& app) {
    app.ws("/:name", [](WebSocket ws, Request& req) {
      ws.metadata()["name"] = req.param("name");
      ws.on("join", [](WebSocket from, std::string room) { from.join(room); });
      ws.on("leave", [](WebSocket from, std::string room) { from.leave(room); });
    });
    presence = app.presence("lobby", [](WebSocket ws) { return Json{{"is", ws.metadata()["name"]}}; },
                            {.grace = milliseconds(0), .identify = [](WebSocket ws) { return std::string(ws.metadata()["name"].text_or("")); }});
  });
  Member ada(server.port(), "/ada"), bob(server.port(), "/bob"), bob_too(server.port(), "/bob");
  CHECK(ada.join("lobby"));
  CHECK(ada.reads(R"({"event":"presence:join","args":["ada",{"is":"ada"}],"room":"lobby","offset":1})"));
  CHECK(bob.join("lobby"));
  CHECK(ada.reads(R"({"event":"presence:join","args":["bob",{"is":"bob"}],"room":"lobby","offset":2})"));
  CHECK(bob.reads(R"({"event":"presence:state","args":[{"ada":{"is":"ada"}},{"page":0,"more":false}],"room":"lobby","offset":1})"));
  CHECK(bob.reads(R"({"event":"presence:join","args":["bob",{"is":"bob"}],"room":"lobby","offset":2})"));
  CHECK(bob_too.join("lobby"));
  CHECK(bob_too.reads(R"({"event":"presence:state","args":[{"ada":{"is":"ada"},"bob":{"is":"bob"}},{"page":0,"more":false}],"room":"lobby","offset":2})"));
  CHECK(bob.close_nicely());
  CHECK(server.wait_for_connections(2));
  CHECK(bob_too.leave("lobby"));
  CHECK(ada.reads(R"({"event":"presence:leave","args":["bob"],"room":"lobby","offset":3})"));
  std::promise<std::string> said;
  presence.list([&](const Json& all) { said.set_value(all.dump()); });
  CHECK(said.get_future().get() == R"({"ada":{"is":"ada"}})");
}

TEST_CASE("presence: who comes back in time has not gone") {
  TestServer server([&](App& app) {
    app.ws("/:name", [](WebSocket ws, Request& req) {
      ws.metadata()["name"] = req.param("name");
      ws.join("lobby");
    });
    app.presence("lobby", [](WebSocket ws) { return ws.metadata()["name"]; },
                 {.grace = milliseconds(300), .identify = [](WebSocket ws) { return std::string(ws.metadata()["name"].text_or("")); }});
  });
  Member ada(server.port(), "/ada");
  CHECK(ada.reads(R"({"event":"presence:join","args":["ada","ada"],"room":"lobby","offset":1})"));
  {
    Member bob(server.port(), "/bob");
    CHECK(ada.reads(R"({"event":"presence:join","args":["bob","bob"],"room":"lobby","offset":2})"));
    CHECK(bob.close_nicely());
  }
  {
    Member bob(server.port(), "/bob");
    CHECK(bob.reads(R"({"event":"presence:state","args":[{"ada":"ada","bob":"bob"},{"page":0,"more":false}],"room":"lobby","offset":2})"));
    CHECK(bob.close_nicely());
  }
  CHECK(ada.reads(R"({"event":"presence:leave","args":["bob"],"room":"lobby","offset":3})"));
}
