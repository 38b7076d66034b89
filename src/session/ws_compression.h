// What a session asks of permessage-deflate (RFC 7692). It is behind virtual functions so that a program whose options do
// not ask for compression is linked without it; ws_deflate.h has the implementation. The worker's thread.
#pragma once

#include <martlet/compression.h>

#include <cstddef>
#include <cstdint>

#include "base/block.h"
#include "net/connection.h"
#include "proto/http_parser.h"
#include "proto/permessage_deflate.h"
#include "proto/ws_frame.h"

namespace martlet::session {

struct WsDeflate;   // what a connection owns for it; null while its terms are the plain ones of its route
struct WsInflater;  // a compressed message on its way in
struct WsInput;
struct WsRoute;

// Whether compressing what looks like noise pays all the same, as it does where it repeats itself: after such messages that
// hardly shrank it is not tried for a while, and for longer each time. Of what is sent to one connection, to an audience, or
// on a route. What does not look like noise is always tried: one peer that sends noise sets nobody's pause but noise's.
class CompressionTrial {
 public:
  // Asked for each message.
  bool worth_trying() noexcept { return skip_ == 0 || --skip_ == 0; }
  void note(size_t plain, size_t packed) noexcept {
    if (packed <= plain - plain / 8) {
      skip_ = 0;
      pause_ = kFirstPause;
    } else {
      skip_ = pause_;
      pause_ = static_cast<uint16_t>(pause_ < kLongestPause ? pause_ * 2 : kLongestPause);
    }
  }

 private:
  static constexpr uint16_t kFirstPause = 16;
  static constexpr uint16_t kLongestPause = 1024;
  uint16_t skip_ = 0;
  uint16_t pause_ = kFirstPause;
};

// Receivers of one class can be sent the same compressed message: same window, same effort.
using DeflateClass = uint8_t;
inline constexpr DeflateClass kNoDeflate = 0;  // plain

// A frame with a compressed payload. Null: the message is better sent plain.
struct Packed {
  uint8_t* data = nullptr;
  size_t size = 0;
  base::Block* block = nullptr;
};

// The outcome of a handshake.
struct DeflateDecision {
  bool agreed = false;
  WsDeflate* own = nullptr;
  size_t answer_size = 0;
  char answer[proto::kMaxDeflateAnswer];
};

class WsCompression {
 public:
  virtual ~WsCompression() = default;

  // Connections ------------------------------------------------------------------------------------------------------
  // When memory or the budget is out, what could be agreed upon without them.
  virtual void decide(const proto::RequestHead& head, const uint8_t* base, const WsRoute& route,
                      DeflateDecision& decision) noexcept = 0;
  virtual void give_back(WsDeflate* own) noexcept = 0;

  // Receiving --------------------------------------------------------------------------------------------------------
  // A whole message in one frame, unmasked: inflates and delivers it; `produced` is its size. False: `error` says why.
  virtual bool take_whole(net::Connection& c, uint8_t* payload, size_t size, bool is_text, size_t& produced,
                          proto::WsError& error) noexcept = 0;
  // A piece of one: appends to the input's block.
  virtual bool take_piece(net::Connection& c, WsInput& in, const uint8_t* data, size_t size,
                          proto::WsError& error) noexcept = 0;
  // Its last piece has come.
  virtual bool finish(net::Connection& c, WsInput& in, proto::WsError& error) noexcept = 0;
  virtual void give_back(WsInflater* inflater) noexcept = 0;

  // Sending ----------------------------------------------------------------------------------------------------------
  // For this connection alone. release() what it answers.
  virtual Packed pack(net::Connection& c, proto::Opcode opcode, const uint8_t* data, size_t size,
                      Compress compress) noexcept = 0;
  virtual void release(const Packed& packed) noexcept = 0;
  // For all of a class, of a frame in `source` that is sent to many, one by one. The block stays the compressor's.
  virtual Packed pack_shared(DeflateClass receivers, proto::Opcode opcode, base::Block* source, const uint8_t* data,
                             size_t size, Compress compress, CompressionTrial& trial) noexcept = 0;
  // For all of a class: writes a frame to `out`, which has room for bound(size); answers its size, or 0 when the message
  // is better sent plain.
  virtual size_t pack_to(DeflateClass receivers, proto::Opcode opcode, const uint8_t* data, size_t size,
                         uint8_t* out) noexcept = 0;
  virtual size_t bound(size_t size) const noexcept = 0;
  virtual DeflateClass class_of(net::Connection& c) const noexcept = 0;
  // The connection is sent something that its own compressor did not make, or what that has made is lost.
  virtual void forget_context(net::Connection& c) noexcept = 0;
  virtual void end_turn() noexcept = 0;
};

}  // namespace martlet::session
