// One request and its response, from the head to the last byte of the answer.
//
// An exchange is taken from a pool when a head is complete and given back when the response is with the connection's
// output. While its handler runs, the head is a view of the receive buffer; an exchange that outlives its handler
// (deferred, or a Next that was kept) has been detached: head and body were copied to a block of its own.
// Nobody outside holds a pointer to it across turns: late calls name it by {connection, request number}.
// The worker's thread.
#pragma once

#include <martlet/middleware.h>
#include <martlet/request.h>
#include <martlet/response.h>

#include <cstdint>
#include <new>
#include <string_view>
#include <type_traits>

#include "base/block.h"
#include "base/byte_buffer.h"
#include "base/slot_table.h"
#include "net/connection.h"
#include "proto/http_chunked.h"
#include "proto/http_parser.h"

namespace martlet::session {

struct Sessions;
struct Exchange;

// Who wants to hear of an exchange's answer. The exchange calls one of the two, once, and has forgotten it before.
struct AnswerWatch {
  // The answer is about to be made, with a body of so many bytes: its status and fields may still be changed.
  void (*on_answer)(AnswerWatch& self, Exchange& e, size_t body_bytes) noexcept;
  // The exchange ends without one.
  void (*on_end)(AnswerWatch& self, Exchange& e) noexcept;
};

// A task of one of its steps, as an exchange knows it (http/step_tasks.h).
struct ExchangeTask {
  struct Hooks {
    // The answer is with the output, or the connection has gone without one. True: there are tasks that keep the exchange.
    // They give it back themselves, by release_exchange().
    bool (*let_go)(Exchange& e) noexcept;
    // The answer has been given, and the connection still has the exchange, to pass over its body.
    void (*answered)(Exchange& e) noexcept;
    void (*body_is_whole)(Exchange& e) noexcept;
  };
  explicit ExchangeTask(const Hooks& h) noexcept : hooks(&h) {}
  const Hooks* hooks;
  ExchangeTask* next = nullptr;
  base::SlotId connection;  // by which its exchange came
  bool is_handler = false;  // of the last step, which owes the answer
};

struct Exchange {
  static constexpr int kMaxParams = 16;

  struct Param {
    std::string_view name;     // of the route, which outlives the exchange
    uint16_t value_at = 0;     // in the head, or in the judged path
    uint16_t value_length = 0;
  };

  Exchange(Sessions& s, net::Connection& c) noexcept : sessions(&s), connection(&c) {}

  // Where the exchange stands.
  Sessions* sessions;
  net::Connection* connection;
  const uint8_t* base = nullptr;  // what the offsets of the head count from
  base::ByteSpan body;
  uint32_t request_number = 0;
  struct Flags {
    bool responded = false;   // a terminal call was made
    bool deferred = false;    // res.defer() was called
    bool in_handler = false;  // a step of its chain is on the stack
    bool detached = false;    // the head is in `kept`, and a body that came with it
    bool is_upgrade = false;  // asks for a WebSocket
    bool upgraded = false;
    bool close_after = false;
    bool offers_upgrade = false;  // the answer is a 426: its Connection names Upgrade, whatever else it says
    bool chain_over = false;  // the last step has been run
    bool goes_on = false;     // the step on the stack has called next()
    bool owns_more = false;   // something below needs giving back: fields, texts, kept, a body, refusal, aborted, watch
    bool refused = false;     // by the library: `refusal` ends its chain
    bool timed = false;       // answer_since_ms and answer_ms are set
    bool takes_body = false;    // a body does not lie where it came: kept_body, chunked, chunks, charged
    bool body_coming = false;  // its steps run, or ran, before the body was whole
    bool wants_body = false;   // its next step waits for that, or a task
    bool chain_waits = false;  // and it is the next step that does
    bool failed = false;       // its error handlers have been run
    bool muted = false;        // the library has answered in a step's place: what the step still says is not heard
    bool watched = false;      // there is a `watch`
    bool settled = false;      // nobody is to answer it any more: late calls do not find it, and are no mistake
  };
  Flags flags;

  // The chain: which route, and the next step.
  const void* route = nullptr;
  uint32_t position = 0;
  uint32_t steps = 0;  // how many of the route's are run
  uint8_t param_count = 0;
  Param params[kMaxParams];

  // The response so far.
  uint16_t status = 200;
  static constexpr size_t kTypeBytes = 63;
  bool type_in_fields = false;     // it was too long for content_type
  uint8_t content_type_bytes = 0;  // 0: not set
  char content_type[kTypeBytes];
  base::ByteBuffer fields;  // "Name: value\r\n" …

  // What is kept for the request by its type (Request::data), in the order in which it came; in `texts`, too.
  struct Slot {
    const void* key;  // its address is the type
    Slot* next;
    void (*destroy)(void* object) noexcept;  // null: there is nothing to do
    void* object;
  };
  Slot* slots = nullptr;

  // Text made for the handler (decoded parameters and the like): a chain of blocks, so that views stay where they are.
  base::Block* texts = nullptr;
  size_t texts_used = 0;

  // What keeps a detached exchange, and a body that is still coming (http_body.h). They lie apart, as views of the head are
  // good from the first step on, and there is nothing of a body before it is wanted.
  base::Block* kept = nullptr;
  base::Block* kept_body = nullptr;
  size_t body_have = 0;
  size_t charged = 0;      // of the receive budget
  uint64_t body_limit = 0;  // of its route; set when a body is announced
  proto::ChunkedDecoder chunked;
  base::ByteBuffer chunks;

  // What the library has against it.
  struct Refusal {
    int status = 0;
    std::string_view cause;  // a static text
    std::string_view extra;  // whole field lines; taken when the failure begins
  } refusal;
  void set_refusal(const Refusal& r) noexcept {
    refusal = r;
    flags.owns_more = true;
  }
  // By when the answer is to be there; only with flags.timed.
  uint32_t answer_since_ms = 0;
  uint32_t answer_ms = 0;
  Function<void()> aborted;  // for when the connection ends before the answer
  AnswerWatch* watch = nullptr;
  ExchangeTask* tasks = nullptr;  // of its steps, the newest first; only with flags.owns_more
  base::SlotId keeper = {};  // the WebSocket that it has become, whose steps still want it; generation 0: nobody

  Request request{make_request(this)};
  Response response{make_response(this)};
  proto::RequestHead head;

  // The path as it was judged, when that is not as it was sent: in `texts`. Parameters count from its beginning then.
  const char* judged_path = nullptr;
  uint16_t judged_bytes = 0;

  std::string_view path() const noexcept {
    return judged_path ? std::string_view(judged_path, judged_bytes) : head.path(base);
  }
  std::string_view field(const proto::Field* f) const noexcept {
    return f ? head.value(base, *f) : std::string_view();
  }
  // Memory for `size` characters that lasts as long as the exchange; null when out.
  char* text_room(size_t size) noexcept;
  // The same for things of any type.
  void* room_for(size_t size, size_t alignment) noexcept;
  template <typename T>
  T* room_for(size_t count) noexcept {
    return count <= SIZE_MAX / sizeof(T) ? static_cast<T*>(room_for(count * sizeof(T), alignof(T))) : nullptr;
  }
  void* find_slot(const void* key) const noexcept {
    const Slot* slot = slots;
    while (slot && slot->key != key) slot = slot->next;
    return slot ? slot->object : nullptr;
  }
  // `object` lies in room of the exchange's, and `slot` in other room of it.
  void add_slot(Slot* slot, const void* key, void* object, void (*destroy)(void*) noexcept) noexcept;
  // For what the library keeps so, one T for each request; it is not destroyed. Null when memory is out.
  template <typename T>
  T* find_or_add(bool& is_new) noexcept;

  // From here on the handler's own Response says nothing, and the copies that defer() has given do.
  void mute() noexcept;
  // Forgets everything, keeping warm memory, for the pool. Before it, with flags.owns_more, give_back().
  void reset(net::Connection& c) noexcept;

  void give_back() noexcept;
  // Gives back what has been kept of a body that is coming, and its share of the receive budget.
  void drop_coming_body() noexcept;
  // Tells its watch, if it has one yet, that there will be no answer.
  void end_watch() noexcept;

  // In place of a connection that has let go of it, or has gone: its tasks keep it, or its WebSocket's steps.
  static net::Connection nobody;
  bool is_kept() const noexcept { return connection == &nobody; }
  // The connection's socket; -1 when that has gone.
  int descriptor() const noexcept;

  // Handles by name, for keeping.
  Response deferred_response() const noexcept;
  Next next_at(uint32_t step) const noexcept;
  static Exchange* of(const Request& r) noexcept { return r.exchange_; }
  static Exchange* of(const Response& r) noexcept { return r.exchange_; }

 private:
  static Request make_request(Exchange* e) noexcept { return Request(e); }
  static Response make_response(Exchange* e) noexcept { return Response(e); }
};

template <typename T>
inline char slot_key_ = 0;  // not const: equal constants may be one

template <typename T>
T* Exchange::find_or_add(bool& is_new) noexcept {
  static_assert(std::is_trivially_destructible_v<T>);
  void* object = find_slot(&slot_key_<T>);
  is_new = object == nullptr;
  if (object) return static_cast<T*>(object);
  Slot* slot = room_for<Slot>(1);
  T* room = slot ? room_for<T>(1) : nullptr;
  if (!room) return nullptr;
  add_slot(slot, &slot_key_<T>, new (room) T(), nullptr);
  return room;
}
// What a client is told whose answer is not there in time (Response::answer_within), in its slots.
struct OverdueText {
  std::string_view text;
};

// Gives one back that its tasks have kept.
void release_exchange(Exchange& e) noexcept;

// Copies head and body aside, so that the exchange can outlive the handler. False when memory is out.
bool detach_exchange(Exchange& e) noexcept;

}  // namespace martlet::session
