// Who a connection's client is, for those who go by it: presence counts a client once, however many connections it has, and a client
// that comes back in time has not gone. Without sessions nobody is anybody. The worker's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "realtime/client_directory.h"
#include "realtime/connection_slots.h"

namespace martlet {

struct SessionAccess {
  static SessionAnswer answer(const WebSocket& ws, uint32_t number) noexcept { return SessionAnswer(ws, number); }
  static WebSocket socket(const SessionAnswer& answer) noexcept { return answer.ws_; }
  static uint32_t number(const SessionAnswer& answer) noexcept { return answer.number_; }
  static bool by_client_id(const Identify& identify) noexcept { return identify.kind_ == Identify::Kind::client_id; }
  static bool by_token(const Identify& identify) noexcept { return identify.kind_ == Identify::Kind::token; }
  static const Decision<std::string(Request&)>& ask(const Identify& identify) noexcept { return identify.ask_; }
};

namespace realtime {

struct ClientSessions;

struct SaveHook : base::ListHook {};

// The slot of a connection whose client is known.
struct ClientOfSocket final : SaveHook {
  static constexpr worker::PartKey kKey{};
  explicit ClientOfSocket(ClientSessions& p) noexcept : part(&p) {}
  ClientOfSocket(const ClientOfSocket&) = delete;
  ClientOfSocket& operator=(const ClientOfSocket&) = delete;
  ~ClientOfSocket();

  ClientSessions* part;
  ClientLink link;
  SessionData* late = nullptr;        // what came after its time: not the client's any more, and stored with what it has now
  std::optional<SessionAnswer> heir;  // who has displaced it, and is to have what it is waiting for
  uint64_t saved_ns = 0;         // when it was looked at whether it is to be stored,
  uint32_t saved_ms = 0;         // and when it was, by the loop's clock
  uint32_t question = 0;         // that it waits to be answered,
  uint32_t missed = 0;           // one that was not answered in time
  uint32_t asked_worker = 0;     // and by which other worker, where that has the older connection
  TimerId timer = {};            // until when
  bool waiting = false;
  bool asked_store = false;
  bool fresh = false;            // a new token's: nobody knows it
  bool live = false;             // it has what was stored
  bool unknown = false;          // what is stored: so it is not stored over
  bool handed_over = false;      // what it had is another's by now, or was more than it could be given: not to be stored
};

// Empty when nobody has said. Valid until the connection is gone, which is after it has left its rooms.
inline std::string_view identity_of(net::Connection& c) noexcept {
  const auto* own = find_slot<ClientOfSocket>(c);
  return own && own->link.client ? own->link.client->key() : std::string_view();
}

// A name of the client for others to see, the same for all its connections; empty as above. It is the identity, but where to know that is
// all that it takes to be the client: then it tells nothing of it.
std::string public_name_of(net::Connection& c);

// What a handshake says. The texts are the request's, or this struct's.
struct SaidIdentity {
  static constexpr size_t kTokenBytes = 16;
  static constexpr size_t kTokenLetters = 22;

  std::string_view identity() const noexcept { return of_token ? std::string_view(letters, kTokenLetters) : text; }
  bool failed = false;  // the program's function has thrown
  bool of_token = false;
  bool fresh = false;
  char letters[kTokenLetters] = {};
  std::string asked = {};
  std::string_view text = {};
};
void find_identity(const Identify& identify, const codec::HmacKey& key, Request& req, SaidIdentity& said) noexcept;
bool is_identity(std::string_view text) noexcept;

// The token of an identity that find_identity() has made.
inline constexpr size_t kSessionTokenLetters = 43;
void write_token(const codec::HmacKey& key, std::string_view identity, char* to) noexcept;

}  // namespace realtime
}  // namespace martlet
