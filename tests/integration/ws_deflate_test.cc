// permessage-deflate (RFC 7692) on a server that echoes: what clients may send, cut and broken in every way. What it costs
// is in ws_deflate_limits_test.cc, what is sent in ws_deflate_send_test.cc.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <vector>

#include "support/deflate_writer.h"
#include "support/server.h"
#include "support/ws_deflate_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Echoes on "/", compressed from one byte on, and writes down.
struct EchoServer {
  explicit EchoServer(WsOptions options = {.compression = Deflate{.threshold = 1}})
      : server([this, options](App& app) { app.ws("/", events.handlers(options)); }) {}
  WsEvents events;
  TestServer server;

  DeflateClient client(std::string_view offer = "permessage-deflate") { return DeflateClient(server.port(), "/", offer); }
  // What a new client that sends these bytes is closed with.
  uint16_t refuses(std::string_view bytes, std::string_view offer = "permessage-deflate") {
    DeflateClient c = client(offer);
    if (!c.open() || !c.send(bytes)) return 1;
    const uint16_t code = c.read_close();
    return c.tcp.read_to_end() ? code : 2;
  }
  // What a new client reads after these bytes.
  std::string answers(std::string_view bytes) {
    DeflateClient c = client();
    if (!c.open() || !c.send(bytes)) return "(not sent)";
    const WsMessage message = c.read();
    if (message.opcode == kClose) return "(close " + std::to_string(message.close_code()) + ")";
    if (message.opcode != kText && message.opcode != kBinary) return "(nothing)";
    return message.text;
  }
};

std::string bytes_of(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes.push_back(static_cast<char>(value));
  return bytes;
}
std::string text_of(const DeflateWriter& writer) { return {writer.bytes.begin(), writer.bytes.end()}; }
std::string whole(std::string_view payload, uint8_t opcode = kText) { return ws_frame(opcode, payload, {.rsv = kRsv1}); }

// Compresses to about a third.
std::string prose(size_t size, uint32_t seed = 1) {
  static constexpr std::string_view kWords[] = {"the ", "martin ", "has ", "no ", "feet ", "and ", "never ", "lands, ",
                                                "so ", "it ", "is ", "said; ", "w\xc3\xbcrde ", "\xe6\x97\xa5 "};
  std::string text;
  uint32_t x = seed;
  while (text.size() < size) {
    x = x * 1664525u + 1013904223u;
    text += kWords[(x >> 24) % std::size(kWords)];
  }
  text.resize(size);
  while (!text.empty() && (text.back() & 0x80)) text.pop_back();
  return text + std::string(size - text.size(), '.');
}

}  // namespace

// RSV1 ----------------------------------------------------------------------------------------------------------------

TEST_CASE("ws deflate: RSV1 where it must not be is a protocol error") {
  EchoServer s;
  const std::string hello = packed("Hello");
  for (const std::string& bytes : {
           ws_frame(kPing, "", {.rsv = kRsv1}), ws_frame(kPong, "", {.rsv = kRsv1}),
           ws_frame(kClose, close_payload(1000), {.rsv = kRsv1}),
           ws_frame(kText, hello, {.rsv = 6}), ws_frame(kText, hello, {.rsv = 5}), ws_frame(kText, "x", {.rsv = 2}),
           ws_frame(kText, hello.substr(0, 3), {.fin = false, .rsv = kRsv1}) +
               ws_frame(kContinuation, hello.substr(3), {.rsv = kRsv1}),
           ws_frame(kText, "plain", {.fin = false}) + ws_frame(kContinuation, hello, {.rsv = kRsv1}),
           ws_frame(kContinuation, hello, {.rsv = kRsv1}), ws_frame(3, hello, {.rsv = kRsv1}),
           ws_frame(kText, hello, {.fin = false, .rsv = kRsv1}) + whole(hello),
           ws_frame(kText, hello, {.fin = false, .rsv = kRsv1}) + ws_frame(kText, "x"),
           ws_frame(kText, hello, {.rsv = kRsv1, .masked = false}),
       }) {
    CAPTURE(bytes.size());
    CHECK(s.refuses(bytes) == 1002);
  }
  CHECK(s.events.messages().empty());
  for (const char* offer : {"", "permessage-deflate; unknown", "x-webkit-deflate-frame"}) {
    CAPTURE(std::string(offer));
    CHECK(s.refuses(whole(hello), offer) == 1002);
    CHECK(s.refuses(packed_fragments(kText, hello, {2}), offer) == 1002);
  }
  CHECK(s.answers(whole(hello)) == "Hello");
}

TEST_CASE("ws deflate: compressed and plain messages take turns") {
  EchoServer s;
  DeflateClient c = s.client();
  REQUIRE(c.agreed);
  for (int i = 0; i < 20; i++) {
    const std::string text = prose(300, static_cast<uint32_t>(i));
    CHECK(c.send(i % 3 ? ws_frame(kText, text) : packed_frame(kText, text)));
    const WsMessage message = c.read();
    CHECK(message.is(kText, text));
    CHECK(message.compressed);
    CHECK(message.payload_bytes < text.size());
  }
  CHECK(c.closes_nicely());
  CHECK(s.server.stats().messages_inflated == 7);
  CHECK(s.server.stats().messages_deflated == 20);
}

// Cuts ----------------------------------------------------------------------------------------------------------------

TEST_CASE("ws deflate: a message cut at every byte of its frames") {
  EchoServer s;
  DeflateClient c = s.client();
  const std::string text = prose(400);
  const std::string payload = packed(text);
  for (const std::string& bytes : {whole(payload), packed_fragments(kText, payload, {0, 1, payload.size() / 2, 0, 3})}) {
    for (size_t cut = 1; cut < bytes.size(); cut++) {
      CAPTURE(cut);
      REQUIRE(c.send(bytes.substr(0, cut)));
      s.server.turn();
      REQUIRE(c.send(bytes.substr(cut)));
      REQUIRE(c.reads(kText, text));
    }
    REQUIRE(c.tcp.send_split(bytes, 1));
    REQUIRE(c.reads(kText, text));
  }
}

TEST_CASE("ws deflate: fragments of every size, with control frames and plain messages between them") {
  EchoServer s;
  DeflateClient c = s.client();
  for (const size_t size : {0u, 1u, 50u, 3000u, 70'000u, 400'000u}) {
    const std::string text = prose(size, static_cast<uint32_t>(size));
    const std::string payload = packed(text);
    for (size_t step = 1; step < payload.size() * 2 + 2; step = step * 2 + 1) {
      if (payload.size() / step > 20'000) continue;
      CAPTURE(size);
      CAPTURE(step);
      std::string bytes;
      size_t pings = 0;
      for (size_t at = 0;; at += step) {
        const bool first = at == 0;
        const bool last = at + step >= payload.size();
        bytes += ws_frame(first ? kText : kContinuation, std::string_view(payload).substr(at, step),
                          {.fin = last, .rsv = first ? kRsv1 : uint8_t{0}});
        if (last) break;
        if (at / step % 64 == 1) bytes += ws_frame(kPing, std::to_string(pings++));
      }
      REQUIRE(c.send(bytes + ws_frame(kText, "plain")));
      for (size_t i = 0; i < pings; i++) REQUIRE(c.reads(kPong, std::to_string(i)));
      REQUIRE(c.reads(kText, text));
      REQUIRE(c.reads(kText, "plain"));
    }
  }
}

TEST_CASE("ws deflate: many messages in one packet, whole and in pieces, in order") {
  EchoServer s;
  DeflateClient c = s.client();
  std::string bytes;
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < 600; i++) {
    texts.push_back(prose(i * 7 % 900, i));
    const std::string payload = packed(texts.back());
    bytes += i % 3 == 0 ? ws_frame(kText, texts.back())
             : i % 3 == 1 ? whole(payload) : packed_fragments(kText, payload, {payload.size() / 2});
  }
  REQUIRE(c.send(bytes));
  for (const std::string& text : texts) REQUIRE(c.reads(kText, text));
  CHECK(c.closes_nicely());
}

// What a compressed message may be -------------------------------------------------------------------------------------

TEST_CASE("ws deflate: the examples of RFC 7692 §7.2.3") {
  EchoServer s;
  const std::string hello = bytes_of({0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00});
  const std::string hello_again = bytes_of({0xf2, 0x00, 0x11, 0x00, 0x00});
  const std::string stored = bytes_of({0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00});
  const std::string final_block = bytes_of({0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00});
  const std::string two_blocks = bytes_of({0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00});
  for (const std::string& payload : {hello, stored, final_block, two_blocks}) {
    CAPTURE(payload.size());
    CHECK(s.answers(whole(payload)) == "Hello");
    for (size_t cut = 0; cut <= payload.size(); cut++) {
      CHECK(s.answers(packed_fragments(kText, payload, {cut})) == "Hello");
    }
  }
  // §7.2.3.2: refers to the message before, which the client may do only where it keeps its context.
  CHECK(s.refuses(whole(hello) + whole(hello_again)) == 1007);
  EchoServer keeps({.compression = Deflate{.mode = CompressionMode::dedicated, .threshold = 1}});
  DeflateClient c = keeps.client();
  REQUIRE(c.client_keeps);
  REQUIRE(c.send(whole(hello) + whole(hello_again) + packed_fragments(kText, hello_again, {1, 2})));
  for (int i = 0; i < 3; i++) CHECK(c.reads(kText, "Hello"));
}

TEST_CASE("ws deflate: final blocks in the midst of a message and at its end") {
  EchoServer s;
  const auto literals = [](DeflateWriter& writer, std::string_view text, bool final) {
    writer.fixed(final);
    for (const char c : text) writer.literal(static_cast<uint8_t>(c));
    writer.end();
  };
  DeflateWriter end;  // behind the final block nothing
  literals(end, "end", true);
  DeflateWriter midst;
  literals(midst, "one ", true);
  midst.align();
  literals(midst, "two ", true);
  midst.align();
  literals(midst, "three", false);
  midst.head(false, 0).align();  // of the flush
  DeflateWriter stored;
  stored.stored("one ", true).stored("two", true);
  DeflateWriter empty;
  empty.fixed(true).end();
  CHECK(midst.output == "one two three");
  DeflateWriter back;  // to what stood before the final block: it is one message
  literals(back, "Hello, ", true);
  back.align().fixed(true).match(5, 7).end();
  for (const DeflateWriter* writer : {&end, &midst, &stored, &empty, &back}) {
    const std::string payload = text_of(*writer);
    const std::string& text = writer->output;
    CAPTURE(text);
    CHECK(s.answers(whole(payload)) == text);
    for (size_t cut = 0; cut <= payload.size(); cut++) CHECK(s.answers(packed_fragments(kText, payload, {cut})) == text);
  }
}

TEST_CASE("ws deflate: empty messages, in each of their forms") {
  EchoServer s;
  const std::string flush = bytes_of({0x00});                                      // §7.2.3.6
  const std::string flushed_twice = bytes_of({0x00, 0x00, 0x00, 0xff, 0xff, 0x00});
  const std::string fixed = bytes_of({0x02, 0x00});
  for (const std::string& payload : {flush, flushed_twice, fixed, std::string(bytes_of({0x03, 0x00}))}) {
    CAPTURE(payload.size());
    CHECK(s.answers(whole(payload)) == "");
    CHECK(s.answers(whole(payload, kBinary)) == "");
    CHECK(s.answers(packed_fragments(kText, payload, {0, 1, 0})) == "");
  }
}

TEST_CASE("ws deflate: no bytes at all are an empty message, and a flush that was not taken off does no harm") {
  const std::string rest = bytes_of({0x00, 0x00, 0xff, 0xff});
  const std::string hello = packed("Hello");
  const std::string stored = bytes_of({0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f});
  for (const CompressionMode mode : {CompressionMode::shared, CompressionMode::dedicated}) {
    EchoServer s({.compression = Deflate{.mode = mode, .threshold = 1}});
    DeflateClient c = s.client();
    for (int i = 0; i < 2; i++) {
      REQUIRE(c.send(whole("") + whole("", kBinary) + packed_fragments(kText, "", {0, 0, 0})));
      CHECK(c.reads(kText, ""));
      CHECK(c.reads(kBinary, ""));
      CHECK(c.reads(kText, ""));
      REQUIRE(c.send(whole(hello + rest) + packed_fragments(kText, hello + rest, {2, 3, 0}) + whole(stored)));
      for (int n = 0; n < 3; n++) CHECK(c.reads(kText, "Hello"));
    }
    // Half a flush is none.
    for (size_t size = 1; size < rest.size(); size++) CHECK(s.refuses(whole(hello + rest.substr(0, size))) == 1007);
  }
}

TEST_CASE("ws deflate: broken data is 1007, whole or in pieces") {
  EchoServer s;
  const std::string payload = packed(prose(500));
  DeflateWriter far;
  far.fixed().literal('a').bad_match(3, 2).end();
  std::vector<std::string> broken = {bytes_of({0x06}), bytes_of({0x07, 0x00}), bytes_of({0x00, 0x05, 0x00, 0x05, 0x00}),
                                     bytes_of({0xff, 0xff, 0xff}), text_of(far), "Hello, this is no deflate"};
  // Ends inside a block.
  for (size_t size = 1; size + 1 < payload.size(); size += 3) broken.push_back(payload.substr(0, size));
  size_t n = 0;
  for (const std::string& bytes : broken) {
    CAPTURE(n++);
    CHECK(s.refuses(whole(bytes, kBinary)) == 1007);
    CHECK(s.refuses(packed_fragments(kBinary, bytes, {bytes.size() / 2})) == 1007);
  }
  CHECK(s.events.messages().empty());
  CHECK(eventually([&] { return s.events.closes().size() == 2 * broken.size(); }));
  for (const auto& closed : s.events.closes()) CHECK(closed.cause == CloseCause::invalid_payload);
  CHECK(s.server.stats().messages_inflated == 0);
}

TEST_CASE("ws deflate: what comes behind our Close is not inflated, and the peer's Close behind it is found") {
  WsEvents events;
  WsHandlers handlers = events.handlers({.compression = Deflate{.threshold = 1}});
  handlers.message = [](WebSocket ws, const Message&) { ws.close(CloseCode::normal, "enough"); };
  WebSocket socket;
  handlers.open = [&](WebSocket ws, Request&) { socket = ws; };
  TestServer server([&](App& app) { app.ws("/", std::move(handlers)); });
  DeflateWriter stored;
  stored.stored(prose(60'000)).stored("");
  const std::string behind = whole(packed("x")) + packed_fragments(kText, packed(prose(5000)), {10, 20}) +
                             whole(text_of(stored)) + whole(bytes_of({0x06})) + ws_frame(kClose, close_payload(1000));
  DeflateClient c(server.port());
  REQUIRE(c.open());
  REQUIRE(c.send(ws_frame(kText, "stop") + behind));
  CHECK(c.read_close() == 1000);
  CHECK(c.tcp.read_to_end());
  // In the midst of a message.
  DeflateClient half(server.port());
  REQUIRE(half.open());
  REQUIRE(half.send(ws_frame(kText, packed(prose(5000)).substr(0, 500), {.fin = false, .rsv = kRsv1}) + ws_frame(kPing, "!")));
  CHECK(half.read().opcode == kPong);
  server.on_thread([&](App&) { socket.close(CloseCode::normal, "enough"); });
  REQUIRE(half.send(ws_frame(kContinuation, packed(prose(5000)).substr(500)) + behind));
  CHECK(half.read_close() == 1000);
  CHECK(half.tcp.read_to_end());
  CHECK(eventually([&] { return events.closes().size() == 2; }));
  for (const auto& closed : events.closes()) CHECK(closed.cause == CloseCause::local_close);
  CHECK(server.stats().messages_inflated == 0);
}

TEST_CASE("ws deflate: text that is not UTF-8 fails at its first bad byte, though the message is not whole") {
  EchoServer s;
  CHECK(s.refuses(whole(packed("ab\xff"))) == 1007);
  CHECK(s.refuses(whole(packed("ab\xc3"))) == 1007);
  CHECK(s.refuses(packed_fragments(kText, packed("ab\xc3"), {1})) == 1007);
  CHECK(s.answers(whole(packed("ab\xff"), kBinary)) == "ab\xff");
  // Behind a bad byte there is more to come, but nobody waits for it.
  for (const size_t before : {0u, 10u, 5000u, 20'000u, 100'000u}) {
    CAPTURE(before);
    DeflateWriter writer;
    writer.stored(prose(before).substr(0, std::min<size_t>(before, 60'000))).stored("\xff");
    CHECK(s.refuses(ws_frame(kText, text_of(writer), {.fin = false, .rsv = kRsv1})) == 1007);
    CHECK(s.refuses(ws_frame(kText, text_of(writer), {.rsv = kRsv1, .announced = 90'000})) == 1007);
  }
  // Characters cut by every fragment, in the wire and in what is inflated.
  DeflateClient c = s.client();
  std::string text;
  for (int i = 0; i < 20'000; i++) text += "\xe6\x97\xa5";
  const std::string payload = packed(text);
  REQUIRE(c.send(whole(payload)));
  REQUIRE(c.reads(kText, text));
  for (size_t step = 1; step < 20; step++) {
    REQUIRE(c.send(packed_fragments(kText, payload, std::vector<size_t>(payload.size() / step, step))));
    REQUIRE(c.reads(kText, text));
  }
}

// Beginnings and ends ---------------------------------------------------------------------------------------------------

TEST_CASE("ws deflate: compressed frames in the packet of the handshake") {
  EchoServer s;
  const std::string text = prose(2000);
  const std::string payload = packed(text);
  const std::string request = ws_request("/", offer_field("permessage-deflate"));
  for (const size_t missing : {size_t{0}, size_t{1}, payload.size(), payload.size() + 3}) {
    CAPTURE(missing);
    const std::string bytes = request + whole(payload) + packed_fragments(kText, payload, {5, 5}) + whole(payload);
    Client tcp(s.server.port());
    REQUIRE(tcp.send(bytes.substr(0, bytes.size() - missing)));
    s.server.turn();
    REQUIRE(tcp.send(bytes.substr(bytes.size() - missing)));
    WsClient shaken(std::move(tcp));
    REQUIRE(shaken.read_handshake());
    DeflateClient c(std::move(shaken));
    for (int i = 0; i < 3; i++) CHECK(c.reads(kText, text));
  }
}

TEST_CASE("ws deflate: the end while half a message is in") {
  EchoServer s;
  const std::string payload = packed(prose(50'000));
  const std::string half = whole(payload).substr(0, payload.size() / 2);
  const std::string fragment = ws_frame(kText, payload.substr(0, 500), {.fin = false, .rsv = kRsv1});
  for (const std::string& bytes : {half, fragment, fragment.substr(0, 300)}) {
    DeflateClient eof = s.client();
    REQUIRE(eof.send(bytes));
    s.server.turn();
    eof.tcp.close();
    DeflateClient reset = s.client();
    REQUIRE(reset.send(bytes));
    s.server.turn();
    reset.tcp.reset();
  }
  DeflateClient c = s.client();  // a Close may stand between fragments
  REQUIRE(c.send(fragment));
  CHECK(c.closes_nicely());
  DeflateClient local = s.client();
  REQUIRE(local.send(fragment));
  s.server.turn();
  s.server.app().drain();
  CHECK(local.read_close() == 1001);
  CHECK(s.events.messages().empty());
  local.tcp.close();
}

TEST_CASE("ws deflate: large messages both ways") {
  EchoServer s({.compression = Deflate{.threshold = 1}, .max_message_bytes = 16_MiB, .max_unsent_bytes = 64_MiB});
  DeflateClient c = s.client();
  for (const size_t size : {size_t{65'535}, size_t{65'536}, size_t{65'537}, size_t{1_MiB}, size_t{5'000'000}}) {
    CAPTURE(size);
    const std::string text = prose(size);
    const std::string payload = packed(text);
    REQUIRE(c.send(whole(payload)));
    REQUIRE(c.reads(kText, text));
    REQUIRE(c.send(packed_fragments(kText, payload, {payload.size() / 3, payload.size() / 3})));
    REQUIRE(c.reads(kText, text));
    const std::string noise = pattern(size);
    REQUIRE(c.send(whole(packed(noise), kBinary)));
    REQUIRE(c.reads(kBinary, noise));
  }
}
