// The tasks of WebSockets (worker/tasks.h): handlers that are coroutines. Each belongs to the connection that it was called
// for, and is destroyed with it where it waits, after the close handlers; one that begins there or later is free: it goes on to
// its end, which a drain waits for. The worker's thread.
#pragma once

#include <martlet/task.h>

#include <cstdint>

#include "base/intrusive_list.h"
#include "base/node_pool.h"
#include "realtime/realtime.h"
#include "worker/parts.h"
#include "worker/tasks.h"

namespace martlet::realtime {

struct SocketHook : base::ListHook {};

struct SocketTask final : detail::TaskRoot, SocketHook {
  SocketTask(worker::Tasks& p, const WebSocket& of, WsRouteEntry* r) noexcept;

  WebSocket ws;
  WsRouteEntry* route;  // null when the connection had gone before
  bool is_free = false;
  size_t bytes = 0;    // charged to the receive budget
  bool works = false;  // counted as one that does
};

struct SocketTasks final : worker::Part {
  explicit SocketTasks(worker::Worker& w) noexcept : Part(w) {}
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;

  base::NodePool<SocketTask> roots;
};

// The slot of a connection that has tasks.
struct TasksOfSocket {
  static constexpr worker::PartKey kKey{};
  base::IntrusiveList<SocketHook> list;
  uint32_t working = 0;  // all but those that wait for the peer's answer
};

}  // namespace martlet::realtime
