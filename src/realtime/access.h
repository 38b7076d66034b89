// What the library may look at in handles and messages: the insides of the public values of websocket.h and rooms.h.
#pragma once

#include <martlet/rooms.h>
#include <martlet/route_server.h>
#include <martlet/websocket.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "base/block.h"
#include "base/slot_table.h"
#include "session/ws_input.h"
#include "session/ws_session.h"

namespace martlet {

namespace realtime {
struct RealtimeWorker;
struct WsRouteEntry;
}

struct MessageAccess {
  static WebSocket socket(uint32_t worker, base::SlotId id) noexcept { return WebSocket(worker, id.slot, id.generation); }
  // What WebSocket::id() said; closed when it is no such text.
  static WebSocket socket(std::string_view id) noexcept;
  // What WebSocket::id() says.
  static constexpr size_t kIdBytes = 29;
  static void write_id(const WebSocket& ws, char* to) noexcept;
  static uint32_t worker(const WebSocket& ws) noexcept { return ws.worker_; }
  static base::SlotId id(const WebSocket& ws) noexcept { return {ws.slot_, ws.generation_}; }
  static RouteServer route_server(realtime::WsRouteEntry& route) noexcept { return RouteServer(route); }
  static Room room(uint32_t worker, base::SlotId id) noexcept { return Room(worker, id.slot, id.generation); }
  static Admit admit(uint32_t worker, base::SlotId id) noexcept { return Admit(worker, id.slot, id.generation); }
  static Room refused(uint32_t worker, JoinRefusal why) noexcept { return Room(worker, static_cast<uint32_t>(why), 0); }
  static uint32_t worker(const Room& r) noexcept { return r.worker_; }
  static base::SlotId id(const Room& r) noexcept { return {r.slot_, r.generation_}; }
  static Message message(const session::MessageView& v) noexcept { return Message(v.data, v.size, v.is_text, v.block); }
  static Fragment fragment(const session::FragmentView& v) noexcept {
    return Fragment(v.data, v.size, v.is_text, v.is_first, v.is_last);
  }
  static const uint8_t* data(const Message& m) noexcept { return m.data_; }
  static session::MessageView view(const Message& m) noexcept { return {m.data_, m.size_, m.block_, m.is_text_}; }
  static SharedFrame frame(base::Block* block, uint32_t begin, uint64_t length) noexcept;
  static base::Block* block(const SharedFrame& f) noexcept { return f.block_; }
  static uint8_t* data(const SharedFrame& f) noexcept;
  static size_t length(const SharedFrame& f) noexcept { return static_cast<size_t>(f.length_); }

  // The text of an event: where the room has a memory, it tells the offset as well.
  static SendStatus send_event(const Room& room, std::string_view text) noexcept;
  static SendStatus send_event(const Audience& audience, std::string_view text) noexcept;

  using Kind = Audience::Kind;
  static Audience audience(Kind kind, uint32_t first, base::SlotId id) noexcept;
  static Audience audience(Kind kind, uint32_t first, std::string_view name) noexcept;
  static Audience audience(uint32_t first, SharedFrame names, size_t count) noexcept;
  static Audience room_audience(uint32_t first, std::string_view name) noexcept;
  static Audience route_audience(uint32_t first, std::string_view pattern) noexcept;
  // Of several rooms.
  static Audience rooms_audience(uint32_t first, std::span<const std::string_view> names) noexcept;
  static Audience rooms_audience(uint32_t first, std::span<const std::string> names) noexcept;
  static Kind kind(const Audience& a) noexcept { return a.kind_; }
  static uint32_t worker(const Audience& a) noexcept { return a.worker_; }
  static base::SlotId id(const Audience& a) noexcept { return {a.slot_, a.generation_}; }
  static std::string_view name(const Audience& a) noexcept {
    if (!a.name_) return {};
    const auto text = a.name_.payload();
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }
  static bool install(EventListeners& listeners, realtime::RealtimeWorker& w, realtime::WsRouteEntry& route) noexcept;
  static constexpr size_t kFewExcepts = Audience::kFewExcepts;
  static std::span<const WebSocket> except(const Audience& a) noexcept {
    return {a.more_ ? a.more_ : a.except_, a.except_count_};
  }
};

}  // namespace martlet
