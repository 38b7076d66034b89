// What rooms with memory cost by themselves, without connections: see messages_bench for what a member costs. Each case prints its
// figures; nothing is judged here.
//
//   history_bench      a message kept, and told again to one who comes back; a presence of 10,000: one comes and goes, and one who
//                      comes is told of all: when nobody came before, when nothing has changed since, and when somebody has come and
//                      somebody has gone since. That its frames are queued is not in that: see rooms_bench.
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "realtime/catch_up.h"
#include "realtime/key_text.h"
#include "realtime/room_memory.h"

using namespace martlet;
using namespace martlet::realtime;

namespace {

double now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

RoomMemory& make_room(const MemoryLimits& limits) {
  void* memory = base::allocate(sizeof(RoomMemory));
  return *new (memory) RoomMemory("room", limits);
}

// All that one member is told; how many frames that was.
uint32_t tell_all(RoomMemory& room, CatchUp catch_up, std::vector<uint8_t>& to) {
  uint32_t frames = 0;
  for (bool done = false; !done;) {
    const std::lock_guard lock(room.mutex);
    const CatchUp::Written written = catch_up.write(room, room.end(), WebSocket(), to.data(), to.size());
    frames += written.frames;
    if (written.shared.block) written.shared.block->release();
    done = written.done;
  }
  return frames;
}

void messages() {
  constexpr int kTimes = 20'000;
  RoomMemory& room = make_room({.messages = 100});
  RoomMemory::Sent sent;
  const std::string text = R"({"event":"said","args":[")" + std::string(60, 'x') + R"("]})";
  sent.text = text;
  sent.is_event = true;
  const double begin = now_ns();
  for (int i = 0; i < kTimes * 100; i++) {
    const std::lock_guard lock(room.mutex);
    if (!room.send(sent, 0)) std::abort();
  }
  const double kept = now_ns();
  std::vector<uint8_t> to(64 << 10);
  uint64_t frames = 0;
  for (int i = 0; i < kTimes; i++) frames += tell_all(room, CatchUp(room, room.end(), {.since = room.end() - 100, .epoch = room.epoch()}), to);
  const double told = now_ns();
  std::printf("100 messages kept: %.2f us; told again to one who comes back: %.2f us (%.1f frames)\n", (kept - begin) / kTimes / 1e3,
              (told - kept) / kTimes / 1e3, static_cast<double>(frames) / kTimes);
  room.release();
}

void presence() {
  constexpr int kMembers = 10'000;
  constexpr int kTimes = 20'000;
  RoomMemory& room = make_room({.keys = kMembers + 1, .messages = 0});
  const auto set = [&](const std::string& key) {
    const KeyText told("presence:join", key, R"({"name":"Ann Example"})", false);
    const std::lock_guard lock(room.mutex);
    if (room.set(KeyKind::presence, key, told.told(), 0) != RoomMemory::Changed::yes) std::abort();
  };
  for (int i = 0; i < kMembers; i++) set("ws_" + std::to_string(1'000'000 + i) + "0123456789abcdefghi");
  const double begin = now_ns();
  for (int i = 0; i < kTimes; i++) {
    const std::string key = "ws_" + std::to_string(2'000'000 + i) + "0123456789abcdefghi";
    set(key);
    const KeyText gone("presence:leave", key, {}, false);
    const std::lock_guard lock(room.mutex);
    if (room.remove(KeyKind::presence, key, gone.told(), 0) != RoomMemory::Changed::yes) std::abort();
  }
  const double came = now_ns();
  std::vector<uint8_t> to(64 << 10);
  constexpr int kTold = 2000;
  const double first = now_ns();
  const uint64_t pages = tell_all(room, CatchUp(room, room.end(), {}), to);
  const double again = now_ns();
  for (int i = 0; i < kTold; i++) tell_all(room, CatchUp(room, room.end(), {}), to);
  const double told = now_ns();
  for (int i = 0; i < kTold; i++) {
    set("ws_" + std::to_string(3'000'000 + i) + "0123456789abcdefghi");
    const std::string key = "ws_" + std::to_string(1'000'000 + i * 7919 % kMembers) + "0123456789abcdefghi";
    const KeyText gone("presence:leave", key, {}, false);
    {
      const std::lock_guard lock(room.mutex);
      if (room.remove(KeyKind::presence, key, gone.told(), 0) != RoomMemory::Changed::yes) std::abort();
    }
    tell_all(room, CatchUp(room, room.end(), {}), to);
  }
  const double changed = now_ns();
  std::printf("a presence of 10,000: one comes and goes: %.2f us; one who comes is told of all in %llu pages: the first %.0f us, the next %.1f us, "
              "when one has come and one has gone since %.1f us\n",
              (came - begin) / kTimes / 1e3, static_cast<unsigned long long>(pages), (again - first) / 1e3, (told - again) / kTold / 1e3,
              (changed - told) / kTold / 1e3);
  room.release();
}

}  // namespace

int main() {
  messages();
  presence();
  return 0;
}
