// Sending to many: what is published in one turn lies contiguous in shared blocks, and every receiver queues ranges of
// them.
//
//   log    |  msg 1 (room a)  |  msg 2 (room b)  |  msg 3 (room a)  |     positions never go back
//   a      [------------------)                  [------------------)     ranges of an audience, this turn
//   b                         [------------------)
//   member of both, cursor after msg 1:          takes [msg 2, msg 3) as one range
//
// publish() encodes once, costs nothing per member, and is over. Members take their ranges when the turn's output is
// flushed, or just before something else is sent to them, so that order holds. Each connection has one cursor, the
// position up to which it has taken (or was left out of) everything, whatever audiences it belongs to.
// The log's memory is not given back each turn: the next turn goes on in the same block, so that a slow receiver
// holds about as much as it has not read. The worker's thread.
#pragma once

#include <martlet/compression.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/block.h"
#include "base/growing_array.h"
#include "net/connection.h"
#include "session/ws_session.h"
#include "proto/ws_frame.h"
#include "session/ws_compression.h"

namespace martlet::realtime {

struct RealtimeWorker;
struct RoomRecord;
struct WsRouteEntry;

// A stretch of the log, inside one block.
struct PublishedRange {
  uint64_t begin;
  uint64_t end;
  uint32_t block;     // index into the log's blocks of this turn
  uint32_t messages;
};

// A message on its way to many.
struct PublishedMessage {
  proto::Opcode opcode;
  const void* data;
  size_t size;
  Compress compress;
  bool is_event = false;
};

// What one room, one route, or everybody was sent this turn.
class AudienceLog {
 public:
  AudienceLog() noexcept = default;
  AudienceLog(const AudienceLog&) = delete;
  AudienceLog& operator=(const AudienceLog&) = delete;

  bool empty() const noexcept { return ranges_.empty(); }
  std::span<const PublishedRange> ranges() const noexcept { return {ranges_.data(), ranges_.size()}; }
  // Appends, merging with the last range when they touch. False when memory is out.
  bool add(const PublishedRange& range) noexcept;
  // Whether the next one finds room.
  bool make_room() noexcept { return ranges_.make_room(); }
  void clear() noexcept { ranges_.clear(); }
  // The first range that has something at or after a position; null when there is none.
  const PublishedRange* first_after(uint64_t position) const noexcept;

  // Whose it is; both null: everybody's, or that of the receivers of topics (topic_cache.h).
  RoomRecord* room = nullptr;
  WsRouteEntry* route = nullptr;
  session::CompressionTrial trial;
  // On the worker's list of audiences with something to deliver, and what points to it there.
  AudienceLog* next = nullptr;
  AudienceLog** link = nullptr;
  bool listed = false;

 private:
  base::GrowingArray<PublishedRange> ranges_;
};

// What parts hear of: frames that have just been put into the log for an audience.
struct Publication {
  AudienceLog& audience;
  const PublishedRange& frames;
  Compress compress;
  bool again = false;  // another audience has them, too, and that was told already
};

// Frames that lie one behind the other in a block.
struct FrameRun {
  base::Block* block = nullptr;
  uint8_t* data = nullptr;
  size_t size = 0;
  uint32_t messages = 0;  // 0: not counted yet
};

class PublishLog {
 public:
  PublishLog() noexcept = default;
  PublishLog(const PublishLog&) = delete;
  PublishLog& operator=(const PublishLog&) = delete;
  ~PublishLog();

  uint64_t begin() const noexcept { return begin_; }  // of this turn
  uint64_t end() const noexcept { return end_; }
  bool empty() const noexcept { return begin_ == end_; }
  // Something is going to be put at the end, before anybody takes anything: it is not empty any more.
  void expect() noexcept { begin_ -= empty(); }

  // Encodes a frame at the end of the log. False when memory is out.
  bool append(base::BlockPool& pool, proto::Opcode opcode, const void* payload, size_t size,
              PublishedRange& range) noexcept;
  // Puts frames at the end that somebody has encoded in a block of theirs: copied when they are few, so that what lies
  // beside them leaves with them in one piece; else the block itself, which is retained.
  bool append_frames(base::BlockPool& pool, base::Block* block, uint8_t* data, size_t size, uint32_t messages,
                     PublishedRange& range) noexcept;
  // The bytes at a position of a range.
  base::Block* block_of(const PublishedRange& range) const noexcept { return parts_[range.block].block; }
  uint8_t* data_of(const PublishedRange& range, uint64_t position) const noexcept {
    const Part& part = parts_[range.block];
    return part.data + (position - part.begin);
  }
  // The turn is over and everything was taken: keeps the last block for the next, unless one message made it large.
  void end_turn() noexcept;

 private:
  struct Part {
    base::Block* block;
    uint8_t* data;   // at its first position
    uint64_t begin;  // which is this
    bool growing;    // ours to append to
  };
  static constexpr size_t kBlockBytes = size_t{64} << 10;
  static constexpr size_t kCopyBytes = size_t{16} << 10;
  uint8_t* room(base::BlockPool& pool, size_t size) noexcept;
  bool add_part(base::Block* block, uint8_t* data, bool growing) noexcept;

  base::GrowingArray<Part> parts_;
  uint64_t begin_ = 1;
  uint64_t end_ = 1;
};

// Sends to an audience; the connections in `except` are left out (null entries are skipped).
// Without an audience of its own the message is encoded only, for other workers; `range` says where it lies.
bool publish(RealtimeWorker& w, AudienceLog* audience, const PublishedMessage& message,
             std::span<net::Connection* const> except, PublishedRange& range) noexcept;

// The same with frames that are encoded: they came from another worker.
bool publish_frames(RealtimeWorker& w, AudienceLog& audience, const FrameRun& run, Compress compress,
                    std::span<net::Connection* const> except, PublishedRange& range) noexcept;

// The same frames to a further audience: who belongs to both gets them once.
bool publish_again(RealtimeWorker& w, AudienceLog& audience, const PublishedRange& range, Compress compress) noexcept;

// Of a connection that its steps have not let through: nothing that is published is for it.
inline constexpr uint64_t kNothingPublished = UINT64_MAX;
inline bool is_let_in(net::Connection& c) noexcept { return c.state<session::WsState>().published != kNothingPublished; }
// What lies before this position is not for the connection.
inline void skip_published(net::Connection& c, uint64_t position) noexcept {
  uint64_t& published = c.state<session::WsState>().published;
  if (published < position) published = position;
}
// The same as the next one, for a connection in many rooms, from this position on. False when memory is out.
bool take_of_many(RealtimeWorker& w, net::Connection& c, uint64_t position) noexcept;
// Queues everything this connection has not taken yet of what was published to its audiences.
void take_published(RealtimeWorker& w, net::Connection& c) noexcept;

// Queues frames. What would pass the unsent limit goes in pieces, so that the limit is asked before each, as for messages
// that are sent one by one.
void queue_run(RealtimeWorker& w, net::Connection& c, const FrameRun& run) noexcept;

// Delivers to all: before the dirty list is flushed.
void deliver_published(RealtimeWorker& w) noexcept;

}  // namespace martlet::realtime
