// See publish.h for the picture.
#include "realtime/publish.h"

#include <algorithm>
#include <cstring>

#include "net/output.h"
#include "realtime/message_compression.h"
#include "realtime/realtime.h"
#include "realtime/topic_seam.h"
#include "session/ws_session.h"

namespace martlet::realtime {

bool AudienceLog::add(const PublishedRange& range) noexcept {
  if (!ranges_.empty() && ranges_.back().end == range.begin && ranges_.back().block == range.block) {
    ranges_.back().end = range.end;
    ranges_.back().messages += range.messages;
    return true;
  }
  return ranges_.push(range);
}

const PublishedRange* AudienceLog::first_after(uint64_t position) const noexcept {
  const auto found = std::partition_point(ranges_.begin(), ranges_.end(),
                                          [position](const PublishedRange& r) { return r.end <= position; });
  return found == ranges_.end() ? nullptr : found;
}

PublishLog::~PublishLog() {
  for (uint32_t i = 0; i < parts_.size(); i++) parts_[i].block->release();
}

// A gap in the positions keeps ranges of two parts from touching.
bool PublishLog::add_part(base::Block* block, uint8_t* data, bool growing) noexcept {
  if (!parts_.push({block, data, end_ + 1, growing})) {
    block->release();
    return false;
  }
  end_++;
  if (begin_ == end_ - 1) begin_ = end_;
  return true;
}

// So many bytes at the end of the log; null when memory is out.
uint8_t* PublishLog::room(base::BlockPool& pool, size_t size) noexcept {
  const Part* part = parts_.empty() ? nullptr : &parts_.back();
  if (!part || !part->growing || part->block->capacity - (end_ - part->begin) < size) {
    base::Block* block = pool.acquire(size > kBlockBytes ? size : kBlockBytes);
    if (!block || !add_part(block, block->data(), true)) return nullptr;
    part = &parts_.back();
  }
  return part->data + (end_ - part->begin);
}

bool PublishLog::append(base::BlockPool& pool, proto::Opcode opcode, const void* payload, size_t size,
                        PublishedRange& range) noexcept {
  const size_t header = proto::frame_header_size(size);
  uint8_t* to = room(pool, header + size);
  if (!to) return false;
  proto::encode_frame_header(to, opcode, size);
  if (size) std::memcpy(to + header, payload, size);
  range = {end_, end_ + header + size, parts_.size() - 1, 1};
  end_ = range.end;
  return true;
}

bool PublishLog::append_frames(base::BlockPool& pool, base::Block* block, uint8_t* data, size_t size,
                               uint32_t messages, PublishedRange& range) noexcept {
  if (size <= kCopyBytes) {
    uint8_t* to = room(pool, size);
    if (!to) return false;
    std::memcpy(to, data, size);
  } else {
    block->retain();
    if (!add_part(block, data, false)) return false;
  }
  range = {end_, end_ + size, parts_.size() - 1, messages};
  end_ = range.end;
  return true;
}

void PublishLog::end_turn() noexcept {
  const uint32_t count = parts_.size();
  const uint32_t keep = count && parts_.back().growing && parts_.back().block->capacity <= kBlockBytes ? 1 : 0;
  for (uint32_t i = 0; i + keep < count; i++) parts_[i].block->release();
  if (keep) parts_[0] = parts_.back();
  parts_.truncate(keep);
  begin_ = end_;
}

namespace {

// `append` puts a message at the end of the log; the connections of `except` have taken all that lies before it, and
// are past it.
template <typename Append>
bool publish_with(RealtimeWorker& w, AudienceLog* audience, Compress compress, std::span<net::Connection* const> except,
                  PublishedRange& range, Append&& append) noexcept {
  read_unread(w);
  for (net::Connection* c : except) {
    if (c) take_published(w, *c);
  }
  w.delivery_due = true;
  if (!append(range) || (audience && !audience->add(range))) return false;
  if (audience && !w.parts.published.empty()) [[unlikely]] w.parts.published({*audience, range, compress});
  for (net::Connection* c : except) {
    if (c) skip_published(*c, range.end);
  }
  return true;
}

}  // namespace

bool publish(RealtimeWorker& w, AudienceLog* audience, const PublishedMessage& message,
             std::span<net::Connection* const> except, PublishedRange& range) noexcept {
  return publish_with(w, audience, message.compress, except, range, [&](PublishedRange& to) {
    return w.log.append(w.reactor.blocks, message.opcode, message.data, message.size, to);
  });
}

bool publish_frames(RealtimeWorker& w, AudienceLog& audience, const FrameRun& run, Compress compress,
                    std::span<net::Connection* const> except, PublishedRange& range) noexcept {
  return publish_with(w, &audience, compress, except, range, [&](PublishedRange& to) {
    return w.log.append_frames(w.reactor.blocks, run.block, run.data, run.size, run.messages, to);
  });
}

bool publish_again(RealtimeWorker& w, AudienceLog& audience, const PublishedRange& range, Compress compress) noexcept {
  if (!audience.add(range)) return false;
  w.parts.published({audience, range, compress, true});
  return true;
}

namespace {

// How many frames begin in these bytes.
[[gnu::noinline]] uint32_t count_frames(const uint8_t* data, size_t size) noexcept {
  uint32_t frames = 0;
  for (size_t at = 0; at < size; frames++) at += net::frame_bytes(data + at);
  return frames;
}

[[gnu::always_inline]] inline void queue_frames(RealtimeWorker& w, net::Connection& c, FrameRun run) noexcept {
  uint8_t* data = run.data;
  size_t size = run.size;
  uint32_t count = run.messages;
  const uint64_t limit = c.state<session::WsState>().route->limits.unsent_bytes;
  while (net::unsent_bytes(w.reactor, c) + size > limit && net::frame_bytes(data) < size) {
    size_t piece = 0;
    do {
      piece += net::frame_bytes(data + piece);
    } while (piece < size && net::unsent_bytes(w.reactor, c) + piece < limit);
    const uint32_t messages = count_frames(data, piece);
    if (session::send_frames(w.sessions, c, run.block, data, piece, messages) == SendStatus::closed) return;
    data += piece;
    size -= piece;
    count = 0;
    if (size == 0) return;
  }
  if (count == 0) [[unlikely]] count = count_frames(data, size);
  session::send_frames(w.sessions, c, run.block, data, size, count);
}

// The same for a connection that takes compressed messages: apart, for the others' sake.
[[gnu::noinline]] void queue_compressed(RealtimeWorker& w, net::Connection& c, const PublishedRange& stretch) noexcept {
  if (w.compression->queue(*w.compression, c, stretch)) return;
  const size_t size = static_cast<size_t>(stretch.end - stretch.begin);
  queue_run(w, c, {w.log.block_of(stretch), w.log.data_of(stretch, stretch.begin), size, stretch.messages});
}

// Queues [begin, end) of a range.
void queue_range(RealtimeWorker& w, net::Connection& c, const PublishedRange& range, uint64_t begin, uint64_t end) noexcept {
  const uint32_t messages = begin == range.begin && end == range.end ? range.messages : 0;
  if (w.compression && c.state<session::WsState>().deflated) [[unlikely]] {
    return queue_compressed(w, c, {begin, end, range.block, messages});
  }
  queue_frames(w, c, {w.log.block_of(range), w.log.data_of(range, begin), static_cast<size_t>(end - begin), messages});
}

const PublishedRange* earlier(const PublishedRange* a, const PublishedRange* b) noexcept {
  return !b || (a && a->begin <= b->begin) ? a : b;
}

// The first range, of all audiences this connection belongs to, that has something at or after the position.
const PublishedRange* next_range(RealtimeWorker& w, const session::WsState& ws, uint64_t position) noexcept {
  const PublishedRange* next = earlier(static_cast<const WsRouteEntry*>(ws.route)->log.first_after(position),
                                       w.everybody.first_after(position));
  for (const Membership* m = ws.rooms; m; m = m->next_of_socket) {
    next = earlier(next, w.rooms.find_live(m->room_slot)->log.first_after(position));
  }
  if (w.topics && ws.extras) [[unlikely]] next = earlier(next, w.topics->next_range(w, ws, position));
  return next;
}

}  // namespace

void queue_run(RealtimeWorker& w, net::Connection& c, const FrameRun& run) noexcept { queue_frames(w, c, run); }

namespace {

// Queues what next(position), which answers the first range that has something at or after that, finds one after the other.
template <typename Next>
void take_ranges(RealtimeWorker& w, net::Connection& c, uint64_t position, Next&& next) noexcept {
  // Neighbouring stretches, of whatever audience, are queued as one.
  const PublishedRange* open = nullptr;
  uint64_t open_begin = 0;
  uint64_t open_end = 0;
  while (const PublishedRange* range = next(position)) {
    const uint64_t begin = range->begin > position ? range->begin : position;
    if (!open || begin != open_end || range->block != open->block) {
      if (open) queue_range(w, c, *open, open_begin, open_end);
      open = range;
      open_begin = begin;
    }
    open_end = position = range->end;
  }
  c.state<session::WsState>().published = w.log.end();
  if (open) queue_range(w, c, *open, open_begin, open_end);
}

// Of those that are not the receivers of topics.
bool is_for(RealtimeWorker& w, const AudienceLog& audience, const session::WsState& ws) noexcept {
  if (audience.room) return w.rooms.is_member(ws, *audience.room);
  return audience.route ? audience.route == ws.route : &audience == &w.everybody;
}

// Pushes what topics have for it. False when memory is out.
bool find_of_topics(RealtimeWorker& w, const session::WsState& ws, uint64_t position) noexcept {
  if (!w.topics || !ws.extras) return true;
  while (const PublishedRange* range = w.topics->next_range(w, ws, position)) {
    if (!w.ranges_found.push(*range)) return false;
    position = range->end;
  }
  return true;
}

}  // namespace

// For a connection in many rooms: not its rooms are looked at, but those that were sent something in this turn. False when memory
// is out.
bool take_of_many(RealtimeWorker& w, net::Connection& c, uint64_t position) noexcept {
  const auto& ws = c.state<session::WsState>();
  base::GrowingArray<PublishedRange>& found = w.ranges_found;
  found.clear();
  for (const AudienceLog* audience = w.dirty_audiences; audience; audience = audience->next) {
    const PublishedRange* range = audience->first_after(position);
    if (!range) break;  // nor do those behind it have any, but sets of topics
    if (!is_for(w, *audience, ws)) continue;
    for (const PublishedRange* end = audience->ranges().data() + audience->ranges().size(); range != end; range++) {
      if (!found.push(*range)) return false;
    }
  }
  if (!find_of_topics(w, ws, position)) return false;
  const auto by_begin = [](const PublishedRange& a, const PublishedRange& b) { return a.begin < b.begin; };
  std::make_heap(found.begin(), found.end(), by_begin);
  std::sort_heap(found.begin(), found.end(), by_begin);
  take_ranges(w, c, position, [&found, at = uint32_t{0}](uint64_t from) mutable -> const PublishedRange* {
    while (at < found.size() && found[at].end <= from) at++;
    return at < found.size() ? &found[at] : nullptr;
  });
  return true;
}

void take_published(RealtimeWorker& w, net::Connection& c) noexcept {
  read_unread(w);
  const session::WsState& ws = c.state<session::WsState>();
  const uint64_t position = ws.published > w.log.begin() ? ws.published : w.log.begin();
  if (position >= w.log.end()) return;
  if (Rooms::is_in_many(ws) && w.in_rooms->take_of_many(w, c, position)) [[unlikely]] return;
  take_ranges(w, c, position, [&w, &ws](uint64_t from) { return next_range(w, ws, from); });
}

namespace {

void deliver_to_route(RealtimeWorker& w, const WsRouteEntry& route) noexcept {
  for (uint32_t slot = route.first; slot != session::WsState::kNone;) {
    net::Connection& c = *w.reactor.connections.live(slot);
    slot = c.state<session::WsState>().route_next;
    take_published(w, c);
  }
}

}  // namespace

void deliver_published(RealtimeWorker& w) noexcept {
  read_unread(w);
  w.delivery_due = false;
  for (AudienceLog* audience = w.dirty_audiences; audience; audience = audience->next) {
    if (audience->room) {
      for (const Membership* m = audience->room->first; m; m = m->room_next) {
        take_published(w, *w.reactor.connections.live(m->connection_slot));
      }
    } else if (audience->route) {
      deliver_to_route(w, *audience->route);
    } else if (audience != &w.everybody) {
      w.topics->deliver(w, *audience);
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

}  // namespace martlet::realtime
