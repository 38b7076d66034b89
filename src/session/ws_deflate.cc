// See ws_deflate.h: connections and the receiving side; sending is in ws_deflate_send.cc.
#include "session/ws_deflate.h"

#include <cstring>
#include <new>
#include <utility>

#include "net/reactor.h"
#include "session/ws_input.h"

namespace martlet::session {

namespace {

// What every message ends with and none carries (RFC 7692 §7.2.1).
constexpr uint8_t kTail[] = {0x00, 0x00, 0xff, 0xff};

// So much is inflated between two looks at whether it is UTF-8.
constexpr size_t kTextPiece = size_t{16} << 10;

bool refuse(proto::WsError& error, uint16_t code, const char* cause) noexcept {
  error = {code, cause};
  return false;
}

bool too_big(proto::WsError& error) noexcept {
  return refuse(error, proto::close_code::too_big, "The message inflates to more than this server takes.");
}

bool no_memory(proto::WsError& error) noexcept {
  return refuse(error, proto::close_code::try_again, "Too much is being received at the moment.");
}

WsDeflate* own_of(net::Connection& c) noexcept { return c.state<WsState>().deflate; }

int inflate_bits(const WsDeflate* own) noexcept { return own ? own->terms.client_max_window_bits : 15; }

}  // namespace

std::unique_ptr<WsCompression> make_ws_deflater(Sessions& sessions, size_t budget_bytes) noexcept {
  return std::unique_ptr<WsCompression>(new (std::nothrow) WsDeflater(sessions, budget_bytes));
}

WsDeflater::~WsDeflater() {
  for (SharedPack& shared : frames_) forget(shared);
  for (codec::Deflate* deflate : compressors_) codec::Deflate::destroy(deflate);
  codec::DeflateScratch::destroy(scratch_);
  base::destroy(spare_inflater_);
  if (spare_room_) spare_room_->release();
  if (packed_) packed_->release();
}

// Connections ---------------------------------------------------------------------------------------------------------

void WsDeflater::decide(const proto::RequestHead& head, const uint8_t* base, const WsRoute& route,
                        DeflateDecision& decision) noexcept {
  const DeflateRoute& wanted = route.deflate;
  proto::DeflatePreferences preferences;
  preferences.server_max_window_bits = wanted.server_max_window_bits;
  preferences.client_max_window_bits = wanted.client_max_window_bits;
  // A message that refers to one that was dropped could not be read.
  preferences.server_context_takeover =
      wanted.dedicated && route.limits.slow_consumer != SlowConsumerPolicy::drop_oldest;
  preferences.client_context_takeover = wanted.dedicated;
  proto::DeflateTerms terms;
  if (!negotiate_deflate(head, base, preferences, terms)) return;
  size_t needed = 0;
  if (terms.server_context_takeover) needed += codec::Deflate::memory({wanted.level, terms.server_max_window_bits, true});
  if (terms.client_context_takeover) needed += size_t{1} << terms.client_max_window_bits;
  if (needed > budget_ - spent_) {
    s_.stats.compression_fallbacks++;
    terms.server_context_takeover = terms.client_context_takeover = false;
    needed = 0;
  }
  const bool plain = needed == 0 && terms.server_max_window_bits == wanted.server_max_window_bits &&
                     terms.client_max_window_bits == 15;
  if (!plain) {
    decision.own = owned_.take();
    if (!decision.own) return;
    spent_ += needed;
    s_.stats.compression_bytes = spent_;
    decision.own->reserved = needed;
    decision.own->terms = terms;
  }
  decision.agreed = true;
  decision.answer_size = encode_deflate_answer(terms, decision.answer);
}

void WsDeflater::give_back(WsDeflate* own) noexcept {
  spent_ -= own->reserved;
  s_.stats.compression_bytes = spent_;
  codec::Deflate::destroy(own->deflate);
  base::deallocate(own->history.bytes);
  owned_.give_back(own);
}

// The window of what a connection has sent, from its first compressed message on.
bool WsDeflater::open_history(WsDeflate* own) noexcept {
  if (!own || !own->terms.client_context_takeover || own->history.bytes) return true;
  const size_t size = size_t{1} << own->terms.client_max_window_bits;
  own->history.bytes = static_cast<uint8_t*>(base::allocate(size));
  own->history.size = static_cast<uint32_t>(size);
  return own->history.bytes != nullptr;
}

// Receiving -----------------------------------------------------------------------------------------------------------

// Where a message is inflated to.
struct WsDeflater::Output {
  base::Block*& block;
  size_t& have;
  uint64_t limit;                  // of the message
  simd::Utf8State* utf8;           // null: not text
  const codec::InflateHistory* history;
  bool ended;                      // see WsInflater
};

// Of a message that comes in pieces.
WsDeflater::Output WsDeflater::output_of(net::Connection& c, WsInput& in) noexcept {
  const WsState& ws = c.state<WsState>();
  return {in.block, in.have, ws.route->limits.message.message_bytes,
          in.message.is_text() ? &in.inflater->utf8 : nullptr, ws.deflate ? &ws.deflate->history : nullptr,
          in.inflater->ended};
}

// Doubles the room, up to a byte more than the limit: who writes that one has passed it.
bool WsDeflater::grow(Output& out) noexcept {
  uint64_t capacity = out.block ? uint64_t{out.block->capacity} * 2 : kRoomBytes / 8;
  if (capacity > out.limit + 1) capacity = out.limit + 1;
  base::Block* block = s_.reactor.blocks.acquire(static_cast<size_t>(capacity));
  if (!block) return false;
  if (out.block) {
    std::memcpy(block->data(), out.block->data(), out.have);
    out.block->release();
  }
  out.block = block;
  return true;
}

bool WsDeflater::inflate(codec::Inflate& inflate, const uint8_t* at, const uint8_t* end, Output& out,
                         proto::WsError& error) noexcept {
  bool more_to_write = false;  // though all input was read
  while (at < end || more_to_write) {
    if ((!out.block || out.have == out.block->capacity) && !grow(out)) return no_memory(error);
    uint8_t* const begin = out.block->data();
    size_t until = out.block->capacity;
    if (until > out.limit + 1) until = static_cast<size_t>(out.limit + 1);
    if (out.utf8 && until > out.have + kTextPiece) until = out.have + kTextPiece;
    uint8_t* to = begin + out.have;
    out.ended = false;
    const codec::InflateStatus status = inflate.run(at, end, begin, to, begin + until, out.history);
    const size_t more = static_cast<size_t>(to - begin) - out.have;
    if (out.utf8 && !simd::kernels->validate_utf8(out.utf8, begin + out.have, more)) {
      return refuse(error, proto::close_code::invalid_payload, "Text that is not UTF-8.");
    }
    out.have += more;
    if (out.have > out.limit) return too_big(error);
    more_to_write = status == codec::InflateStatus::output_full;
    switch (status) {
      case codec::InflateStatus::need_input: return true;
      case codec::InflateStatus::output_full: break;
      case codec::InflateStatus::done:
        inflate.restart();
        out.ended = true;
        break;
      case codec::InflateStatus::error: return refuse(error, proto::close_code::invalid_payload, inflate.cause());
    }
  }
  return true;
}

// The message is whole: the bytes that it left out. One that ends between two blocks has left nothing out; a sender that
// makes no flush of an empty message, or does not take it off, is understood by everybody who has zlib.
bool WsDeflater::inflate_end(codec::Inflate& inflate, Output& out, proto::WsError& error) noexcept {
  if (!out.ended && !inflate.at_flush_point()) {
    if (!this->inflate(inflate, kTail, kTail + sizeof kTail, out, error)) return false;
    if (!inflate.at_flush_point()) {
      return refuse(error, proto::close_code::invalid_payload, "A compressed message that ends too early.");
    }
  }
  if (out.utf8 && !out.utf8->at_boundary()) {
    return refuse(error, proto::close_code::invalid_payload, "Text that ends inside a character.");
  }
  return true;
}

bool WsDeflater::take_whole(net::Connection& c, uint8_t* payload, size_t size, bool is_text, size_t& produced,
                            proto::WsError& error) noexcept {
  WsDeflate* own = own_of(c);
  if (!open_history(own)) return no_memory(error);
  base::Block* block = std::exchange(spare_room_, nullptr);
  if (!block) block = s_.reactor.blocks.acquire(kRoomBytes);
  produced = 0;
  simd::Utf8State utf8;
  Output out{block, produced, c.state<WsState>().route->limits.message.message_bytes, is_text ? &utf8 : nullptr,
             own ? &own->history : nullptr, false};
  inflate_.reset(inflate_bits(own));
  bool good = inflate(inflate_, payload, payload + size, out, error) && inflate_end(inflate_, out, error);
  if (good) {
    if (own && own->history.bytes) own->history.append({block->data(), produced});
    s_.stats.messages_inflated++;
    good = deliver_whole(c, block, produced, is_text) || no_memory(error);
  }
  keep_room(block);
  return good;
}

// What is small is copied by whoever keeps it; a large message has a block of about its own size. False: no memory.
bool WsDeflater::deliver_whole(net::Connection& c, base::Block* block, size_t size, bool is_text) noexcept {
  if (size < kBorrowBytes) return deliver(s_, c, {block ? block->data() : nullptr, size, nullptr, is_text}), true;
  if (size >= block->capacity / 2) return deliver(s_, c, {block->data(), size, block, is_text}), true;
  base::Block* own = s_.reactor.blocks.acquire(size);
  if (!own) return false;
  std::memcpy(own->data(), block->data(), size);
  deliver(s_, c, {own->data(), size, own, is_text});
  own->release();
  return true;
}

// For the next message, when nobody has kept it and it has not grown.
void WsDeflater::keep_room(base::Block* block) noexcept {
  const bool ours = block && block->capacity == kRoomBytes && block->references.load(std::memory_order_acquire) == 1;
  if (ours && !spare_room_) {
    spare_room_ = block;
  } else if (block) {
    block->release();
  }
}

void WsDeflater::give_back(WsInflater* inflater) noexcept {
  if (spare_inflater_) return base::destroy(inflater);
  inflater->utf8 = {};
  inflater->ended = false;
  spare_inflater_ = inflater;
}

bool WsDeflater::take_piece(net::Connection& c, WsInput& in, const uint8_t* data, size_t size,
                            proto::WsError& error) noexcept {
  WsDeflate* own = own_of(c);
  if (!in.inflater) {
    in.inflater = spare_inflater_ ? std::exchange(spare_inflater_, nullptr) : base::create<WsInflater>();
    if (!in.inflater || !open_history(own)) return no_memory(error);
    in.inflater->inflate.reset(inflate_bits(own));
  }
  Output out = output_of(c, in);
  if (!inflate(in.inflater->inflate, data, data + size, out, error)) return false;
  in.inflater->ended = out.ended;
  // The decoder counts like what has arrived.
  return s_.charge(in.charged, in.have + sizeof(WsInflater), SIZE_MAX) || no_memory(error);
}

bool WsDeflater::finish(net::Connection& c, WsInput& in, proto::WsError& error) noexcept {
  if (!in.inflater && !take_piece(c, in, nullptr, 0, error)) return false;
  Output out = output_of(c, in);
  if (!inflate_end(in.inflater->inflate, out, error)) return false;
  WsDeflate* own = own_of(c);
  if (own && own->history.bytes && in.block) own->history.append({in.block->data(), in.have});
  s_.stats.messages_inflated++;
  return true;
}

}  // namespace martlet::session
