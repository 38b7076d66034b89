// See publish.h for the picture.
#include "app/publish.h"

#include <algorithm>
#include <cstring>

#include "app/worker.h"
#include "net/output.h"
#include "session/ws_session.h"

namespace martlet::app {

AudienceLog::~AudienceLog() { base::deallocate(ranges_); }

bool AudienceLog::add(const PublishedRange& range) noexcept {
  if (count_ > 0 && ranges_[count_ - 1].end == range.begin && ranges_[count_ - 1].block == range.block) {
    ranges_[count_ - 1].end = range.end;
    ranges_[count_ - 1].messages += range.messages;
    return true;
  }
  if (count_ == capacity_) {
    const uint32_t capacity = capacity_ ? capacity_ * 2 : 4;
    auto* ranges = static_cast<PublishedRange*>(base::allocate(capacity * sizeof(PublishedRange)));
    if (!ranges) return false;
    if (count_) std::memcpy(ranges, ranges_, count_ * sizeof(PublishedRange));
    base::deallocate(ranges_);
    ranges_ = ranges;
    capacity_ = capacity;
  }
  ranges_[count_++] = range;
  return true;
}

PublishLog::~PublishLog() {
  for (uint32_t i = 0; i < count_; i++) blocks_[i].block->release();
  base::deallocate(blocks_);
}

// A new block at the end. A gap in the positions keeps ranges of two blocks from touching.
bool PublishLog::grow(base::BlockPool& pool, size_t size) noexcept {
  if (count_ == capacity_) {
    const uint32_t capacity = capacity_ ? capacity_ * 2 : 4;
    auto* parts = static_cast<Part*>(base::allocate(capacity * sizeof(Part)));
    if (!parts) return false;
    if (count_) std::memcpy(parts, blocks_, count_ * sizeof(Part));
    base::deallocate(blocks_);
    blocks_ = parts;
    capacity_ = capacity;
  }
  base::Block* block = pool.acquire(size > kBlockBytes ? size : kBlockBytes);
  if (!block) return false;
  blocks_[count_++] = {block, end_ + 1};
  end_++;
  if (begin_ == end_ - 1) begin_ = end_;
  return true;
}

bool PublishLog::append(base::BlockPool& pool, proto::Opcode opcode, const void* payload, size_t size,
                        PublishedRange& range) noexcept {
  const size_t header = proto::frame_header_size(size);
  const size_t frame = header + size;
  const Part* part = count_ ? &blocks_[count_ - 1] : nullptr;
  if (!part || part->block->capacity - (end_ - part->base) < frame) {
    if (!grow(pool, frame)) return false;
    part = &blocks_[count_ - 1];
  }
  uint8_t* to = part->block->data() + (end_ - part->base);
  proto::encode_frame_header(to, opcode, size);
  if (size) std::memcpy(to + header, payload, size);
  range = {end_, end_ + frame, count_ - 1, 1};
  end_ += frame;
  return true;
}

void PublishLog::end_turn() noexcept {
  for (uint32_t i = 0; i + 1 < count_; i++) blocks_[i].block->release();
  if (count_ > 1) blocks_[0] = blocks_[count_ - 1];
  if (count_) count_ = 1;
  begin_ = end_;
}

bool publish(Worker& w, AudienceLog& audience, proto::Opcode opcode, const void* payload, size_t size,
             std::span<net::Connection* const> except) noexcept {
  for (net::Connection* c : except) {
    if (c) take_published(w, *c);
  }
  PublishedRange range;
  if (!w.log.append(w.reactor.blocks, opcode, payload, size, range) || !audience.add(range)) return false;
  for (net::Connection* c : except) {
    if (c) c->state<session::WsState>().published = range.end;
  }
  return true;
}

namespace {

// How many frames begin in these bytes.
uint32_t count_frames(const uint8_t* data, size_t size) noexcept {
  uint32_t frames = 0;
  for (size_t at = 0; at < size; frames++) at += net::frame_bytes(data + at);
  return frames;
}

// Queues [begin, end) of a range. What would pass the unsent limit goes in pieces, so that the limit is asked before
// each, as for messages that are sent one by one.
void queue_range(Worker& w, net::Connection& c, const PublishedRange& range, uint64_t begin, uint64_t end) noexcept {
  uint8_t* data = w.log.data_of(range, begin);
  size_t size = static_cast<size_t>(end - begin);
  base::Block* block = w.log.block_of(range);
  const uint64_t limit = c.state<session::WsState>().route->limits.unsent_bytes;
  while (net::unsent_bytes(w.reactor, c) + size > limit && net::frame_bytes(data) < size) {
    size_t piece = 0;
    do {
      piece += net::frame_bytes(data + piece);
    } while (piece < size && net::unsent_bytes(w.reactor, c) + piece < limit);
    if (session::send_frames(w.sessions, c, block, data, piece, count_frames(data, piece)) == SendStatus::closed) return;
    data += piece;
    size -= piece;
    if (size == 0) return;
  }
  const bool whole = size == range.end - range.begin;
  session::send_frames(w.sessions, c, block, data, size, whole ? range.messages : count_frames(data, size));
}

// The next range of an audience at or after a position.
const PublishedRange* first_after(const AudienceLog& audience, uint64_t position) noexcept {
  const auto ranges = audience.ranges();
  const auto found = std::partition_point(ranges.begin(), ranges.end(),
                                          [position](const PublishedRange& r) { return r.end <= position; });
  return found == ranges.end() ? nullptr : &*found;
}

const PublishedRange* earlier(const PublishedRange* a, const PublishedRange* b) noexcept {
  return !b || (a && a->begin <= b->begin) ? a : b;
}

// The first range, of all audiences this connection belongs to, that has something at or after the position.
const PublishedRange* next_range(Worker& w, const session::WsState& ws, uint64_t position) noexcept {
  const PublishedRange* next = earlier(first_after(static_cast<const WsRouteEntry*>(ws.route)->log, position),
                                       first_after(w.everybody, position));
  for (const Membership* m = ws.rooms; m; m = m->next_of_socket) {
    next = earlier(next, first_after(w.rooms.find_live(m->room_slot)->log, position));
  }
  return next;
}

}  // namespace

void take_published(Worker& w, net::Connection& c) noexcept {
  session::WsState& ws = c.state<session::WsState>();
  uint64_t position = ws.published > w.log.begin() ? ws.published : w.log.begin();
  if (position >= w.log.end()) return;
  // Neighbouring stretches, of whatever audience, are queued as one.
  const PublishedRange* open = nullptr;
  uint64_t open_begin = 0;
  uint64_t open_end = 0;
  while (const PublishedRange* range = next_range(w, ws, position)) {
    const uint64_t begin = range->begin > position ? range->begin : position;
    if (!open || begin != open_end || range->block != open->block) {
      if (open) queue_range(w, c, *open, open_begin, open_end);
      open = range;
      open_begin = begin;
    }
    open_end = position = range->end;
  }
  ws.published = w.log.end();
  if (open) queue_range(w, c, *open, open_begin, open_end);
}

namespace {

void deliver_to_route(Worker& w, const WsRouteEntry& route) noexcept {
  for (uint32_t slot = route.first; slot != session::WsState::kNone;) {
    net::Connection& c = *w.reactor.connections.live(slot);
    slot = c.state<session::WsState>().route_next;
    take_published(w, c);
  }
}

}  // namespace

void deliver_published(Worker& w) noexcept {
  for (const AudienceLog* audience = w.dirty_audiences; audience; audience = audience->next) {
    if (audience->room) {
      for (const Membership* m = audience->room->first; m; m = m->room_next) {
        take_published(w, *w.reactor.connections.live(m->connection_slot));
      }
    } else if (audience->route) {
      deliver_to_route(w, *audience->route);
    } else {
      for (const auto& route : w.ws_routes) deliver_to_route(w, *route);
    }
  }
  while (AudienceLog* audience = w.dirty_audiences) {
    w.dirty_audiences = audience->next;
    audience->clear();
    audience->listed = false;
  }
  w.log.end_turn();
}

}  // namespace martlet::app
