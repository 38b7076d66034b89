// Peers that break RFC 6455, over a real socket: each mistake has its close code, sent as soon as it can be known, the
// TCP connection ends, and nothing that came behind the mistake reaches a handler.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

constexpr CloseCode kProtocol = CloseCode::protocol_error;

struct Route {
  WsEvents events = {};
  TestServer server;

  explicit Route(WsOptions options = {})
      : server([&](App& app) { app.ws("/", events.handlers(std::move(options))); }) {}
};

// Sends a good message, then `bad` (and behind it what must not be handled), and checks the ending.
void check_refused(Route& route, const std::string& bad, CloseCode code, CloseCause cause) {
  route.events.clear();
  WsClient client(route.server.port());
  REQUIRE(client.open());
  REQUIRE(client.send(ws_frame(kText, "before") + bad));
  CHECK(client.reads("before"));
  const WsFrame close = client.read_frame();
  CHECK(close.opcode == kClose);
  CHECK(close.close_code() == static_cast<uint16_t>(code));
  CHECK_FALSE(close.close_reason().empty());
  CHECK(client.ended());
  client.tcp.close();  // the server waits for that, for a while
  CHECK(route.events.closed_with(cause, code));
  CHECK(route.events.only_close().reason == close.close_reason());
  CHECK(route.events.messages() == std::vector<std::string>{"before"});
}

// The mistake alone, and with a good message behind it in the same packet.
void check_refused_both(Route& route, const std::string& bad, CloseCode code, CloseCause cause) {
  check_refused(route, bad, code, cause);
  check_refused(route, bad + ws_frame(kText, "behind") + ws_frame(kPing, "behind"), code, cause);
}

void check_protocol_error(Route& route, const std::string& bad) {
  check_refused_both(route, bad, kProtocol, CloseCause::protocol_error);
}

}  // namespace

TEST_CASE("ws protocol: reserved bits, unknown opcodes and unmasked frames are 1002") {
  Route route;
  for (const uint8_t rsv : {1, 2, 4, 7}) {
    CAPTURE(rsv);
    check_protocol_error(route, ws_frame(kText, "x", {.rsv = rsv}));
  }
  check_protocol_error(route, ws_frame(kPing, "x", {.rsv = 4}));
  check_protocol_error(route, ws_frame(kText, "x", {.fin = false}) + ws_frame(kContinuation, "x", {.rsv = 4}));
  for (const uint8_t opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    CAPTURE(opcode);
    check_protocol_error(route, ws_frame(opcode, "x"));
  }
  check_protocol_error(route, ws_frame(kText, "x", {.masked = false}));
  check_protocol_error(route, ws_frame(kPing, "", {.masked = false}));
  check_protocol_error(route, ws_frame(kClose, "", {.masked = false}));
}

TEST_CASE("ws protocol: lengths that are not in their shortest form are 1002") {
  Route route;
  check_protocol_error(route, ws_frame(kText, "x", {.length_bytes = 2}));
  check_protocol_error(route, ws_frame(kBinary, std::string(125, 'x'), {.length_bytes = 2}));
  check_protocol_error(route, ws_frame(kBinary, std::string(126, 'x'), {.length_bytes = 8}));
  check_protocol_error(route, ws_frame(kBinary, std::string(65535, 'x'), {.length_bytes = 8}));
  check_protocol_error(route, ws_frame(kBinary, "x", {.length_bytes = 8, .announced = INT64_MIN | 70000}));
}

TEST_CASE("ws protocol: control frames that are fragmented or too long are 1002") {
  Route route;
  for (const uint8_t opcode : {kClose, kPing, kPong}) {
    CAPTURE(opcode);
    check_protocol_error(route, ws_frame(opcode, "", {.fin = false}));
    check_protocol_error(route, ws_frame(opcode, std::string(126, 'x')));
    check_protocol_error(route, ws_frame(opcode, std::string(70000, 'x')));
  }
}

TEST_CASE("ws protocol: fragments out of order are 1002") {
  Route route;
  check_protocol_error(route, ws_frame(kContinuation, "x"));
  check_protocol_error(route, ws_frame(kContinuation, "x", {.fin = false}));
  check_protocol_error(route, ws_frame(kText, "x", {.fin = false}) + ws_frame(kText, "x"));
  check_protocol_error(route, ws_frame(kBinary, "", {.fin = false}) + ws_frame(kBinary, "x", {.fin = false}));
}

TEST_CASE("ws protocol: a mistake that two bytes tell is answered after two bytes") {
  Route route;
  for (const std::string& bad : {ws_frame(kText, "x", {.rsv = 1}), ws_frame(5, "x"), ws_frame(kPing, std::string(126, 'x')),
                                 ws_frame(kText, "x", {.masked = false}), ws_frame(kClose, "", {.fin = false})}) {
    check_refused(route, bad.substr(0, 2), kProtocol, CloseCause::protocol_error);
  }
}

TEST_CASE("ws protocol: Close frames that may not be are 1002, reasons that are not UTF-8 are 1007") {
  Route route;
  check_protocol_error(route, ws_frame(kClose, "x"));
  for (const uint16_t code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    CAPTURE(code);
    check_protocol_error(route, ws_frame(kClose, close_payload(code, "why")));
  }
  check_refused_both(route, ws_frame(kClose, close_payload(1000, "\xC3")), CloseCode::invalid_payload,
                     CloseCause::invalid_payload);
  check_refused_both(route, ws_frame(kClose, close_payload(1000, "a\xFFz")), CloseCode::invalid_payload,
                     CloseCause::invalid_payload);
}

namespace {

// What is not UTF-8, each cut behind the first byte at which that is certain (RFC 3629 §4).
const std::vector<std::string> kBadText = {
    "\x80",         "\xBF",         "\xC0",         "\xC1",             "\xF5",         "\xFF",
    "\xC3(",        "\xE0\x80",     "\xE0\x9F",     "\xED\xA0",         "\xF0\x80",     "\xF0\x8F",
    "\xF4\x90",     "\xE2\x82(",    "\xF0\x90\x80(", "\xF0\x90(",       "\xC3\xC3",     "\xE2\xE2",
    "\xC3\xA9\x80", "\xE2\x82\xAC\xBF",
};

}  // namespace

TEST_CASE("ws protocol: text that is not UTF-8 is 1007, at any place of a message") {
  Route route;
  for (const std::string& bad : kBadText) {
    for (const size_t before : {0u, 1u, 15u, 31u, 63u, 64u, 200u}) {
      CAPTURE(before);
      check_refused(route, ws_frame(kText, pattern(before) + bad + "and more") + ws_frame(kText, "behind"),
                    CloseCode::invalid_payload, CloseCause::invalid_payload);
    }
  }
}

TEST_CASE("ws protocol: 1007 comes at the first bad byte, though the frame is not whole") {
  Route route;
  for (const std::string& bad : kBadText) {
    for (const size_t announced : {size_t{120}, size_t{60'000}, size_t{700'000}}) {
      CAPTURE(announced);
      const size_t before = 7 + bad.size();
      const FrameOptions whole{.announced = static_cast<int64_t>(announced)};
      check_refused(route, ws_frame(kText, pattern(before) + bad, whole), CloseCode::invalid_payload,
                    CloseCause::invalid_payload);
      check_refused(route, ws_frame(kText, "ok", {.fin = false}) + ws_frame(kContinuation, pattern(before) + bad, whole),
                    CloseCode::invalid_payload, CloseCause::invalid_payload);
    }
  }
}

TEST_CASE("ws protocol: 1007 comes at the first bad byte of a later packet, also within a character") {
  Route route;
  for (const std::string& bad : kBadText) {
    route.events.clear();
    WsClient client(route.server.port());
    REQUIRE(client.open());
    const std::string frame = ws_frame(kText, pattern(100'000) + bad, {.announced = 300'000});
    for (size_t left = bad.size() + 1; left > 0; left--) {
      const size_t at = left > bad.size() ? 0 : frame.size() - left;
      REQUIRE(client.send(std::string_view(frame).substr(at, frame.size() - left + 1 - at)));
      wait_a_turn(route.server);
    }
    CHECK(client.read_close() == 1007);
    CHECK(client.ended());
    client.tcp.close();
    CHECK(route.events.closed_with(CloseCause::invalid_payload, CloseCode::invalid_payload));
    CHECK(route.events.messages().empty());
  }
}

TEST_CASE("ws protocol: text that ends inside a character is 1007, binary is never checked") {
  Route route;
  for (const std::string cut : {"\xC3", "\xE2\x82", "\xF0\x90\x80"}) {
    check_refused_both(route, ws_frame(kText, "x" + cut), CloseCode::invalid_payload, CloseCause::invalid_payload);
    check_refused_both(route, ws_frame(kText, cut, {.fin = false}) + ws_frame(kContinuation, ""),
                       CloseCode::invalid_payload, CloseCause::invalid_payload);
    check_refused_both(route, ws_frame(kText, cut, {.fin = false}) + ws_frame(kContinuation, "x"),
                       CloseCode::invalid_payload, CloseCause::invalid_payload);
  }
  WsClient client(route.server.port());
  for (const std::string& bad : kBadText) {
    REQUIRE(client.send(ws_frame(kBinary, bad) + ws_frame(kBinary, bad, {.fin = false}) + ws_frame(kContinuation, bad)));
    CHECK(client.reads(bad, kBinary));
    CHECK(client.reads(bad + bad, kBinary));
  }
}

TEST_CASE("ws protocol: every character passes, wherever fragments cut it") {
  Route route;
  WsClient client(route.server.port());
  const std::string text =
      "\x01\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF3\xBF\xBF\xBF\xF4\x8F\xBF\xBF";
  for (size_t first = 0; first <= text.size(); first++) {
    for (size_t second = 0; second <= 5 && first + second <= text.size(); second++) {
      REQUIRE(client.send(ws_fragments(kText, text, {first, second})));
      CHECK(client.reads(text));
    }
  }
  CHECK(client.close_nicely());
}

TEST_CASE("ws protocol: max_message_bytes, from both sides") {
  Route route({.max_message_bytes = 1000});
  WsClient client(route.server.port());
  REQUIRE(client.send(ws_frame(kText, pattern(1000)) + ws_fragments(kBinary, pattern(1000), {400, 0, 599})));
  CHECK(client.reads(pattern(1000)));
  CHECK(client.reads(pattern(1000), kBinary));
  auto check_too_big = [&](const std::string& bad) {
    check_refused(route, bad, CloseCode::too_big, CloseCause::message_too_big);
  };
  check_too_big(ws_frame(kText, pattern(1001)) + ws_frame(kText, "behind"));
  check_too_big(ws_fragments(kText, pattern(1001), {500}) + ws_frame(kText, "behind"));
  // From the header, before any payload has come.
  check_too_big(ws_frame(kText, "", {.announced = 1001}));
  check_too_big(ws_frame(kBinary, "", {.announced = 70'000}));
  check_too_big(ws_frame(kBinary, "", {.announced = INT64_MAX}));
  check_too_big(ws_frame(kText, pattern(1000), {.fin = false}) + ws_frame(kContinuation, "", {.announced = 1}));
  check_too_big(ws_frame(kText, "x", {.fin = false}) + ws_frame(kContinuation, "", {.announced = INT64_MAX}));
}

TEST_CASE("ws protocol: a message has up to 1 MiB where nothing else is said, and more is refused by its header") {
  Route route;
  WsClient client(route.server.port());
  REQUIRE(client.send_binary(pattern(1_MiB)));
  CHECK(client.reads(pattern(1_MiB), kBinary));
  REQUIRE(client.send(ws_frame(kBinary, "", {.announced = static_cast<int64_t>(1_MiB) + 1})));
  CHECK(client.read_close() == 1009);
}

TEST_CASE("ws protocol: a limit of 0 bytes lets empty messages pass") {
  Route route({.max_message_bytes = 0});
  WsClient client(route.server.port());
  CHECK(client.echoes(""));
  CHECK(client.send_text("x"));
  CHECK(client.read_close() == 1009);
}

TEST_CASE("ws protocol: too many fragments are 1008") {
  Route route({.max_fragments = 5});
  WsClient client(route.server.port());
  REQUIRE(client.send(ws_fragments(kText, "abcdef", {1, 1, 1, 1, 1})));
  CHECK(client.reads("abcdef"));
  REQUIRE(client.send(ws_fragments(kText, pattern(1600), std::vector<size_t>(100, 16))));
  CHECK(client.reads(pattern(1600)));
  check_refused(route, ws_fragments(kText, "abcdefg", {1, 1, 1, 1, 1, 1}) + ws_frame(kText, "behind"),
                CloseCode::policy_violation, CloseCause::too_many_fragments);
  std::string empties = ws_frame(kText, "", {.fin = false});
  for (int i = 0; i < 5; i++) empties += ws_frame(kContinuation, "", {.fin = false});
  check_refused(route, empties, CloseCode::policy_violation, CloseCause::too_many_fragments);
}

TEST_CASE("ws protocol: 4 MiB in fragments of 64 bytes with an empty last one") {
  Route route({.max_message_bytes = size_t{4} << 20});
  WsClient client(route.server.port());
  std::string payload;
  while (payload.size() < size_t{4} << 20) payload += pattern(65'536);
  for (const uint8_t opcode : {kText, kBinary}) {
    REQUIRE(client.send(ws_fragments(opcode, payload, std::vector<size_t>(payload.size() / 64, 64))));
    CHECK(client.reads(payload, opcode));
  }
}

TEST_CASE("ws protocol: half-sent messages beyond the receive budget get 1013, and what others have come stays") {
  WsEvents events;
  TestServerOptions options;
  options.app.receive_budget_bytes = 300'000;
  TestServer server([&](App& app) { app.ws("/", events.handlers()); }, options);
  WsClient first(server.port());
  REQUIRE(first.send(ws_frame(kBinary, pattern(190'000), {.announced = 200'000})));
  for (int i = 0; i < 5; i++) wait_a_turn(server);
  WsClient second(server.port());
  REQUIRE(second.send(ws_frame(kBinary, pattern(190'000), {.announced = 200'000})));
  CHECK(second.read_close() == 1013);
  CHECK(second.ended());
  second.tcp.close();
  CHECK(events.closed_with(CloseCause::out_of_memory, CloseCode::try_again));
  // The first is not disturbed, and what it held is free again when it is done.
  const std::string whole = ws_frame(kBinary, pattern(200'000));
  REQUIRE(first.send(ws_frame(kBinary, pattern(200'000)).substr(8 + 6 + 190'000)));
  CHECK(first.reads(pattern(200'000), kBinary));
  WsClient third(server.port());
  REQUIRE(third.send(whole));
  CHECK(third.reads(pattern(200'000), kBinary));
}

TEST_CASE("ws protocol: a mistake behind thousands of good frames in one packet ends the connection behind their echoes") {
  Route route;
  const std::string mistakes[] = {ws_frame(5, "x"), ws_frame(kText, "\xFF"), ws_frame(kClose, close_payload(1002))};
  for (const std::string& last : mistakes) {
    route.events.clear();
    WsClient client(route.server.port());
    std::string bytes;
    std::vector<std::string> expected;
    for (int i = 0; i < 2500; i++) {
      expected.push_back(std::to_string(i));
      bytes += i % 50 ? ws_frame(kText, expected.back()) : ws_fragments(kText, expected.back(), {0, 1});
    }
    REQUIRE(client.send(bytes + last + ws_frame(kText, "behind")));
    for (const std::string& text : expected) REQUIRE(client.reads(text));
    CHECK(client.read_close() == (last == mistakes[1] ? 1007 : 1002));
    CHECK(client.ended());
    client.tcp.close();
    CHECK(route.events.only_close().code == (last == mistakes[1] ? CloseCode::invalid_payload : kProtocol));
    CHECK(route.events.messages() == expected);
  }
}

TEST_CASE("ws protocol: a peer that goes on sending after its mistake still gets the Close, and is ended") {
  Route route;
  WsClient client(route.server.port());
  REQUIRE(client.send(ws_frame(7, "x")));
  const std::string flood = ws_frame(kBinary, pattern(60'000));
  for (int i = 0; i < 50 && client.send(flood); i++) {
  }
  CHECK(client.read_close() == 1002);
  CHECK(client.ended());
  CHECK(route.events.messages().empty());
}
