// See ws_deflate.h: compressing what is sent.
#include <cstring>

#include "codec/randomness.h"
#include "net/reactor.h"
#include "session/ws_deflate.h"

namespace martlet::session {

namespace {

constexpr size_t kTailBytes = 4;  // of a flush: not sent (RFC 7692 §7.2.1)

// Classes: 8 to 15 by window, 16 more for the better level.
DeflateClass class_for(codec::DeflateLevel level, uint8_t window_bits) noexcept {
  return static_cast<DeflateClass>(window_bits | (level == codec::DeflateLevel::better ? 16 : 0));
}

codec::DeflateSettings settings_of(DeflateClass receivers) noexcept {
  return {receivers & 16 ? codec::DeflateLevel::better : codec::DeflateLevel::fast, receivers & 15, false};
}

}  // namespace

DeflateClass WsDeflater::class_of(net::Connection& c) const noexcept {
  const WsState& ws = c.state<WsState>();
  if (!ws.deflated) return kNoDeflate;
  const DeflateRoute& route = ws.route->deflate;
  return class_for(route.level, ws.deflate ? ws.deflate->terms.server_max_window_bits : route.server_max_window_bits);
}

// Null when memory is out: then messages go plain.
codec::Deflate* WsDeflater::compressor(DeflateClass receivers) noexcept {
  if (!scratch_ && !(scratch_ = codec::DeflateScratch::make())) return nullptr;
  codec::Deflate*& deflate = compressors_[receivers];
  if (!deflate) deflate = codec::Deflate::make(settings_of(receivers));
  return deflate;
}

codec::Deflate* WsDeflater::own_compressor(net::Connection& c) noexcept {
  WsDeflate* own = c.state<WsState>().deflate;
  if (!own || !own->terms.server_context_takeover) return nullptr;
  if (!scratch_ && !(scratch_ = codec::DeflateScratch::make())) return nullptr;
  if (!own->deflate) {
    own->deflate = codec::Deflate::make({c.state<WsState>().route->deflate.level, own->terms.server_max_window_bits, true});
  }
  return own->deflate;
}

base::Block* WsDeflater::room(size_t size) noexcept {
  if (size > kRoomBytes) return s_.reactor.blocks.acquire(size);
  if (!packed_) packed_ = s_.reactor.blocks.acquire(kRoomBytes);
  if (packed_) packed_->retain();
  return packed_;
}

// Writes a compressed frame to `out`, which has room for bound(size); answers its size, or 0 when plain is shorter.
size_t WsDeflater::make_frame(codec::Deflate& deflate, proto::Opcode opcode, const uint8_t* data, size_t size,
                              uint8_t* out) noexcept {
  constexpr size_t kMostly = 4;  // the header's size
  const size_t packed = deflate.compress({data, size}, out + kMostly, codec::DeflateFlush::sync, *scratch_) - kTailBytes;
  if (packed >= size) return 0;
  const size_t header = proto::frame_header_size(packed);
  if (header != kMostly) std::memmove(out + header, out + kMostly, packed);
  proto::encode_frame_header(out, opcode, packed, true, true);
  s_.stats.messages_deflated++;
  return header + packed;
}

size_t WsDeflater::pack_to(DeflateClass receivers, proto::Opcode opcode, const uint8_t* data, size_t size,
                           uint8_t* out) noexcept {
  codec::Deflate* deflate = compressor(receivers);
  return deflate ? make_frame(*deflate, opcode, data, size, out) : 0;
}

Packed WsDeflater::pack(net::Connection& c, proto::Opcode opcode, const uint8_t* data, size_t size,
                        Compress compress) noexcept {
  CompressionTrial& trial = c.state<WsState>().trial;
  const bool on_trial = compress == Compress::automatic && codec::looks_random({data, size});
  if (on_trial && !trial.worth_trying()) return {};
  base::Block* block = room(bound(size));
  if (!block) return {};
  size_t frame;
  if (codec::Deflate* own = own_compressor(c)) {
    frame = make_frame(*own, opcode, data, size, block->data());
    if (frame == 0) own->reset();  // it goes plain, so the peer's window will not have it
  } else {
    frame = pack_to(class_of(c), opcode, data, size, block->data());
  }
  if (on_trial) trial.note(size, frame ? frame : size);
  if (frame) return {block->data(), frame, block};
  block->release();
  return {};
}

void WsDeflater::release(const Packed& packed) noexcept {
  packed.block->release();
  // Somebody has queued it.
  if (packed.block == packed_ && packed_->references.load(std::memory_order_acquire) > 1) {
    packed_->release();
    packed_ = nullptr;
  }
}

Packed WsDeflater::pack_shared(DeflateClass receivers, proto::Opcode opcode, base::Block* source, const uint8_t* data,
                               size_t size, Compress compress, CompressionTrial& trial) noexcept {
  for (const SharedPack& shared : frames_) {
    const bool same = shared.source == source && shared.data == data && shared.size == size && shared.receivers == receivers;
    if (same && (shared.tried || compress != Compress::yes)) return shared.packed;
  }
  SharedPack& shared = frames_[next_frame_++ % kFrames];
  forget(shared);
  const bool on_trial = compress == Compress::automatic && codec::looks_random({data, size});
  const bool tried = !on_trial || trial.worth_trying();
  base::Block* block = tried ? s_.reactor.blocks.acquire(bound(size)) : nullptr;
  if (tried && !block) return {};
  source->retain();
  shared = {source, data, size, receivers, tried, {}};
  if (!tried) return {};
  const size_t frame = pack_to(receivers, opcode, data, size, block->data());
  if (on_trial) trial.note(size, frame ? frame : size);
  if (frame) {
    // Slow receivers keep the block, and max_unsent_bytes counts the frame alone.
    base::Block* smaller = frame < block->capacity / 2 ? s_.reactor.blocks.acquire(frame) : nullptr;
    if (smaller) {
      std::memcpy(smaller->data(), block->data(), frame);
      block->release();
      block = smaller;
    }
    shared.packed = {block->data(), frame, block};
  } else {
    block->release();
  }
  return shared.packed;
}

void WsDeflater::forget(SharedPack& shared) noexcept {
  if (shared.source) shared.source->release();
  if (shared.packed.block) shared.packed.block->release();
  shared = {};
}

// Large frames are not kept from turn to turn.
void WsDeflater::end_turn() noexcept {
  for (SharedPack& shared : frames_) {
    if (shared.size > kRoomBytes) forget(shared);
  }
}

void WsDeflater::forget_context(net::Connection& c) noexcept {
  const WsDeflate* own = c.state<WsState>().deflate;
  if (own && own->deflate) own->deflate->reset();
}

}  // namespace martlet::session
