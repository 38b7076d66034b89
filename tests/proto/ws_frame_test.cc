// Frame headers and Close payloads: whole, cut at every byte, and against an unmapped page.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "proto/ws_frame.h"
#include "support/guarded.h"

namespace martlet {

namespace {

using proto::FrameHeader;
using proto::Opcode;
using proto::ParseStatus;
using proto::Role;
using proto::WsError;

using Bytes = std::vector<uint8_t>;

struct ParsedFrame {
  ParseStatus status = ParseStatus::need_more;
  FrameHeader header;
  WsError error;
};

ParsedFrame parse_frame(base::ByteSpan bytes, Role role, bool allow_rsv1) {
  const test::Guarded guarded(bytes);
  ParsedFrame parsed;
  parsed.status = proto::parse_frame_header(guarded.span(), role, allow_rsv1, parsed.header, parsed.error);
  return parsed;
}

// All prefixes ask for more until the answer comes, and from then on give the same one.
ParsedFrame parse_every_prefix(const Bytes& bytes, Role role = Role::server, bool allow_rsv1 = false) {
  const ParsedFrame whole = parse_frame(bytes, role, allow_rsv1);
  bool answered = false;
  for (size_t size = 0; size < bytes.size(); size++) {
    CAPTURE(size);
    const ParsedFrame part = parse_frame(base::ByteSpan(bytes).first(size), role, allow_rsv1);
    CHECK((part.status == ParseStatus::need_more || part.status == whole.status));
    CHECK((!answered || part.status == whole.status));
    if (whole.status == ParseStatus::done)
      CHECK((part.status == ParseStatus::done) == (size >= whole.header.header_bytes));
    answered = part.status != ParseStatus::need_more;
  }
  return whole;
}

// A masked header of this payload length, in the form that `form` (0, 126, 127) names.
Bytes masked_header(uint8_t first, uint64_t length, int form) {
  Bytes bytes{first};
  bytes.push_back(static_cast<uint8_t>(0x80 | (form ? form : static_cast<int>(length))));
  for (int shift = form == 126 ? 8 : form == 127 ? 56 : -8; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<uint8_t>(length >> shift));
  }
  for (uint8_t key : {1, 2, 3, 4}) bytes.push_back(key);
  return bytes;
}

int shortest_form(uint64_t length) { return length < 126 ? 0 : length < 65536 ? 126 : 127; }

}  // namespace

TEST_CASE("ws_frame: lengths on both sides of every boundary") {
  for (const uint64_t length :
       {uint64_t{0}, uint64_t{1}, uint64_t{125}, uint64_t{126}, uint64_t{127}, uint64_t{128}, uint64_t{255},
        uint64_t{256}, uint64_t{65535}, uint64_t{65536}, uint64_t{65537}, uint64_t{1} << 32, (uint64_t{1} << 63) - 1}) {
    CAPTURE(length);
    Bytes bytes = masked_header(0x82, length, shortest_form(length));
    const size_t size = bytes.size();
    bytes.push_back('x');
    const ParsedFrame p = parse_every_prefix(bytes);
    REQUIRE(p.status == ParseStatus::done);
    CHECK(p.header.length == length);
    CHECK(p.header.header_bytes == size);
    CHECK(p.header.opcode == Opcode::binary);
    CHECK(p.header.fin);
    CHECK(p.header.masked);
    CHECK_FALSE(p.header.rsv1);
    uint8_t key[4];
    std::memcpy(key, &p.header.masking_key, 4);
    CHECK((key[0] == 1 && key[1] == 2 && key[2] == 3 && key[3] == 4));
  }
}

TEST_CASE("ws_frame: a header written is the header read") {
  for (const uint64_t length :
       {uint64_t{0}, uint64_t{125}, uint64_t{126}, uint64_t{65535}, uint64_t{65536}, uint64_t{1} << 40}) {
    for (const Opcode opcode : {Opcode::continuation, Opcode::text, Opcode::binary}) {
      for (const bool fin : {false, true}) {
        const bool rsv1 = opcode != Opcode::continuation && fin;
        Bytes bytes(proto::frame_header_size(length));
        const test::Guarded guarded(bytes);
        REQUIRE(proto::encode_frame_header(guarded.data(), opcode, length, fin, rsv1) == bytes.size());
        bytes.assign(guarded.data(), guarded.data() + bytes.size());
        const ParsedFrame p = parse_every_prefix(bytes, Role::client, true);
        REQUIRE(p.status == ParseStatus::done);
        CHECK(p.header.length == length);
        CHECK(p.header.header_bytes == bytes.size());
        CHECK(p.header.opcode == opcode);
        CHECK(p.header.fin == fin);
        CHECK(p.header.rsv1 == rsv1);
        CHECK_FALSE(p.header.masked);
        CHECK(p.header.masking_key == 0);
      }
    }
  }
  CHECK(proto::frame_header_size(UINT64_MAX) == proto::kMaxServerFrameHeader);
}

TEST_CASE("ws_frame: a length that is not in its shortest form is a protocol error") {
  for (const auto& row :
       std::vector<std::pair<uint64_t, int>>{{0, 126}, {125, 126}, {0, 127}, {125, 127}, {126, 127}, {65535, 127}}) {
    CAPTURE(row.first);
    const ParsedFrame p = parse_every_prefix(masked_header(0x81, row.first, row.second));
    CHECK(p.status == ParseStatus::error);
    CHECK(p.error.code == 1002);
  }
}

TEST_CASE("ws_frame: a length with its top bit set is a protocol error") {
  CHECK(parse_every_prefix(masked_header(0x81, uint64_t{1} << 63, 127)).error.code == 1002);
  CHECK(parse_every_prefix(masked_header(0x81, UINT64_MAX, 127)).error.code == 1002);
}

TEST_CASE("ws_frame: every first byte") {
  for (int first = 0; first < 256; first++) {
    for (const bool allow_rsv1 : {false, true}) {
      CAPTURE(first);
      const int opcode = first & 15;
      const bool fin = (first & 0x80) != 0;
      const bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
      const bool rsv1 = (first & 0x40) != 0;
      const bool compressible = allow_rsv1 && opcode <= 2;
      const bool good = known && !(first & 0x30) && (!rsv1 || compressible) && (opcode < 8 || fin);
      const ParsedFrame p =
          parse_every_prefix(masked_header(static_cast<uint8_t>(first), 5, 0), Role::server, allow_rsv1);
      REQUIRE(p.status == (good ? ParseStatus::done : ParseStatus::error));
      CHECK(p.error.code == (good ? 0 : 1002));
      if (!good) continue;
      CHECK(static_cast<int>(p.header.opcode) == opcode);
      CHECK(p.header.fin == fin);
      CHECK(p.header.rsv1 == rsv1);
      CHECK(proto::is_control(p.header.opcode) == (opcode >= 8));
    }
  }
}

TEST_CASE("ws_frame: control frame over 125 bytes is a protocol error") {
  for (const uint8_t first : {0x88, 0x89, 0x8A}) {
    CHECK(parse_every_prefix(masked_header(first, 125, 0)).status == ParseStatus::done);
    CHECK(parse_every_prefix(masked_header(first, 126, 126)).error.code == 1002);
    CHECK(parse_every_prefix(masked_header(first, 65536, 127)).error.code == 1002);
  }
}

TEST_CASE("ws_frame: a client masks and a server does not") {
  const Bytes masked = masked_header(0x81, 5, 0);
  const Bytes plain = {0x81, 5};
  CHECK(parse_every_prefix(masked, Role::server).status == ParseStatus::done);
  CHECK(parse_every_prefix(plain, Role::server).error.code == 1002);
  CHECK(parse_every_prefix(masked, Role::client).error.code == 1002);
  CHECK(parse_every_prefix(plain, Role::client).status == ParseStatus::done);
}

TEST_CASE("ws_frame: close codes that may be sent") {
  for (uint32_t code = 0; code <= 65535; code++) {
    const bool good =
        (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
    if (proto::may_be_sent(static_cast<uint16_t>(code)) != good) FAIL_CHECK(code);
  }
}

TEST_CASE("ws_frame: close payloads") {
  const auto parse = [](std::string_view payload, proto::ClosePayload& close) {
    const test::Guarded bytes(payload);
    WsError error;
    const bool good = proto::parse_close_payload(bytes.span(), close, error);
    CHECK(good == (error.code == 0));
    return error.code;
  };
  proto::ClosePayload close;
  CHECK(parse("", close) == 0);
  CHECK(close.code == 1005);
  CHECK(close.reason.empty());
  CHECK(parse("\x03", close) == 1002);
  CHECK(parse("\x03\xE8", close) == 0);
  CHECK(close.code == 1000);
  CHECK(close.reason.empty());
  CHECK(parse("\x0F\xA0gone \xE2\x82\xAC", close) == 0);
  CHECK(close.code == 4000);
  CHECK(close.reason.size() == 8);
  CHECK(parse(std::string_view("\x00\x00", 2), close) == 1002);
  CHECK(parse("\x03\xED", close) == 1002);
  CHECK(parse("\x03\xEEreason", close) == 1002);
  CHECK(parse("\x03\xF7", close) == 1002);
  CHECK(parse("\x13\x88", close) == 1002);
  CHECK(parse("\x03\xE8\xFF", close) == 1007);
  CHECK(parse("\x03\xE8gone \xE2\x82", close) == 1007);
}

TEST_CASE("ws_frame: a reason is cut to 123 bytes between characters") {
  const auto encode = [](std::string_view reason) {
    uint8_t out[proto::kMaxControlPayload];
    const size_t size = proto::encode_close_payload(out, 1001, reason);
    REQUIRE(size >= 2);
    REQUIRE(size <= sizeof out);
    CHECK(base::load_be16(out) == 1001);
    return std::string(base::as_text({out + 2, size - 2}));
  };
  CHECK(encode("") == "");
  CHECK(encode("bye") == "bye");
  const std::string a(200, 'a');
  CHECK(encode(a.substr(0, 123)) == a.substr(0, 123));
  CHECK(encode(a.substr(0, 124)) == a.substr(0, 123));
  CHECK(encode(a.substr(0, 120) + "\xE2\x82\xAC") == a.substr(0, 120) + "\xE2\x82\xAC");
  CHECK(encode(a.substr(0, 121) + "\xE2\x82\xAC") == a.substr(0, 121));
  CHECK(encode(a.substr(0, 122) + "\xE2\x82\xAC") == a.substr(0, 122));
}

}  // namespace martlet
