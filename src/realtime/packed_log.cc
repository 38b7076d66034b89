// See packed_log.h.
#include "realtime/packed_log.h"

#include <algorithm>
#include <cstring>

#include "codec/randomness.h"
#include "net/output.h"
#include "realtime/realtime.h"

namespace martlet::realtime {

PackedLog::~PackedLog() {
  for (uint32_t i = 0; i < blocks_.size(); i++) blocks_[i]->release();
}

void PackedLog::note(const PublishLog& log, const Publication& what, size_t compress_from) noexcept {
  if (what.compress == Compress::no) return;
  for (uint64_t begin = what.frames.begin; begin < what.frames.end;) {
    const uint8_t* frame = log.data_of(what.frames, begin);
    const size_t size = net::frame_bytes(frame);
    const size_t payload = size - proto::frame_header_size_of(frame);
    const bool wanted = what.compress == Compress::yes || payload >= compress_from;
    const bool on_trial = wanted && what.compress == Compress::automatic &&
                          codec::looks_random({frame + (size - payload), payload});
    const Candidate candidate{begin, begin + size, payload, &what.audience, what.frames.block, kNone, what.compress, on_trial};
    if (wanted && (!on_trial || what.audience.trial.worth_trying()) && !candidates_.push(candidate)) return;
    begin += size;
  }
}

uint32_t PackedLog::first_at(uint64_t begin) const noexcept {
  const auto* first = candidates_.data();
  return static_cast<uint32_t>(std::partition_point(first, first + candidates_.size(),
                                                    [begin](const Candidate& c) { return c.begin < begin; }) - first);
}

uint8_t* PackedLog::room(base::BlockPool& pool, size_t size) noexcept {
  if (blocks_.empty() || blocks_.back()->capacity - used_ < size) {
    base::Block* block = pool.acquire(size > kBlockBytes ? size : kBlockBytes);
    if (!block) return nullptr;
    if (!blocks_.push(block)) return block->release(), nullptr;
    used_ = 0;
  }
  return blocks_.back()->data() + used_;
}

// Takes a block over, or what is in it; answers where that lies now. Null: nothing is in it, or memory is out.
uint8_t* PackedLog::keep(base::BlockPool& pool, base::Block* block, size_t size) noexcept {
  if (size >= block->capacity / 2 && blocks_.push(block)) {
    used_ = 0;
    return block->data();
  }
  uint8_t* const to = size ? room(pool, size) : nullptr;
  if (to) std::memcpy(to, block->data(), size);
  block->release();
  return to;
}

// What may become large is made apart, and moved when it did not: a slow receiver keeps the whole block of a frame, and
// max_unsent_bytes counts the frame alone.
FrameRun PackedLog::form_of(RealtimeWorker& w, uint32_t index, session::DeflateClass receivers) noexcept {
  Candidate& candidate = candidates_[index];
  for (uint32_t i = candidate.first_form; i != kNone; i = forms_[i].next) {
    if (forms_[i].receivers == receivers) return forms_[i].run;
  }
  session::WsCompression& compression = *w.sessions.compression;
  const size_t most = compression.bound(candidate.payload);
  base::Block* const apart = most > kBlockBytes / 4 ? w.reactor.blocks.acquire(most) : nullptr;
  uint8_t* to = apart ? apart->data() : room(w.reactor.blocks, most);
  if (!to) return {};
  const uint8_t* frame = w.log.data_of({candidate.begin, candidate.end, candidate.log_block, 1}, candidate.begin);
  const auto opcode = static_cast<proto::Opcode>(frame[0] & 0x0f);
  const uint8_t* payload = frame + proto::frame_header_size_of(frame);
  const size_t size = compression.pack_to(receivers, opcode, payload, candidate.payload, to);
  const bool first = candidate.first_form == kNone;
  if (first && candidate.on_trial) candidate.audience->trial.note(candidate.payload, size ? size : candidate.payload);
  if (apart) to = keep(w.reactor.blocks, apart, size);
  if (size && !to) return {};
  const FrameRun run = size ? FrameRun{blocks_.back(), to, size, 1} : FrameRun{};
  if (!forms_.push({candidate.first_form, receivers, run})) return {};
  candidate.first_form = forms_.size() - 1;
  used_ += size;
  return run;
}

void PackedLog::end_turn() noexcept {
  candidates_.clear();
  forms_.clear();
  last = {};
  const uint32_t count = blocks_.size();
  for (uint32_t i = 0; i + 1 < count; i++) blocks_[i]->release();
  if (count > 1) blocks_[0] = blocks_.back();
  if (count) blocks_.truncate(1);
  if (count && blocks_[0]->capacity > kBlockBytes) {
    blocks_[0]->release();
    blocks_.clear();
  }
}

}  // namespace martlet::realtime
