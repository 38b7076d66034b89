// What a join and a leave, and a publish, cost the library as there are more rooms: by instructions, as those of messages_bench
// (instructions.py print). Every room has ten members; a hundred connections share them evenly, so that each is in a tenth of
// all rooms.
//
//   join-N       ten further connections leave one of their ten rooms and join it again, of N rooms that there are
//   own-join-N   the hundred do so: more rooms are more of their own, too, as each passes from one room to ten thousand
//   publish-N    a message to one of N rooms
//   one-join-N   a connection joins the only room, which has N members, and leaves it
//   told-N       a connection joins a room with N keys, is told of all of them, and leaves it; one key has come and one has gone since
//
//   rooms_bench CASE COUNT     rooms_bench without arguments lists the cases
//   rooms_bench memory ROOMS   bytes for each membership, rooms apart
#include <martlet/martlet.h>

#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "sys/socket.h"
#include "sys/syscalls.h"

using namespace martlet;

namespace {

constexpr size_t kMembers = 10;
constexpr size_t kSockets = 100;
constexpr size_t kMovers = 10;
constexpr size_t kRoomsOfMover = 10;

enum class Kind : uint8_t { join, join_own, publish, join_one, told };

struct Case {
  std::string_view name;
  Kind kind;
  size_t rooms;  // of join_one: members; of told: keys
};

constexpr Case kCases[] = {
    {"join-10", Kind::join, 10},         {"join-1000", Kind::join, 1'000},       {"join-100000", Kind::join, 100'000},
    {"own-join-10", Kind::join_own, 10}, {"own-join-1000", Kind::join_own, 1'000}, {"own-join-100000", Kind::join_own, 100'000},
    {"publish-10", Kind::publish, 10},   {"publish-1000", Kind::publish, 1'000}, {"publish-100000", Kind::publish, 100'000},
    {"one-join-10", Kind::join_one, 10}, {"one-join-1000", Kind::join_one, 1'000},
    {"told-100", Kind::told, 100},       {"told-10000", Kind::told, 10'000},
};

bool canned = false;
uint64_t clock_ns = 1'000'000'000;

ssize_t canned_send(int fd, const void* bytes, size_t size, int flags) {
  return canned ? static_cast<ssize_t>(size) : ::send(fd, bytes, size, flags);
}

ssize_t canned_sendmsg(int fd, const msghdr* message, int flags) {
  if (!canned) return ::sendmsg(fd, message, flags);
  size_t size = 0;
  for (size_t i = 0; i < message->msg_iovlen; i++) size += message->msg_iov[i].iov_len;
  return static_cast<ssize_t>(size);
}

int canned_clock(clockid_t, timespec* time) {
  *time = {static_cast<time_t>(clock_ns / 1'000'000'000), static_cast<long>(clock_ns % 1'000'000'000)};
  return 0;
}

struct Bench {
  App app;
  std::vector<WebSocket> sockets;
  std::vector<std::string> names;

  Bench() {
    app.ws("/room", {.heartbeat_interval = milliseconds(0), .heartbeat_timeout = milliseconds(0)},
           [this](WebSocket ws, Request&) { sockets.push_back(ws); });
    if (auto port = app.listen("127.0.0.1", 0); !port) std::exit(report(port.error()));
  }
  void connect(size_t count) {
    for (size_t i = 0; i < count; i++) {
      auto fd = sys::connect_to("127.0.0.1", app.port());
      if (!fd) std::exit(report(fd.error()));
      constexpr std::string_view kHandshake =
          "GET /room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
      const size_t wanted = sockets.size() + 1;
      sys::transmit(*fd, kHandshake.data(), kHandshake.size());
      while (sockets.size() < wanted) app.poll_once(milliseconds(50));
    }
  }
  // Room i has the sockets i, i + 1, … of a hundred.
  void fill(size_t rooms) {
    connect(kSockets);
    for (size_t i = 0; i < rooms; i++) names.push_back("room " + std::to_string(i));
    for (size_t i = 0; i < rooms; i++) {
      for (size_t n = 0; n < kMembers; n++) sockets[(i * kMembers + n) % kSockets].join(names[i]);
    }
  }
  WebSocket member_of(size_t room, size_t n) const { return sockets[(room * kMembers + n) % kSockets]; }
};

// Somewhere else each time, the same places in every run.
size_t next_place(uint64_t& state, size_t most) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<size_t>((state >> 33) % most);
}

// Those of a mover lie apart, and those of all of them are spread over all rooms.
size_t room_of_mover(const Bench& bench, size_t mover, size_t n) {
  const size_t rooms = bench.names.size();
  return (mover * rooms / (kMovers * kRoomsOfMover) + n * rooms / kRoomsOfMover) % rooms;
}

void bring_movers(Bench& bench) {
  bench.connect(kMovers);
  for (size_t mover = 0; mover < kMovers; mover++) {
    for (size_t n = 0; n < kRoomsOfMover; n++) bench.sockets[kSockets + mover].join(bench.names[room_of_mover(bench, mover, n)]);
  }
}

void leave_and_join(Bench& bench, size_t count) {
  uint64_t state = 1;
  for (size_t i = 0; i < count; i++) {
    const size_t mover = i % kMovers;
    const std::string& room = bench.names[room_of_mover(bench, mover, next_place(state, kRoomsOfMover))];
    const WebSocket ws = bench.sockets[kSockets + mover];
    ws.leave(room);
    if (!ws.join(room).ok()) std::abort();
  }
}

void leave_and_join_own(Bench& bench, size_t count) {
  uint64_t state = 1;
  for (size_t i = 0; i < count; i++) {
    const size_t room = next_place(state, bench.names.size());
    const WebSocket ws = bench.member_of(room, i % kMembers);
    ws.leave(bench.names[room]);
    if (!ws.join(bench.names[room]).ok()) std::abort();
  }
}

void publish(Bench& bench, size_t count) {
  uint64_t state = 1;
  for (size_t i = 0; i < count; i++, clock_ns += 1000) {
    if (bench.app.to(bench.names[next_place(state, bench.names.size())]).send("twenty bytes of text") != SendStatus::ok) std::abort();
    bench.app.poll_once(milliseconds(0));
  }
}

void leave_and_join_one(Bench& bench, size_t members, size_t count) {
  bench.connect(members + 1);
  for (size_t i = 0; i < members; i++) bench.sockets[i].join("room");
  for (size_t i = 0; i < count; i++) {
    if (!bench.sockets.back().join("room").ok()) std::abort();
    bench.sockets.back().leave("room");
  }
}

uint64_t processor_ns() {
  timespec time;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

std::string key_of(size_t i) { return "ws_" + std::to_string(1'000'000 + i) + "0123456789abcdefghi"; }

void join_and_be_told(Bench& bench, size_t keys, size_t count) {
  bench.connect(1);
  const Shared room = bench.app.shared("room");
  const auto set = [&](size_t i) {
    if (room.set(key_of(i), Json{{"name", "Ann Example"}}) != SendStatus::ok) std::abort();
  };
  for (size_t i = 0; i < keys; i++) set(i);
  canned = true;
  const uint64_t begin_ns = processor_ns();
  for (size_t i = 0; i < count; i++, clock_ns += 1000) {
    room.remove(key_of(i));
    set(keys + i);
    if (!bench.sockets[0].join("room").ok()) std::abort();
    for (int turn = 0; turn < 4; turn++) bench.app.poll_once(milliseconds(0));
    bench.sockets[0].leave("room");
  }
  std::printf("%.1f ns for each that comes, goes and is told\n", static_cast<double>(processor_ns() - begin_ns) / static_cast<double>(count));
}

size_t bytes_in_use() { return ::mallinfo2().uordblks; }

int measure_memory(size_t rooms) {
  Bench bench;
  bench.fill(rooms);
  const size_t before = bytes_in_use();
  // The rooms are there: one more member each.
  bench.connect(1);
  for (const std::string& name : bench.names) bench.sockets.back().join(name);
  std::printf("%zu rooms: %.1f bytes for each membership\n", rooms, static_cast<double>(bytes_in_use() - before) / static_cast<double>(rooms));
  return 0;
}

int usage() {
  std::fputs("usage: rooms_bench CASE COUNT | memory ROOMS; the cases are", stderr);
  for (const Case& c : kCases) std::fprintf(stderr, " %.*s", static_cast<int>(c.name.size()), c.name.data());
  std::fputs("\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "memory") return measure_memory(std::strtoull(argv[2], nullptr, 10));
  const Case* chosen = nullptr;
  for (const Case& c : kCases) {
    if (argc == 3 && c.name == argv[1]) chosen = &c;
  }
  if (!chosen) return usage();
  const size_t count = std::strtoull(argv[2], nullptr, 10);
  sys::syscalls.send = canned_send;
  sys::syscalls.sendmsg = canned_sendmsg;
  sys::syscalls.clock_gettime = canned_clock;
  Bench bench;
  if (chosen->kind <= Kind::publish) bench.fill(chosen->rooms);
  if (chosen->kind == Kind::join) bring_movers(bench);
  canned = true;
  const uint64_t begin_ns = processor_ns();
  switch (chosen->kind) {
    case Kind::join: leave_and_join(bench, count); break;
    case Kind::join_own: leave_and_join_own(bench, count); break;
    case Kind::publish: publish(bench, count); break;
    case Kind::told: canned = false, join_and_be_told(bench, chosen->rooms, count); break;
    default: canned = false, leave_and_join_one(bench, chosen->rooms, count);
  }
  std::printf("%s: %zu, %.1f ns each\n", argv[1], count, static_cast<double>(processor_ns() - begin_ns) / static_cast<double>(count));
  return 0;
}
