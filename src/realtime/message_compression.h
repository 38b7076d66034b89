// The compression of messages as a part of a worker: there when a route compresses, and linked by programs that name a
// Deflate only. It hears what is published, notes what is worth compressing (packed_log.h), and queues the compressed
// forms to the receivers that take them. The worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "realtime/packed_log.h"
#include "session/ws_compression.h"
#include "worker/parts.h"

namespace martlet::realtime {

struct MessageCompression final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  explicit MessageCompression(worker::Worker& w) noexcept;
  // The worker's, made when it is not there yet. Null when memory is out.
  static MessageCompression* make(RealtimeWorker& w, size_t budget_bytes) noexcept;

  // Queues a stretch of the log for a connection that takes compressed messages. False: nothing in the log is compressed,
  // and nothing was done. By pointer, so that who publishes does not link it.
  bool (*const queue)(MessageCompression& self, net::Connection& c, const PublishedRange& stretch) noexcept;
  std::unique_ptr<session::WsCompression> codec;
  PackedLog packed;
  size_t from = SIZE_MAX;  // the least of the routes' thresholds
};

}  // namespace martlet::realtime
