// What is told of answers: Response::on_headers, just before the head is made, and Response::on_finish, when the answer has
// left or its connection has ended.
//
// Whether an answer has left is known where the output is: when a turn ends, or its flush has been, and nothing of the
// connection waits, all of it is with the kernel. Else it is told of when the connection's queue has run empty, or when it is
// reaped. A client who asks on and never takes all that waits cannot pile them up: of one connection at most kMostWaiting
// wait, the oldest is told of then as if it had left. Callbacks run when a turn ends, and nowhere else. Records are pooled.
// The worker's thread.
#pragma once

#include <martlet/response.h>

#include "base/block.h"
#include "base/growing_array.h"
#include "base/node_pool.h"
#include "net/connection.h"
#include "routing/routes.h"
#include "worker/parts.h"

namespace martlet::http {

struct HeadersHook {
  HeadersHook* next;
  Function<void(Response&)> fn;
};

struct FinishHook {
  FinishHook* next;
  Function<void(const Finished&)> fn;
};

// What is to be told of one answer: with its exchange until that is answered, then with the connection, then due.
struct AnswerRecord : session::AnswerWatch {
  AnswerRecord* next = nullptr;
  HeadersHook* headers = nullptr;     // the last one first
  FinishHook* finishes = nullptr;     // the first one first
  FinishHook* last_finish = nullptr;
  const std::string* route = nullptr;
  base::Block* texts = nullptr;       // method and path
  size_t method_bytes = 0;
  size_t path_bytes = 0;
  uint64_t begun_ns = 0;
  uint64_t over_ns = 0;
  uint64_t body_bytes = 0;
  int status = 0;
  bool aborted = false;
};

struct AnswerHooks final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  static constexpr uint32_t kMostWaiting = 512;  // more than one dispatch answers

  explicit AnswerHooks(worker::Worker& w) noexcept;

  // The record of an exchange that has no answer yet; null when memory is out.
  AnswerRecord* record_of(session::Exchange& e) noexcept;
  bool add_headers(session::Exchange& e, Function<void(Response&)> fn) noexcept;
  bool add_finish(session::Exchange& e, Function<void(const Finished&)> fn) noexcept;

  void answered(AnswerRecord& r, session::Exchange& e, size_t body_bytes) noexcept;
  void unanswered(AnswerRecord& r) noexcept;
  void drained(net::Connection& c) noexcept;
  void ended(net::Connection& c) noexcept;
  void turn_ended() noexcept;
  void flushed() noexcept;

 private:
  struct Queue {
    AnswerRecord* first = nullptr;
    AnswerRecord* last = nullptr;
    uint32_t size = 0;
    void push(AnswerRecord& r) noexcept;
    AnswerRecord* pop() noexcept;
  };

  bool note_request(AnswerRecord& r, const session::Exchange& e) noexcept;
  void run_headers(AnswerRecord& r, session::Exchange& e) noexcept;
  bool await(AnswerRecord& r, net::Connection& c) noexcept;
  bool settle(net::Connection& c, bool flushed) noexcept;
  void settle_fresh(bool flushed) noexcept;
  void all_over(net::Connection& c, bool aborted) noexcept;
  void over(AnswerRecord& r, bool aborted, uint64_t now_ns) noexcept;
  void tell(AnswerRecord& r) noexcept;
  void give_back(AnswerRecord& r) noexcept;

  base::NodePool<AnswerRecord, 8> records_;
  base::NodePool<HeadersHook, 8> headers_;
  base::NodePool<FinishHook, 8> finishes_;
  base::GrowingArray<Queue> waiting_;  // by slot: answers that are with its output
  base::GrowingArray<uint32_t> fresh_;  // slots whose answers have been neither flushed nor refused
  Queue due_;
};

}  // namespace martlet::http
