// Messages whose last block is final (RFC 7692 §7.2.3.4) and whose last match is cut where the server's buffer, or the
// piece that it checks for UTF-8, is full, while all input has been read: what is left of them must still come out, and no
// flush is behind it.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <string_view>

#include "support/deflate_writer.h"
#include "support/server.h"
#include "support/ws_deflate_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Literals and matches of 258, which end with the last bit of a byte: with 6 matches more than a multiple of eight, the end
// of the block fills the seven bits that are left behind the last of them.
DeflateWriter final_message(size_t literals, size_t matches) {
  DeflateWriter writer;
  writer.fixed(true);
  for (size_t i = 0; i < literals; i++) writer.literal('a');
  for (size_t i = 0; i < matches; i++) writer.match(258, 1);
  writer.end();
  return writer;
}

}  // namespace

TEST_CASE("ws deflate: a final block whose last match does not fit") {
  WsEvents events;
  TestServer server([&](App& app) {
    app.ws("/", events.handlers({.compression = Deflate{.threshold = 1}, .max_message_bytes = 1_MiB}));
  });
  struct Case {
    uint8_t opcode;
    size_t literals;
    size_t matches;
    size_t edge;  // lies in the last match
  };
  for (const Case& each : {Case{kText, 500, 62, 16384}, Case{kBinary, 100, 254, 65536}, Case{kBinary, 500, 30, 8192},
                           Case{kText, 500, 30, 8192}}) {
    const DeflateWriter writer = final_message(each.literals, each.matches);
    const std::string payload(writer.bytes.begin(), writer.bytes.end());
    REQUIRE(writer.output.size() > each.edge);
    REQUIRE(writer.output.size() - 258 < each.edge);
    CAPTURE(each.edge);
    DeflateClient whole(server.port());
    REQUIRE(whole.send(ws_frame(each.opcode, payload, {.rsv = kRsv1})));
    CHECK(whole.reads(each.opcode, writer.output));
    DeflateClient pieces(server.port());
    REQUIRE(pieces.send(packed_fragments(each.opcode, payload, {1, payload.size() - 2})));
    CHECK(pieces.reads(each.opcode, writer.output));
    // What follows is a message of its own.
    CHECK(pieces.echoes("another one"));
  }
}
