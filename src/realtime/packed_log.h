// What of the publish log is sent compressed (RFC 7692): each message once for each class of receivers, when the first of
// them takes it.
//
//   log      | msg 1, 2 KiB  | msg 2, 40 B | msg 3, 1 KiB |      plain frames; publish.h
//   packed   | msg 1 | msg 3 |                                   of one class
//   member   takes [msg 1 packed], [msg 2 of the log], [msg 3 packed]
//
// Nothing is here for messages that are not to be compressed, and nothing at all while nobody who takes compressed
// messages is sent any. The worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "realtime/publish.h"
#include "base/block.h"
#include "base/growing_array.h"
#include "session/ws_compression.h"

namespace martlet::realtime {

class PackedLog {
 public:
  struct Candidate {
    uint64_t begin;  // of its frame in the log
    uint64_t end;
    size_t payload;
    AudienceLog* audience;  // whose members take it, so it is there when they do
    uint32_t log_block;
    uint32_t first_form;
    Compress compress;
    bool on_trial;  // it looks like noise: the audience's trial is told
  };

  PackedLog() noexcept = default;
  PackedLog(const PackedLog&) = delete;
  PackedLog& operator=(const PackedLog&) = delete;
  ~PackedLog();

  bool empty() const noexcept { return candidates_.empty(); }
  // Frames have been put into the log for an audience: those that may be compressed are noted. Without memory for that
  // they go plain.
  void note(const PublishLog& log, const Publication& what, size_t compress_from) noexcept;

  // The candidates in [begin, end) of the log, in order.
  uint32_t first_at(uint64_t begin) const noexcept;
  const Candidate* at(uint32_t index, uint64_t end) const noexcept {
    return index < candidates_.size() && candidates_[index].begin < end ? &candidates_[index] : nullptr;
  }
  // A candidate's frame for these receivers; null when it is better sent plain.
  FrameRun form_of(RealtimeWorker& w, uint32_t candidate, session::DeflateClass receivers) noexcept;

  // What these receivers were last sent for a stretch of the log: mostly the next one is sent the same.
  struct Answer {
    uint64_t begin = 0;
    uint64_t end = 0;
    const WsRouteEntry* route = nullptr;
    session::DeflateClass receivers = session::kNoDeflate;
    FrameRun run;
  };
  Answer last;

  void end_turn() noexcept;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kBlockBytes = size_t{64} << 10;
  struct Form {
    uint32_t next;
    session::DeflateClass receivers;
    FrameRun run;  // null: plain
  };
  uint8_t* room(base::BlockPool& pool, size_t size) noexcept;
  uint8_t* keep(base::BlockPool& pool, base::Block* block, size_t size) noexcept;

  base::GrowingArray<Candidate> candidates_;
  base::GrowingArray<Form> forms_;
  base::GrowingArray<base::Block*> blocks_;  // of this turn; the last one is written to
  size_t used_ = 0;                          // of that one
};

}  // namespace martlet::realtime
