// martlet/ws_changes.h: what App::reconfigure and Server::reconfigure change of WebSocket routes while they run. What stands in
// WsOptions and not here (compression, envelope, protocols, verify, …) has been agreed upon with those who are connected, or
// decides how the library is put together: it stays as it is.
#pragma once

#include <martlet/config.h>
#include <martlet/function.h>
#include <martlet/options.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet {

// A list that need not be said: {"https://a.example"} says one, {} leaves it as it is. An empty one is std::vector<std::string>().
struct MARTLET_LAYOUT ListChange : std::optional<std::vector<std::string>> {
  using optional::optional;
  ListChange() noexcept = default;
  ListChange(std::initializer_list<std::string> list) : optional(std::in_place, list) {}
};

// What is not said stays as it is. Each member means what that of WsOptions does; what is said below is how it comes to who is
// connected already. Members stand in alphabetical order.
struct MARTLET_LAYOUT WsChanges {
  // Of handshakes to come, as are `origins` and `require_origin`. All workers share it and call it at once. None:
  // Decision<bool(std::string_view)>().
  std::optional<Decision<bool(std::string_view origin)>> allow_origin = {};
  // Of open connections as well. Whoever has not been asked lately is pinged first, at a moment of its own within the interval,
  // and has half of the timeout to answer, however long it was silent under the former rules. Without an interval nobody is
  // asked: who has been silent for longer than the timeout goes within a tenth of it.
  std::optional<milliseconds> heartbeat_interval = {};
  std::optional<milliseconds> heartbeat_timeout = {};
  // Of open connections as well. Who has been idle for longer already goes within a tenth of it, each at a moment of its own.
  // Where there was none before, idleness begins now.
  std::optional<milliseconds> idle_timeout = {};
  // Lowered, it closes nobody, and lets nobody in until there are fewer.
  std::optional<uint32_t> max_connections = {};
  // From the next fragment on.
  std::optional<uint32_t> max_fragments = {};
  // Of open connections as well, since they were opened. Who is older already goes within a tenth of it, each at a moment of its
  // own. Where there was none before, the age is what the wall clock says.
  std::optional<milliseconds> max_lifetime = {};
  // From the next message on. One of which some has come goes on when it is not longer than this, as far as is known; else 1009.
  std::optional<size_t> max_message_bytes = {};
  // Of open connections when their metadata is looked at next.
  std::optional<size_t> max_metadata_bytes = {};
  // Of what is sent from now on, as is slow_consumer.
  std::optional<size_t> max_unsent_bytes = {};
  std::optional<bool> measure_latency = {};
  ListChange origins = {};
  std::optional<bool> require_origin = {};
  // drop_oldest is an Error for a route whose compression keeps a context (CompressionMode::dedicated): the messages behind one
  // that was dropped could not be read.
  std::optional<SlowConsumerPolicy> slow_consumer = {};
};

}  // namespace martlet
