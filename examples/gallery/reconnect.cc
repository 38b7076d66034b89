// reconnect.cc: clients that are known again: what they had is there when they come back (reconnect), and what was sent to them
// meanwhile (offline_queue). Both know a client by the field x-client-id, or by ?clientId= from a browser: good for people who
// trust each other. Among strangers take by_token(), which gives each client a token that nobody can guess.
#include "clock.h"
#include "gallery.h"

#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kMaxRooms = 10;  // of one client

// Two routes, which say the same in their own words.
void welcome_back(WebSocket ws, const SessionData& session) {
  const std::string_view path = ws.request().path();
  const bool demo = path.ends_with("/reconnect-demo");
  if (!demo && !path.ends_with("/reconnect")) return;
  ws.send({{"type", "session-restored"},
           {"message", demo ? "🔄 Welcome back! Session restored." : "🔄 Session restored successfully"},
           {demo ? "previousRooms" : "rooms", session.rooms},
           {"lastSeen", gallery::iso(session.last_seen)}});
}

// An App knows its clients in one way; both applications may be in it.
void know_clients(App& app) {
  static const App* known = nullptr;
  if (known == &app) return;
  known = &app;
  app.sessions({.identify = by_client_id(), .on_restored = welcome_back, .queue = 100, .store = memory_store(), .ttl = 10min});
}

// {"type": "join", "room": "lobby"} and {"type": "set", "name": "color", "value": "red"}: something to come back to.
void take_message(WebSocket from, const Message& message) {
  const auto parsed = message.json();
  if (!parsed) return;
  const Json& said = *parsed;
  const std::string_view type = said["type"].text_or("");
  if (type == "join" && from.rooms().size() < kMaxRooms) from.join(said["room"].text_or("lobby"));
  if (type == "set") from.metadata()[said["name"].text_or("name")] = said["value"];
  from.send({{"type", "state"}, {"metadata", from.metadata()}, {"rooms", from.rooms()}});
}

}  // namespace

void gallery::reconnect(App& app, Router& routes) {
  know_clients(app);
  const auto open = [](WebSocket ws, Request&) { ws.on_message(take_message); };
  routes.ws("/reconnect", {.max_message_bytes = 4_KiB, .max_metadata_bytes = 4_KiB}, open);
  routes.ws("/reconnect-demo", {.max_message_bytes = 4_KiB, .max_metadata_bytes = 4_KiB}, open);
}

void gallery::offline_queue(App& app, Router& routes) {
  know_clients(app);
  routes.ws("/ws", {.max_message_bytes = 4_KiB}, [](WebSocket, Request&) {});
  routes.post("/send-to/:client", [&app](Request& req) {
    const SendStatus status = app.send_to_client(req.param("client"), {{"type", "notification"}, {"message", "You have a new message"}, {"data", req.body()}});
    return status == SendStatus::dropped ? Reply(503, "no room") : Reply(202, Json{{"queued", status == SendStatus::posted}});
  });
  routes.get("/stats", [&app](Request&) { return Json{{"queuedMessages", app.stats().queued_messages}}; });
}
