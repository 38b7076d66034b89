// co_await of an answer: the task waits on its own worker, the question is the connection's.
#include <martlet/events.h>

#include <utility>

#include "realtime/events.h"
#include "worker/tasks.h"

namespace martlet::detail {

void begin_ack(AckWait& wait, AckRequest& request, Function<void(WebSocket, AckResult)> told) {
  TaskRoot& root = needed(*wait.waiting);
  wait.worker = worker_number_of(root);
  awaits_peer(root, true);
  request.then(std::move(told));
}

namespace {

void go_on_with(AckWait& wait, AckResult&& result) noexcept {
  detail::Resumable* waiting = std::exchange(wait.waiting, nullptr);
  if (!waiting) return;
  wait.result = std::move(result);
  awaits_peer(*waiting->root, false);
  go_on(*waiting, waiting->root->calls.resume);
}

}  // namespace

// On the connection's worker.
void take_ack(const Shared<AckWait>& wait, const AckResult& result) {
  resume_on_worker(wait->worker, [wait, result = result.kept()]() mutable { go_on_with(*wait, std::move(result)); });
}

}  // namespace martlet::detail
