// What clients of tests of rooms with memory may ask a server for, in words: "join <room>", "come <room> <since or -> <epoch or ->
// <last>", "leave <room>", "echo <text>", "sleep <ms>", "tell <room> <text>" (an event to the others), "raw <room> <text>".
#pragma once

#include <martlet/martlet.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/client.h"

namespace martlet::test {

inline std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (size_t at = 0, end; at < text.size(); at = end + 1) {
    end = std::min(text.find(' ', at), text.size());
    words.emplace_back(text.substr(at, end - at));
  }
  return words;
}

inline void obey_history(WebSocket ws, std::string_view text) {
  const std::vector<std::string> words = words_of(text);
  if (words[0] == "echo") ws.send(text);
  if (words[0] == "join") ws.join(words[1]);
  if (words[0] == "leave") ws.leave(words[1]);
  if (words[0] == "come" && words[2] == "-") ws.join(words[1], {.last = static_cast<uint32_t>(std::stoul(words[4]))});
  if (words[0] == "come" && words[2] != "-") ws.join(words[1], {.epoch = words[3], .last = static_cast<uint32_t>(std::stoul(words[4])), .since = std::stoull(words[2])});
  if (words[0] == "sleep") std::this_thread::sleep_for(milliseconds(std::stoul(words[1])));
  if (words[0] == "tell") ws.to(words[1]).emit("told", words[2]);
  if (words[0] == "raw") ws.to(words[1]).send(words[2]);
}

inline WsHandlers history_handlers(WsOptions options = {}) {
  return {.message = [](WebSocket ws, const Message& m) { obey_history(ws, m.text()); }, .options = std::move(options)};
}

// The event "told" of a text, as a room with memory sends it.
inline std::string told(std::string_view text, std::string_view room, uint64_t offset) {
  return R"({"event":"told","args":[")" + std::string(text) + R"("],"room":")" + std::string(room) + R"(","offset":)" +
         std::to_string(offset) + "}";
}

}  // namespace martlet::test
