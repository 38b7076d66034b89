// The opening handshake, on heads as the parser gives them.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "proto/ws_handshake.h"
#include "support/heads.h"

namespace martlet {

namespace {

using proto::Handshake;
using test::parse_head;
using test::ParsedHead;

const std::string kKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const std::string kVersion = "Sec-WebSocket-Version: 13\r\n";
const std::string kUpgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

ParsedHead request(const std::string& fields, const std::string& line = "GET /chat HTTP/1.1") {
  ParsedHead p = parse_head(line + "\r\nHost: a\r\n" + fields + "\r\n");
  REQUIRE(p.done());
  return p;
}

int status_of(const std::string& fields, const std::string& line = "GET /chat HTTP/1.1") {
  const ParsedHead p = request(fields, line);
  const Handshake handshake = proto::check_handshake(p.head, p.base());
  CHECK((handshake.status == 101) == (handshake.cause[0] == 0));
  return handshake.status;
}

std::string offered(const std::string& fields) {
  const ParsedHead p = request(fields);
  proto::OfferedProtocols protocols(p.head, p.base());
  std::string all;
  for (std::string_view protocol; protocols.next(protocol);) all += '[' + std::string(protocol) + ']';
  return all;
}

}  // namespace

TEST_CASE("ws_handshake: the example of RFC 6455") {
  const ParsedHead p = request(kUpgrade + kKey + kVersion +
                               "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n"
                               "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
  CHECK(proto::asks_for_websocket(p.head, p.base()));
  const Handshake handshake = proto::check_handshake(p.head, p.base());
  CHECK(handshake.status == 101);
  CHECK(handshake.key == "dGhlIHNhbXBsZSBub25jZQ==");
  CHECK(handshake.protocols == "chat, superchat");
  CHECK(handshake.extensions == "permessage-deflate; client_max_window_bits");
  char accept[proto::kAcceptKeySize];
  proto::accept_key(handshake.key, accept);
  CHECK(std::string_view(accept, sizeof accept) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("ws_handshake: who asks for a WebSocket") {
  const auto asks = [](const std::string& fields) {
    const ParsedHead p = request(fields);
    return proto::asks_for_websocket(p.head, p.base());
  };
  CHECK(asks("Upgrade: websocket\r\n"));
  CHECK(asks("UPGRADE: WebSocket\r\n"));
  CHECK(asks("Upgrade: h2c, websocket\r\n"));
  CHECK(asks("Upgrade: h2c\r\nUpgrade: websocket\r\n"));
  CHECK_FALSE(asks("Connection: upgrade\r\n"));
  CHECK_FALSE(asks("Upgrade: h2c\r\n"));
  CHECK_FALSE(asks("Upgrade: websockets\r\n"));
  CHECK_FALSE(asks("Upgrade: websocket/13\r\n"));
  CHECK_FALSE(asks("Upgrade:\r\n"));
  for (const std::string minor : {"0", "1", "2"}) {  // RFC 9110 §7.8: in HTTP/1.0 it is ignored
    const ParsedHead p = request("Upgrade: websocket\r\nConnection: Upgrade\r\n", "GET /chat HTTP/1." + minor);
    CHECK(proto::asks_for_websocket(p.head, p.base()) == (minor != "0"));
  }
}

TEST_CASE("ws_handshake: what is refused") {
  const std::string good = kUpgrade + kKey + kVersion;
  CHECK(status_of(good) == 101);
  CHECK(status_of(good + "Content-Length: 0\r\n") == 101);
  CHECK(status_of("connection: keep-alive, upgrade\r\nupgrade: WEBSOCKET\r\n" + kKey + kVersion) == 101);
  CHECK(status_of(good, "POST /chat HTTP/1.1") == 400);
  CHECK(status_of(good, "HEAD /chat HTTP/1.1") == 400);
  CHECK(status_of(good, "GET /chat HTTP/1.0") == 400);
  CHECK(status_of("Upgrade: websocket\r\n" + kKey + kVersion) == 400);
  CHECK(status_of("Connection: keep-alive\r\nUpgrade: websocket\r\n" + kKey + kVersion) == 400);
  CHECK(status_of(good + "Content-Length: 1\r\n") == 400);
  CHECK(status_of(good + "Transfer-Encoding: chunked\r\n") == 400);
  CHECK(status_of(kUpgrade + kVersion) == 400);
  for (const std::string bad : {";;;,=", "permessage-deflate;", "permessage-deflate, a b", "a;b=\"c"}) {
    CHECK(status_of(good + "Sec-WebSocket-Extensions: " + bad + "\r\n") == 400);
    CHECK(status_of(good + "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: " + bad + "\r\n") == 400);
  }
  CHECK(status_of(good + "Sec-WebSocket-Extensions: x;y=\"z\", ,a\r\nSec-WebSocket-Extensions:\r\n") == 101);
  CHECK(status_of(good + kKey) == 400);
}

TEST_CASE("ws_handshake: a version other than 13 is 426") {
  CHECK(status_of(kUpgrade + kKey) == 400);
  for (const char* version : {"8", "12", "14", "013", "13, 8", "13x", "+13", ""}) {
    CAPTURE(std::string(version));
    CHECK(status_of(kUpgrade + kKey + "Sec-WebSocket-Version: " + version + "\r\n") == 426);
  }
  CHECK(status_of(kUpgrade + kKey + kVersion + kVersion) == 426);
}

TEST_CASE("ws_handshake: a key is 16 bytes in Base64") {
  for (const char* key :
       {"", "test", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZTEy", "dGhlIHNhbXBsZSBub25jZTE=", "dGhlIHNhbXBsZSBub25j!Q==",
        "dGhlIHNhbXBsZSBub25jZQ==,dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j ZQ=", "====dGhlIHNhbXBsZSBub25j"}) {
    CAPTURE(std::string(key));
    CHECK(status_of(kUpgrade + kVersion + "Sec-WebSocket-Key: " + key + "\r\n") == 400);
  }
  CHECK(status_of(kUpgrade + kVersion + "Sec-WebSocket-Key:   AAAAAAAAAAAAAAAAAAAAAA==  \r\n") == 101);
}

TEST_CASE("ws_handshake: what the key's last letter says beyond 16 bytes does not count, and is hashed as it was sent") {
  // RFC 6455 §4.1: the bytes 1 to 16, as the RFC itself writes them.
  for (const char* key : {"AQIDBAUGBwgJCgsMDQ4PEC==", "AQIDBAUGBwgJCgsMDQ4PEA==", "AQIDBAUGBwgJCgsMDQ4PEP==",
                          "//////////////////////=="}) {
    CAPTURE(std::string(key));
    CHECK(status_of(kUpgrade + kVersion + "Sec-WebSocket-Key: " + key + "\r\n") == 101);
  }
  const auto accepted = [](std::string_view key) {
    char accept[proto::kAcceptKeySize];
    proto::accept_key(key, accept);
    return std::string(accept, sizeof accept);
  };
  CHECK(accepted("AQIDBAUGBwgJCgsMDQ4PEC==") == "OfS0wDaT5NoxF2gqm7Zj2YtetzM=");
  CHECK(accepted("AQIDBAUGBwgJCgsMDQ4PEC==") != accepted("AQIDBAUGBwgJCgsMDQ4PEA=="));
}

TEST_CASE("ws_handshake: offered protocols, in order and once each") {
  const std::string offer = "Sec-WebSocket-Protocol: ";
  CHECK(offered("") == "");
  CHECK(offered(offer + "chat\r\n") == "[chat]");
  CHECK(offered(offer + " a,b ,, c\r\n") == "[a][b][c]");
  CHECK(offered(offer + "a, b\r\nX: y\r\n" + offer + "c, a\r\n" + offer + "b,d\r\n") == "[a][b][c][d]");
  CHECK(offered(offer + "a b, c, d/e, f@g, h\r\n") == "[c][h]");
  CHECK(offered(offer + "A, a\r\n") == "[A][a]");
  CHECK(offered(offer + "a, a, a\r\n") == "[a]");
  std::string many = "p0";
  for (int i = 1; i < 100; i++) many += ",p" + std::to_string(i);
  const std::string all = offered(offer + many + "\r\n");
  CHECK(all.find("[p63]") != std::string::npos);
  CHECK(all.find("[p64]") == std::string::npos);
}

}  // namespace martlet
