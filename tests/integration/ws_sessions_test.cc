// Clients that are known again (App::sessions): who they are, what they get back, from which store, and what becomes of a second
// connection. What waits for them is in ws_offline_test.cc.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/failing_alloc.h"
#include "support/gate.h"
#include "support/known_clients.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL
#include "support/fake_kernel.h"
#endif

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

struct Known : TestServer {
  explicit Known(SessionOptions options = {}, std::function<void(App&)> more = {})
      : TestServer([&](App& app) {
          app.sessions(std::move(options));
          if (more) more(app);
          app.ws("/w", known_handlers());
        }) {}
  WsClient client(std::string_view identity) { return known_client(port(), identity); }
  size_t members(std::string room) {
    return on_thread([room](App& app) { return app.room(room).size(); });
  }
  // Comes, does this, and goes.
  void visit(std::string_view identity, std::initializer_list<std::string_view> said) {
    const uint64_t others = stats().open_connections;
    WsClient guest = client(identity);
    REQUIRE(guest.open());
    for (const std::string_view text : said) REQUIRE(guest.send_text(text));
    REQUIRE(guest.send_text("done"));
    while (!guest.reads("done")) {
    }
    REQUIRE(guest.close_nicely());
    REQUIRE(wait_for_connections(others));
  }
};

int status_of(WsClient client) { return client.handshake.status; }

// A store that writes down, and answers as the test wants.
struct Book {
  std::mutex mutex;
  std::vector<std::string> calls;
  std::vector<SessionAnswer> open;  // questions that have no answer
  std::optional<SessionData> kept;
  bool at_once = true;

  SessionStore store() {
    return {.load =
                [this](std::string_view client, SessionAnswer answer) {
                  const std::unique_lock lock(mutex);
                  calls.push_back("load " + std::string(client));
                  at_once ? answer(kept) : open.push_back(answer);
                },
            .remove = [this](std::string_view client) { note("remove " + std::string(client)); },
            .save =
                [this](std::string_view client, const SessionData& data, milliseconds ttl) {
                  note("save " + std::string(client) + " " + data.metadata.dump() + data.rooms.dump() + " " + std::to_string(ttl.count()));
                  const std::lock_guard lock(mutex);
                  kept = data;
                }};
  }
  void note(std::string call) {
    const std::lock_guard lock(mutex);
    calls.push_back(std::move(call));
  }
  std::vector<std::string> called() {
    const std::lock_guard lock(mutex);
    return calls;
  }
  bool wait_for_question(size_t count = 1) {
    return eventually([&] {
      const std::lock_guard lock(mutex);
      return open.size() >= count;
    });
  }
};

SessionData data_of(std::string_view name, std::initializer_list<Json::Item> rooms) {
  SessionData data;
  data.metadata["name"] = name;
  data.rooms = Json::array(rooms);
  data.last_seen = std::chrono::system_clock::time_point(milliseconds(1'700'000'000'000));
  return data;
}

}  // namespace

// Who they are --------------------------------------------------------------------------------------------------------

TEST_CASE("sessions: a client says who it is by a field or by the query; who says nothing has no session") {
  Known server;
  CHECK(server.client("ann").reads("open ann {} "));
  CHECK(WsClient(server.port(), "/w?clientId=a%20b").reads("open a b {} "));
  CHECK(WsClient(server.port(), "/w?clientId=bob", client_field("ann")).reads("open ann {} ") == false);  // ann is back: restored first
  WsClient nobody(server.port(), "/w");
  CHECK(nobody.reads("open  {} "));
  CHECK(nobody.close_nicely());
  WsClient again(server.port(), "/w");
  CHECK(again.reads("open  {} "));
}

TEST_CASE("sessions: what is no identity is ignored, or refused where the options say so") {
  const std::string longest(128, 'x');
  for (const bool refused : {false, true}) {
    Known server({.refuse_bad_identities = refused});
    CHECK(server.client(longest).reads("open " + longest + " {} "));
    for (const std::string& wrong : {longest + "x", std::string(10'000, 'y')}) {
      CHECK(status_of(server.client(wrong)) == (refused ? 400 : 101));
    }
    CHECK(status_of(WsClient(server.port(), "/w?clientId=a%0Ab")) == (refused ? 400 : 101));
    CHECK(status_of(WsClient(server.port(), "/w?clientId=")) == 101);
    WsClient huge(server.port(), "/w", client_field(std::string(1 << 20, 'z')));
    CHECK(huge.handshake.status == 431);
    CHECK(server.client("ann").reads("open ann {} "));
  }
}

TEST_CASE("sessions: the program's function says who a client is, behind the route's steps; one that throws is a 500") {
  Known server({.identify = [](Request& req) -> std::string {
    if (req.query("throw")) throw std::runtime_error("no database");
    return req.data<std::string>();
  }}, [](App& app) {
    app.use([](Request& req, Response&, Next next) {
      req.data<std::string>() = req.query("user").value_or("");
      next();
    });
  });
  CHECK(WsClient(server.port(), "/w?user=ann").reads("open ann {} "));
  CHECK(WsClient(server.port(), "/w").reads("open  {} "));
  CHECK(status_of(WsClient(server.port(), "/w?throw=1")) == 500);
  CHECK(server.stats().handler_failures == 1);
}

TEST_CASE("sessions: routes that are not named have none") {
  Known server({.routes = {"/w"}}, [](App& app) { app.ws("/other", known_handlers()); });
  CHECK(server.client("ann").reads("open ann {} "));
  CHECK(known_client(server.port(), "ann", "/other").reads("open  {} "));
}

// What they get back ----------------------------------------------------------------------------------------------------

TEST_CASE("sessions: metadata and rooms are back when the open handler runs, and the event has come before") {
  Known server;
  server.visit("ann", {"name Ann", "join hall", "join den", "join yard"});
  CHECK(server.members("den") == 0);
  WsClient ann = server.client("ann");
  const Json event = read_event(ann, "session-restored");
  CHECK(event["rooms"] == Json::array({"hall", "den", "yard"}));
  CHECK(event["previousRooms"] == event["rooms"]);
  const int64_t now_ms = std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(std::abs(event["lastSeen"].int_or(0) - now_ms) < 60'000);
  CHECK(ann.reads(R"(open ann {"name":"Ann"} den,hall,yard)"));
  CHECK(server.members("den") == 1);
  server.on_thread([](App& app) { app.to("den").send("to the den"); });
  CHECK(ann.reads("to the den"));
}

TEST_CASE("sessions: what was stored is forgotten after its time, and not before") {
  SteppedServer server([](App& app) {
    app.sessions({.ttl = 10s});
    app.ws("/w", known_handlers());
  });
  const auto come = [&] {
    Client tcp = server.connect();
    REQUIRE(tcp.send(ws_request("/w", client_field("ann"))));
    WsClient ann(std::move(tcp));
    REQUIRE(server.turn_until([&] { return server.app().stats().open_websockets == 1; }));
    REQUIRE(ann.read_handshake());
    return ann;
  };
  const auto go = [&](WsClient ann) {
    ann.tcp.close();
    REQUIRE(server.turn_until([&] { return server.app().stats().open_websockets == 0; }));
  };
  go(come());
  server.live(milliseconds(9'900));
  WsClient early = come();
  CHECK_FALSE(read_event(early, "session-restored").is_null());
  go(std::move(early));
  server.live(milliseconds(10'100));
  WsClient late = come();
  CHECK(late.reads("open ann {} "));
}

TEST_CASE("sessions: the program says in its own words that a session is restored") {
  Known server({.on_restored = [](WebSocket ws, const SessionData& data) {
    ws.send({{"type", "session-restored"}, {"previousRooms", data.rooms}, {"state", state_of(ws)}});
  }});
  server.visit("ann", {"name Ann", "join hall"});
  WsClient ann = server.client("ann");
  CHECK(ann.reads(R"({"type":"session-restored","previousRooms":["hall"],"state":"ann {\"name\":\"Ann\"} hall"})"));
  CHECK(ann.reads(R"(open ann {"name":"Ann"} hall)"));
}

TEST_CASE("sessions: a handler of restorations that throws, or closes, ends that connection only") {
  Known server({.on_restored = [](WebSocket ws, const SessionData&) {
    if (ws.client_id() == "ann") throw std::runtime_error("oh");
    ws.close(CloseCode(4002), "no");
  }});
  server.visit("ann", {});
  server.visit("bob", {});
  CHECK(server.client("ann").read_close() == 1011);
  CHECK(server.client("bob").read_close() == 4002);
  CHECK(server.client("cid").reads("open cid {} "));
}

TEST_CASE("sessions: a client with many rooms is in all of them again; of more than are kept, in the first ones") {
  for (const size_t most : {1'000u, 500u}) {
    Known server({.max_rooms = most});
    {
      WsClient ann = server.client("ann");
      REQUIRE(ann.open());
      std::string said;
      for (int i = 0; i < 1'000; i++) said += ws_frame(kText, "join room " + std::to_string(i));
      REQUIRE(ann.send(said));
      REQUIRE(ann.reads("open ann {} "));
      REQUIRE(ann.echoes("there"));
      REQUIRE(ann.close_nicely());
    }
    REQUIRE(server.wait_for_connections(0));
    WsClient ann = server.client("ann");
    const Json event = read_event(ann, "session-restored");
    CHECK(event["rooms"].size() == most);
    CHECK(event["previousRooms"] == event["rooms"]);
    CHECK(server.members(std::string(event["rooms"][0].text_or(""))) == 1);
    CHECK(server.stats().open_rooms == most);
  }
}

TEST_CASE("sessions: one that is closed in its open handler is stored, too") {
  Book book;
  TestServer server([&](App& app) {
    app.sessions({.store = book.store(), .ttl = 7s});
    app.ws("/w", [](WebSocket ws, Request&) {
      ws.join("hall");
      ws.metadata()["n"] = 1;
      ws.close(CloseCode(4000));
    });
  });
  CHECK(known_client(server.port(), "ann").read_close() == 4000);
  REQUIRE(server.wait_for_connections(0));
  CHECK(book.called() == std::vector<std::string>{"load ann", R"(save ann {"n":1}["hall"] 7000)"});
}

TEST_CASE("sessions: those whom the steps behind the 101 do not let through are nobody, and displace nobody") {
  Known server({}, [](App& app) {
    app.ws_use([](WebSocket ws, Request& req, Next next) { req.query("no") ? ws.close(CloseCode(4003)) : next(); });
  });
  WsClient ann = server.client("ann");
  REQUIRE(ann.reads("open ann {} "));
  CHECK(known_client(server.port(), "ann", "/w?no=1").read_close() == 4003);
  CHECK(ann.echoes("still here"));
  WsClient newer = known_client(server.port(), "ann", "/w");
  CHECK_FALSE(read_event(newer, "session-restored").is_null());
  CHECK(ann.read_close() == 4001);
}

TEST_CASE("sessions: while a client is heard of it is stored now and then, for programs that end without a word") {
  Book book;
  Known server({.save_interval = 20ms, .store = book.store()});
  WsClient ann = server.client("ann");
  REQUIRE(ann.reads("open ann {} "));
  REQUIRE(ann.send_text("name Ann"));
  CHECK(eventually([&] { return book.called().back() == R"(save ann {"name":"Ann"}[] 120000)"; }));
  const size_t calls = book.called().size();
  REQUIRE(ann.send_text("join hall"));
  CHECK(eventually([&] { return book.called().back() == R"(save ann {"name":"Ann"}["hall"] 120000)"; }));
  CHECK(book.called().size() > calls);
}

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll
TEST_CASE("sessions: however many clients there are, each is stored as often as the options say") {
  constexpr int kClients = 2'000;
  FakeKernel kernel;
  std::set<std::string> saved;
  App app;
  app.sessions({.save_interval = 80ms, .store = {.save = [&](std::string_view client, const SessionData&, milliseconds) { saved.emplace(client); }}});
  app.ws("/w", known_handlers());
  REQUIRE(app.listen("127.0.0.1", 9001).ok());
  for (int i = 1; i <= kClients; i++) kernel.connect(i).sends = ws_request("/w", client_field(std::to_string(i)));
  while (app.stats().open_websockets < kClients) app.poll_once(milliseconds(0));
  CHECK(saved.empty());
  const uint64_t until = kernel.now_ms() + 125;
  while (kernel.now_ms() < until) app.poll_once(milliseconds(until - kernel.now_ms()));
  CHECK(saved.size() == kClients);
}
#endif

TEST_CASE("sessions: a client that is forgotten comes as a new one") {
  Known server;
  server.visit("ann", {"name Ann"});
  server.app().send_to_client("ann", "waits");
  CHECK(server.stats().queued_messages == 1);
  server.app().forget_client("ann");
  server.app().forget_client("nobody");
  CHECK(server.stats().queued_messages == 0);
  CHECK(server.client("ann").reads("open ann {} "));
}

TEST_CASE("sessions: without a store there are identities, and nothing is restored") {
  Known server({.store = {}});
  server.visit("ann", {"name Ann", "join hall"});
  CHECK(server.client("ann").reads("open ann {} "));
}

// Stores that are not at once ------------------------------------------------------------------------------------------

TEST_CASE("sessions: a store that answers later: the handler runs first, what it has put there stays, and messages wait") {
  Book book;
  book.at_once = false;
  Known server({.store = book.store()});
  WsClient ann = server.client("ann");
  REQUIRE(ann.reads("open ann {} "));
  REQUIRE(book.wait_for_question());
  REQUIRE(ann.send_text("name Newer"));
  CHECK(ann.echoes("meanwhile"));
  CHECK(server.app().send_to_client("ann", "from elsewhere") == SendStatus::posted);
  CHECK(ann.echoes("still waiting"));
  SessionData found = data_of("Older", {"hall", "den", 7});
  found.metadata["score"] = 3;
  book.open[0](found);  // from this thread
  CHECK(read_event(ann, "session-restored") == Json{{"rooms", Json::array({"hall", "den"})}, {"previousRooms", Json::array({"hall", "den", 7})}, {"lastSeen", 1'700'000'000'000}});
  CHECK(ann.reads("from elsewhere"));
  REQUIRE(ann.send_text("state"));
  CHECK(ann.reads(R"(ann {"name":"Newer","score":3} den,hall)"));
  book.open[0](data_of("Twice", {"yard"}));
  REQUIRE(ann.send_text("state"));
  CHECK(ann.reads(R"(ann {"name":"Newer","score":3} den,hall)"));
}

TEST_CASE("sessions: a store that never answers is waited for so long, and a late answer is for nobody") {
  Book book;
  book.at_once = false;
  Known server({.store = book.store(), .store_timeout = 30ms});
  WsClient ann = server.client("ann");
  REQUIRE(ann.reads("open ann {} "));
  server.app().send_to_client("ann", "waits for the store");
  CHECK(ann.reads("waits for the store"));
  book.open[0](data_of("Late", {"hall"}));
  REQUIRE(ann.send_text("state"));
  CHECK(ann.reads("ann {} "));
}

TEST_CASE("sessions: answers for clients that have gone, also from other threads, do nothing; what was not restored is not stored") {
  Book book;
  book.at_once = false;
  Known server({.store = book.store()});
  {
    WsClient ann = server.client("ann");
    REQUIRE(ann.reads("open ann {} "));
    REQUIRE(ann.close_nicely());
  }
  REQUIRE(server.wait_for_connections(0));
  book.open[0](data_of("Ann", {"hall"}));
  server.on_thread([&](App&) { book.open[0](data_of("Ann", {"hall"})); });
  CHECK(server.members("hall") == 0);
  CHECK(book.called() == std::vector<std::string>{"load ann"});
  server.stop();
  book.open[0](data_of("Ann", {"hall"}));  // there is no server any more
}

TEST_CASE("sessions: a store that throws has found or kept nothing, the failure is told, and nothing is stored over") {
  std::atomic<bool> load_throws = true;
  std::atomic<int> saves = 0;
  Known server({.store = {.load = [&](std::string_view, SessionAnswer answer) { load_throws ? throw std::runtime_error("no database") : answer({}); },
                          .save = [&](std::string_view, const SessionData&, milliseconds) { saves++; throw std::runtime_error("no database"); }}});
  server.visit("ann", {"join hall"});
  CHECK(saves == 0);
  CHECK(server.stats().handler_failures == 1);
  load_throws = false;
  server.visit("ann", {"join hall"});
  CHECK(saves == 1);
  CHECK(server.client("ann").reads("open ann {} "));
  CHECK(server.wait_for_stats([](const Stats& s) { return s.handler_failures >= 2; }));
}

TEST_CASE("sessions: what the store did not say in time is not stored over, and is stored on when it says it late") {
  enum Case { never, late, late_and_nothing, late_and_large };
  for (const Case what : {never, late, late_and_nothing, late_and_large}) {
    Book book;
    book.at_once = false;
    Known server({.max_rooms = 3, .save_interval = 20ms, .store = book.store(), .store_timeout = 30ms});
    WsClient ann = server.client("ann");
    REQUIRE(ann.reads("open ann {} "));
    server.app().send_to_client("ann", "its time is over");
    REQUIRE(ann.reads("its time is over"));
    REQUIRE(ann.send_text("name Newer"));
    REQUIRE(ann.send_text("join den"));
    {
      const std::lock_guard lock(book.mutex);
      book.at_once = true;
    }
    WsClient bob = server.client("bob");  // who is stored as often as she would be
    REQUIRE(bob.reads("open bob {} "));
    for (int i = 0; i < 2; i++) {
      const size_t calls = book.called().size();
      REQUIRE(ann.echoes("still here"));
      REQUIRE(bob.echoes("still here"));
      REQUIRE(eventually([&] { return book.called().size() > calls; }));
    }
    REQUIRE(bob.close_nicely());
    REQUIRE(server.wait_for_connections(1));
    SessionData found = data_of("Older", {"hall", "den", "yard", "one too many"});
    found.metadata["score"] = what == late_and_large ? Json(std::string(100'000, 'x')) : Json(3);
    CHECK(book.called().back() == "save bob {}[] 120000");
    if (what != never) book.open[0](what == late_and_nothing ? std::optional<SessionData>() : std::move(found));
    CHECK(ann.echoes("nothing for the client"));
    REQUIRE(ann.send_text("state"));
    CHECK(ann.reads(R"(ann {"name":"Newer"} den)"));
    REQUIRE(ann.close_nicely());
    REQUIRE(server.wait_for_connections(0));
    const std::string last = book.called().back();
    if (what == never) CHECK(last == "save bob {}[] 120000");
    if (what == late) CHECK(last == R"(save ann {"name":"Newer","score":3}["den","hall","yard"] 120000)");
    if (what == late_and_nothing) CHECK(last == R"(save ann {"name":"Newer"}["den"] 120000)");
    if (what == late_and_large) CHECK(last == R"(save ann {"name":"Newer"}["den","hall","yard"] 120000)");
  }
}

TEST_CASE("sessions: who displaces a connection that the store had not answered in time asks it anew") {
  Book book;
  book.at_once = false;
  Known server({.store = book.store(), .store_timeout = 200ms});
  WsClient older = server.client("ann");
  REQUIRE(older.reads("open ann {} "));
  WsClient newer = server.client("ann");
  REQUIRE(newer.reads("open ann {} "));
  CHECK(older.read_close() == 4001);
  REQUIRE(book.wait_for_question(2));
  book.open[1](data_of("Ann", {"hall"}));
  CHECK(read_event(newer, "session-restored")["rooms"] == Json::array({"hall"}));
  REQUIRE(newer.close_nicely());
  REQUIRE(server.wait_for_connections(0));
  CHECK(book.called().back() == R"(save ann {"name":"Ann"}["hall"] 120000)");
}

TEST_CASE("sessions: of several connections none stores over what the store has not told the first one") {
  for (const bool answered : {false, true}) {
    Book book;
    book.at_once = false;
    Known server({.duplicate = DuplicateClient::both, .store = book.store()});
    WsClient first = server.client("ann");
    REQUIRE(first.reads("open ann {} "));
    WsClient second = server.client("ann");
    REQUIRE(second.reads("open ann {} "));
    REQUIRE(second.send_text("join den"));
    if (answered) {
      book.open[0]({});
      REQUIRE(first.send_text("state"));
      CHECK(first.reads("ann {} "));
    }
    REQUIRE(first.close_nicely());
    REQUIRE(server.wait_for_connections(1));
    REQUIRE(second.close_nicely());
    REQUIRE(server.wait_for_connections(0));
    CHECK(book.called().back() == (answered ? R"(save ann {}["den"] 120000)" : "load ann"));
  }
}

TEST_CASE("sessions: what a store says is as hostile as any text: wrong kinds are nothing, too much closes that connection") {
  Book book;
  Known server({.store = book.store()});
  SessionData odd;
  odd.metadata = Json("text");
  odd.rooms = Json{{"a", 1}};
  book.kept = odd;
  WsClient ann = server.client("ann");
  REQUIRE(ann.open());
  CHECK(ann.echoes("x") == false);
  book.kept = data_of(std::string(100'000, 'x'), {"hall"});
  CHECK(server.client("bob").read_close() == 1008);
  book.kept.reset();
  CHECK(server.client("cid").reads("open cid {} "));
}

TEST_CASE("sessions: the store in memory keeps so many, and so many bytes") {
  Known server({.store = memory_store({.max_bytes = 2'000, .max_sessions = 3})});
  for (const char* name : {"a", "b", "c", "d"}) server.visit(name, {});
  WsClient b = server.client("b");
  CHECK_FALSE(read_event(b, "session-restored").is_null());
  WsClient a = server.client("a");
  CHECK(a.reads("open a {} "));
  server.visit("large", {"name " + std::string(3'000, 'x')});
  CHECK(server.client("large").reads("open large {} "));
}

TEST_CASE("sessions: a flood of strangers drives nobody out of the store in memory who has something there") {
  for (const bool with_something : {false, true}) {
    Known server({.save_interval = 0ms, .store = memory_store({.max_sessions = 20})});
    server.visit("ann", {"name Ann", "join hall"});
    server.visit("ann", {});  // she has come back
    for (int i = 0; i < 60; i++) {
      if (with_something) {
        server.visit("stranger " + std::to_string(i), {"name Nobody"});
      } else {
        server.visit("stranger " + std::to_string(i), {});
      }
    }
    WsClient ann = server.client("ann");
    CHECK(read_event(ann, "session-restored")["rooms"] == Json::array({"hall"}));
    WsClient last = server.client("stranger 59");  // where there is room they are known, too
    CHECK_FALSE(read_event(last, "session-restored").is_null());
  }
}

TEST_CASE("sessions: the store in memory is not closed to new clients by those who stay") {
  Known server({.store = memory_store({.max_sessions = 8})});
  for (int i = 0; i < 8; i++) {
    for (int times = 0; times < 2; times++) server.visit("old " + std::to_string(i), {"name Old"});
  }
  server.visit("empty", {});  // makes nobody go
  server.visit("new", {"name New"});
  WsClient now = server.client("new");
  CHECK_FALSE(read_event(now, "session-restored").is_null());
  CHECK(server.client("empty").reads("open empty {} "));
  CHECK(server.client("old 0").reads("open old 0 {} "));  // the one that was saved longest ago
  WsClient second = server.client("old 1");
  CHECK_FALSE(read_event(second, "session-restored").is_null());
}

// Tokens --------------------------------------------------------------------------------------------------------------

TEST_CASE("sessions: a token of ours is given to a new client, and brings its session back") {
  Known server({.identify = by_token(), .ttl = 30s});
  std::string token, identity;
  {
    WsClient ann(server.port(), "/w");
    const Json event = read_event(ann, "session");
    token = event["token"].text_or("");
    CHECK(token.size() == 43);
    CHECK(event["ttl"] == Json(30'000));
    CHECK(event["resumed"] == Json(false));
    identity = ann.read_message().payload.substr(5, 22);
    REQUIRE(ann.send_text("join hall"));
    REQUIRE(ann.echoes("there"));
    REQUIRE(ann.close_nicely());
  }
  REQUIRE(server.wait_for_connections(0));
  for (const bool by_field : {false, true}) {
    WsClient ann(server.port(), by_field ? "/w" : "/w?session=" + token, by_field ? "x-session: " + token + "\r\n" : "");
    const Json event = read_event(ann, "session");
    CHECK(event["token"].text_or("") == token);
    CHECK(event["resumed"] == Json(true));
    CHECK(read_event(ann, "session-restored")["rooms"] == Json::array({"hall"}));
    CHECK(ann.reads("open " + identity + " {} hall"));
    REQUIRE(ann.close_nicely());
    REQUIRE(server.wait_for_connections(0));
  }
}

TEST_CASE("sessions: tokens that are not ours, guesses, and a client's identity give nothing") {
  Known server({.identify = by_token()});
  Known other({.identify = by_token()});
  const auto token_of = [](WsClient& client, bool& resumed) {
    const Json event = read_event(client, "session");
    resumed = event["resumed"].bool_or(true);
    return std::string(event["token"].text_or(""));
  };
  bool resumed = true;
  WsClient ann(server.port(), "/w");
  const std::string token = token_of(ann, resumed);
  const std::string identity = ann.read_message().payload.substr(5, 22);
  WsClient stranger(other.port(), "/w");
  std::vector<std::string> wrong{token_of(stranger, resumed), identity, identity + identity, "", token + "A", token.substr(1), std::string(43, 'A'), std::string(43, '%')};
  for (size_t i = 0; i < token.size(); i++) {
    std::string changed = token;
    changed[i] = changed[i] == 'Q' ? 'g' : 'Q';
    wrong.push_back(changed);
  }
  for (const std::string& guess : wrong) {
    WsClient thief(server.port(), "/w", "x-session: " + guess + "\r\n");
    const std::string own = token_of(thief, resumed);
    CHECK_FALSE(resumed);
    CHECK(own != token);
    CHECK(own.size() == 43);
    CHECK_FALSE(thief.reads("open " + identity + " {} "));
  }
  CHECK(ann.echoes("still the only one"));
}

TEST_CASE("sessions: tokens of one key are good on another host") {
  std::string token;
  {
    Known server({.identify = by_token(), .token_key = "a secret of all hosts"});
    WsClient ann(server.port(), "/w");
    token = read_event(ann, "session")["token"].text_or("");
  }
  Known same({.identify = by_token(), .token_key = "a secret of all hosts"});
  Known another({.identify = by_token(), .token_key = "another secret"});
  const std::string target = "/w?session=" + token;
  WsClient ann(same.port(), target);
  const Json event = read_event(ann, "session");
  CHECK(event["token"].text_or("") == token);
  CHECK(event["resumed"] == Json(false));  // its session was kept over there
  WsClient stranger(another.port(), target);
  CHECK(read_event(stranger, "session")["token"].text_or("") != token);
}

// Two connections -------------------------------------------------------------------------------------------------------

TEST_CASE("sessions: the newest connection wins: the older one is closed with 4001, and what it had goes on") {
  Known server;
  WsClient older = server.client("ann");
  REQUIRE(older.reads("open ann {} "));
  for (const char* said : {"name Ann", "join hall"}) REQUIRE(older.send_text(said));
  REQUIRE(older.echoes("there"));
  WsClient newer = server.client("ann");
  CHECK(read_event(newer, "session-restored")["rooms"] == Json::array({"hall"}));
  CHECK(newer.reads(R"(open ann {"name":"Ann"} hall)"));
  const WsFrame close = older.read_message();
  CHECK(close.close_code() == 4001);
  CHECK(close.close_reason() == "Connected elsewhere");
  REQUIRE(older.send_close(4001));
  CHECK(older.ended());
  CHECK(server.app().send_to_client("ann", "one") == SendStatus::posted);
  CHECK(newer.reads("one"));
  // What the newer one has is what is stored, whichever ended last.
  REQUIRE(newer.send_text("name Newer"));
  REQUIRE(newer.echoes("there"));
  REQUIRE(newer.close_nicely());
  REQUIRE(server.wait_for_connections(0));
  WsClient last = server.client("ann");
  CHECK_FALSE(read_event(last, "session-restored").is_null());
  CHECK(last.reads(R"(open ann {"name":"Newer"} hall)"));
}

TEST_CASE("sessions: both stay: both get what the client is sent; the last one is stored") {
  Known server({.duplicate = DuplicateClient::both});
  WsClient first = server.client("ann");
  REQUIRE(first.reads("open ann {} "));
  WsClient second = server.client("ann");
  REQUIRE(second.reads("open ann {} "));
  CHECK(server.app().send_to_client("ann", "to both") == SendStatus::posted);
  CHECK(first.reads("to both"));
  CHECK(second.reads("to both"));
  REQUIRE(first.send_text("name First"));
  REQUIRE(first.echoes("there"));
  REQUIRE(second.send_text("name Second"));
  REQUIRE(second.echoes("there"));
  REQUIRE(first.close_nicely());
  REQUIRE(server.wait_for_connections(1));
  server.on_thread([](App& app) { CHECK(app.send_to_client("ann", "to one") == SendStatus::ok); });
  CHECK(second.reads("to one"));
  REQUIRE(second.close_nicely());
  REQUIRE(server.wait_for_connections(0));
  WsClient ann = server.client("ann");
  CHECK_FALSE(read_event(ann, "session-restored").is_null());
  CHECK(ann.reads(R"(open ann {"name":"Second"} )"));
}

TEST_CASE("sessions: a second connection is refused before the 101, until the first one has gone") {
  Known server({.duplicate = DuplicateClient::refuse});
  WsClient first = server.client("ann");
  REQUIRE(first.reads("open ann {} "));
  CHECK(status_of(server.client("ann")) == 409);
  CHECK(status_of(server.client("bob")) == 101);
  CHECK(first.echoes("still here"));
  REQUIRE(first.close_nicely());
  CHECK(eventually([&] { return status_of(server.client("ann")) == 101; }));
}

TEST_CASE("sessions: of one client there are 64 connections, and no more") {
  Known server({.duplicate = DuplicateClient::both});
  std::vector<WsClient> clients;
  for (int i = 0; i < 64; i++) {
    clients.push_back(server.client("ann"));
    REQUIRE(clients.back().reads("open ann {} "));
  }
  CHECK(status_of(server.client("ann")) == 409);
  server.app().send_to_client("ann", "to all");
  for (WsClient& client : clients) CHECK(client.reads("to all"));
  REQUIRE(clients.back().close_nicely());
  CHECK(eventually([&] { return status_of(server.client("ann")) == 101; }));
}

TEST_CASE("sessions: of many connections of one client that come at once on three workers exactly one is served") {
  for (const DuplicateClient duplicate : {DuplicateClient::newest_wins, DuplicateClient::refuse}) {
    MultiServer server(3, [&](App& app, uint32_t) {
      app.sessions({.duplicate = duplicate});
      app.ws("/w", known_handlers());
    });
    std::vector<std::optional<WsClient>> clients(24);
    {
      std::vector<Thread> threads;
      for (auto& client : clients) threads.emplace_back([&] { client.emplace(known_client(server.port(), "ann")); });
    }
    int open = 0;
    int served = 0;
    for (auto& client : clients) {
      const bool good = client->open();
      open += good;
      if (!good) CHECK(client->handshake.status == 409);
    }
    if (duplicate == DuplicateClient::newest_wins) {
      CHECK(open == 24);
      CHECK(eventually([&] {
        return server.on_worker(0, [](App& app) { return app.stats().open_websockets; }) >= 1 && server.server().stats().queued_messages == 0;
      }));
    } else {
      CHECK(open == 1);
    }
    REQUIRE(server.on_worker(0, [](App& app) { return app.send_to_client("ann", "last words"); }) != SendStatus::dropped);
    for (auto& client : clients) {
      if (!client->open()) continue;
      for (;;) {
        const WsFrame frame = client->read_message(milliseconds(3'000));
        served += frame.is(kText, "last words");
        if (frame.opcode == kClose) CHECK(frame.close_code() == 4001);
        if (!frame.ok() || frame.opcode == kClose || frame.payload == "last words") break;
      }
    }
    CHECK(served == 1);
  }
}

TEST_CASE("sessions: what a client had goes on from worker to worker, whether the older connection has ended or not") {
  MultiServer server(3, [&](App& app, uint32_t number) {
    app.sessions({});
    app.ws("/w", known_handlers());
    app.ws("/number", [number](WebSocket ws, Request&) { ws.send(std::to_string(number)); });
  });
  std::optional<WsClient> before(known_client(server.port(), "ann"));
  REQUIRE(before->reads("open ann {} "));
  std::string rooms;
  for (int i = 0; i < 20; i++) {
    const std::string room = "r" + std::string(1, static_cast<char>('a' + i));
    REQUIRE(before->send_text("join " + room));
    REQUIRE(before->echoes("there"));
    rooms += (rooms.empty() ? "" : ",") + room;
    if (i % 2) {
      REQUIRE(before->close_nicely());
      REQUIRE(eventually([&] { return server.stats().open_websockets == 0; }));
    }
    WsClient now = known_client(server.port(), "ann");
    // Where the older one was on another worker, its answer came after the handler had run, and the event behind its words.
    const std::string first = now.read_message().payload;
    const std::string second = now.read_message().payload;
    const auto event = Json::parse(first.starts_with("open") ? second : first);
    REQUIRE(event.ok());
    CHECK((*event)["args"][0]["rooms"].size() == static_cast<size_t>(i + 1));
    REQUIRE(now.send_text("state"));
    CHECK(now.reads("ann {} " + rooms));
    if (!(i % 2)) CHECK(before->read_close() == 4001);
    before.emplace(std::move(now));
  }
}

namespace {

// Sessions on workers that tell their numbers.
struct Numbered : MultiServer {
  Numbered(uint32_t workers, milliseconds store_timeout)
      : MultiServer(workers, [=](App& app, uint32_t number) {
          app.sessions({.store_timeout = store_timeout});
          WsHandlers handlers = known_handlers();
          handlers.open = [number](WebSocket ws, Request&) { tell(ws, number); };
          app.ws("/w", std::move(handlers));
          app.get("/number", [number](Request&) { return std::to_string(number); });
        }) {}
  // A connection that is on that worker already, before it says who it is.
  Client wait_on(uint32_t worker) {
    for (;;) {
      Client tcp(port());
      REQUIRE(tcp.send("GET /number HTTP/1.1\r\nHost: test\r\n\r\n"));
      if (tcp.read_response().body == std::to_string(worker)) return tcp;
    }
  }
};

WsClient come(Client&& tcp, std::string_view identity) {
  REQUIRE(tcp.send(ws_request("/w", client_field(identity))));
  WsClient client(std::move(tcp));
  REQUIRE(client.read_handshake());
  return client;
}

}  // namespace

TEST_CASE("sessions: an older connection on a worker that stands still is waited for so long; then the client is served without it") {
  Gate gate;
  Numbered server(2, 50ms);
  WsClient older = come(server.wait_on(0), "ann");
  REQUIRE(older.reads("worker 0"));
  REQUIRE(older.send_text("join hall"));
  REQUIRE(older.echoes("there"));
  Client other = server.wait_on(1);
  server.server().post(0, [&](App&) { gate.wait(); });
  REQUIRE(gate.wait_for_one());
  WsClient newer = come(std::move(other), "ann");
  CHECK(newer.reads("worker 1"));
  CHECK(server.on_worker(1, [](App& app) { return app.send_to_client("ann", "to the newer one"); }) == SendStatus::posted);
  CHECK(newer.reads("to the newer one"));  // that the older one is in a room nobody knows
  gate.open();
  CHECK(older.read_close() == 4001);
  CHECK(newer.echoes("still here"));
  server.on_worker(1, [](App&) {});  // what the older one had has come, too late for this one
  REQUIRE(newer.close_nicely());
  REQUIRE(eventually([&] { return server.stats().open_websockets == 0; }));
  WsClient next = come(server.wait_on(1), "ann");
  CHECK(read_event(next, "session-restored")["rooms"] == Json::array({"hall"}));
}

TEST_CASE("sessions: what a client had on a worker that stands still is for the newest connection, though the one between has gone") {
  Gate gate;
  Numbered server(3, 5s);
  WsClient older = come(server.wait_on(0), "ann");
  REQUIRE(older.reads("worker 0"));
  REQUIRE(older.send_text("join hall"));
  REQUIRE(older.echoes("there"));
  Client second = server.wait_on(1);
  Client third = server.wait_on(2);
  server.server().post(0, [&](App&) { gate.wait(); });
  REQUIRE(gate.wait_for_one());
  WsClient between = come(std::move(second), "ann");
  CHECK(between.reads("worker 1"));
  WsClient newest = come(std::move(third), "ann");
  CHECK(newest.reads("worker 2"));
  CHECK(between.read_close() == 4001);
  between.send_close(4001);
  CHECK(between.ended());
  for (const uint32_t worker : {1u, 2u}) server.on_worker(worker, [](App&) {});
  gate.open();
  CHECK(older.read_close() == 4001);
  CHECK(read_event(newest, "session-restored")["rooms"].size() == 1);
  REQUIRE(newest.send_text("state"));
  CHECK(newest.reads("ann {} hall"));
}

// A state that moves ------------------------------------------------------------------------------------------------------

TEST_CASE("sessions: for the others a client that comes back in time has neither gone nor come, and nobody is told who it says to be") {
  for (const bool by_tokens : {false, true}) {
    MultiServer server(by_tokens ? 3 : 1, [&](App& app, uint32_t) {
      app.sessions({.identify = by_tokens ? by_token() : by_client_id()});
      app.presence("hall", [](WebSocket ws) { return Json{{"name", ws.metadata()["name"]}}; });
      app.ws("/w", known_handlers());
      app.ws("/watch", [](WebSocket ws, Request&) { ws.join("hall"); });
    });
    std::string token;
    const auto come = [&](bool first) {
      WsClient ann(server.port(), "/w", by_tokens ? "x-session: " + token + "\r\n" : client_field("ann"));
      for (WsFrame message = ann.read_message(); message.ok(); message = ann.read_message()) {
        const auto event = Json::parse(message.payload);
        if (event && (*event)["event"] == Json("session")) token = (*event)["args"][0]["token"].text_or("");
        if (message.payload.starts_with(first ? "open " : R"({"event":"session-restored")")) break;
      }
      return ann;
    };
    WsClient bob(server.port(), "/watch");
    REQUIRE(bob.open());
    std::optional<WsClient> ann(come(true));
    REQUIRE(ann->send_text("name Ann"));
    REQUIRE(ann->send_text("join hall"));
    std::string met;
    while (met.find(R"(presence:join)") == std::string::npos || met.find("Ann") == std::string::npos) {
      const WsFrame message = bob.read_message();
      REQUIRE(message.ok());
      met = message.payload;
    }
    if (!by_tokens) CHECK(met.find("\"ann\"") == std::string::npos);
    for (int i = 0; i < 6; i++) {
      if (i % 2) REQUIRE(ann->close_nicely());
      WsClient again = come(false);
      ann.emplace(std::move(again));
    }
    // All that has happened so far is told before this.
    for (uint32_t worker = 0; worker < (by_tokens ? 3u : 1u); worker++) server.on_worker(worker, [](App&) {});
    server.on_worker(0, [](App& app) { app.to("hall").send("the end"); });
    CHECK(bob.reads("the end"));
  }
}

// Bad days --------------------------------------------------------------------------------------------------------------

TEST_CASE("sessions: without memory one handshake, or one restoration, is refused, and the server goes on") {
  FailingAlloc failing;  // before threads start
  Known server({.save_interval = 0ms});
  server.visit("ann", {"name Ann", "join hall", "join den"});
  WsClient bystander = server.client("bystander");
  REQUIRE(bystander.reads("open bystander {} "));
  int restored = 0;
  for (size_t n = 0; n < 60; n++) {
    FailingAlloc::left = n;
    FailingAlloc::only_once = true;
    WsClient ann = server.client("ann");
    std::string all;
    for (int i = 0; ann.open() && i < 2; i++) all += ann.read_message(milliseconds(200)).payload;
    FailingAlloc::left = SIZE_MAX;
    restored += all.find("session-restored") != std::string::npos;
    CHECK(bystander.echoes("are you there"));
    ann.tcp.close();
    REQUIRE(server.wait_for_connections(1));
  }
  CHECK(restored > 10);
  FailingAlloc::left = SIZE_MAX;
  FailingAlloc::only_once = false;
  server.visit("bob", {"join hall"});
  WsClient bob = server.client("bob");
  CHECK(read_event(bob, "session-restored")["rooms"] == Json::array({"hall"}));
}

TEST_CASE("sessions: without memory on the way from worker to worker a client is served all the same") {
  FailingAlloc failing;  // before threads start
  MultiServer server(2, [&](App& app, uint32_t number) {
    app.sessions({.save_interval = 0ms, .store_timeout = 40ms});
    app.ws("/w", known_handlers());
    app.get("/number", [number](Request&) { return std::to_string(number); });
  });
  const auto come = [&](uint32_t worker, size_t allowed) {
    for (;;) {
      Client tcp(server.port());
      REQUIRE(tcp.send("GET /number HTTP/1.1\r\nHost: test\r\n\r\n"));
      if (tcp.read_response().body != std::to_string(worker)) continue;
      FailingAlloc::left = allowed;
      FailingAlloc::only_once = true;
      REQUIRE(tcp.send(ws_request("/w", client_field("ann"))));
      WsClient client(std::move(tcp));
      client.read_handshake();
      return client;
    }
  };
  int with_room = 0;
  for (size_t n = 0; n < 40; n++) {
    WsClient older = come(0, SIZE_MAX);
    REQUIRE(older.open());
    for (WsFrame message = older.read_message(); !message.payload.starts_with("open "); message = older.read_message()) REQUIRE(message.ok());
    REQUIRE(older.send_text("join hall"));
    REQUIRE(older.send_text("there"));
    for (WsFrame message = older.read_message(); message.payload != "there"; message = older.read_message()) REQUIRE(message.ok());
    WsClient newer = come(1, n);
    bool served = newer.open();
    for (WsFrame message; served && !message.payload.starts_with("open "); served = message.ok()) message = newer.read_message();
    FailingAlloc::left = SIZE_MAX;
    if (!served) continue;  // refused, or cut, as without sessions
    server.server().post(1, [&](App& app) { app.send_to_client("ann", "all is well"); });
    for (WsFrame message; message.payload != "all is well"; ) {
      message = newer.read_message();
      REQUIRE(message.ok());
      with_room += message.payload.find("session-restored") != std::string::npos;
    }
  }
  CHECK(with_room > 5);
}
