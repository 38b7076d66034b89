// permessage-deflate on the codecs (RFC 7692 §6 and §7.2): messages inflated as they arrive and deflated as they leave.
//
// What stands by itself is made with what the worker has once: a compressor for each class of receivers that there is, a
// decoder, and room to work in; an idle connection then owns nothing. Where a route wants `dedicated` and the budget
// allows it, a connection owns a WsDeflate: its own compressor, whose messages refer to earlier ones, and the window of
// what it received. What is sent to many is compressed once for each class all the same; whoever has a compressor of its
// own then begins a new context, which a receiver's window does not mind.
#pragma once

#include <memory>

#include "base/alloc.h"
#include "base/node_pool.h"
#include "codec/deflate.h"
#include "codec/inflate.h"
#include "session/ws_compression.h"
#include "session/ws_session.h"
#include "simd/kernels.h"

namespace martlet::session {

struct WsDeflate {
  proto::DeflateTerms terms;
  codec::Deflate* deflate = nullptr;  // made when it is first used
  codec::InflateHistory history;      // so is its memory
  size_t reserved = 0;                // of the budget, for both
};

struct WsInflater {
  codec::Inflate inflate;
  simd::Utf8State utf8;
  bool ended = false;  // the last block was a final one, and nothing has come behind it
};

class WsDeflater final : public WsCompression {
 public:
  WsDeflater(Sessions& sessions, size_t budget_bytes) noexcept : s_(sessions), budget_(budget_bytes) {}
  WsDeflater(const WsDeflater&) = delete;
  WsDeflater& operator=(const WsDeflater&) = delete;
  ~WsDeflater() override;

  void decide(const proto::RequestHead& head, const uint8_t* base, const WsRoute& route,
              DeflateDecision& decision) noexcept override;
  void give_back(WsDeflate* own) noexcept override;

  bool take_whole(net::Connection& c, uint8_t* payload, size_t size, bool is_text, size_t& produced,
                  proto::WsError& error) noexcept override;
  bool take_piece(net::Connection& c, WsInput& in, const uint8_t* data, size_t size,
                  proto::WsError& error) noexcept override;
  bool finish(net::Connection& c, WsInput& in, proto::WsError& error) noexcept override;
  void give_back(WsInflater* inflater) noexcept override;

  Packed pack(net::Connection& c, proto::Opcode opcode, const uint8_t* data, size_t size,
              Compress compress) noexcept override;
  void release(const Packed& packed) noexcept override;
  Packed pack_shared(DeflateClass receivers, proto::Opcode opcode, base::Block* source, const uint8_t* data,
                     size_t size, Compress compress, CompressionTrial& trial) noexcept override;
  size_t pack_to(DeflateClass receivers, proto::Opcode opcode, const uint8_t* data, size_t size,
                 uint8_t* out) noexcept override;
  size_t bound(size_t size) const noexcept override {
    return proto::kMaxServerFrameHeader + codec::Deflate::bound(size);
  }
  DeflateClass class_of(net::Connection& c) const noexcept override;
  void forget_context(net::Connection& c) noexcept override;
  void end_turn() noexcept override;

 private:
  static constexpr size_t kRoomBytes = base::BlockPool::kLargestClass;
  static constexpr size_t kFrames = 4;
  // A frame that was sent to one receiver, and will be to more.
  struct SharedPack {
    base::Block* source = nullptr;
    const uint8_t* data = nullptr;
    size_t size = 0;
    DeflateClass receivers = kNoDeflate;
    bool tried = false;  // else it was not worth it
    Packed packed;
  };

  struct Output;
  static Output output_of(net::Connection& c, WsInput& in) noexcept;
  bool inflate(codec::Inflate& inflate, const uint8_t* at, const uint8_t* end, Output& out,
               proto::WsError& error) noexcept;
  bool inflate_end(codec::Inflate& inflate, Output& out, proto::WsError& error) noexcept;
  bool grow(Output& out) noexcept;
  bool open_history(WsDeflate* own) noexcept;
  bool deliver_whole(net::Connection& c, base::Block* block, size_t size, bool is_text) noexcept;
  void keep_room(base::Block* block) noexcept;
  codec::Deflate* compressor(DeflateClass receivers) noexcept;
  codec::Deflate* own_compressor(net::Connection& c) noexcept;
  size_t make_frame(codec::Deflate& deflate, proto::Opcode opcode, const uint8_t* data, size_t size,
                    uint8_t* out) noexcept;
  base::Block* room(size_t size) noexcept;
  void forget(SharedPack& shared) noexcept;

  Sessions& s_;
  size_t budget_;
  size_t spent_ = 0;
  codec::Inflate inflate_;                // of whole messages
  base::Block* spare_room_ = nullptr;     // where the next one goes
  WsInflater* spare_inflater_ = nullptr;  // for the next one that comes in pieces
  base::Block* packed_ = nullptr;      // where compressed ones go
  codec::DeflateScratch* scratch_ = nullptr;
  codec::Deflate* compressors_[32] = {};  // by class
  SharedPack frames_[kFrames];
  uint32_t next_frame_ = 0;
  base::NodePool<WsDeflate, 16> owned_;
};

std::unique_ptr<WsCompression> make_ws_deflater(Sessions& sessions, size_t budget_bytes) noexcept;

}  // namespace martlet::session
