// secure.cc: messages of strangers: not too long, JSON, with a type; and what is done about markup in them.
#include "gallery.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

using namespace martlet;

namespace {

constexpr long kMaxCharacters = 10'000;

// UTF-8: all bytes of a character but its first are 10xxxxxx.
long count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// Without its <script …>…</script> elements. This is no defence, as what is cut out of "<scr<script></script>ipt>" shows, and
// as there are a hundred other ways to run a script: the page that shows a text has to escape it.
std::string without_scripts(std::string_view text) {
  static constexpr std::string_view kEnd = "</script>";
  std::string folded(text);
  std::transform(folded.begin(), folded.end(), folded.begin(), lower);
  std::string clean;
  size_t at = 0;
  for (;;) {
    const size_t begin = folded.find("<script", at);
    const size_t inside = folded.find('>', begin);
    const size_t end = folded.find(kEnd, inside);
    clean += text.substr(at, end == folded.npos ? end : begin - at);
    if (end == folded.npos) return clean;
    at = end + kEnd.size();
  }
}

void refuse_size(WebSocket from) { from.close(CloseCode::too_big, reason::kMessageTooLarge); }

void process(WebSocket from, const Json& message) { from.send(message); }

void receive(WebSocket from, const Message& message) {
  if (count_characters(message.text()) > kMaxCharacters) return refuse_size(from);

  JsonResult<Json> read = message.json();
  if (message.is_binary() || !read) return void(from.send({{"error", "Invalid JSON"}}));
  Json& data = *read;
  const Json* type = data.find("type");
  if (!type || type->text_or("").empty()) return void(from.send({{"error", "Invalid message format"}}));

  Json* text = data.find("text");
  if (text && text->is_string()) *text = without_scripts(text->text_or(""));
  process(from, data);
}

}  // namespace

void gallery::secure(App&, Router& routes) {
  // A character has four bytes at most: what is longer than this has too many of them, and is not even kept.
  routes.ws("/secure", {.max_message_bytes = 4 * kMaxCharacters}, [](WebSocket ws) {
    ws.on_message(receive);
    ws.on_error([](WebSocket from, const ErrorInfo& error) {
      if (error.cause == CloseCause::message_too_big) refuse_size(from);
    });
  });
}
