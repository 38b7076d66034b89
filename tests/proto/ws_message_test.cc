// Messages out of frames: order, limits, and text checked however it is cut.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "proto/ws_message.h"
#include "support/guarded.h"

namespace martlet {

namespace {

using proto::FrameHeader;
using proto::MessageLimits;
using proto::MessageState;
using proto::Opcode;
using proto::WsError;

FrameHeader frame(Opcode opcode, bool fin, uint64_t length = 0, bool rsv1 = false) {
  FrameHeader header;
  header.opcode = opcode;
  header.fin = fin;
  header.length = length;
  header.rsv1 = rsv1;
  header.masked = true;
  const uint8_t key[4] = {0xA1, 0x02, 0xF3, 0x44};
  std::memcpy(&header.masking_key, key, 4);
  return header;
}

std::string mask(std::string text, const FrameHeader& header) {
  uint8_t key[4];
  std::memcpy(key, &header.masking_key, 4);
  for (size_t i = 0; i < text.size() && header.masked; i++) text[i] = static_cast<char>(text[i] ^ key[i % 4]);
  return text;
}

uint16_t begin(MessageState& state, const FrameHeader& header, const MessageLimits& limits = {}) {
  WsError error;
  const bool good = state.begin_frame(header, limits, error);
  CHECK(good == (error.code == 0));
  return error.code;
}

// A text message in these frames, each handed over in pieces of `step` bytes. The close code, or 0.
uint16_t read_text(const std::vector<std::string>& frames, size_t step, bool masked = true) {
  MessageState state;
  WsError error;
  for (size_t f = 0; f < frames.size(); f++) {
    FrameHeader header = frame(f ? Opcode::continuation : Opcode::text, f + 1 == frames.size(), frames[f].size());
    header.masked = masked;
    REQUIRE(begin(state, header) == 0);
    const std::string wire = mask(frames[f], header);
    std::string plain;
    for (size_t at = 0; at < wire.size(); at += step) {
      const test::Guarded piece(std::string_view(wire).substr(at, step));
      if (!state.take_payload(piece.data(), piece.size(), header, at, error)) return error.code;
      plain += base::as_text(piece.span());
    }
    CHECK(plain == frames[f]);
    error.code = 77;
    const bool ended = state.end_frame(header, error);
    if (!ended && error.code) return error.code;
    CHECK(ended == header.fin);
  }
  CHECK(state.is_text());
  return 0;
}

}  // namespace

TEST_CASE("ws_message: a message in one frame") {
  MessageState state;
  WsError error;
  CHECK_FALSE(state.in_message());
  CHECK(begin(state, frame(Opcode::binary, true, 3)) == 0);
  CHECK(state.in_message());
  CHECK_FALSE(state.is_text());
  CHECK_FALSE(state.compressed());
  CHECK(state.announced_bytes() == 3);
  CHECK(state.end_frame(frame(Opcode::binary, true, 3), error));
  CHECK(state.in_message());
  state.reset();
  CHECK_FALSE(state.in_message());
  CHECK(state.announced_bytes() == 0);
}

TEST_CASE("ws_message: frames out of order are protocol errors") {
  MessageState state;
  CHECK(begin(state, frame(Opcode::continuation, true)) == 1002);
  CHECK(begin(state, frame(Opcode::continuation, false)) == 1002);
  CHECK(begin(state, frame(Opcode::text, false)) == 0);
  CHECK(begin(state, frame(Opcode::text, true)) == 1002);
  CHECK(begin(state, frame(Opcode::binary, false)) == 1002);
  CHECK(begin(state, frame(Opcode::continuation, false, 0, true)) == 1002);
  CHECK(begin(state, frame(Opcode::continuation, true)) == 0);
}

TEST_CASE("ws_message: control frames between fragments change nothing") {
  MessageState state;
  WsError error;
  CHECK(begin(state, frame(Opcode::text, false, 2, true)) == 0);
  for (const Opcode control : {Opcode::ping, Opcode::pong, Opcode::close}) {
    CHECK(begin(state, frame(control, true, 125), {.message_bytes = 5}) == 0);
    CHECK(state.is_text());
    CHECK(state.compressed());
    CHECK(state.announced_bytes() == 2);
  }
  CHECK_FALSE(state.end_frame(frame(Opcode::text, false, 2, true), error));
  CHECK(error.code == 0);
  CHECK(begin(state, frame(Opcode::continuation, true, 3), {.message_bytes = 5}) == 0);
  CHECK(state.announced_bytes() == 5);
  CHECK(state.compressed());
}

TEST_CASE("ws_message: a message over the limit is 1009, before any payload") {
  const MessageLimits limits{.message_bytes = 100};
  MessageState state;
  CHECK(begin(state, frame(Opcode::binary, true, 101), limits) == 1009);
  state.reset();
  CHECK(begin(state, frame(Opcode::binary, true, 100), limits) == 0);
  state.reset();
  CHECK(begin(state, frame(Opcode::binary, false, 60), limits) == 0);
  CHECK(begin(state, frame(Opcode::continuation, false, 40), limits) == 0);
  CHECK(begin(state, frame(Opcode::continuation, false, 0), limits) == 0);
  CHECK(begin(state, frame(Opcode::continuation, true, 1), limits) == 1009);
  state.reset();
  CHECK(begin(state, frame(Opcode::binary, false, 1), limits) == 0);
  CHECK(begin(state, frame(Opcode::continuation, true, (uint64_t{1} << 63) - 1), limits) == 1009);
}

namespace {

// How many frames of so many bytes a message that does not end may have.
int frames_taken(uint64_t bytes, const MessageLimits& limits, bool compressed = false) {
  MessageState state;
  int taken = 0;
  while (begin(state, frame(taken ? Opcode::continuation : Opcode::text, false, bytes, compressed && !taken), limits) == 0) taken++;
  return taken;
}

}  // namespace

TEST_CASE("ws_message: a message of too many fragments that carry little is 1008") {
  const MessageLimits limits{.fragments = 3};
  MessageState state;
  for (int message = 0; message < 2; message++) {
    CHECK(begin(state, frame(Opcode::binary, false), limits) == 0);
    CHECK(begin(state, frame(Opcode::continuation, false), limits) == 0);
    CHECK(begin(state, frame(Opcode::ping, true), limits) == 0);
    CHECK(begin(state, frame(Opcode::continuation, false), limits) == 0);
    CHECK(begin(state, frame(Opcode::continuation, true), limits) == 0);  // the last one is not counted
    state.reset();
  }
  for (int i = 0; i < 3; i++) CHECK(begin(state, frame(i ? Opcode::continuation : Opcode::text, false), limits) == 0);
  CHECK(begin(state, frame(Opcode::continuation, false), limits) == 1008);
  CHECK(frames_taken(0, {}) == 65'536);
  CHECK(frames_taken(0, {.fragments = 0}) == 0);
  state.reset();
  CHECK(begin(state, frame(Opcode::text, true, 15), {.fragments = 0}) == 0);
}

TEST_CASE("ws_message: each 16 bytes of a message pay for a fragment of it") {
  const MessageLimits limits{.message_bytes = 1600, .fragments = 3};
  CHECK(frames_taken(1, limits) == 3);
  CHECK(frames_taken(3, limits) == 3);
  CHECK(frames_taken(4, limits) == 4);
  CHECK(frames_taken(6, limits) == 4);
  CHECK(frames_taken(8, limits) == 6);
  CHECK(frames_taken(15, limits) == 48);
  CHECK(frames_taken(16, limits) == 100);  // until the message is too large
  CHECK(frames_taken(16, {.message_bytes = 1600, .fragments = 0}) == 100);
  CHECK(frames_taken(15, {.message_bytes = 1600, .fragments = 0}) == 0);
  // What has come pays for what comes then.
  MessageState state;
  CHECK(begin(state, frame(Opcode::binary, false, 1000), limits) == 0);
  for (int i = 1; i < 3 + 62; i++) CHECK(begin(state, frame(Opcode::continuation, false), limits) == 0);
  CHECK(begin(state, frame(Opcode::continuation, false), limits) == 1008);
  // Of a compressed one it is the bytes on the wire.
  CHECK(frames_taken(8, limits, true) == 6);
}

TEST_CASE("ws_message: what conformance suites send in fragments is taken, an empty last one behind it, too") {
  for (const uint64_t bytes : {64, 32, 16, 8, 4, 2, 1}) {
    CAPTURE(bytes);
    const MessageLimits limits{.message_bytes = bytes < 16 ? 65'536 * bytes : uint64_t{4} << 20};
    MessageState state;
    for (uint64_t at = 0; at < limits.message_bytes; at += bytes) {
      REQUIRE(begin(state, frame(at ? Opcode::continuation : Opcode::text, false, bytes), limits) == 0);
    }
    CHECK(begin(state, frame(Opcode::continuation, true), limits) == 0);
  }
}

TEST_CASE("ws_message: text is checked however it is cut") {
  const std::string good =
      "ascii \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x90\xA6 and enough more to fill a vector or two \xC3\xA4";
  for (const bool masked : {true, false}) {
    for (size_t step = 1; step <= good.size(); step += step < 8 ? 1 : 7) {
      for (size_t cut = 0; cut <= good.size(); cut += 3) {
        CHECK(read_text({good.substr(0, cut), good.substr(cut)}, step, masked) == 0);
        CHECK(read_text({good.substr(0, cut), "", good.substr(cut)}, step, masked) == 0);
      }
      for (const char* bad : {"\x80", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\xE2\x82 "}) {
        CHECK(read_text({good + bad + good}, step, masked) == 1007);
        CHECK(read_text({good, bad, good}, step, masked) == 1007);
      }
      CHECK(read_text({good + "\xE2\x82"}, step, masked) == 1007);
      CHECK(read_text({good + "\xF0", "\x9F\x90"}, step, masked) == 1007);
    }
  }
}

TEST_CASE("ws_message: binary and compressed payload is unmasked and not checked") {
  const std::string payload = "\xFF\xFE\x80 not text at all, and longer than one register \xC0";
  for (const bool compressed : {false, true}) {
    MessageState state;
    WsError error;
    const FrameHeader header = frame(compressed ? Opcode::text : Opcode::binary, true, payload.size(), compressed);
    REQUIRE(begin(state, header) == 0);
    const std::string wire = mask(payload, header);
    std::string plain;
    for (size_t at = 0; at < wire.size(); at += 5) {
      const test::Guarded piece(std::string_view(wire).substr(at, 5));
      CHECK(state.take_payload(piece.data(), piece.size(), header, at, error));
      plain += base::as_text(piece.span());
    }
    CHECK(plain == payload);
    CHECK(state.end_frame(header, error));
    CHECK(error.code == 0);
  }
}

}  // namespace martlet
