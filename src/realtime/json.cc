// JSON as messages. It is in a file of its own so that a program that sends none links none.
#include <martlet/json.h>
#include <martlet/rooms.h>
#include <martlet/websocket.h>

#include "json/cells.h"
#include "realtime/realtime.h"

namespace martlet {

namespace {

// From here on it costs less to lend the memory that the text was written to than to copy it.
constexpr size_t kLent = 4096;

// A text that lies in a block, as a frame: a header goes before it.
SharedFrame lend(const JsonText& json) noexcept {
  base::Block* block = json::Access::block(json);
  const size_t size = json.text().size();
  const size_t header = proto::frame_header_size(size);
  proto::encode_frame_header(block->data() - header, proto::Opcode::text, size);
  block->retain();
  return MessageAccess::frame(block, static_cast<uint32_t>(base::Block::kHeadroom - header), header + size);
}

// What was lent before has its header already, and somebody may be reading it.
bool may_lend(const JsonText& json) noexcept {
  const base::Block* block = json::Access::block(json);
  return json.text().size() >= kLent && block && block->references.load(std::memory_order_acquire) == 1;
}

template <typename To>
SendStatus send_json(const To& to, const JsonText& json, Compress compress) noexcept {
  if (!json.ok()) return SendStatus::dropped;
  return may_lend(json) ? to.send(lend(json), compress) : to.send(json.text(), compress);
}

}  // namespace

SharedFrame SharedFrame::text(const JsonText& json) noexcept {
  if (!json.ok()) return SharedFrame();
  return text(json.text());  // its own memory: a frame may be kept for long, and the writer's may be larger
}

SendStatus WebSocket::send(const JsonText& json, Compress compress) const noexcept { return send_json(*this, json, compress); }

SendStatus WebSocket::broadcast(const JsonText& json, Compress compress) const noexcept {
  return json.ok() ? broadcast(json.text(), compress) : SendStatus::dropped;
}

SendStatus Room::send(const JsonText& json, Compress compress) const noexcept { return send_json(*this, json, compress); }

SendStatus Audience::send(const JsonText& json, Compress compress) const noexcept { return send_json(*this, json, compress); }

}  // namespace martlet
