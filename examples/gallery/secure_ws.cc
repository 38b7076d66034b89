// secure_ws.cc: messages of strangers: read, checked, and then worked with; and what a client has goes with it.
#include "gallery.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kMaxNotes = 100;

// Of each client: ws.data<Notes>() ends with its connection.
struct Notes {
  std::vector<std::string> texts;
};

bool is_valid(const Json& message) { return message["type"].is_string() && message["timestamp"].number_or(0) > 0; }

// Keeps the text of {type: "note", timestamp, text}. False when it cannot.
bool process(WebSocket from, const Json& message) {
  std::vector<std::string>& notes = from.data<Notes>().texts;
  std::optional<std::string> text = message["text"].as<std::string>();
  if (message["type"] != "note" || !text || notes.size() == kMaxNotes) return false;
  notes.push_back(std::move(*text));
  return true;
}

void receive(WebSocket from, const Message& message) {
  const JsonResult<Json> read = message.json();
  if (read && !is_valid(*read)) {
    from.send({{"error", "Invalid message format"}});
  } else if (!read || !process(from, *read)) {
    from.send({{"error", "Message processing failed"}});
  }
}

}  // namespace

void gallery::secure_ws(App&, Router& routes) {
  routes.ws("/secure-ws", {.max_message_bytes = 4_KiB}, [](WebSocket socket) {
    socket.on_message(receive);
    socket.on_close([](WebSocket gone, const CloseInfo& end) {
      log(LogLevel::info, "WebSocket closed: " + std::to_string(static_cast<int>(end.code)) + " - " + std::string(end.reason) + ", notes: " +
                              std::to_string(gone.data<Notes>().texts.size()));
    });
  });
}
