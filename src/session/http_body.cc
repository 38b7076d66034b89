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

// Decodes what is here of a chunked body. `bytes` advances over what was used.
Body take_chunks(Sessions& s, Exchange& e, const uint8_t*& bytes, const uint8_t* end) noexcept {
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
        if (!e.chunks.append(step.data)) return kNoBodyMemory;
    }
  }
}

bool in_chunks(const Exchange& e) noexcept { return e.head.framing == proto::BodyFraming::chunked; }

// The head is copied, as the receive buffer is others' while the body comes; its steps may keep views of it.
Body keep_head(Exchange& e) noexcept { return detach_exchange(e) ? kComing : kNoBodyMemory; }

// Of a body of known length.
size_t length_of(const Exchange& e) noexcept { return static_cast<size_t>(e.head.content_length); }
size_t missing_bytes(const Exchange& e) noexcept { return length_of(e) - e.body_have; }

// The place of the next byte; null when memory is out.
uint8_t* body_end(Sessions& s, Exchange& e) noexcept {
  if (!e.kept_body) e.kept_body = s.reactor.blocks.acquire(length_of(e));
  return e.kept_body ? e.kept_body->data() + e.body_have : nullptr;
}

// So many bytes more are here.
Body note_taken(Sessions& s, Exchange& e, size_t size) noexcept {
  e.body_have += size;
  if (!e.flags.settled && !s.charge(e.charged, e.body_have, length_of(e))) return kTooMuch;
  if (e.body_have < length_of(e)) return kComing;
  if (e.kept_body) e.body = {e.kept_body->data(), e.body_have};
  return kWhole;
}

}  // namespace

Body begin_body(Sessions& s, Exchange& e, const uint8_t* at, const uint8_t* end, const uint8_t*& next) noexcept {
  const uint8_t* after_head = at + e.head.head_bytes;
  next = after_head;
  if (e.head.framing == proto::BodyFraming::none) return kWhole;
  if (in_chunks(e)) {
    e.flags.owns_more = e.flags.takes_body = true;
    e.chunked = proto::ChunkedDecoder({.body_bytes = e.body_limit});
    const Body body = take_chunks(s, e, next, end);
    if (body.state != BodyState::coming) return body;
    return keep_head(e);
  }
  if (e.head.content_length > e.body_limit) return kTooLarge;
  const size_t have = static_cast<size_t>(end - after_head);
  const size_t wanted = static_cast<size_t>(e.head.content_length);
  if (have >= wanted) {
    e.body = {after_head, wanted};
    next = after_head + wanted;
    return kWhole;
  }
  e.flags.owns_more = e.flags.takes_body = true;
  return s.may_arrive(wanted) ? keep_head(e) : kTooMuch;
}

size_t received_bytes(const Exchange& e) noexcept { return in_chunks(e) ? e.chunks.size() : e.body_have; }

std::span<uint8_t> body_room(Sessions& s, Exchange& e) noexcept {
  if (in_chunks(e) || e.flags.settled) return {s.reactor.receive_buffer, kBodyReadBytes};
  uint8_t* const to = body_end(s, e);
  if (!to) return {};
  const size_t missing = missing_bytes(e);
  return {to, missing < kBodyReadBytes ? missing : kBodyReadBytes};
}

Body take_body(Sessions& s, Exchange& e, const uint8_t*& at, const uint8_t* end) noexcept {
  if (in_chunks(e) || e.flags.settled) return take_copied(s, e, at, end);
  const auto size = static_cast<size_t>(end - at);
  at = end;
  return note_taken(s, e, size);
}

Body take_copied(Sessions& s, Exchange& e, const uint8_t*& at, const uint8_t* end) noexcept {
  if (in_chunks(e)) return take_chunks(s, e, at, end);
  const size_t missing = missing_bytes(e);
  const auto have = static_cast<size_t>(end - at);
  const size_t size = have < missing ? have : missing;
  if (!e.flags.settled) {
    uint8_t* const to = body_end(s, e);
    if (!to) return kNoBodyMemory;
    std::memcpy(to, at, size);
  }
  at += size;
  return note_taken(s, e, size);
}

}  // namespace martlet::session
