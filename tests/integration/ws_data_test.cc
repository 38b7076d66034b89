// What a connection keeps for the program: typed data, metadata and its limit, and info().
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "support/aborts.h"
#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::test;

namespace {

struct Player {
  static inline std::atomic<int> alive = 0;
  Player() { alive++; }
  Player(const Player&) = delete;
  ~Player() { alive--; }
  int score = 0;
};

struct alignas(64) Wide {
  int number = 0;
};

struct Refuses {
  Refuses() { throw std::runtime_error("no"); }
};

// Asks for another type, and itself, while it is made and while it goes.
struct Curious {
  static inline WebSocket ws;
  static inline int found = -1;
  Curious() { ws.data<int>() = 7; }
  ~Curious() {
    ws.data<Player>().score = 1;
    ws.metadata()["x"] = 1;
    found = ws.find_data<Player>() == nullptr;
  }
};

}  // namespace

TEST_CASE("ws data: of any number of types, each made once, and gone with the connection") {
  {
    TestServer server([](App& app) {
      app.ws("/", [](WebSocket ws) {
        CHECK(ws.find_data<Player>() == nullptr);
        ws.data<Player>().score = 40;
        ws.data<std::string>() = "text";
        ws.data<std::vector<int>>() = {1, 2, 3};
        ws.data<Wide>().number = 5;
        CHECK(reinterpret_cast<uintptr_t>(&ws.data<Wide>()) % 64 == 0);
        ws.on_message([](WebSocket from, const Message&) {
          from.data<Player>().score++;
          from.send(std::to_string(from.data<Player>().score) + from.data<std::string>() +
                    std::to_string(from.data<std::vector<int>>().size()) + std::to_string(from.find_data<Wide>()->number));
        });
        ws.on_close([](WebSocket gone, const CloseInfo&) { CHECK(gone.data<Player>().score == 42); });
      });
    });
    WsClient client(server.port());
    for (const char* text : {"41text35", "42text35"}) {
      REQUIRE(client.send_text("x"));
      CHECK(client.reads(text));
    }
    CHECK(Player::alive == 1);
    CHECK(client.close_nicely());
    CHECK(eventually([] { return Player::alive == 0; }));
  }
}

TEST_CASE("ws data: of a connection that is gone it is nobody's, and always new") {
  WebSocket late;
  SteppedServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      late = ws;
      ws.metadata()["there"] = true;
    });
  });
  {
    WsClient client = server.open_websocket("/");
    late.data<Player>().score = 9;
    late.abort();
    server.turn();
  }
  CHECK(late.find_data<Player>() == nullptr);
  late.data<Player>().score++;
  CHECK(late.data<Player>().score == 0);
  CHECK(WebSocket().data<int>() == 0);
  late.metadata()["more"] = 1;
  CHECK(late.metadata().is_null());
  CHECK(late.info().to_json()["metadata"].empty());
  CHECK(late.info().state == ReadyState::closed);
  CHECK(late.remote_port() == 0);
  CHECK(late.remote_address().empty());
  CHECK(late.rooms().empty());
}

TEST_CASE("ws data: a constructor that throws makes nothing, one that asks for others gets them, and a destructor finds nothing") {
  SteppedServer server([](App& app) {
    app.ws("/", [](WebSocket ws) {
      CHECK_THROWS_AS(ws.data<Refuses>(), std::runtime_error);
      CHECK(ws.find_data<Refuses>() == nullptr);
      Curious::ws = ws;
      ws.data<Curious>();
      ws.data<Curious>();
      CHECK(ws.data<int>() == 7);
    });
  });
  WsClient client = server.open_websocket("/");
  Curious::ws.abort();
  server.turn();
  CHECK(Curious::found == 1);
}

TEST_CASE("ws data: somebody is found by name: in a map of one's own, among the clients of the route, by the id") {
  struct User {
    std::string name;
  };
  std::unordered_map<WebSocket, std::string> names;
  TestServer server([&](App& app) {
    app.ws("/", [&](RouteServer& route) {
      return [&, route](WebSocket ws, Request& req) {
        names[ws] = ws.data<User>().name = req.query("name").value_or("");
        ws.on("map", [&](WebSocket from, const std::string& name) {
          for (const auto& [client, found] : names) {
            if (client != from && found == name) client.send("by map, from " + names[from]);
          }
        });
        ws.on("route", [route](WebSocket from, const std::string& name) {
          for (const WebSocket client : route.clients()) {
            if (client != from && client.data<User>().name == name) client.send("by route, from " + from.data<User>().name);
          }
        });
        ws.on("id", [&app](WebSocket from, const std::string& id) {
          CHECK(app.find(id) != from);
          CHECK(app.find("ws_nobody") == WebSocket());
          app.find(id).send("by id, from " + from.data<User>().name);
        });
        ws.send(ws.id());
        return [&names, ws] { names.erase(ws); };
      };
    });
  });
  WsClient ann(server.port(), "/?name=ann"), bob(server.port(), "/?name=bob"), eve(server.port(), "/?name=eve");
  const std::string id = bob.read_frame().payload;
  CHECK(ann.read_frame().ok());
  CHECK(eve.read_frame().ok());
  const auto say = [](WsClient& client, const char* event, const std::string& argument) {
    REQUIRE(client.send_text(Json{{"event", event}, {"args", Json::array({argument})}}.dump()));
  };
  say(ann, "map", "bob");
  say(ann, "route", "bob");
  say(ann, "id", id);
  for (const char* text : {"by map, from ann", "by route, from ann", "by id, from ann"}) CHECK(bob.reads(text));
  say(bob, "map", "eve");
  CHECK(eve.reads("by map, from bob"));  // and nothing before
  CHECK(bob.close_nicely());
  CHECK(server.wait_for_connections(2));
  CHECK(server.on_thread([&](App&) { return names.size(); }) == 2);
  CHECK(ann.close_nicely());  // without a word to read
  CHECK(eve.close_nicely());
}

TEST_CASE("ws data: info has six members, whose values are those of the connection") {
  std::string id;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      id = ws.id();
      CHECK(ws.info().metadata == Json::object());
      ws.join("den");
      ws.metadata()["userId"] = 7;
      CHECK(ws.metadata()["userId"] == Json(7));
      ws.on_message([](WebSocket from, const Message&) { from.send(from.info().to_json()); });
    });
  });
  WsClient client(server.port());
  REQUIRE(client.send_text("?"));
  const WsFrame frame = client.read_frame();
  const auto info = Json::parse(frame.payload);
  REQUIRE(info);
  const std::string port = (*info)["remotePort"].dump();
  CHECK(frame.payload == "{\"id\":\"" + id + "\",\"state\":1,\"rooms\":[\"den\"],\"metadata\":{\"userId\":7}," +
                             "\"remoteAddress\":\"127.0.0.1\",\"remotePort\":" + port + "}");
  CHECK((*info)["remotePort"].int_or(0) > 0);
}

TEST_CASE("ws data: metadata may be as large as its limit; above it the connection closes and the first members stay") {
  // A member with a name of 4 letters and a text of 12: 16 + 4 + 16 + 12 bytes; the object itself 16.
  constexpr size_t kMember = 48;
  WsEvents events;
  std::string kept;
  TestServer server([&](App& app) {
    WsHandlers handlers;
    handlers.open = [](WebSocket ws, Request&) { ws.metadata()["user"] = "0123456789ab"; };
    handlers.message = [](WebSocket ws, const Message& m) {
      ws.metadata()[m.text()] = "0123456789ab";
      ws.send(std::to_string(ws.metadata().size()));
    };
    handlers.close = [&](WebSocket ws, const CloseInfo& why) {
      CHECK(ws.data<CloseCause>() == CloseCause::metadata_too_big);
      kept = ws.metadata().dump();
      events.add_close(ws, why);
    };
    handlers.error = [](WebSocket ws, const ErrorInfo& e) { ws.data<CloseCause>() = e.cause; };
    handlers.options.max_metadata_bytes = 16 + 2 * kMember;
    app.ws("/", std::move(handlers));
  });
  {
    WsClient client(server.port());
    REQUIRE(client.send_text("more"));
    CHECK(client.reads("2"));
    REQUIRE(client.send_text("last"));
    CHECK(client.read_frame().close_code() == 1008);
  }
  REQUIRE(eventually([&] { return events.closes().size() == 1; }));
  CHECK(events.closes()[0].cause == CloseCause::metadata_too_big);
  CHECK(kept == R"({"user":"0123456789ab","more":"0123456789ab"})");
}

TEST_CASE("ws data: tens of thousands of keys, deep nesting and large texts in metadata stay bounded") {
  size_t members = 0;
  WebSocket deep, wide;
  SteppedServer server([&](App& app) {
    app.ws("/many", [&](WebSocket ws) {
      for (int i = 0; i < 20'000; i++) ws.metadata()["k" + std::to_string(i)] = i;
      members = ws.metadata().size();
    });
    app.ws("/deep", [&](WebSocket ws) {
      deep = ws;
      Json nested;
      for (int i = 0; i < 500; i++) {
        Json outer = Json::array();
        outer.push_back(std::move(nested));
        nested = std::move(outer);
      }
      ws.metadata() = std::move(nested);
      CHECK(ws.metadata().is_null());
    });
    app.ws("/wide", [&](WebSocket ws) {
      wide = ws;
      ws.metadata()["text"] = std::string(1'000'000, 'x');
      CHECK(ws.info().metadata.empty());
    });
  });
  for (const char* path : {"/many", "/deep", "/wide"}) {
    Client client = server.connect();
    REQUIRE(client.send(ws_request(path)));
    REQUIRE(server.turn_until([&] { return server.app().stats().open_websockets == 0 && server.app().stats().requests > 0; }));
  }
  CHECK(members > 1000);
  CHECK(members < 2048);
}
