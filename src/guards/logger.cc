// See logger.h. What a line of a request is made of is copied when its step runs, as the request is gone when the answer has left; then it
// becomes a record of the Log. The copies lie in memory that each thread keeps for the next ones.
#include <martlet/auth_user.h>
#include <martlet/logger.h>
#include <martlet/request.h>
#include <martlet/response.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/alloc.h"
#include "guards/log_format.h"
#include "guards/log_text.h"
#include "guards/path_prefix.h"

namespace martlet {

namespace {

using guards::LogText;
using guards::RequestFormat;

constexpr size_t kUserBytes = 64;
constexpr size_t kTextBytes = 1200;

// Of one request until its answer has left.
struct Kept {
  Kept* next = nullptr;
  guards::RequestLog log;
  size_t text_bytes = 0;
  char user[kUserBytes];
  char text[kTextBytes];  // method, url, referrer, agent, id

  uint16_t& size_of(LogText t) noexcept { return log.sizes[static_cast<size_t>(t)]; }
  void add(LogText t, std::string_view from, size_t most) noexcept {
    const size_t size = from.copy(text + text_bytes, std::min(most, kTextBytes - text_bytes));
    text_bytes += size;
    size_of(t) = static_cast<uint16_t>(size);
  }
};

struct FreeKept {
  ~FreeKept() {
    while (Kept* kept = first) {
      first = kept->next;
      base::destroy(kept);
    }
  }
  Kept* take() noexcept {
    Kept* kept = first;
    if (!kept) return base::create<Kept>();
    first = kept->next;
    kept->log = {};
    kept->text_bytes = 0;
    return kept;
  }
  void give_back(Kept* kept) noexcept {
    kept->next = first;
    first = kept;
  }
  Kept* first = nullptr;
};
thread_local FreeKept free_kept;

// Of a line about a WebSocket; its id, its address and a text stand behind it.
struct SocketLog {
  enum class Kind : uint8_t { connection, debug, message, bytes, disconnection };
  uint64_t number = 0;  // milliseconds, or bytes
  Kind kind = Kind::connection;
  uint8_t id_size = 0, ip_size = 0;
};

struct State final : detail::Counted {
  explicit State(LoggerOptions&& o)
      : Counted([](Counted* self) noexcept { delete static_cast<State*>(self); }),
        options(std::move(o)), log(options.to ? *options.to : Log::standard_error()) {}
  LoggerOptions options;
  Log log;
  RequestFormat format;  // what it needs; the Log has one of its own
  Log::Form requests, sockets;
  Error error;
};

template <typename T>
std::string_view bytes_of(const T& value) noexcept { return {reinterpret_cast<const char*>(&value), sizeof value}; }

// Lines of WebSockets ---------------------------------------------------------------------------------------------------

struct SocketParts {
  SocketLog log;
  std::string_view id, ip, text;
  explicit SocketParts(std::string_view record) noexcept {
    std::memcpy(static_cast<void*>(&log), record.data(), sizeof log);
    record.remove_prefix(sizeof log);
    id = record.substr(0, log.id_size);
    ip = record.substr(log.id_size, log.ip_size);
    text = record.substr(size_t{log.id_size} + log.ip_size);
  }
};

// Of `debug` the text is the user agent and the origin, with a NUL between them, which no field has.
void append_debug(std::string& line, const SocketParts& parts, std::chrono::system_clock::time_point time) {
  const size_t end = parts.text.find('\0');
  const std::pair<const char*, std::string_view> members[] = {
      {"{\"socketId\":", parts.id}, {",\"ip\":", parts.ip}, {",\"userAgent\":", parts.text.substr(0, end)}, {",\"origin\":", parts.text.substr(end + 1)}};
  for (const auto& [name, value] : members) {
    line.append(name);
    guards::append_json(line, value);
  }
  line.append(",\"timestamp\":\"");
  guards::append_iso_date(line, time);
  line.append("\"}");
}

void write_socket(const LogRecord& record, std::string& line) {
  using Kind = SocketLog::Kind;
  const SocketParts parts(record.bytes);
  constexpr const char* kBegins[] = {"[WS] Connection: ", "[WS] Debug: ", "[WS] Message from ", "[WS] Message from ", "[WS] Disconnection: "};
  line.append(kBegins[static_cast<int>(parts.log.kind)]);
  if (parts.log.kind == Kind::debug) return append_debug(line, parts, record.time);
  line.append(parts.id);
  switch (parts.log.kind) {
    case Kind::connection: line.append(" from ").append(parts.ip); break;
    case Kind::message:
      line.append(": ");
      guards::append_escaped(line, parts.text);
      break;
    case Kind::bytes:
      line.append(": ");
      guards::append_number(line, parts.log.number);
      line.append(" bytes");
      break;
    case Kind::disconnection:
      line.append(" (duration: ");
      guards::append_number(line, parts.log.number);
      line.append("ms)");
      break;
    case Kind::debug: break;
  }
}

void write_socket_json(const LogRecord& record, std::string& line) {
  using Kind = SocketLog::Kind;
  const SocketParts parts(record.bytes);
  constexpr const char* kEvents[] = {"connection", "debug", "message", "message", "disconnection"};
  line.append("{\"time\":\"");
  guards::append_iso_date(line, record.time);
  line.append("\",\"event\":\"").append(kEvents[static_cast<int>(parts.log.kind)]).append("\",\"socket\":");
  guards::append_json(line, parts.id);
  line.append(",\"ip\":");
  guards::append_json(line, parts.ip);
  if (parts.log.kind == Kind::debug) {
    line.append(",\"info\":");
    append_debug(line, parts, record.time);
  } else if (parts.log.kind == Kind::message) {
    line.append(",\"text\":");
    guards::append_json(line, parts.text);
  } else if (parts.log.kind != Kind::connection) {
    line.append(parts.log.kind == Kind::bytes ? ",\"bytes\":" : ",\"ms\":");
    guards::append_number(line, parts.log.number);
  }
  line.push_back('}');
}

// A connection's name and address, for as long as it lives.
struct Socket {
  detail::CountedPointer owner;
  std::string id, ip;

  void tell(SocketLog::Kind kind, uint64_t number = 0, std::string_view text = {}) const noexcept {
    const SocketLog log{number, kind, static_cast<uint8_t>(id.size()), static_cast<uint8_t>(ip.size())};
    const State& s = state();
    s.log.record(s.sockets, {bytes_of(log), id, ip, text});
  }
  void tell_message(const Message& message) const noexcept {
    if (!message.is_text()) return tell(SocketLog::Kind::bytes, message.bytes().size());
    tell(SocketLog::Kind::message, 0, guards::first_characters(message.text(), state().options.message_characters));
  }
  const State& state() const noexcept { return *static_cast<const State*>(owner.get()); }
};

uint64_t ms_since(std::chrono::system_clock::time_point begun) noexcept {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now() - begun).count();
  return ms < 0 ? 0 : static_cast<uint64_t>(ms);
}

// Requests ------------------------------------------------------------------------------------------------------------

// Gives the copy back, whether the answer's end was told or not.
class Line {
 public:
  Line(const State& state, Kept* kept) noexcept : state_(&state), kept_(kept) {}
  Line(Line&& other) noexcept : state_(other.state_), kept_(std::exchange(other.kept_, nullptr)) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  Line& operator=(Line&&) = delete;
  ~Line() {
    if (kept_) free_kept.give_back(kept_);
  }
  void operator()(const Finished& finished) const noexcept {
    Kept& k = *kept_;
    k.log.status = static_cast<uint16_t>(finished.status);
    k.log.bytes = finished.bytes;
    k.log.duration_ns = static_cast<uint64_t>(finished.duration.count());
    k.log.aborted = finished.aborted;
    const std::string_view route = finished.route.substr(0, 200);
    k.size_of(LogText::route) = static_cast<uint16_t>(route.size());
    state_->log.record(state_->requests, {bytes_of(k.log), {k.user, k.size_of(LogText::user)}, {k.text, k.text_bytes}, route});
  }

 private:
  const State* state_;
  Kept* kept_;
};

// When the answer is made, as who it is may be found out by later steps.
void keep_user(const State& s, Request& req, Kept& k) noexcept {
  std::string_view user;
  if (!s.options.user) {
    const AuthUser* found = auth_user(req);
    if (found) user = found->username.empty() ? found->id : found->username;
  } else if (!s.options.user(req, user)) {
    return;
  }
  k.size_of(LogText::user) = static_cast<uint16_t>(user.copy(k.user, kUserBytes));
}

void keep(const State& s, Request& req, Kept& k) noexcept {
  const RequestFormat& f = s.format;
  if (f.needs(LogText::ip)) k.log.ip = req.ip_bytes();
  if (f.needs(LogText::method)) k.add(LogText::method, req.method(), 32);
  if (f.needs(LogText::url)) k.add(LogText::url, req.url(), 600);
  if (f.needs(LogText::referrer)) k.add(LogText::referrer, req.header("Referer").value_or(std::string_view()), 200);
  if (f.needs(LogText::agent)) k.add(LogText::agent, req.header("User-Agent").value_or(std::string_view()), 200);
  if (f.needs(LogText::id)) k.add(LogText::id, req.id(), 128);
  k.log.http_minor = static_cast<uint8_t>(req.http_minor_version());
}

}  // namespace

struct LoggerAccess {
  static const State& state(const Logger& l) noexcept { return *static_cast<const State*>(l.state_.get()); }

  static Error take_format(const LogFormat& wanted, RequestFormat& format) {
    constexpr std::string_view kCommon = ":remote-addr - :remote-user [:date[clf]] \":method :url HTTP/:http-version\" :status :bytes";
    if (!wanted.named_) return RequestFormat::parse(wanted.tokens_, format);
    switch (*wanted.named_) {
      case Log::common: return RequestFormat::parse(kCommon, format);
      case Log::combined: return RequestFormat::parse(std::string(kCommon) + " \":referrer\" \":user-agent\"", format);
      case Log::tiny: return RequestFormat::parse(":method :url :status :bytes - :response-time ms", format);
      case Log::json: break;
    }
    format = RequestFormat::json();
    return {};
  }

  static Logger make(LoggerOptions&& options) {
    auto* state = new State(std::move(options));
    Logger made{detail::CountedPointer(state)};
    state->error = take_format(state->options.format, state->format);
    for (const std::string& path : state->options.skip) {
      if (!path.starts_with('/')) state->error = Error::of({"logger: skip: \"", path, "\" does not begin with '/'"});
    }
    state->requests = state->log.add([format = state->format](const LogRecord& record, std::string& line) { format.write(record, line); });
    state->sockets = state->log.add(state->format.is_json() ? write_socket_json : write_socket);
    return made;
  }
};

void Logger::operator()(Request& req, Response& res, Next next) const noexcept {
  const State& s = LoggerAccess::state(*this);
  if (s.error) return next(HttpError{500});
  for (const std::string& path : s.options.skip) {
    if (guards::lies_below(req.path(), path)) return next();
  }
  Kept* kept = free_kept.take();
  if (!kept) return next();  // memory is out: of this one there is no line
  keep(s, req, *kept);
  if (s.format.needs(LogText::user)) {
    res.on_headers([&s, &req, kept](Response&) { keep_user(s, req, *kept); });
  }
  res.on_finish(Line(s, kept));
  next();
}

void Logger::operator()(WebSocket ws, Request& req, Next next) const noexcept {
  const State& s = LoggerAccess::state(*this);
  if (s.error) return ws.close(CloseCode::internal_error);
  Socket socket{state_, ws.id(), req.ip()};
  socket.tell(SocketLog::Kind::connection);
  if (s.options.debug_info) {
    std::string more(req.header("User-Agent").value_or(std::string_view()).substr(0, 400));
    more.push_back('\0');
    more.append(req.header("Origin").value_or(std::string_view()).substr(0, 400));
    socket.tell(SocketLog::Kind::debug, 0, more);
  }
  if (s.options.message_characters) {
    ws.filter_messages([socket](WebSocket, const Message& message) {
      socket.tell_message(message);
      return true;
    });
  }
  ws.on_close([socket = std::move(socket), begun = ws.connected_at()] { socket.tell(SocketLog::Kind::disconnection, ms_since(begun)); });
  next();
}

Error Logger::mistake() const noexcept { return LoggerAccess::state(*this).error; }

Logger logger(LoggerOptions options) { return LoggerAccess::make(std::move(options)); }

}  // namespace martlet
