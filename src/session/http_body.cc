// See http_body.h. Limits are tested before memory is spent, and what has arrived is charged to the receive budget.
#include "session/http_body.h"

#include <cstring>

#include "net/reactor.h"

namespace martlet::session {

namespace {

constexpr Body kWhole{BodyState::whole};
constexpr Body kComing{BodyState::coming};
constexpr Body kTooLarge{BodyState::refused, 413, "The body is larger than this server takes."};
constexpr Body kTooMuch{BodyState::refused, 503, "Too much is being received at the moment."};
constexpr Body kNoMemory{BodyState::refused, 503, "Out of memory."};

// Copies head and what is here of a body of known length into one block of its exact size.
bool keep_body(Sessions& s, Exchange& e, const uint8_t* bytes, size_t have, size_t body_bytes) noexcept {
  const size_t head_bytes = e.head.head_bytes;
  const size_t total = head_bytes + body_bytes;
  e.flags.owns_more = true;
  if (!s.may_arrive(body_bytes) || !s.charge(e.charged, have, body_bytes)) return false;
  e.kept = s.reactor.blocks.acquire(total);
  if (!e.kept) return false;
  std::memcpy(e.kept->data(), bytes, head_bytes + have);
  e.base = e.kept->data();
  e.body_at = head_bytes;
  e.body_have = have;
  e.flags.detached = true;
  return true;
}

// Decodes what is here of a chunked body. `bytes` advances over what was used.
Body take_chunks(Sessions& s, Exchange& e, const uint8_t*& bytes, const uint8_t* end) noexcept {
  e.flags.owns_more = true;
  for (;;) {
    const auto step = e.chunked.next({bytes, end});
    bytes += step.consumed;
    switch (step.event) {
      case proto::ChunkedDecoder::Event::need_more: return kComing;
      case proto::ChunkedDecoder::Event::done: e.body = {e.chunks.data(), e.chunks.size()}; return kWhole;
      case proto::ChunkedDecoder::Event::error:
        return {BodyState::refused, e.chunked.error().status, e.chunked.error().cause};
      case proto::ChunkedDecoder::Event::data:
        if (const size_t have = e.chunks.size() + step.data.size(); !s.charge(e.charged, have, have)) return kTooMuch;
        if (!e.chunks.append(step.data)) return kNoMemory;
    }
  }
}

bool in_chunks(const Exchange& e) noexcept { return e.head.framing == proto::BodyFraming::chunked; }

}  // namespace

Body begin_body(Sessions& s, Exchange& e, const uint8_t* at, const uint8_t* end, const uint8_t*& next) noexcept {
  const uint8_t* after_head = at + e.head.head_bytes;
  next = after_head;
  if (e.head.framing == proto::BodyFraming::none) return kWhole;
  if (in_chunks(e)) {
    e.chunked = proto::ChunkedDecoder({.body_bytes = e.body_limit});
    const Body body = take_chunks(s, e, next, end);
    if (body.state != BodyState::coming) return body;
    return keep_body(s, e, at, 0, 0) ? kComing : kTooMuch;
  }
  if (e.head.content_length > e.body_limit) return kTooLarge;
  const size_t have = static_cast<size_t>(end - after_head);
  const size_t wanted = static_cast<size_t>(e.head.content_length);
  if (have >= wanted) {
    e.body = {after_head, wanted};
    next = after_head + wanted;
    return kWhole;
  }
  next = end;
  return keep_body(s, e, at, have, wanted) ? kComing : kTooMuch;
}

size_t received_bytes(const Exchange& e) noexcept { return in_chunks(e) ? e.chunks.size() : e.body_have; }

std::span<uint8_t> body_room(Sessions& s, Exchange& e) noexcept {
  if (in_chunks(e)) return {s.reactor.receive_buffer, kBodyReadBytes};
  const size_t missing = static_cast<size_t>(e.head.content_length) - e.body_have;
  return {e.kept->data() + e.body_at + e.body_have, missing < kBodyReadBytes ? missing : kBodyReadBytes};
}

Body take_body(Sessions& s, Exchange& e, const uint8_t*& at, const uint8_t* end) noexcept {
  if (in_chunks(e)) return take_chunks(s, e, at, end);
  e.body_have += static_cast<size_t>(end - at);
  at = end;
  if (!s.charge(e.charged, e.body_have, static_cast<size_t>(e.head.content_length))) return kTooMuch;
  if (e.body_have < e.head.content_length) return kComing;
  e.body = {e.kept->data() + e.body_at, e.body_have};
  return kWhole;
}

Body take_copied(Sessions& s, Exchange& e, const uint8_t*& at, const uint8_t* end) noexcept {
  if (in_chunks(e)) return take_chunks(s, e, at, end);
  const size_t missing = static_cast<size_t>(e.head.content_length) - e.body_have;
  const size_t have = static_cast<size_t>(end - at);
  const size_t size = have < missing ? have : missing;
  uint8_t* const to = e.kept->data() + e.body_at + e.body_have;
  std::memcpy(to, at, size);
  at += size;
  const uint8_t* taken = to;
  return take_body(s, e, taken, to + size);
}

}  // namespace martlet::session
