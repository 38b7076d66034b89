// What the publish log asks of topics, where a worker has some: by pointer, so that who publishes does not link them.
#pragma once

#include <cstdint>

#include "realtime/publish.h"
#include "worker/parcel.h"

namespace martlet::realtime {

struct TopicSeam {
  // The first range at or after the position that a topic was sent and that is for this connection; null when there is none.
  const PublishedRange* (*next_range)(RealtimeWorker& w, const session::WsState& ws, uint64_t position) noexcept;
  // Has the receivers of a topic take what they were sent.
  void (*deliver)(RealtimeWorker& w, AudienceLog& audience) noexcept;
  // A connection is about to be closed: first it gets what was kept for it.
  void (*before_close)(RealtimeWorker& w, net::Connection& c) noexcept;
  // Frames of a topic have come from another worker.
  void (*take)(RealtimeWorker& w, const worker::ParcelItem& item, std::span<net::Connection* const> except) noexcept;
  // Messages of some topics did not, as this worker did not turn for too long.
  void (*lagged)(RealtimeWorker& w, uint64_t messages) noexcept;
};

}  // namespace martlet::realtime
