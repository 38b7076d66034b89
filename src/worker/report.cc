// What becomes of a callback that has thrown: it is counted, and App::on_error hears of it, or else the log: which request it was, or
// which WebSocket, and whose (L-04, L-09). What a client has sent is made harmless, and cut.
#include "worker/worker.h"

#include <cstdio>

#include "codec/percent.h"
#include "session/answer_fields.h"
#include "sys/log_line.h"
#include "worker/line_parts.h"

namespace martlet::worker {

namespace {

using codec::LogText;

constexpr size_t kMethodBytes = 16;

// As the handler gets it, without memory for it: as much as will be shown, and a byte more where there is more.
std::string_view decoded(std::string_view raw, char (&to)[kValueBytes + 1]) noexcept {
  size_t size = 0;
  for (size_t at = 0; at < raw.size() && size < sizeof to; size++) {
    const int byte = codec::escaped_byte(raw, at);
    to[size] = byte < 0 ? raw[at] : static_cast<char>(byte);
    at += byte < 0 ? 1 : codec::kEscapeBytes;
  }
  return {to, size};
}

void add_params(LogText& line, const session::Exchange& e) noexcept {
  const auto* const from = e.judged_path ? e.judged_path : reinterpret_cast<const char*>(e.base);
  const size_t begin = line.text().size();
  for (uint8_t i = 0; i < e.param_count; i++) {
    if (!has_room_for_param(line, begin)) return;
    const session::Exchange::Param& param = e.params[i];
    char value[kValueBytes + 1];
    line.add_field(param.name, decoded({from + param.value_at, param.value_length}, value), kValueBytes);
  }
}

void add_request(LogText& line, const session::Exchange& e, std::string_view route) noexcept {
  line.add_escaped(e.head.slice(e.base, e.head.method_at, e.head.method_length), kMethodBytes).add(" ").add_escaped(route, kPatternBytes);
  add_params(line, e);
  if (const auto id = session::find_field(e, "x-request-id")) line.add_field("request", *id, kValueBytes);
  add_user(line, sys::user_of(e.request));
}

void add_socket(LogText& line, Worker& w, const WebSocket& ws, std::string_view route, Worker::Then then) noexcept {
  w.seam->describe(w, ws, route, then == Worker::Then::closes, line);
  add_user(line, sys::user_of(ws));
}

// Where it is not the handler of a request.
struct Callback {
  WebSocket socket;
  Worker::Then then;
};

void log_failure(Worker& w, std::string_view route, const session::Exchange* e, const Callback& callback) noexcept {
  if (!sys::may_log(LogLevel::error)) return;
  LogText line;
  line.add("handler failed: ");
  if (e) {
    add_request(line, *e, route);
  } else if (callback.socket != WebSocket()) {
    add_socket(line, w, callback.socket, route, callback.then);
  } else {
    line.add_escaped(route.empty() ? std::string_view("callback") : route, kPatternBytes);
  }
  sys::log_line(LogLevel::error, line.add(": ").add_sentence(detail::last_failure()).text());
}

void report(Worker& w, std::string_view route, session::Exchange* e, const Callback& callback) noexcept {
  w.stats.handler_failures++;
  if (!w.on_error) return log_failure(w, route, e, callback);
  char what[256];  // it may throw in its turn, and the error handlers are still to hear of this one
  std::snprintf(what, sizeof what, "%s", detail::last_failure());
  w.on_error({what, route, callback.socket, e ? &e->request : nullptr});
  detail::note_failure(what);
}

}  // namespace

void Worker::report_failure(std::string_view route, WebSocket socket, Then then) noexcept { report(*this, route, nullptr, {socket, then}); }

void Worker::log_request(LogLevel level, std::string_view what, std::string_view route, const session::Exchange& e) noexcept {
  if (!sys::may_log(level)) return;
  LogText line;
  line.add(what);
  add_request(line, e, route);
  sys::log_line(level, line.text());
}

void Worker::report_failure(std::string_view route, session::Exchange& e) noexcept { report(*this, route, &e, {}); }

}  // namespace martlet::worker
