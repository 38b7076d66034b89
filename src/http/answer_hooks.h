// What is told of answers: Response::on_headers, just before the head is made, and Response::on_finish, when the answer has
// left or its connection has ended.
//
// Whether an answer has left is known where the output is: when a turn ends and nothing of the connection waits, all of it
// is with the kernel. Else the connection is watched: its answers are told of when the queue has run empty, when the kernel
// has taken what was queued up to the end of their turn (looked at with each later answer, so that a client who takes
// answers slowly and asks on cannot pile them up), or when the connection is reaped. Callbacks run when a turn ends, and
// nowhere else. Records are pooled. The worker's thread.
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
  uint64_t left_at = 0;    // of the queue's `taken`; 0: its turn has not ended yet
  uint64_t body_bytes = 0;
  int status = 0;
  bool aborted = false;
};

struct AnswerHooks final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;

  explicit AnswerHooks(worker::Worker& w) noexcept;

  // The record of an exchange that has no answer yet; null when memory is out.
  AnswerRecord* record_of(session::Exchange& e) noexcept;
  bool add_headers(session::Exchange& e, Function<void(Response&)> fn) noexcept;
  bool add_finish(session::Exchange& e, Function<void(const Finished&)> fn) noexcept;

  void answered(AnswerRecord& r, session::Exchange& e, size_t body_bytes) noexcept;
  void unanswered(AnswerRecord& r) noexcept;
  void left(net::Connection& c) noexcept;
  void ended(net::Connection& c) noexcept;
  void turn_ended() noexcept;

 private:
  struct Queue {
    AnswerRecord* first = nullptr;
    AnswerRecord* last = nullptr;
    void push(AnswerRecord& r) noexcept;
    AnswerRecord* pop() noexcept;
  };

  bool note_request(AnswerRecord& r, const session::Exchange& e) noexcept;
  void run_headers(AnswerRecord& r, session::Exchange& e) noexcept;
  bool await(AnswerRecord& r, net::Connection& c) noexcept;
  void take_passed(net::Connection& c) noexcept;
  void settle_turn(net::Connection& c) noexcept;
  void all_over(net::Connection& c, bool aborted) noexcept;
  void over(AnswerRecord& r, bool aborted) noexcept;
  void tell(AnswerRecord& r) noexcept;
  void give_back(AnswerRecord& r) noexcept;

  base::NodePool<AnswerRecord, 8> records_;
  base::NodePool<HeadersHook, 8> headers_;
  base::NodePool<FinishHook, 8> finishes_;
  base::GrowingArray<Queue> waiting_;  // by slot: answers that are with its output
  base::GrowingArray<uint32_t> fresh_;  // slots that were answered in this turn
  Queue due_;
};

}  // namespace martlet::http
