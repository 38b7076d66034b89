// src/net/output.h: cork and queue over a kernel that takes as few bytes as a test likes. Whatever was appended, by
// whichever of the ways, arrives whole and in order; dropping takes whole frames only; and the counts are exact.
#include "net/output.h"

#include <doctest/doctest.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "net/reactor.h"
#include "net/worker_registry.h"
#include "proto/ws_frame.h"
#include "support/client.h"
#include "sys/syscalls.h"

using namespace martlet;
using namespace martlet::net;

namespace {

// The kernel of these tests: keeps what it is given, `room` bytes in all, at most `per_call` at a time.
struct FakeKernel {
  static inline std::string wire;
  static inline size_t room = SIZE_MAX;
  static inline size_t per_call = SIZE_MAX;
  static inline int calls = 0;
  static inline int fails_with = 0;
  sys::Syscalls saved = sys::syscalls;

  FakeKernel() {
    wire.clear();
    room = per_call = SIZE_MAX;
    calls = fails_with = 0;
    sys::syscalls.send = [](int, const void* data, size_t size, int) {
      const iovec piece{const_cast<void*>(data), size};
      return take(&piece, 1);
    };
    sys::syscalls.sendmsg = [](int, const msghdr* message, int) {
      return take(message->msg_iov, static_cast<size_t>(message->msg_iovlen));
    };
  }
  ~FakeKernel() { sys::syscalls = saved; }

  static ssize_t take(const iovec* pieces, size_t count) {
    calls++;
    if (fails_with) return errno = fails_with, -1;
    size_t left = std::min(room, per_call);
    if (left == 0) return errno = EAGAIN, -1;
    size_t taken = 0;
    for (size_t i = 0; i < count && left > 0; i++) {
      const size_t here = std::min(left, pieces[i].iov_len);
      wire.append(static_cast<const char*>(pieces[i].iov_base), here);
      taken += here;
      left -= here;
    }
    if (room != SIZE_MAX) room -= taken;
    return static_cast<ssize_t>(taken);
  }
};

int drains;
int breaks;

const Protocol framed_protocol{[](Reactor&, Connection&) {},      [](Reactor&, Connection&) {},
                               [](Reactor&, Connection&) { drains++; }, [](Reactor&, Connection&) {},
                               [](Reactor&, Connection&, int) { breaks++; }, [](Reactor&, Connection&) {}, true};

// A reactor with one connection, whose output the fake kernel takes.
struct Rig {
  Connection* c = nullptr;
  Inbox* inbox = *register_worker();
  Reactor reactor;
  std::deque<std::string> borrowed;  // lasts for a dispatch
  FakeKernel kernel;

  Rig() {
    drains = breaks = 0;
    const ReactorHooks hooks{this,
                             [](void* rig, Connection& connection, bool) {
                               connection.protocol = &framed_protocol;
                               static_cast<Rig*>(rig)->c = &connection;
                             },
                             [](void*, int) {}, [](void*) {}, [](void*, int) {}};
    REQUIRE_FALSE(reactor.open(hooks, *inbox, 10));
    const auto port = reactor.listen({.host = "127.0.0.1"});
    REQUIRE(port);
    const test::Client client(*port);
    for (int i = 0; i < 1000 && !c; i++) reactor.turn(1'000'000);
    REQUIRE(c);
    reactor.pause(*c, kPauseInput);  // the client has gone; that is not the subject here
  }
  ~Rig() {
    reactor.end_all();
    inbox->close();
  }

  void append_block(const std::string& bytes) {
    base::Block* block = reactor.blocks.acquire(bytes.size() + 100);
    std::memcpy(block->data() + 50, bytes.data(), bytes.size());
    CHECK(net::append_block(reactor, *c, block, block->data() + 50, bytes.size()));
    block->release();
  }
  void append(const std::string& bytes, uint32_t way) {
    if (way % 3 == 0) {
      CHECK(append_copy(reactor, *c, bytes.data(), bytes.size()));
    } else if (way % 3 == 1 || reactor.cork.owner != c) {
      append_block(bytes);
    } else {
      borrowed.push_back(bytes);
      CHECK(append_borrowed(reactor, *c, reinterpret_cast<uint8_t*>(borrowed.back().data()), bytes.size()));
    }
  }
  void close() {
    close_cork(reactor, *c);
    for (std::string& bytes : borrowed) bytes.assign(bytes.size(), '!');  // nobody may look at it any more
    borrowed.clear();
  }
  void flush() {
    if (c->out) c->out->blocked = false;
    flush_queue(reactor, *c);
  }
  // With a kernel that takes everything.
  void flush_all() {
    FakeKernel::room = FakeKernel::per_call = SIZE_MAX;
    for (int i = 0; i < 10'000 && c->out; i++) flush();
    CHECK(c->out == nullptr);
  }
};

std::string frame(uint32_t number, size_t size, proto::Opcode opcode = proto::Opcode::text) {
  std::string payload = std::to_string(number) + ":";
  payload.resize(std::max(payload.size(), size), static_cast<char>('a' + number % 26));
  uint8_t header[proto::kMaxServerFrameHeader];
  const size_t header_bytes = proto::encode_frame_header(header, opcode, payload.size());
  return std::string(reinterpret_cast<char*>(header), header_bytes) + payload;
}

// The numbers of the frames on the wire, which must be whole; empty when one is not.
std::vector<uint32_t> numbers_on_wire() {
  std::vector<uint32_t> numbers;
  const std::string& wire = FakeKernel::wire;
  for (size_t at = 0; at < wire.size();) {
    const auto* header = reinterpret_cast<const uint8_t*>(wire.data() + at);
    const size_t size = frame_bytes(header);
    if (at + size > wire.size()) return {};
    const size_t start = at + proto::frame_header_size(size < 128 ? size - 2 : size < 65540 ? size - 4 : size - 10);
    const uint32_t number = static_cast<uint32_t>(std::stoul(wire.substr(start, 12)));
    const auto opcode = static_cast<proto::Opcode>(header[0] & 0x0f);
    if (wire.compare(at, size, frame(number, at + size - start, opcode)) != 0) return {};
    numbers.push_back(number);
    at += size;
  }
  return numbers;
}

}  // namespace

TEST_CASE("output: a dispatch's output is one write, in the order of appending, whatever way each piece came") {
  Rig rig;
  open_cork(rig.reactor, *rig.c);
  std::string expected;
  for (uint32_t i = 0; i < 30; i++) {
    expected += frame(i, i * 40);
    rig.append(frame(i, i * 40), i);
    CHECK(unsent_bytes(rig.reactor, *rig.c) == expected.size());
  }
  CHECK(FakeKernel::calls == 0);
  rig.close();
  CHECK(FakeKernel::calls == 1);
  CHECK(FakeKernel::wire == expected);
  CHECK(unsent_bytes(rig.reactor, *rig.c) == 0);
  CHECK(rig.c->out == nullptr);
  CHECK(drains == 0);  // nothing had to wait
}

TEST_CASE("output: wherever the kernel stops, the rest follows, with what is appended meanwhile behind it") {
  std::string expected;
  std::vector<std::string> frames;
  for (uint32_t i = 0; i < 9; i++) frames.push_back(frame(i, i * i * 3));
  for (const std::string& one : frames) expected += one;
  const std::string later = frame(100, 300);
  Rig rig;
  for (size_t stop = 0; stop < expected.size(); stop++) {
    FakeKernel::wire.clear();
    FakeKernel::room = stop;
    open_cork(rig.reactor, *rig.c);
    for (uint32_t i = 0; i < frames.size(); i++) rig.append(frames[i], i + static_cast<uint32_t>(stop));
    rig.close();
    REQUIRE(FakeKernel::wire == expected.substr(0, stop));
    REQUIRE(unsent_bytes(rig.reactor, *rig.c) == expected.size() - stop);
    rig.append(later, 0);
    open_cork(rig.reactor, *rig.c);
    rig.append(later, 1);
    rig.append(later, 2);
    rig.close();
    drains = 0;
    rig.flush_all();
    REQUIRE(FakeKernel::wire == expected + later + later + later);
    REQUIRE(drains == 1);
  }
}

TEST_CASE("output: more pieces than one write takes, and more bytes than the cork holds") {
  Rig rig;
  std::string expected;
  open_cork(rig.reactor, *rig.c);
  for (uint32_t i = 0; i < 3000; i++) {
    const std::string one = frame(i, i % 7 ? 20 : 2000);
    expected += one;
    rig.append(one, i);
  }
  rig.close();
  rig.flush_all();
  CHECK(FakeKernel::wire == expected);
  FakeKernel::wire.clear();
  open_cork(rig.reactor, *rig.c);
  expected.clear();
  for (uint32_t i = 0; i < 40; i++) {
    expected += frame(i, 50'000);
    rig.append(frame(i, 50'000), i == 5 ? 1 : 0);
  }
  CHECK(unsent_bytes(rig.reactor, *rig.c) == expected.size());
  rig.close();
  rig.flush_all();
  CHECK(FakeKernel::wire == expected);
}

TEST_CASE("output: room that was not used is given back, in the cork and in the queue") {
  Rig rig;
  open_cork(rig.reactor, *rig.c);
  std::memcpy(append_room(rig.reactor, *rig.c, 100), "corked", 6);
  trim_room(rig.reactor, *rig.c, 94);
  rig.close();
  std::memcpy(append_room(rig.reactor, *rig.c, 100), "queued", 6);
  trim_room(rig.reactor, *rig.c, 94);
  CHECK(unsent_bytes(rig.reactor, *rig.c) == 6);
  rig.append("behind", 0);
  rig.flush_all();
  CHECK(FakeKernel::wire == "corkedqueuedbehind");
}

TEST_CASE("output: a blocked queue pauses reading from 64 KiB, and goes on when all has left") {
  Rig rig;
  FakeKernel::room = 10;
  open_cork(rig.reactor, *rig.c);
  rig.append(frame(1, 60'000), 0);
  rig.close();
  CHECK((rig.c->pause & kPauseOutput) == 0);
  CHECK(bool{rig.c->out->blocked});
  rig.append(frame(2, 10'000), 1);
  rig.flush();
  CHECK((rig.c->pause & kPauseOutput) != 0);
  FakeKernel::room = 69'000;
  rig.flush();
  CHECK((rig.c->pause & kPauseOutput) != 0);  // some is left
  FakeKernel::room = SIZE_MAX;
  rig.flush();
  CHECK((rig.c->pause & kPauseOutput) == 0);
  CHECK(drains == 1);
}

TEST_CASE("output: a write that fails breaks the connection once, and what waited is forgotten") {
  Rig rig;
  FakeKernel::fails_with = EPIPE;
  open_cork(rig.reactor, *rig.c);
  rig.append(frame(1, 100), 1);
  rig.append(frame(2, 100), 2);
  rig.close();
  CHECK(breaks == 1);
  CHECK(bool{rig.c->closing});
  discard_output(rig.reactor, *rig.c);
  CHECK(unsent_bytes(rig.reactor, *rig.c) == 0);
}

TEST_CASE("output: frames are dropped whole, oldest first, and never one that has begun to leave") {
  Rig rig;
  FakeKernel::room = frame(0, 500).size() + 3;  // the first has left, the second has begun
  open_cork(rig.reactor, *rig.c);
  for (uint32_t i = 0; i < 10; i++) rig.append(frame(i, 500), 0);
  rig.close();
  const size_t one = frame(5, 500).size();
  CHECK(drop_frames(rig.reactor, *rig.c, 1) == 1);
  CHECK(drop_frames(rig.reactor, *rig.c, one + 1) == 2);
  CHECK(unsent_bytes(rig.reactor, *rig.c) == 6 * one - 3);
  rig.append(frame(10, 500), 0);
  rig.flush_all();
  CHECK(numbers_on_wire() == std::vector<uint32_t>{0, 1, 5, 6, 7, 8, 9, 10});
  FakeKernel::wire.clear();
  FakeKernel::room = 2;
  rig.append(frame(20, 500), 1);
  rig.flush();
  rig.append(frame(21, 500), 1);
  CHECK(drop_frames(rig.reactor, *rig.c, SIZE_MAX) == 1);
  CHECK(drop_frames(rig.reactor, *rig.c, SIZE_MAX) == 0);
  rig.flush_all();
  CHECK(numbers_on_wire() == std::vector<uint32_t>{20});
}

TEST_CASE("output: what is not frames (a handshake's answer) is never dropped nor cut") {
  Rig rig;
  for (const size_t room : {size_t{0}, size_t{5}, size_t{20}, size_t{25}}) {
    FakeKernel::wire.clear();
    FakeKernel::room = room;
    open_cork(rig.reactor, *rig.c);
    rig.append("HTTP/1.1 101 Hello\r\n", 0);
    mark_opaque(rig.reactor, *rig.c);
    rig.append(frame(1, 100), 0);
    rig.append(frame(2, 100), 0);
    rig.close();
    drop_frames(rig.reactor, *rig.c, SIZE_MAX);
    rig.flush_all();
    const std::string first = room > 20 ? frame(1, 100) : "";
    CHECK(FakeKernel::wire == "HTTP/1.1 101 Hello\r\n" + first);
  }
}

namespace {

// One step of a long random life; answers how many frames it dropped.
uint64_t random_step(Rig& rig, std::mt19937& random, uint32_t& number, size_t& appended, std::vector<uint32_t>& pings) {
  auto add = [&] {
    const bool ping = random() % 40 == 0;
    const size_t size = ping ? 10 : random() % 20 == 0 ? random() % 90'000 : random() % 600;
    if (ping) pings.push_back(number);
    const std::string one = frame(number++, size, ping ? proto::Opcode::ping : proto::Opcode::text);
    appended += one.size();
    rig.append(one, static_cast<uint32_t>(random()));
  };
  FakeKernel::room = random() % 3 ? random() % 3000 : 0;
  switch (random() % 5) {
    case 0: case 1:
      open_cork(rig.reactor, *rig.c);
      for (uint32_t i = random() % 20; i > 0; i--) add();
      if (random() % 10 == 0) spill_cork(rig.reactor, *rig.c);
      if (random() % 4 == 0) add();
      rig.close();
      return 0;
    case 2: add(); return 0;
    case 3: rig.flush(); return 0;
  }
  const size_t before = unsent_bytes(rig.reactor, *rig.c);
  const size_t wanted = random() % 2000;
  const uint64_t dropped = drop_frames(rig.reactor, *rig.c, wanted);
  const size_t gone = before - unsent_bytes(rig.reactor, *rig.c);
  CHECK((dropped == 0) == (gone == 0));
  appended -= gone;
  return dropped;
}

}  // namespace

TEST_CASE("output: through random appends, short writes and drops all frames are whole, in order, and accounted for") {
  for (const uint32_t seed : {1u, 2u, 3u, 4u}) {
    CAPTURE(seed);
    Rig rig;
    std::mt19937 random(seed);
    uint32_t number = 0;
    size_t appended = 0;
    uint64_t dropped = 0;
    std::vector<uint32_t> pings;
    for (int i = 0; i < 3000; i++) {
      dropped += random_step(rig, random, number, appended, pings);
      REQUIRE(FakeKernel::wire.size() + unsent_bytes(rig.reactor, *rig.c) == appended);
    }
    rig.flush_all();
    const std::vector<uint32_t> got = numbers_on_wire();
    REQUIRE_FALSE(got.empty());
    CHECK(std::is_sorted(got.begin(), got.end()));
    CHECK(got.size() + dropped == number);
    CHECK(dropped > 100);
    CHECK(std::includes(got.begin(), got.end(), pings.begin(), pings.end()));
  }
}
