// Cork and queue: see output.h for the picture.
#include "net/output.h"

#include <cstring>


#include "base/bytes.h"
#include "base/limits.h"
#include "net/reactor.h"

namespace martlet::net {

namespace {

constexpr size_t kGrowBytes = 4096;       // the least a copying segment is given
constexpr size_t kCopyWhenSlow = 16384;   // ranges up to this are copied for who waits already
constexpr size_t kGatherBytes = 1024;     // smaller pieces are copied together at the flush

OutQueue* queue_of(Reactor& reactor, Connection& c) noexcept {
  if (!c.out) {
    c.out = reactor.queues.take();
    if (c.out) c.out->progress_ms = reactor.now_ms();
  }
  return c.out;
}

Segment* push_segment(Reactor& reactor, Connection& c, base::Block* block, uint8_t* data, size_t size) noexcept {
  Segment* segment = reactor.segments.take();
  if (!segment) return nullptr;
  OutQueue* queue = queue_of(reactor, c);
  if (!queue) return reactor.segments.give_back(segment), nullptr;
  segment->block = block;
  segment->data = data;
  segment->size = size;
  if (queue->tail) {
    queue->tail->next = segment;
  } else {
    queue->head = segment;
  }
  queue->tail = segment;
  queue->bytes += size;
  return segment;
}

void pop_segment(Reactor& reactor, OutQueue& queue) noexcept {
  Segment* segment = queue.head;
  queue.head = segment->next;
  if (!queue.head) queue.tail = nullptr;
  segment->block->release();
  reactor.segments.give_back(segment);
}

void release_queue(Reactor& reactor, Connection& c) noexcept {
  while (c.out->head) pop_segment(reactor, *c.out);
  reactor.queues.give_back(c.out);
  c.out = nullptr;
}

// Room at the end of the queue, in the copying segment there or in a new one.
uint8_t* queue_room(Reactor& reactor, Connection& c, size_t size) noexcept {
  OutQueue* queue = c.out;
  Segment* tail = queue ? queue->tail : nullptr;
  if (tail && tail->growing) {
    uint8_t* end = tail->data + tail->size;
    if (size <= static_cast<size_t>(tail->block->data() + tail->block->capacity - end)) {
      tail->size += size;
      queue->bytes += size;
      return end;
    }
  }
  const size_t wanted = tail && tail->growing ? tail->block->capacity * 2 : kGrowBytes;
  base::Block* block = reactor.blocks.acquire(size > kGrowBytes ? size : wanted > 65536 ? 65536 : wanted);
  if (!block) return nullptr;
  Segment* segment = push_segment(reactor, c, block, block->data(), size);
  if (!segment) {
    block->release();
    return nullptr;
  }
  segment->growing = true;
  return segment->data;
}

void close_open_run(Cork& cork) noexcept {
  if (cork.size == cork.open) return;
  cork.blocks[cork.count] = nullptr;
  cork.pieces[cork.count++] = {cork.buffer + cork.open, cork.size - cork.open};
  cork.open = cork.size;
}

// Two pieces are always left: one for the run that is open, one for what is added.
bool cork_has_piece(const Cork& cork) noexcept { return cork.count + 2 < Cork::kPieces; }

// When `offset` bytes of a run of frames have left, of which the first `begun` were the rest of an earlier frame: how
// many of the remaining ones belong to a frame that is cut.
size_t begun_after(const uint8_t* data, size_t begun, size_t offset) noexcept {
  size_t at = begun;
  while (at < offset) at += frame_bytes(data + at);
  return at - offset;
}

// Moves what piece `index` of the cork still holds after `taken` bytes of it have left to the queue.
bool queue_piece(Reactor& reactor, Connection& c, int index, size_t taken) noexcept {
  const Cork& cork = reactor.cork;
  const sys::IoPiece& piece = cork.pieces[index];
  uint8_t* data = static_cast<uint8_t*>(piece.data);
  const size_t size = piece.size - taken;
  const bool opaque = index < cork.opaque;
  size_t begun = 0;
  if (opaque) {
    begun = size;
  } else if (taken && c.protocol->framed) {
    begun = begun_after(data, 0, taken);
  }
  if (c.out && c.out->tail && begun) c.out->tail->growing = false;
  if (base::Block* block = cork.blocks[index]) {
    block->retain();
    if (!push_segment(reactor, c, block, data + taken, size)) return block->release(), false;
  } else {
    uint8_t* room = queue_room(reactor, c, size);
    if (!room) return false;
    std::memcpy(room, data + taken, size);
  }
  if (begun) c.out->tail->begun = begun;
  if (opaque) c.out->tail->growing = false;
  return true;
}

void reset_cork(Cork& cork) noexcept {
  for (int i = 0; i < cork.count; i++) {
    if (cork.blocks[i]) cork.blocks[i]->release();
  }
  cork.owner = nullptr;
  cork.size = cork.open = cork.elsewhere = 0;
  cork.count = cork.opaque = 0;
}

// What the kernel did not take goes to the queue.
void queue_cork(Reactor& reactor, Connection& c, size_t sent) noexcept {
  Cork& cork = reactor.cork;
  for (int i = 0; i < cork.count; i++) {
    if (sent >= cork.pieces[i].size) {
      sent -= cork.pieces[i].size;
      continue;
    }
    if (!queue_piece(reactor, c, i, sent)) {
      reactor.broken(c, kNoMemory);
      return;
    }
    sent = 0;
  }
}

// After a write that left something, or onto a queue that waits: ask for writability and watch the progress.
void wait_writable(Reactor& reactor, Connection& c) noexcept {
  if (c.out->bytes >= Reactor::kPauseReadingBytes && !c.protocol->always_reads) c.pause |= kPauseOutput;
  if (!c.out->blocked) {
    reactor.arm(c, reactor.write_timeout_ms);
    if (c.followed) reactor.follower.stalled(reactor.follower.context, c);
  }
  c.out->blocked = true;
  reactor.update_interest(c);
}

sys::IoResult write_pieces(int fd, const sys::IoPiece* pieces, int count) noexcept {
  return count == 1 ? sys::transmit(fd, pieces[0].data, pieces[0].size) : sys::transmit_pieces(fd, pieces, count);
}

// The queue has been emptied.
void drained(Reactor& reactor, Connection& c) noexcept {
  const bool waited = c.interest != sys::kReadable || c.pause;
  release_queue(reactor, c);
  if (c.finish) return reactor.abort(c);
  if (!waited) return c.protocol->on_drained(reactor, c);
  if (c.watched) reactor.watcher.drained(reactor.watcher.context, c);
  if (c.pause) c.last_seen_ms = reactor.now_ms();  // it took what waited, and could not be heard meanwhile
  reactor.resume(c, kPauseOutput);
  reactor.update_interest(c);
  if (c.closing) return;
  if (c.followed) reactor.follower.drained(reactor.follower.context, c);
  c.protocol->on_drained(reactor, c);
}

}  // namespace

size_t frame_bytes(const uint8_t* header) noexcept {
  const uint8_t length = header[1] & 0x7f;
  if (length < 126) return 2u + length;
  if (length == 126) return 4u + base::load_be16(header + 2);
  return 10u + static_cast<size_t>(base::load_be64(header + 2));
}

uint8_t* append_room_elsewhere(Reactor& reactor, Connection& c, size_t size) noexcept {
  spill_cork(reactor, c);
  if (c.closing) return nullptr;
  uint8_t* room = queue_room(reactor, c, size);
  if (room) reactor.mark_dirty(c);
  return room;
}

void trim_room(Reactor& reactor, Connection& c, size_t unused) noexcept {
  if (reactor.cork.owner == &c) {
    reactor.cork.size -= unused;
  } else {
    c.out->tail->size -= unused;
    c.out->bytes -= unused;
  }
}

bool append_copy(Reactor& reactor, Connection& c, const void* bytes, size_t size) noexcept {
  uint8_t* room = append_room(reactor, c, size);
  if (!room) return false;
  std::memcpy(room, bytes, size);
  return true;
}

bool append_block(Reactor& reactor, Connection& c, base::Block* block, uint8_t* data, size_t size) noexcept {
  Cork& cork = reactor.cork;
  block->retain();
  if (cork.owner == &c && cork_has_piece(cork)) {
    close_open_run(cork);
    cork.blocks[cork.count] = block;
    cork.pieces[cork.count++] = {data, size};
    cork.elsewhere += size;
    return true;
  }
  if (cork.owner == &c) spill_cork(reactor, c);
  // A slow receiver must not keep a whole block of everybody's alive for a few bytes of its own.
  if (c.out && c.out->blocked && size <= kCopyWhenSlow) {
    block->release();
    return append_copy(reactor, c, data, size);
  }
  if (!push_segment(reactor, c, block, data, size)) {
    block->release();
    return false;
  }
  reactor.mark_dirty(c);
  return true;
}

bool append_borrowed(Reactor& reactor, Connection& c, uint8_t* data, size_t size) noexcept {
  Cork& cork = reactor.cork;
  if (cork.owner != &c || !cork_has_piece(cork)) return append_copy(reactor, c, data, size);
  close_open_run(cork);
  cork.blocks[cork.count] = nullptr;
  cork.pieces[cork.count++] = {data, size};
  cork.elsewhere += size;
  return true;
}

void spill_cork(Reactor& reactor, Connection& c) noexcept {
  if (reactor.cork.owner != &c) return;
  close_open_run(reactor.cork);
  queue_cork(reactor, c, 0);
  reset_cork(reactor.cork);
  if (c.out && !c.closing) reactor.mark_dirty(c);
}

void mark_opaque(Reactor& reactor, Connection& c) noexcept {
  if (reactor.cork.owner == &c) {
    close_open_run(reactor.cork);
    reactor.cork.opaque = reactor.cork.count;
  }
  if (!c.out) return;
  for (Segment* s = c.out->head; s; s = s->next) {
    s->begun = s->size;
    s->growing = false;
  }
}

void close_cork(Reactor& reactor, Connection& c) noexcept {
  Cork& cork = reactor.cork;
  if (cork.owner != &c) return;  // it overflowed: the queue has all of it
  close_open_run(cork);
  if (cork.count == 0 || c.closing) {
    reset_cork(cork);
    if (c.finish && !c.out && !c.closing) reactor.abort(c);
    return;
  }
  size_t sent = 0;
  if (!c.out) {
    const sys::IoResult result = write_pieces(c.fd, cork.pieces, cork.count);
    if (result.status == sys::IoStatus::failed) {
      reactor.broken(c, result.os_code);  // which looks whether something has not left
      return reset_cork(cork);
    }
    sent = result.bytes;
    if (sent == cork.bytes()) [[likely]] {
      reset_cork(cork);
      if (c.finish) reactor.abort(c);
      return;
    }
  }
  queue_cork(reactor, c, sent);
  reset_cork(cork);
  if (!c.closing && c.out) wait_writable(reactor, c);
}

namespace {

// Collects the queue into the cork's idle memory as pieces of one write: large segments by address, small neighbours
// by copying (a piece costs the kernel about as much as copying 1 KiB). Answers how many bytes the pieces hold.
size_t gather(const OutQueue& queue, Cork& cork) noexcept {
  size_t total = 0;
  bool joined = false;  // the last piece lies in the cork and may grow
  for (const Segment* s = queue.head; s && cork.count + 2 < Cork::kPieces; s = s->next) {
    total += s->size;
    const bool copy = s->size <= kGatherBytes && s->size <= Cork::kBytes - cork.size && (joined || s->next);
    if (copy) std::memcpy(cork.buffer + cork.size, s->data, s->size);
    if (copy && joined) {
      cork.pieces[cork.count - 1].size += s->size;
    } else {
      cork.pieces[cork.count++] = {copy ? cork.buffer + cork.size : s->data, s->size};
    }
    if (copy) cork.size += s->size;
    joined = copy;
  }
  return total;
}

// Takes what has left off the queue.
void take_sent(Reactor& reactor, Connection& c, size_t sent) noexcept {
  OutQueue& queue = *c.out;
  if (sent) queue.progress_ms = reactor.now_ms();
  queue.bytes -= sent;
  while (sent && sent >= queue.head->size) {
    sent -= queue.head->size;
    pop_segment(reactor, queue);
  }
  if (!sent) return;
  Segment& head = *queue.head;
  if (c.protocol->framed) head.begun = begun_after(head.data, head.begun, sent);
  head.data += sent;
  head.size -= sent;
}

}  // namespace

namespace {

// One write. False when the connection broke; `left_out`: there were more segments than one write takes.
bool write_queue(Reactor& reactor, Connection& c, bool& left_out) noexcept {
  // Somebody else's dispatch may be under way: its cork stays as it is, the pieces are made behind it.
  Cork& cork = reactor.cork;
  const size_t size = cork.size;
  const int count = cork.count;
  const size_t total = gather(*c.out, cork);
  const sys::IoResult result = write_pieces(c.fd, cork.pieces + count, cork.count - count);
  cork.size = size;
  cork.count = count;
  if (result.status == sys::IoStatus::failed) return reactor.broken(c, result.os_code), false;
  take_sent(reactor, c, result.bytes);
  left_out = result.bytes == total;
  return true;
}

}  // namespace

void flush_queue(Reactor& reactor, Connection& c) noexcept {
  if (!c.out || c.closing) return;
  bool left_out = false;
  if (c.out->head && !write_queue(reactor, c, left_out)) return;
  if (!c.out->head) return drained(reactor, c);
  if (left_out) return reactor.mark_dirty(c);
  wait_writable(reactor, c);
}

void offer_output(Reactor& reactor, Connection& c) noexcept {
  spill_cork(reactor, c);
  if (c.closing || !c.out || !c.out->head || c.out->blocked) return;
  bool left_out = false;
  if (!write_queue(reactor, c, left_out)) return;
  if (c.out->head && !left_out) return wait_writable(reactor, c);
  reactor.mark_dirty(c);
}

uint32_t write_time_left(Reactor& reactor, Connection& c) noexcept {
  if (!c.out || !c.out->blocked) return UINT32_MAX;
  const uint32_t left = base::time_left(reactor.now_ms(), c.out->progress_ms, reactor.write_timeout_ms);
  if (left > 0) return left;
  flush_queue(reactor, c);
  if (!c.out || c.closing) return UINT32_MAX;
  return base::time_left(reactor.now_ms(), c.out->progress_ms, reactor.write_timeout_ms);
}

namespace {

// Cuts the head segment so that the frame that has begun stands alone.
bool isolate_begun(Reactor& reactor, OutQueue& queue) noexcept {
  Segment* head = queue.head;
  if (head->begun == 0 || head->begun == head->size) return true;
  Segment* rest = reactor.segments.take();
  if (!rest) return false;
  *rest = *head;
  rest->block->retain();
  rest->data += head->begun;
  rest->size -= head->begun;
  rest->begun = 0;
  head->next = rest;
  head->size = head->begun;
  head->growing = false;
  if (queue.tail == head) queue.tail = rest;
  return true;
}

}  // namespace

namespace {

// By the first byte of a frame (RFC 6455 §5.2): FIN, and an opcode that begins a message.
bool is_whole_message(uint8_t first) noexcept { return (first & 0x88) == 0x80 && (first & 0x0f) != 0; }

}  // namespace

uint64_t drop_frames(Reactor& reactor, Connection& c, size_t bytes) noexcept {
  if (!c.out || !c.out->head || !isolate_begun(reactor, *c.out)) return 0;
  OutQueue& queue = *c.out;
  uint64_t frames = 0;
  size_t dropped = 0;
  Segment* previous = nullptr;
  for (Segment* s = queue.head; s && dropped < bytes;) {
    // Whole messages from the front of the segment; a control frame shields what is behind it in the segment, and so does a
    // piece of a message.
    size_t cut = 0;
    while (s->begun == 0 && cut < s->size && dropped + cut < bytes && is_whole_message(s->data[cut])) {
      cut += frame_bytes(s->data + cut);
      frames++;
    }
    dropped += cut;
    queue.bytes -= cut;
    s->data += cut;
    s->size -= cut;
    Segment* next = s->next;
    if (s->size > 0) {
      previous = s;
    } else {
      (previous ? previous->next : queue.head) = next;
      if (queue.tail == s) queue.tail = previous;
      s->block->release();
      reactor.segments.give_back(s);
    }
    s = next;
  }
  return frames;
}

void discard_output(Reactor& reactor, Connection& c) noexcept {
  if (reactor.cork.owner == &c) reset_cork(reactor.cork);
  if (c.out) release_queue(reactor, c);
}

}  // namespace martlet::net
