// Runs codec/inflate over a stream that is cut into pieces, each with an unmapped page beside it, and checks
// what run() promises at each call.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "codec/inflate.h"
#include "support/guarded.h"

namespace martlet::test {

struct Inflated {
  codec::InflateStatus status = codec::InflateStatus::need_input;
  std::string output;
  size_t consumed = 0;
  std::string cause;
  bool operator==(const Inflated&) const = default;
};

struct InflatePlan {
  codec::DeflateFormat format = codec::DeflateFormat::raw;
  int window_bits = 15;
  std::function<size_t()> input_piece = [] { return SIZE_MAX; };  // how much of the rest the next piece has; may be 0
  std::function<size_t()> output_piece = [] { return size_t{1} << 16; };
  uint32_t ring = 0;  // the size of the history, when each piece of output is in a buffer of its own
  GuardedRoom::Side side = GuardedRoom::Side::end;
};

inline std::function<size_t()> always(size_t size) {
  return [size] { return size; };
}

namespace inflating {

// Room for these, at one end of memory that grows when it must.
inline uint8_t* room_for(std::unique_ptr<GuardedRoom>& room, size_t size, GuardedRoom::Side side) {
  if (!room || room->size() < size) room = std::make_unique<GuardedRoom>(2 * size + (size_t{1} << 17));
  return room->place(size, side);
}

// The output of one call goes behind what may be referred to, or behind nothing when there is a ring.
inline codec::InflateStatus run_once(codec::Inflate& inflate, const InflatePlan& plan, codec::InflateHistory& history,
                                     base::ByteSpan input, size_t room, Inflated& result) {
  static std::unique_ptr<GuardedRoom> input_room, output_room;
  const size_t kept = plan.ring ? 0 : std::min<size_t>(result.output.size(), 32768);
  const std::string before = result.output.substr(result.output.size() - kept);
  uint8_t* const begin = room_for(output_room, kept + room, plan.side);
  std::memcpy(begin, before.data(), kept);
  uint8_t* const source = room_for(input_room, input.size(), plan.side);
  if (!input.empty()) std::memcpy(source, input.data(), input.size());
  const uint8_t* in = source;
  const uint8_t* const in_end = in + input.size();
  uint8_t* const out_begin = begin + kept;
  uint8_t* out = out_begin;
  uint8_t* const out_end = out + room;
  const auto status = inflate.run(in, in_end, begin, out, out_end, plan.ring ? &history : nullptr);
  const bool holds = in >= source && in <= in_end && out >= out_begin && out <= out_end &&
                     (status != codec::InflateStatus::need_input || in == in_end) &&
                     (status != codec::InflateStatus::output_full || out == out_end) &&
                     (status == codec::InflateStatus::error) == (*inflate.cause() != 0);
  if (!holds) FAIL("run() does not keep its promises");
  if (std::memcmp(begin, before.data(), kept) != 0) FAIL("earlier output was changed");
  history.append({out_begin, out});
  result.output.append(out_begin, out);
  result.consumed += static_cast<size_t>(in - source);
  return status;
}

}  // namespace inflating

// Goes on with `inflate`, which keeps its state.
inline Inflated inflate_on(codec::Inflate& inflate, base::ByteSpan input, const InflatePlan& plan) {
  Inflated result;
  static const GuardedRoom rings(32768);
  codec::InflateHistory history{rings.place(plan.ring, plan.side), plan.ring, 0, 0};
  size_t offered = std::min(plan.input_piece(), input.size());  // the end of the piece
  int idle = 0;
  for (;;) {
    const size_t before = result.consumed + result.output.size();
    result.status = inflating::run_once(inflate, plan, history, input.subspan(result.consumed, offered - result.consumed),
                                        plan.output_piece(), result);
    result.cause = inflate.cause();
    // How much was read ahead of an error depends on the cuts.
    if (result.status == codec::InflateStatus::error) result.consumed = 0;
    if (result.status == codec::InflateStatus::done || result.status == codec::InflateStatus::error) return result;
    if (result.status == codec::InflateStatus::need_input) {
      if (offered == input.size()) return result;
      offered += std::min(plan.input_piece(), input.size() - offered);
    }
    idle = result.consumed + result.output.size() == before ? idle + 1 : 0;
    if (idle == 100) FAIL("run() gets nowhere");
  }
}

inline Inflated inflate_all(base::ByteSpan input, const InflatePlan& plan = {}) {
  const auto inflate = std::make_unique<codec::Inflate>();
  inflate->reset(plan.format, plan.window_bits);
  return inflate_on(*inflate, input, plan);
}

// All at once, in pieces of one byte, and cut in two at every byte of input and of output: always the same.
inline Inflated inflate_every_way(base::ByteSpan input, InflatePlan plan = {}) {
  const Inflated whole = inflate_all(input, plan);
  const auto same = [&](size_t in_first, size_t in_rest, size_t out_first, size_t out_rest) {
    bool in_begun = false, out_begun = false;
    plan.input_piece = [&, in_first, in_rest] { return std::exchange(in_begun, true) ? in_rest : in_first; };
    plan.output_piece = [&, out_first, out_rest] { return std::exchange(out_begun, true) ? out_rest : out_first; };
    for (const auto side : {GuardedRoom::Side::end, GuardedRoom::Side::begin}) {
      plan.side = side;
      const Inflated cut = inflate_all(input, plan);
      if (cut == whole) continue;
      CAPTURE(in_first);
      CAPTURE(out_first);
      CHECK(cut.status == whole.status);
      CHECK(cut.cause == whole.cause);
      CHECK(cut.consumed == whole.consumed);
      CHECK((cut.output == whole.output));
    }
  };
  constexpr size_t all = SIZE_MAX;
  const size_t room = whole.output.size() + 300;
  same(all, all, room, room);
  same(1, 1, room, room);
  same(1, 1, 1, 1);
  same(all, all, 1, 1);
  for (size_t at = 0; at <= input.size(); at++) same(at, all, room, room);
  for (size_t at = 0; at <= whole.output.size(); at++) same(all, all, at, room);
  return whole;
}

}  // namespace martlet::test
