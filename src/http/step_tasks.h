// The tasks of steps (worker/tasks.h): those that hold an exchange until they end. One whose exchange goes without an answer is
// destroyed where it waits. Also what keeps a request for a WebSocket's task, which has no coroutine here.
#pragma once

#include <martlet/task.h>

#include <optional>

#include "base/node_pool.h"
#include "routing/routes.h"
#include "session/exchange.h"
#include "worker/parts.h"
#include "worker/tasks.h"

namespace martlet::http {

struct StepTask final : detail::TaskRoot, session::ExchangeTask {
  StepTask(worker::Tasks& p, session::Exchange& e) noexcept;

  session::Exchange& exchange;
  Context context;
  std::optional<Next> own_next;   // that it was called with: it may have taken a reference
  std::optional<Next> next_step;  // with Due::next
};

struct StepTasks final : worker::Part {
  explicit StepTasks(worker::Worker& w) noexcept : Part(w) {}
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;

  base::NodePool<StepTask> roots;
};

}  // namespace martlet::http
