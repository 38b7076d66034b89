// A slot of a connection's lazy block: its metadata, and the look whether it is too large. The worker's thread.
#pragma once

#include <martlet/json.h>

#include "realtime/realtime.h"

namespace martlet::realtime {

struct Metadata {
  static constexpr worker::PartKey kKey{};
  Json json = Json::object();
};

bool metadata_fits(net::Connection& c, const Json& metadata) noexcept;
// Above its limit it is cut, and the connection is closed: 1008, metadata_too_big.
void limit_metadata(RealtimeWorker& w, net::Connection& c, Metadata& metadata) noexcept;

}  // namespace martlet::realtime
