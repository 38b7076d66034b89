// Limits that change while messages are half here, half sent (App::reconfigure), over a kernel of our own that gives the bytes
// one by one.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/street.h"
#include "support/ws_deflate_client.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// A Street whose sockets note what they hear.
struct Listeners : Street {
  using Street::Street;
  std::vector<std::pair<int, size_t>> heard;
  std::vector<std::string> errors;

  void hear(int who, std::string_view fields = {}) {
    come(who, true, fields);
    sockets[who].on_message([this, who](WebSocket, const Message& m) { heard.emplace_back(who, m.bytes().size()); });
    sockets[who].on_error([this](WebSocket, const ErrorInfo& e) { errors.emplace_back(e.message); });
  }
  bool last_heard(int who, size_t size) const { return !heard.empty() && heard.back() == std::pair(who, size); }
  bool refused(int who, std::string_view why = "The message is larger than this server takes.") {
    turns();
    const bool closed = was_sent_close(who, 1009, why);
    peer(who).ended = true;
    turns();
    return closed && ended_with(who, CloseCause::message_too_big, CloseCode::too_big) &&
           errors.size() == 1 && errors[0] == why;
  }
};

const std::string kDeflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

}  // namespace

TEST_CASE("ws reconfigure: max_message_bytes holds from the next message on, lower and higher") {
  Listeners street({.max_message_bytes = 1000});
  for (const int who : {1, 2}) street.hear(who);
  street.say(1, ws_frame(kBinary, pattern(1000)));
  CHECK(street.last_heard(1, 1000));
  street.change({.max_message_bytes = 500});
  street.say(1, ws_frame(kBinary, pattern(500)));
  CHECK(street.last_heard(1, 500));
  street.say(1, ws_frame(kBinary, pattern(501)));
  CHECK(street.refused(1));
  street.change({.max_message_bytes = 200'000});
  street.say(2, ws_frame(kBinary, pattern(200'000)));
  CHECK(street.last_heard(2, 200'000));
  street.errors.clear();
  street.say(2, ws_frame(kBinary, pattern(200'001)));
  CHECK(street.refused(2));
}

TEST_CASE("ws reconfigure: of what is half here, what is above a lower limit is refused, and the rest goes on") {
  const std::string whole = ws_frame(kBinary, pattern(600));
  const std::string parts = ws_fragments(kBinary, pattern(600), {300});
  for (const size_t limit : {size_t{600}, size_t{599}, size_t{300}, size_t{299}, size_t{0}}) {
    for (const bool fragmented : {false, true}) {
      CAPTURE(limit);
      CAPTURE(fragmented);
      Listeners street({.max_message_bytes = 1000});
      street.hear(1);
      const std::string& bytes = fragmented ? parts : whole;
      street.say(1, std::string_view(bytes).substr(0, fragmented ? 308 : 50));
      street.change({.max_message_bytes = limit});
      const bool known = fragmented ? limit < 300 : limit < 600;  // to be too long, now
      CHECK(street.sockets[1].is_open() == !known);
      street.say(1, std::string_view(bytes).substr(fragmented ? 308 : 50));
      if (limit < 600) {
        CHECK(street.refused(1));
        CHECK(street.heard.empty());
      } else {
        CHECK(street.last_heard(1, 600));
      }
    }
  }
}

TEST_CASE("ws reconfigure: compressed messages that are half here, by what they are and by what they take on the wire") {
  const std::string text(100'000, 'x');
  const std::string noise = pattern(40'000);
  for (const bool shrinks : {true, false}) {
    const std::string_view said = shrinks ? text : noise;
    const std::string payload = packed(said);
    const std::vector<size_t> cuts{payload.size() / 2};
    const std::string bytes = packed_fragments(kBinary, payload, cuts);
    for (const size_t limit : {said.size(), said.size() - 1, said.size() / 4, size_t{10}}) {
      CAPTURE(shrinks);
      CAPTURE(limit);
      Listeners street({.compression = true, .max_message_bytes = 200'000});
      street.hear(1, kDeflate);
      street.say(1, std::string_view(bytes).substr(0, payload.size() / 2 + 20));
      street.change({.max_message_bytes = limit});
      const bool goes_on = limit > said.size() / 2;
      CHECK(street.sockets[1].is_open() == goes_on);
      street.say(1, std::string_view(bytes).substr(payload.size() / 2 + 20));
      if (limit == said.size()) {
        CHECK(street.last_heard(1, said.size()));
      } else if (goes_on) {
        CHECK(street.refused(1, "The message inflates to more than this server takes."));
      } else {
        CHECK(street.refused(1));
      }
    }
  }
}

TEST_CASE("ws reconfigure: a message that is half here may become as long as a higher limit allows") {
  for (const bool deflated : {false, true}) {
    CAPTURE(deflated);
    Listeners street({.compression = true, .max_message_bytes = 50'000});
    street.hear(1, kDeflate);
    const std::string said = pattern(90'000, 7);
    const std::string bytes = deflated ? packed_fragments(kBinary, packed(said), {20'000, 20'000}) : ws_fragments(kBinary, said, {40'000});
    street.say(1, std::string_view(bytes).substr(0, 30'000));
    street.change({.max_message_bytes = 90'000});
    street.say(1, std::string_view(bytes).substr(30'000));
    CHECK(street.last_heard(1, 90'000));
  }
}

TEST_CASE("ws reconfigure: who is closing in the middle of a message has no limit less, and what is told in pieces none at all") {
  Listeners street({.max_message_bytes = 1000});
  for (const int who : {1, 2}) street.hear(who);
  size_t pieces = 0;
  street.sockets[2].on_fragment([&](WebSocket, const Fragment& f) { pieces += f.bytes().size(); });
  const std::string bytes = ws_frame(kBinary, pattern(900), {.fin = false});
  for (const int who : {1, 2}) street.say(who, std::string_view(bytes).substr(0, 500));
  street.sockets[1].close();
  street.turns();
  street.change({.max_message_bytes = 100});
  for (const int who : {1, 2}) street.say(who, std::string_view(bytes).substr(500));
  street.say(1, ws_frame(kContinuation, "", {.announced = INT64_MAX}));
  CHECK(pieces == 900);
  CHECK(street.sockets[2].is_open());
  street.peer(1).ended = true;
  street.live(10s);
  CHECK(street.ended_with(1, CloseCause::local_close, CloseCode::normal));
  CHECK(street.heard.empty());
}

TEST_CASE("ws reconfigure: max_fragments holds from the next fragment on") {
  Listeners street({.max_fragments = 10});
  for (const int who : {1, 2}) street.hear(who);
  const std::string more = ws_frame(kContinuation, "", {.fin = false});
  for (const int who : {1, 2}) {
    street.say(who, ws_frame(kBinary, "", {.fin = false}));
    for (int i = 0; i < 5; i++) street.say(who, more);
  }
  street.change({.max_fragments = 7});
  street.say(1, more);
  CHECK(street.sockets[1].is_open());
  street.say(1, more);
  CHECK(street.was_sent_close(1, 1008, "The message has too many fragments that carry little."));
  street.change({.max_fragments = 20});
  for (int i = 0; i < 14; i++) street.say(2, more);
  CHECK(street.sockets[2].is_open());
  street.say(2, more);
  CHECK_FALSE(street.sockets[2].is_open());
}

TEST_CASE("ws reconfigure: max_unsent_bytes and what is done above it, of who reads slowly already") {
  Street street({.max_unsent_bytes = 100'000, .slow_consumer = SlowConsumerPolicy::drop_newest});
  street.come(1, true);
  WebSocket ws = street.sockets[1];
  street.peer(1).takes = 0;
  const std::string message = pattern(10'000);
  for (int i = 0; i < 8; i++) ws.send(message);
  street.turns();
  CHECK(ws.buffered_bytes() > 80'000);
  street.change({.max_unsent_bytes = 50'000});
  CHECK(ws.send(message) == SendStatus::dropped);
  CHECK(ws.buffered_bytes() > 80'000);
  street.change({.slow_consumer = SlowConsumerPolicy::drop_oldest});
  CHECK(ws.send(message) == SendStatus::ok);
  CHECK(ws.buffered_bytes() < 65'000);
  street.change({.max_unsent_bytes = 200'000});
  for (int i = 0; i < 10; i++) ws.send(message);
  CHECK(ws.buffered_bytes() > 140'000);
  CHECK(ws.is_open());
  street.change({.max_unsent_bytes = 60'000, .slow_consumer = SlowConsumerPolicy::close});
  CHECK(ws.is_open());
  ws.send(message);
  CHECK_FALSE(ws.is_open());
  street.turns();
  street.peer(1).reset = true;
  street.turns();
  CHECK(street.ended_with(1, CloseCause::slow_consumer, CloseCode::policy_violation));
}

TEST_CASE("ws reconfigure: what a room is sent goes by the limits of the moment") {
  Street street({.max_unsent_bytes = 1_MiB});
  street.come(1, true);
  street.sockets[1].join("room");
  street.peer(1).takes = 0;
  const std::string message = pattern(10'000);
  for (int i = 0; i < 20; i++) street.app.to("room").send(message);
  street.turns();
  CHECK(street.sockets[1].is_open());
  street.change({.max_unsent_bytes = 0});
  street.app.to("room").send(message);
  street.turns();
  CHECK_FALSE(street.sockets[1].is_open());
}

TEST_CASE("ws reconfigure: max_metadata_bytes, when the metadata is looked at") {
  Street street({.max_metadata_bytes = 1000});
  for (const int who : {1, 2}) {
    street.come(who, true);
    street.sockets[who].metadata()["text"] = std::string(500, 'm');
  }
  street.change({.max_metadata_bytes = 400});
  CHECK(street.sockets[1].is_open());
  street.sockets[1].metadata();
  CHECK_FALSE(street.sockets[1].is_open());
  street.change({.max_metadata_bytes = 5000});
  street.sockets[2].metadata()["more"] = std::string(4000, 'm');
  street.sockets[2].metadata();
  CHECK(street.sockets[2].is_open());
}

#endif
