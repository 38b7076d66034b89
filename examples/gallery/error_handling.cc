// error_handling.cc: an answer to whatever goes wrong with a message: the connection stays.
#include "clock.h"
#include "gallery.h"

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::literals;

namespace {

bool is_valid(const Json& message) { return message["type"].is_string() && message["timestamp"].number_or(0) > 0; }

void process(WebSocket from, const Json& message) {
  if (message["type"] != "chat") throw std::invalid_argument("only chat is known here");
  from.send({{"type", "chat"}, {"text", message["text"]}, {"timestamp", gallery::now_ms()}});
}

// A handler that throws has lost its connection (1011). What is caught in it has not.
bool processed(WebSocket from, const Json& message) try {
  process(from, message);
  return true;
} catch (const std::exception& error) {
  log(LogLevel::error, "🚨 Processing error for " + from.id() + ": " + error.what());
  return false;
}

void report(WebSocket to, std::string_view code, std::string_view message) {
  to.send({{"type", "error"}, {"code", code}, {"message", message}, {"timestamp", gallery::now_ms()}});
}

void receive(WebSocket from, const Message& message) {
  const JsonResult<Json> read = message.json();
  if (message.is_binary() || !read) {
    log(LogLevel::error, "🚨 JSON parse error for " + from.id() + ": " + read.error().message());
    report(from, "PARSE_ERROR", "🔧 Invalid JSON format");
  } else if (!is_valid(*read)) {
    report(from, "INVALID_MESSAGE", "❌ Invalid message format");
  } else if (!processed(from, *read)) {
    report(from, "PROCESS_ERROR", "⚠️ Failed to process message");
  }
}

void receive_simply(WebSocket from, const Message& message) {
  const JsonResult<Json> read = message.json();
  if (message.is_text() && read && processed(from, *read)) return;
  from.send({{"type", "error"}, {"message", "Failed to process message"}, {"timestamp", gallery::now_ms()}});
}

void note_error(WebSocket ws, const ErrorInfo& error) {
  log(LogLevel::error, "🚨 Socket error for " + ws.id() + ": " + std::string(error.message));
}

void note_close(WebSocket ws, const CloseInfo& end) {
  if (end.code == CloseCode::normal) return;
  const std::string code = std::to_string(static_cast<int>(end.code));
  log(LogLevel::warn, "⚠️ Unexpected close for " + ws.id() + ": " + code + " - " + std::string(end.reason));
}

}  // namespace

void gallery::error_handling(App&, Router& routes) {
  routes.ws("/chat", WsHandlers{.message = receive, .error = note_error, .close = note_close, .options = {.max_message_bytes = 16_KiB}});
  routes.ws("/chat/simple", WsHandlers{.message = receive_simply, .error = note_error, .options = {.max_message_bytes = 16_KiB}});
}
