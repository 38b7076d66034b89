// See message_writer.h: which message of a connection is being written, and what waits for its end.
#include <martlet/message_writer.h>

#include <atomic>

#include "base/byte_buffer.h"
#include "base/kept_text.h"
#include "realtime/commands.h"
#include "realtime/connection_slots.h"
#include "realtime/log_lines.h"

namespace martlet {

namespace realtime {

namespace {

// A slot of the connection's lazy block.
struct Writing {
  static constexpr worker::PartKey kKey{};
  Writing() noexcept = default;
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  // What has waited is lost where the connection ends before the message does.
  ~Writing() {
    if (messages) stats->messages_dropped += messages;
  }
  Stats* stats = nullptr;
  uint64_t number = 0;  // of its MessageWriter; 0: none
  proto::Opcode next = proto::Opcode::text;
  base::ByteBuffer kept;  // whole frames
  uint32_t messages = 0;
};

bool may_keep(net::Connection& c, const Writing& writing) noexcept {
  return writing.kept.size() < c.state<session::WsState>().route->limits.unsent_bytes;
}

bool keep(net::Connection& c, const uint8_t* frames, size_t size, uint32_t messages) noexcept {
  Writing* writing = find_slot<Writing>(c);
  if (!writing || !may_keep(c, *writing) || !writing->kept.append(frames, size)) return false;
  writing->messages += messages;
  return true;
}

bool keep_message(net::Connection& c, proto::Opcode opcode, const void* payload, size_t size) noexcept {
  Writing* writing = find_slot<Writing>(c);
  if (!writing || !may_keep(c, *writing)) return false;
  uint8_t header[proto::kMaxFrameHeader];
  proto::encode_frame_header(header, opcode, size);
  const size_t before = writing->kept.size();
  if (writing->kept.append(header, proto::frame_header_size(size)) && writing->kept.append(payload, size)) {
    writing->messages++;
    return true;
  }
  writing->kept.truncate(before);
  return false;
}

constexpr session::WsWriting kWriting{keep, keep_message};

bool begin(RealtimeWorker& w, net::Connection& c, MessageType type, uint64_t number) noexcept {
  auto& state = c.state<session::WsState>();
  if (state.ready != ReadyState::open || state.writing || c.closing) return false;
  if (!w.log.empty()) take_published(w, c);  // that was said before
  Writing* writing = slot_for<Writing>(c);
  if (!writing || c.closing) return false;
  writing->stats = &w.stats;
  writing->number = number;
  writing->next = static_cast<proto::Opcode>(type);
  state.writing = true;
  w.sessions.writing = &kWriting;
  return true;
}

Writing* find(RealtimeWorker& w, const WebSocket& ws, uint64_t number, net::Connection*& c) noexcept {
  c = w.websocket(MessageAccess::id(ws));
  Writing* writing = c ? find_slot<Writing>(*c) : nullptr;
  return writing && writing->number == number ? writing : nullptr;
}

SendStatus write(RealtimeWorker& w, const WebSocket& ws, uint64_t number, const void* data, size_t size) noexcept {
  net::Connection* c = nullptr;
  Writing* writing = find(w, ws, number, c);
  if (!writing) return SendStatus::closed;
  if (!size) return SendStatus::ok;
  const SendStatus status = session::send_fragment(w.sessions, *c, writing->next, data, size, false);
  if (status == SendStatus::ok || status == SendStatus::backpressure) writing->next = proto::Opcode::continuation;
  return status;
}

SendStatus finish(RealtimeWorker& w, const WebSocket& ws, uint64_t number) noexcept {
  net::Connection* c = nullptr;
  Writing* writing = find(w, ws, number, c);
  if (!writing) return SendStatus::closed;
  writing->number = 0;
  SendStatus status = session::send_fragment(w.sessions, *c, writing->next, nullptr, 0, true);
  if (status == SendStatus::dropped) {  // no memory: the message would never end
    session::fail_websocket(w.sessions, *c, proto::close_code::try_again, "Out of memory.", CloseCause::out_of_memory);
  }
  if (status == SendStatus::closed || status == SendStatus::dropped) return SendStatus::closed;
  c->state<session::WsState>().writing = false;
  if (writing->messages) status = session::send_kept(w.sessions, *c, writing->kept.data(), writing->kept.size(), writing->messages);
  writing->messages = 0;
  writing->kept.shrink(4096);
  return status;
}

// A piece that was posted has found no room, and nobody is there to try again.
void give_up_on_slow(RealtimeWorker& w, const WebSocket& ws, uint64_t number) noexcept {
  net::Connection* c = nullptr;
  if (find(w, ws, number, c)) session::close_slow(w.sessions, *c);
}

void give_up(RealtimeWorker& w, const WebSocket& ws, uint64_t number) noexcept {
  net::Connection* c = nullptr;
  if (Writing* writing = find(w, ws, number, c)) {
    writing->number = 0;
    if (c->state<session::WsState>().ready != ReadyState::open) return;  // it ends in its own way
    const CloseInfo why{CloseCause::handler_failure, CloseCode::internal_error, "A message was not finished."};
    log_mistake(*c, why);
    session::fail_websocket(w.sessions, *c, proto::close_code::internal_error, why.reason, why.cause);
  }
}

constinit std::atomic<uint64_t> last_number{0};

}  // namespace

}  // namespace realtime

using realtime::RealtimeWorker;

MessageWriter WebSocket::begin_message(MessageType type) const noexcept {
  const uint64_t number = realtime::last_number.fetch_add(1, std::memory_order_relaxed) + 1;
  if (RealtimeWorker* w = realtime::here(worker_)) {
    net::Connection* c = w->websocket({slot_, generation_});
    return c && realtime::begin(*w, *c, type, number) ? MessageWriter(*this, number) : MessageWriter();
  }
  const SendStatus status = realtime::post_to(worker_, [self = *this, type, number](RealtimeWorker& w) {
    net::Connection* c = w.websocket({self.slot_, self.generation_});
    if (c) realtime::begin(w, *c, type, number);
  });
  return status == SendStatus::posted ? MessageWriter(*this, number) : MessageWriter();
}

SendStatus MessageWriter::write(std::span<const std::byte> piece) noexcept {
  if (!number_) return SendStatus::closed;
  const uint32_t worker = MessageAccess::worker(ws_);
  if (RealtimeWorker* w = realtime::here(worker)) return realtime::write(*w, ws_, number_, piece.data(), piece.size());
  base::KeptText kept({reinterpret_cast<const char*>(piece.data()), piece.size()});
  if (!kept.ok()) return SendStatus::dropped;
  auto act = [ws = ws_, number = number_, kept = std::move(kept)](RealtimeWorker& w) {
    const std::string_view text = kept.text();
    const SendStatus status = realtime::write(w, ws, number, text.data(), text.size());
    if (status == SendStatus::dropped) realtime::give_up_on_slow(w, ws, number);
  };
  return realtime::post_to(worker, std::move(act), piece.size() + 1);
}

SendStatus MessageWriter::finish() noexcept {
  const uint64_t number = std::exchange(number_, 0);
  if (!number) return SendStatus::closed;
  const uint32_t worker = MessageAccess::worker(ws_);
  if (RealtimeWorker* w = realtime::here(worker)) return realtime::finish(*w, ws_, number);
  const SendStatus status = realtime::post_to(worker, [ws = ws_, number](RealtimeWorker& w) { realtime::finish(w, ws, number); });
  if (status == SendStatus::dropped) number_ = number;  // memory is out: it may be tried again
  return status;
}

void MessageWriter::give_up() noexcept {
  const uint64_t number = std::exchange(number_, 0);
  if (!number) return;
  const uint32_t worker = MessageAccess::worker(ws_);
  if (RealtimeWorker* w = realtime::here(worker)) return realtime::give_up(*w, ws_, number);
  realtime::post_to(worker, [ws = ws_, number](RealtimeWorker& w) { realtime::give_up(w, ws, number); });
}

}  // namespace martlet
