// gallery.cc: small applications, one file each, to read, to try in a browser, and to begin one's own with.
//
//   gallery                      all of them, each below its name, and a page to try them at http://localhost:3000
//   gallery basic_chat           one, at its own paths: ws://localhost:3000/chat
//   gallery basic_chat --port 0  on a port that is free
#include "gallery.h"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "demo_token.h"
#include "gallery_page.h"

using namespace martlet;

namespace {

const std::vector<gallery::Application> kApplications{
    {"route_chat", "a route in two phases; an echo, and what is told to all", gallery::route_chat, {{"/api/websocket/chat", "Hello Server!"}}},
    {"route_room", "a part of the path as a parameter", gallery::route_room,
     {{"/api/websocket/room/lobby", "hello"}, {"/api/websocket/members/lobby", "hello"}}},
    {"route_broadcast", "a record of each client; to all, and to all but one", gallery::route_broadcast, {{"/api/websocket/broadcast", "hello"}}},
    {"route_secure", "who may come in, and what a handler that throws does", gallery::route_secure,
     {{"/api/websocket/secure", "hello"}, {"/api/websocket/sum?start=40", "2"}}},
    {"quickstart", "options of a route, a greeting, an echo", gallery::quickstart, {{"/ws", "hello"}}},
    {"data_stream", "figures once a second", gallery::data_stream, {{"/stream/data", ""}}},
    {"binary", "bytes and text on one route", gallery::binary, {{"/binary", "hello"}}},
    {"secure_ws", "messages of strangers, checked", gallery::secure_ws, {{"/secure-ws", R"({"type": "note"})"}}},
    {"strict", "who may open a WebSocket, as options (not this page)", gallery::strict, {{"/ws", "hello"}}},
    {"basic_chat", "a greeting, and every message comes back", gallery::basic_chat, {{"/chat", "hello"}}},
    {"params", "parameters, a query, fields of the request", gallery::params,
     {{"/rooms/lobby?userId=ann", "hello"}, {"/games/7/players/ann", ""}}},
    {"ws_test", "as little as can be tested", gallery::ws_test, {{"/test", "hello"}, {"/test/quiet", "hello"}}},
    {"hello_ws", "the quick start", gallery::hello_ws, {{"/chat", "hello"}}},
    {"info", "what is known of a connection", gallery::info, {{"/info", ""}}},
    {"api_router", "a function for each type of message", gallery::api_router, {{"/api?name=Ann", R"({"type": "join", "room": "general"})"}}},
    {"events", "what happens on a connection, and events of your own", gallery::events,
     {{"/events", "hello"}, {"/custom?user=ann", R"({"event": "join-room", "args": ["post-7"]})"}}},
    {"secure", "messages of strangers: length, form, markup", gallery::secure, {{"/secure", R"({"type": "chat", "text": "<script>1</script>hi"})"}}},
    {"error_handling", "an answer to whatever goes wrong", gallery::error_handling,
     {{"/chat", R"({"type": "chat", "timestamp": 1, "text": "hello"})"}, {"/chat/simple", "no JSON"}}},
    {"debug", "finding out why nothing arrives", gallery::debug, {{"/debug", "hello"}, {"/room-debug", "hello"}}},
    {"basic_routes", "an echo, an answer, a parameter", gallery::basic_routes, {{"/ws/echo", "hello"}, {"/ws/chat", "hello"}, {"/ws/user/7", ""}}},
    {"protected", "a step that asks for a token", gallery::protected_route, {{"/ws/protected?token=secret", ""}, {"/ws/protected", ""}}},
    {"rooms_and_metadata", "rooms, whom to send to, what is kept of a connection", gallery::rooms_and_metadata,
     {{"/ws/chat", R"({"event": "announce", "args": ["room1"]})"}, {"/ws/game?userId=7&username=ann", "hello"}}},
    {"errors_and_closing", "what handlers throw; closing many at once", gallery::errors_and_closing,
     {{"/ws/rooms/general", R"({"event": "close-room", "args": ["general"]})"}, {"/ws/rooms/lobby?userId=7", "hello"}}},
    {"browser_page", "a page and its chat, which knows few messages and minds none", gallery::browser_page, {{"/ws/chat", R"({"type": "message", "text": "hello"})"}}, "/index.html"},
    {"reconnect", "a client that comes back has its metadata and rooms", gallery::reconnect,
     {{"/reconnect?clientId=ann", R"({"type": "join", "room": "lobby"})"}, {"/reconnect-demo?clientId=bob", R"({"type": "set", "name": "color", "value": "red"})"}}},
    {"offline_queue", "what is sent to a client that is away waits for it", gallery::offline_queue, {{"/ws?clientId=ann", "hello"}}},
    {"room_chat", "a room for each address, and figures of all of them", gallery::room_chat, {{"/chat/lobby", "hello"}, {"/chat/", "hello"}}},
    {"room_manager", "one room at a time, and who hears of it", gallery::room_manager,
     {{"/chat/lobby", R"({"text": "hello"})"}, {"/chat/lobby", R"({"join": "garden"})"}}},
    {"rooms", "rooms that not everybody may enter", gallery::rooms,
     {{"/chat?token=ann", R"({"action": "join-room", "room": "staff"})"}, {"/chat", R"({"action": "join-room", "room": "public-garden"})"}}},
    {"broadcast", "seven ways to say whom a message is for", gallery::broadcast,
     {{"/broadcast?room=general&room=game-7", R"({"action": "announcement"})"}, {"/broadcast?room=general&room=game-7", R"({"action": "game-event"})"}}},
    {"resource_aware", "what a connection may use up, and what is left of it", gallery::resource_aware,
     {{"/resource-aware", R"({"n": 1})"}, {"/resource-aware", R"({"event": "join-room", "args": ["garden"]})"}}},
    {"realtime_chat", "names, history, typing, mentions, reactions", gallery::realtime_chat,
     {{"/chat", R"({"type": "join", "username": "Ann"})"}, {"/chat", R"({"type": "message", "text": "hello @Ann"})"}}},
    {"lobby_chat", "a lobby, rooms, and messages to one person", gallery::lobby_chat,
     {{"/ws/chat?username=Ann", R"({"type": "chat", "text": "hello"})"}, {"/ws/chat", R"({"type": "private-message", "to": "Ann", "text": "psst"})"}}},
    {"private_chat", "rooms for those who have a token (GET /token/ann@example.com)", gallery::private_chat,
     {{"/private-chat/lobby?token=", R"({"text": "hello"})"}, {"/private-chat/lobby", ""}}},
    {"live_chat", "history, typing and private messages, with a token (GET /token/ann@example.com)", gallery::live_chat,
     {{"/chat/lobby?token=", R"({"type": "chat", "text": "hello"})"}, {"/chat/lobby?token=", R"({"type": "private", "targetUserId": "ann", "text": "psst"})"}}},
    {"rbac", "roles and permissions (GET /token/1 for an administrator)", gallery::rbac,
     {{"/admin/monitor?token=", ""}, {"/secure-chat?token=", R"({"type": "admin-broadcast", "text": "hello"})"}}},
    {"game", "a game for two and more, on one loop per room", gallery::game, {{"/game", R"({"type": "join-game"})"}}, "/play"},
    {"token_and_rate", "a token, and no more than five connections a minute", gallery::token_and_rate,
     {{"/members?token=token-of-ann", ""}, {"/members?token=guessed", ""}}},
    {"robust_chat", "bad clients and bad networks, borne with", gallery::robust_chat,
     {{"/robust-chat/lobby", R"({"type": "chat", "text": "hello"})"}, {"/robust-chat/lobby?ping=500&timeout=5000", "no JSON"}}},
    {"middleware", "a log, a token and three limits (GET /token/ann@example.com)", gallery::middleware,
     {{"/middleware?token=", "hello"}, {"/middleware", ""}}},
    {"live_updates", "channels to subscribe to, and an API that publishes (GET /token/ann@example.com)", gallery::live_updates,
     {{"/live?token=", R"({"type": "subscribe", "channel": "posts"})"}}},
    {"monitoring", "how the server is, for monitors", gallery::monitoring, {{"/ws/room/lobby", "hello"}}, "/ws/health"},
};

void add(App& app, const gallery::Application& application, const std::string& prefix) {
  Router routes;
  application.add(app, routes);
  app.mount(prefix, std::move(routes));
}

// Of somebody whom all applications know that ask for one.
std::string token() { return gallery::token_of({{"id", "ann"}, {"email", "ann@example.com"}, {"userId", 1}}); }

// What the page has to know of each, as JSON.
Json catalogue(const std::vector<gallery::Application>& applications, bool alone) {
  Json list = Json::array();
  for (const gallery::Application& each : applications) {
    Json tries = Json::array();
    const std::string prefix = alone ? "" : "/" + std::string(each.name);
    for (const gallery::Try& one : each.tries) {
      tries.push_back({{"path", prefix + std::string(one.path) + (one.path.ends_with("?token=") ? token() : "")}, {"say", one.say}});
    }
    list.push_back({{"name", each.name}, {"title", each.title}, {"tries", std::move(tries)}});
    if (!each.page.empty()) list[list.size() - 1]["page"] = prefix + std::string(each.page);
  }
  return list;
}

// For all pages. Sockets are open to pages of other sites, too, as these are examples; see strict.cc for who may not.
void protect(Request&, Response& res, Next next) {
  res.set("X-Content-Type-Options", "nosniff").set("X-Frame-Options", "DENY");
  next();
}

void add_page(App& app, Json applications) {
  app.get("/gallery.json", [applications = std::move(applications)](Request&) { return Reply(applications); });
  app.get("/gallery.css", [](Request&) { return Reply(200, gallery::kStyle, "css"); });
  app.get("/gallery.js", [](Request&) { return Reply(200, gallery::kScript, "js"); });
  app.get("/", [](Request&) {
    return Reply(200, gallery::kPage, "html")
        .set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
                                        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  });
}

bool parse_port(std::string_view text, uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

int usage() {
  std::fputs("usage: gallery [NAME] [--port 3000]   (port 0: any that is free)\n", stderr);
  for (const gallery::Application& each : kApplications) {
    std::fprintf(stderr, "  %-20.*s %.*s\n", static_cast<int>(each.name.size()), each.name.data(), static_cast<int>(each.title.size()), each.title.data());
  }
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view name;
  uint16_t port = 3000;
  for (int i = 1; i < argc; i++) {
    const std::string_view word = argv[i];
    if (word == "--port" && i + 1 < argc && parse_port(argv[i + 1], port)) i++;
    else if (name.empty() && !word.empty() && word[0] != '-') name = word;
    else return usage();
  }
  set_log_level(LogLevel::info);
  App app;
  app.use(protect);
  std::vector<gallery::Application> shown;
  for (const gallery::Application& each : kApplications) {
    if (name.empty() || name == each.name) shown.push_back(each);
  }
  if (shown.empty()) return usage();
  for (const gallery::Application& each : shown) add(app, each, name.empty() ? "/" + std::string(each.name) : "/");
  add_page(app, catalogue(shown, !name.empty()));
  const Result<uint16_t> bound = app.listen("127.0.0.1", port);
  if (!bound) {
    std::fprintf(stderr, "gallery: %s\n", bound.error().message().c_str());
    return 1;
  }
  std::printf("gallery: http://127.0.0.1:%d/\n", *bound);
  std::fflush(stdout);
  return app.run() ? 1 : 0;
}
