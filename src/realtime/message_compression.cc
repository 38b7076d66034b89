// See message_compression.h.
#include "realtime/message_compression.h"

#include "realtime/realtime.h"
#include "session/ws_deflate.h"

namespace martlet::realtime {

namespace {

// A stretch of the log for a connection that takes compressed messages: some frames in their compressed form, the others
// as they are.
void queue_packed(MessageCompression& self, RealtimeWorker& w, net::Connection& c, const PublishedRange& stretch) noexcept {
  const session::DeflateClass receivers = self.codec->class_of(c);
  const auto* route = static_cast<const WsRouteEntry*>(c.state<session::WsState>().route);
  PackedLog::Answer& last = self.packed.last;
  if (last.begin == stretch.begin && last.end == stretch.end && last.receivers == receivers && last.route == route) {
    self.codec->forget_context(c);
    return queue_run(w, c, last.run);
  }
  FrameRun open;
  bool one_run = true;
  bool any_packed = false;
  const auto put = [&](const FrameRun& run) {
    if (open.data && run.block == open.block && run.data == open.data + open.size) {
      open.size += run.size;
      open.messages = open.messages && run.messages ? open.messages + run.messages : 0;
      return;
    }
    if (open.data) queue_run(w, c, open), one_run = false;
    open = run;
  };
  const auto put_plain = [&](uint64_t begin, uint64_t end) {
    if (begin == end) return;
    const bool whole = begin == stretch.begin && end == stretch.end;
    put({w.log.block_of(stretch), w.log.data_of(stretch, begin), static_cast<size_t>(end - begin),
         whole ? stretch.messages : 0});
  };
  uint64_t position = stretch.begin;
  uint32_t i = self.packed.first_at(position);
  for (; const PackedLog::Candidate* candidate = self.packed.at(i, stretch.end); i++) {
    if (candidate->compress != Compress::yes && candidate->payload < route->limits.compress_from) continue;
    const FrameRun run = self.packed.form_of(w, i, receivers);
    if (!run.data) continue;
    put_plain(position, candidate->begin);
    put(run);
    position = candidate->end;
    any_packed = true;
  }
  put_plain(position, stretch.end);
  if (any_packed) self.codec->forget_context(c);
  queue_run(w, c, open);
  if (one_run && any_packed) last = {stretch.begin, stretch.end, route, receivers, open};
}

bool queue_stretch(MessageCompression& self, net::Connection& c, const PublishedRange& stretch) noexcept {
  if (self.packed.empty()) return false;
  queue_packed(self, realtime_of(self.worker), c, stretch);
  return true;
}

void published(worker::Part& part, const Publication& what) {
  auto& self = static_cast<MessageCompression&>(part);
  if (!what.again) self.packed.note(realtime_of(self.worker).log, what, self.from);
}

void turn_ended(worker::Part& part) {
  auto& self = static_cast<MessageCompression&>(part);
  self.codec->end_turn();
  if (!self.packed.empty()) self.packed.end_turn();
}

}  // namespace

const worker::PartHooks MessageCompression::kHooks{.turn_ended = turn_ended, .published = published};

MessageCompression::MessageCompression(worker::Worker& w) noexcept : Part(w), queue(queue_stretch) {}

MessageCompression* MessageCompression::make(RealtimeWorker& w, size_t budget_bytes) noexcept {
  auto codec = session::make_ws_deflater(w.sessions, budget_bytes);
  auto* part = codec ? w.parts.find_or_add<MessageCompression>(w) : nullptr;
  if (part) part->codec = std::move(codec);
  return part;
}

}  // namespace martlet::realtime
