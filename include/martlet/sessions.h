// martlet/sessions.h: clients that are known again when they come back, with another connection: App::sessions.
//
//   app.sessions({.identify = by_client_id(), .queue = 100, .store = memory_store(), .ttl = 2min});
//   app.send_to_client("client-7", {{"type", "notification"}});    // at once, or when it is back
//
// Who a client is says its identity: a text that is the same for each of its connections. By it
//   - messages are sent to it wherever it is (App::send_to_client), and wait for it while it is away;
//   - what its connection had, the metadata and the rooms, is stored when the connection ends and given to its next one;
//   - a second connection of the same client is noticed (SessionOptions::duplicate).
//
// What a new connection of a client goes through, in this order: its metadata is there again, and it has joined its rooms (without
// App's hooks of joins being asked: it has been in them); it is sent the event "session-restored"; then what waits for it;
// then the open handler of its route runs. When the store answers later than at once, the handler runs first, and the rest comes when
// the answer does. What is sent to the client meanwhile waits behind that, whoever sends it, so that nothing overtakes.
// Where there are steps behind the 101 (ws_use), all of it begins when they have let the connection through.
//
// What was published to a room while the client was away is not kept here: a room with a history gives it to who joins.
// Delivered is what the connection has taken: what was on its way when the network broke is lost, as on any WebSocket.
#pragma once

#include <martlet/config.h>
#include <martlet/function.h>
#include <martlet/json.h>
#include <martlet/options.h>
#include <martlet/websocket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

class Request;
struct SessionAccess;

// What is kept of a client while it is away.
struct SessionData {
  Json metadata = Json::object();
  Json rooms = Json::array();  // their names, in the order in which it joined them
  // When it was heard of last.
  std::chrono::system_clock::time_point last_seen = {};
};

// How a store answers SessionStore::load: a small value, to be copied and called on any thread, at once or later. What a second
// call says, or one after the client has gone, is for nobody; of one that comes after SessionOptions::store_timeout see there. On the
// connection's own thread it takes effect, and SessionOptions::on_restored runs, before the call returns; from elsewhere it
// is carried there.
class SessionAnswer {
 public:
  // What is known of the client; nothing: it is a new one.
  void operator()(std::optional<SessionData> found) const noexcept;

 private:
  friend struct SessionAccess;
  constexpr SessionAnswer(WebSocket ws, uint32_t number) noexcept : ws_(ws), number_(number) {}
  WebSocket ws_;
  uint32_t number_;  // of the question
};

// Where sessions are kept: functions, called on the threads of all workers, also at the same time. They do not wait for
// anything; who has to ask a database answers later. The texts and data are valid until they return. One that throws is reported
// (App::on_error): a `save` has kept nothing, a `load` has not answered. Any of them may be empty.
struct SessionStore {
  Function<void(std::string_view client, SessionAnswer answer)> load = {};
  Function<void(std::string_view client)> remove = {};
  // To be forgotten after `ttl`.
  Function<void(std::string_view client, const SessionData& data, milliseconds ttl)> save = {};
};

// Above its limits that session goes which is worth least, so that a flood of strangers who come and go drives out none but
// strangers' sessions: first those that hold nothing, neither metadata nor rooms; then those that were saved once only, as long as they
// are more than a quarter of all; then those that were saved again, of a client that has come back or stayed for longer than
// SessionOptions::save_interval. Of each kind the one that was saved longest ago. One that holds nothing makes none go that does.
struct MemoryStoreOptions {
  // All sessions together, with 256 bytes for each beside its texts. What is larger on its own is not kept.
  size_t max_bytes = size_t{64} << 20;
  size_t max_sessions = 10'000;
};

// A store in this process, of all workers. It answers at once, and is gone with the program.
SessionStore memory_store(MemoryStoreOptions options = {});

// How a client is known. Or by a function (Request&) that answers a text, which is called for each WebSocket behind its
// route's steps, so that it sees what they have found out: the authenticated user. An empty text: this connection has no session.
//   .identify = [](Request& req) { return req.data<User>().id; }
// Identities are 1 to 128 bytes without control characters.
class Identify {
 public:
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Identify> && std::is_invocable_v<std::decay_t<F>&, Request&>)
  MARTLET_THUNK Identify(F&& fn)
      : ask_([fn = std::decay_t<F>(std::forward<F>(fn))](Request& req) mutable { return std::string(fn(req)); }) {}

 private:
  friend struct SessionAccess;
  friend Identify by_client_id() noexcept;
  friend Identify by_token() noexcept;
  enum class Kind : uint8_t { asked, client_id, token };
  explicit Identify(Kind kind) noexcept : kind_(kind) {}
  Kind kind_ = Kind::asked;
  Decision<std::string(Request&)> ask_ = {};
};

// By what the client says: the field x-client-id, or clientId in the query where it cannot send fields, as browsers. Anybody who knows
// another's identity can say it, and gets what is kept for that one: for clients that are trusted, or identities that
// nobody can guess.
Identify by_client_id() noexcept;

// By a token of ours: each connection is sent an event "session" {token, ttl, resumed} (ttl in milliseconds), and the client
// says the token when it comes back: ?session=TOKEN, or the field x-session. The identity (WebSocket::client_id) is 128 random
// bits, and the token is the identity with a signature of 128 bits: it can be told to others that somebody is
// there without telling them how to become that one. A token that is not ours, or of another key, gives nothing: the client is a new one, with a
// token of its own. Tokens are good as long as the key (SessionOptions::token_key) is.
Identify by_token() noexcept;

// A client has a connection, and another one comes that says to be the same. Of 64 connections of one client at the same time, those
// that are being closed as well, the next one is refused in any case.
enum class DuplicateClient : uint8_t {
  newest_wins,  // the older one is closed: 4001, "Connected elsewhere"; what it had goes on to the new one
  both,         // both stay, and both get what the client is sent; sessions are stored by the last one, and restored to the first
  refuse,       // the new one gets 409 before the 101, also while the older one only seems to be there
};

// Of App::sessions. In a Server every worker says the same: `identify`, `max_rooms`, `on_restored`, `refuse_bad_identities`, `routes`
// and `save_interval` are each worker's own; all else is what the first worker says.
struct MARTLET_LAYOUT SessionOptions {
  DuplicateClient duplicate = DuplicateClient::newest_wins;
  Identify identify = by_client_id();
  // Clients that are away and have something waiting, or are known to have been here (queue_unknown). Above it one is forgotten, and
  // what waits for it dropped: of those for whom nothing waits and who were here once, as long as they are more than a quarter
  // of all, else of the others; the one that was longest untouched.
  size_t max_clients = 10'000;
  // What waits for all clients together, with 160 bytes for each message. Above it the oldest of all is dropped.
  size_t max_queue_bytes = size_t{64} << 20;
  // Of a client that are kept; the rest of its rooms is not.
  size_t max_rooms = 1'000;
  // How long a message waits; then it is dropped. 0: as `ttl`.
  milliseconds message_ttl = milliseconds(0);
  // In place of the event "session-restored" {rooms, previousRooms, lastSeen}: rooms that it is in now, those that were stored,
  // milliseconds since 1970. Metadata and rooms are back by then; what it sends goes before what has waited.
  Function<void(WebSocket, const SessionData&)> on_restored = {};
  // Messages that wait for one client. Above it the oldest is dropped. 0: nothing waits.
  size_t queue = 100;
  // And their bytes. What is larger on its own is not taken. While a client is connected, so much may be on its way from other threads, and
  // of small messages as many as that has place for at 160 bytes each; what is sent above it is dropped. Well below
  // WsOptions::max_unsent_bytes, so that what has waited makes no slow consumer.
  size_t queue_bytes = size_t{512} << 10;
  // Whether messages wait for identities that have never been here, or were forgotten. False: for those whose last connection
  // ended within `ttl`, however often they are sent something; to others it is SendStatus::closed.
  bool queue_unknown = true;
  // Whether who says an identity that is none (too long, a control character) is refused: 400. False: it has no session.
  bool refuse_bad_identities = false;
  // Patterns of the routes whose connections have sessions; all when empty. Who opens several sockets at once for one client
  // names one route here, or takes DuplicateClient::both.
  std::vector<std::string> routes = {};
  // A session is stored when its connection ends, and this often while the client is heard of, for the case that the program
  // does not end in order. Not for each message. 0: at the end only.
  milliseconds save_interval = std::chrono::minutes(1);
  // {}: nothing is stored, and nothing restored.
  SessionStore store = memory_store();
  // How long an answer of the store, or of the worker that has the older connection, is waited for. Then the client is served as a new
  // one; but what may be stored of it is not stored over. As long as the store has not answered, nothing of this connection is stored;
  // when it answers late, the client gets nothing of it, and what is stored from then on is what it has now with what it had: members
  // of metadata with a name that it does not have, and rooms, as far as both together are allowed. With DuplicateClient::both a late
  // answer that is a session stays stored as it is, until all connections of the client have gone.
  milliseconds store_timeout = std::chrono::seconds(5);
  // What tokens are signed with: any text that is secret, the same on all hosts. Empty: random, so that tokens end with the program.
  std::string token_key = {};
  // How long a session is stored after its connection has ended.
  milliseconds ttl = std::chrono::minutes(2);
};

}  // namespace martlet
