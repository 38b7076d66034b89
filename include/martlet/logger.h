// martlet/logger.h: a line for each request, and for what WebSockets do.
//
//   app.use(logger());                                                     Apache's combined format, on standard error
//   app.use(logger(Log::json));
//   app.use(logger({.format = ":remote-addr :method :url :status :response-time ms", .to = *Log::file("access.log")}));
//   app.ws_use(logger());                                                  [WS] Connection: … from …, messages, disconnections
//
// Register it first: it tells of every answer that use() sees, whoever makes it, once that has left. It takes no more than a copy of what the
// line is made of (log_destination.h): the line is made and written by the Log's thread.
//
// What clients have sent stands in a line as printable ASCII and whole UTF-8: control bytes, quotes, backslashes and broken UTF-8 are
// \xHH (in JSON its own escapes, and U+FFFD), so that nobody writes lines or fields of his own.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/log_destination.h>
#include <martlet/middleware.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet {

class Request;
class Response;
struct LoggerAccess;

// How a request is written: one of those that Log names, or a text with tokens:
//
//   :remote-addr     Request::ip()                      :remote-user   LoggerOptions::user
//   :method :url     as sent                            :http-version  "1.1"
//   :status          the answer's; 0 when there was none     :bytes    of its body
//   :response-time   milliseconds until it had left          :date     [clf] 30/Nov/2026:02:15:09 +0000, [iso] 2026-11-30T02:15:09.123Z
//   :referrer :user-agent   of the request                   :id       Request::id()
//   :route           its pattern                             :aborted  "aborted" when nobody has the answer whole, else "-"
//
// Log::common    :remote-addr - :remote-user [:date[clf]] ":method :url HTTP/:http-version" :status :bytes
// Log::combined  the same, and ":referrer" ":user-agent"
// Log::tiny      :method :url :status :bytes - :response-time ms
// Log::json      an object with all of them, absent ones left out
class MARTLET_LAYOUT LogFormat {
 public:
  LogFormat(Log::Format named) : named_(named) {}
  LogFormat(std::string_view tokens) : tokens_(tokens) {}
  LogFormat(const char* tokens) : tokens_(tokens) {}
  LogFormat(const std::string& tokens) : tokens_(tokens) {}

 private:
  friend struct LoggerAccess;
  std::optional<Log::Format> named_ = {};
  std::string tokens_ = {};
};

struct MARTLET_LAYOUT LoggerOptions {
  // Of WebSockets: a second line at the connection, with socketId, ip, userAgent, origin and timestamp as JSON.
  bool debug_info = false;
  LogFormat format = Log::combined;
  // Characters of a message that stand in its line. 0: messages have none.
  size_t message_characters = 100;
  // Paths, with all below them, of which nothing is written: "/health".
  std::vector<std::string> skip = {};
  // Nothing: standard error.
  std::optional<Log> to = {};
  // Who it is, asked when the answer is made. Cut to 64 bytes; copied at once. Nothing: the `username` of auth_user(), or its `id`.
  Decision<std::string_view(Request&)> user = {};
};

// What logger() makes: a middleware, and a step of ws_use(). Copies are alike and write to the same Log; each belongs to the worker that it is
// registered with.
class Logger {
 public:
  void operator()(Request& req, Response& res, Next next) const noexcept;
  void operator()(WebSocket ws, Request& req, Next next) const noexcept;
  // Of the options; the Error of listen(). Called all the same it answers 500, or closes (1011).
  Error mistake() const noexcept;

 private:
  friend struct LoggerAccess;
  explicit Logger(detail::CountedPointer state) noexcept : state_(std::move(state)) {}
  detail::CountedPointer state_;
};

// Of WebSockets it writes, in place of the format of requests but for JSON:
//
//   [WS] Connection: <id> from <ip>
//   [WS] Message from <id>: <its first characters, or how many bytes>
//   [WS] Disconnection: <id> (duration: <n>ms)
Logger logger(LoggerOptions options = {});
inline Logger logger(LogFormat format) { return logger(LoggerOptions{.format = std::move(format)}); }

}  // namespace martlet
