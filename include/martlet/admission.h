// martlet/admission.h: who may open a WebSocket, where a list does not say it: functions in WsOptions that are asked.
//
//   app.ws("/chat", {.verify = [](Request& req, Verify decide) {
//     if (!req.header("authorization")) return decide.refuse(401, "who are you?", {{"WWW-Authenticate", "Bearer"}});
//     ask_the_database(req, [decide](bool known) { known ? decide.accept() : decide.refuse(403); });   // later, on any thread
//   }}, handler);
#pragma once

#include <martlet/config.h>
#include <martlet/middleware.h>
#include <martlet/options.h>

#include <cstddef>
#include <initializer_list>
#include <string_view>

namespace martlet {

struct NamedText;

// What a function of WsOptions::verify decides by: once, at once or later, from any thread; it may be copied and kept. A
// second decision is ignored; while the first has not taken effect yet it is also counted (Stats::late_nexts) and logged, and
// debug builds abort. Once the client has gone, or the time is over, it does nothing. Inside the function of verify it takes effect when that has returned; later, before the call
// returns (so the route's function runs in accept()); on another thread it is carried to the worker, and what one thread
// says keeps its order.
//
// While none has decided, what the client sends waits: 64 KiB of it, then it is not read. Without a decision within
// AppOptions::handshake_timeout the client gets 408.
class Verify {
 public:
  // It may come in.
  void accept() const noexcept { next_(); }
  // It may not: an answer with this status (400 to 599, else it is a programmer's error and 403), this body, text/plain
  // unless a field says otherwise, and these fields. The connection is closed. Everything is copied.
  void refuse(int status = 403, std::string_view body = {}) const noexcept;
  void refuse(int status, std::string_view body, std::initializer_list<NamedText> fields) const noexcept;
  // It is sent elsewhere: 301, 302, 303, 307 or 308. Browsers do not follow it when they open a WebSocket; other clients may.
  void redirect(std::string_view location, int status = 307) const noexcept;

 private:
  friend class Verification;
  explicit Verify(const Next& next) noexcept : next_(next) {}
  void answer(int status, std::string_view body, const NamedText* fields, size_t count) const noexcept;

  Next next_;
};

}  // namespace martlet
