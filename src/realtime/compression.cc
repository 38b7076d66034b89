// The option of compression.h, and what the routes of a worker make of it. Only the constructor from a Deflate names the
// implementation, so that without one it is not linked.
#include <martlet/compression.h>

#include <utility>

#include "realtime/message_compression.h"
#include "realtime/realtime.h"

namespace martlet {

struct Compression::Parts {
  realtime::MessageCompression* (*make)(realtime::RealtimeWorker& w, size_t budget_bytes) noexcept;
};

struct CompressionAccess {
  static const Deflate* deflate(const Compression& c) noexcept { return c.parts_ ? &c.deflate_ : nullptr; }
  static realtime::MessageCompression* make(const Compression& c, realtime::RealtimeWorker& w) noexcept {
    return c.parts_->make(w, w.options.compression_budget_bytes);
  }
};

// By the version of the system: "Mac OS X 10_15_7" of every browser on macOS says nothing, and "Mac OS X 15_1" is a newer
// one, so there it goes by Safari's own version, which came with the system.
std::vector<std::string> broken_deflate_agents() {
  std::vector<std::string> agents;
  for (const char* where : {" OS 15_", "CFNetwork/* Darwin/21.", "Version/15.", "iOS 15.", "iPadOS 15."}) {
    for (const char minor : {'0', '1', '2', '3'}) agents.push_back(std::string(where) + minor);
  }
  return agents;
}

namespace {

int within(int value, int least, int most) noexcept { return value < least ? least : value > most ? most : value; }

}  // namespace

Compression::Compression(Deflate deflate) : said_(true) {
  static constexpr Parts parts{realtime::MessageCompression::make};
  deflate.client_max_window_bits = within(deflate.client_max_window_bits, 8, 15);
  deflate.server_max_window_bits = within(deflate.server_max_window_bits, 8, 15);
  deflate_ = std::move(deflate);
  parts_ = &parts;
}

// Here, and not in every program that has options.
Compression::Compression(const Compression& other) = default;
Compression::Compression(Compression&& other) noexcept = default;
Compression::~Compression() = default;
Compression& Compression::operator=(Compression other) noexcept {
  std::swap(deflate_, other.deflate_);
  std::swap(parts_, other.parts_);
  std::swap(said_, other.said_);
  return *this;
}

namespace realtime {

Error RealtimeWorker::take_compression() noexcept {
  for (const auto& route : ws_routes) {
    const Compression& own = route->handlers.options.compression;
    const Compression& meant = own.is_said() ? own : options.compression;
    const Deflate* deflate = CompressionAccess::deflate(meant);
    if (!deflate) continue;
    if (!compression && !(compression = CompressionAccess::make(meant, *this))) return Error("out of memory");
    sessions.compression = compression->codec.get();
    route->broken_agents = &deflate->broken_agents;
    session::WsLimits& limits = route->limits;
    limits.compress_from = deflate->threshold > 0 ? deflate->threshold : 1;
    if (limits.compress_from <= limits.short_bytes) limits.short_bytes = limits.compress_from - 1;
    if (limits.compress_from < compression->from) compression->from = limits.compress_from;
    session::DeflateRoute& to = route->deflate;
    to.on = true;
    to.dedicated = deflate->mode == CompressionMode::dedicated;
    to.level = deflate->level == CompressionLevel::better ? codec::DeflateLevel::better : codec::DeflateLevel::fast;
    to.server_max_window_bits = static_cast<uint8_t>(deflate->server_max_window_bits);
    to.client_max_window_bits = static_cast<uint8_t>(deflate->client_max_window_bits);
  }
  return {};
}

}  // namespace realtime
}  // namespace martlet
