// What a connection has to say, on its way to the kernel.
//
// Two places hold output. The *cork* belongs to the connection that is being dispatched: its handlers append to one
// warm buffer, pieces of the receive buffer are borrowed where that saves a copy, and one gathered write at the end of
// the dispatch gives all of it to the kernel. The *queue* is what the kernel did not take, and what others (rooms,
// timers, mail) wrote to a connection: a list of segments, flushed from the dirty list at the end of the turn.
//
// Order: while a connection has a queue, its cork goes behind it.
// For framed protocols every append is whole frames, so that whole frames can be dropped again.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/block.h"
#include "net/connection.h"
#include "sys/socket.h"

namespace martlet::net {

// A run of bytes in a block. `begun` of them, at the start, belong to a frame of which a part has left already.
struct Segment {
  Segment* next = nullptr;
  base::Block* block = nullptr;  // one reference
  uint8_t* data = nullptr;
  size_t size = 0;
  size_t begun = 0;
  bool growing = false;  // a copy of ours with room behind it
};

struct OutQueue {
  Segment* head = nullptr;
  Segment* tail = nullptr;
  size_t bytes = 0;
  uint32_t progress_ms = 0;  // when the kernel last took something
  bool blocked = false;      // the kernel refused: wait for writability
};

// The worker's output of the dispatch under way. While no connection owns it, flush_queue() gathers in its memory.
struct Cork {
  static constexpr size_t kBytes = size_t{640} << 10;
  static constexpr int kPieces = sys::kMaxPieces;

  Connection* owner = nullptr;
  uint8_t* buffer = nullptr;
  size_t size = 0;       // used of the buffer
  size_t open = 0;       // where the run of copies begins that is not a piece yet
  size_t elsewhere = 0;  // bytes of pieces outside the buffer
  int count = 0;
  int opaque = 0;                // the first so many pieces are not frames (the answer to a handshake)
  sys::IoPiece pieces[kPieces];  // in the order of the wire
  base::Block* blocks[kPieces];  // of the piece, one reference; null: in the cork, or borrowed

  size_t bytes() const noexcept { return size + elsewhere; }
};

// The length of the unmasked WebSocket frame that starts here.
size_t frame_bytes(const uint8_t* header) noexcept;

// append_room() when the connection does not own the cork, or the cork is full.
uint8_t* append_room_elsewhere(Reactor& reactor, Connection& c, size_t size) noexcept;
// Gives the last `unused` bytes of the room that was just appended back.
void trim_room(Reactor& reactor, Connection& c, size_t unused) noexcept;
// Copies. False when memory is out.
bool append_copy(Reactor& reactor, Connection& c, const void* bytes, size_t size) noexcept;
// Appends a range of a block and takes a reference to it.
bool append_block(Reactor& reactor, Connection& c, base::Block* block, uint8_t* data, size_t size) noexcept;
// Appends bytes that stay as they are until the dispatch of this connection ends; only for the cork's owner.
bool append_borrowed(Reactor& reactor, Connection& c, uint8_t* data, size_t size) noexcept;

// Moves what the cork holds to the queue; the dispatch under way goes on appending there.
void spill_cork(Reactor& reactor, Connection& c) noexcept;

// The connection becomes framed: what it has said so far is not frames.
void mark_opaque(Reactor& reactor, Connection& c) noexcept;

// Ends a connection's dispatch: what the cork holds goes to the kernel or the queue.
void close_cork(Reactor& reactor, Connection& c) noexcept;

// One write of what is queued. For the dirty list and for writability.
void flush_queue(Reactor& reactor, Connection& c) noexcept;

// Milliseconds until a queue that makes no progress must end the connection; UINT32_MAX when none waits. Before it
// answers 0 it tries to write: the kernel tells of room only when a good part of its buffer is free.
uint32_t write_time_left(Reactor& reactor, Connection& c) noexcept;

// Gives the kernel a chance before anybody is called slow: one write of all that waits, cork included. Calls nobody;
// what follows from an empty queue happens when the dirty list is flushed.
void offer_output(Reactor& reactor, Connection& c) noexcept;

// Drops whole frames that have not begun to leave, oldest first, until `bytes` are gone or none is left; answers how
// many were dropped. Control frames stay.
uint64_t drop_frames(Reactor& reactor, Connection& c, size_t bytes) noexcept;

// Forgets all output (the connection is going away).
void discard_output(Reactor& reactor, Connection& c) noexcept;

}  // namespace martlet::net
