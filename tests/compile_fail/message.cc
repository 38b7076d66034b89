// A Message is a view that is valid until its handler returns: whatever would keep one does not compile.
#include <martlet/martlet.h>

#include <optional>
#include <string>
#include <vector>

using namespace martlet;

void keep(WebSocket ws, const Message& msg) {
  const Message& view = msg;
  const SharedFrame kept = msg.share();
  ws.send(view);
  ws.send(kept);
  Message copy = msg;                                      // FAILS
  auto automatic = msg;                                    // FAILS
  Message moved = std::move(const_cast<Message&>(msg));    // FAILS
  const_cast<Message&>(msg) = view;                        // FAILS
  std::vector<Message> messages;
  messages.push_back(msg);                                 // FAILS IN ANOTHER FILE
  std::optional<Message> last(msg);                        // FAILS
  auto later = [msg] { return msg.size(); };               // FAILS
  Message made;                                            // FAILS
}

Message give_back(const Message& msg) { return msg; }      // FAILS

void set_up(App& app) {
  app.ws("/a", WsHandlers{.message = [](WebSocket, const Message&) {}});
  app.ws("/b", WsHandlers{.message = [](WebSocket, Message) {}});                                 // FAILS
  app.ws("/c", [](WebSocket ws, Request&) { ws.on_message([](WebSocket, const Message&) {}); });
  app.ws("/d", [](WebSocket ws, Request&) { ws.on_message([](WebSocket, Message) {}); });         // FAILS
  app.ws("/e", [](WebSocket ws, Request&) { ws.on_message([](WebSocket, Message&) {}); });        // FAILS
}
