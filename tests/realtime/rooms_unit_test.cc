// src/app/rooms.h: names, members and memberships against a model, stale ids, and running out of memory.
#include "realtime/rooms.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "session/ws_session.h"
#include "support/failing_alloc.h"

using namespace martlet;
using realtime::RoomRecord;
using realtime::Rooms;
using martlet::test::FailingAlloc;
using session::Membership;
using session::WsState;

namespace {

std::set<uint32_t> members_of(const RoomRecord& room) {
  std::set<uint32_t> members;
  const Membership* previous = nullptr;
  for (const Membership* m = room.first; m; m = m->room_next) {
    CHECK(m->room_previous == previous);
    CHECK(m->room_slot == room.slot);
    CHECK(members.insert(m->connection_slot).second);
    previous = m;
  }
  CHECK(members.size() == room.members);
  return members;
}

void leave_all(Rooms& rooms, WsState& ws) {
  while (ws.rooms) rooms.leave(ws, *rooms.find_live(ws.rooms->room_slot));
}

}  // namespace

TEST_CASE("rooms_unit: a room lives from its first member to its last, and its id goes with it") {
  base::BlockPool pool;
  Rooms rooms;
  WsState a;
  WsState b;
  CHECK(rooms.find("den") == nullptr);
  RoomRecord* den = rooms.join(pool, a, 1, "den");
  REQUIRE(den);
  CHECK(den->name() == "den");
  CHECK(rooms.join(pool, a, 1, "den") == den);
  CHECK(rooms.join(pool, b, 2, "den") == den);
  CHECK(members_of(*den) == std::set<uint32_t>{1, 2});
  CHECK(rooms.find("den") == den);
  const base::SlotId id{den->slot, den->generation};
  CHECK(rooms.find(id) == den);
  rooms.leave(a, *den);
  rooms.leave(a, *den);
  CHECK(a.rooms == nullptr);
  CHECK(members_of(*den) == std::set<uint32_t>{2});
  leave_all(rooms, b);
  CHECK(rooms.size() == 0);
  CHECK(rooms.find("den") == nullptr);
  CHECK(rooms.find(id) == nullptr);
  REQUIRE(rooms.join(pool, b, 2, "other"));
  CHECK(rooms.find(id) == nullptr);
  leave_all(rooms, b);
}

TEST_CASE("rooms_unit: random joins and leaves against a model, through growth of the table and its gaps") {
  std::mt19937 random(1);
  base::BlockPool pool;
  Rooms rooms;
  std::vector<WsState> sockets(30);
  std::map<std::string, std::set<uint32_t>> model;
  for (int i = 0; i < 60'000; i++) {
    const uint32_t who = random() % 30;
    // At first many rooms come to be, later most of them go.
    const std::string name = "room " + std::to_string(random() % (i < 20'000 ? 400 : i < 40'000 ? 30 : 400));
    if (random() % (i < 20'000 ? 4 : 2)) {
      const RoomRecord* room = rooms.join(pool, sockets[who], who, name);
      REQUIRE(room);
      REQUIRE(room->name() == name);
      model[name].insert(who);
    } else if (RoomRecord* room = rooms.find(name)) {
      REQUIRE(rooms.is_member(sockets[who], *room) == model[name].contains(who));
      rooms.leave(sockets[who], *room);
      model[name].erase(who);
      if (model[name].empty()) model.erase(name);
    } else {
      REQUIRE_FALSE(model.contains(name));
    }
    if (random() % 500 == 0) {
      leave_all(rooms, sockets[who]);
      for (auto it = model.begin(); it != model.end();) {
        it->second.erase(who);
        it = it->second.empty() ? model.erase(it) : std::next(it);
      }
    }
    REQUIRE(rooms.size() == model.size());
  }
  for (const auto& [name, members] : model) {
    const RoomRecord* room = rooms.find(name);
    REQUIRE(room);
    CHECK(members_of(*room) == members);
  }
  for (WsState& ws : sockets) leave_all(rooms, ws);
  CHECK(rooms.size() == 0);
}

TEST_CASE("rooms_unit: a connection in many rooms, against a model, through growth of the table and its gaps") {
  std::mt19937 random(2);
  base::BlockPool pool;
  Rooms rooms;
  WsState sockets[3];
  std::set<std::string> model[3];
  for (int i = 0; i < 100'000; i++) {
    const uint32_t who = random() % 3;
    const std::string name = std::to_string(random() % 1500);
    const bool fills = i / 20'000 % 2 == 0;
    RoomRecord* room = rooms.find(name);
    REQUIRE((room && rooms.is_member(sockets[who], *room)) == model[who].contains(name));
    if (random() % 8 < (fills ? 6u : 2u)) {
      REQUIRE(rooms.join(pool, sockets[who], who, name));
      model[who].insert(name);
    } else if (room) {
      rooms.leave(sockets[who], *room);
      model[who].erase(name);
    }
  }
  for (uint32_t who = 0; who < 3; who++) {
    std::set<std::string> found;
    const Membership* previous = nullptr;
    for (const Membership* m = sockets[who].rooms; m; m = m->next_of_socket) {
      CHECK(m->previous_of_socket == previous);
      CHECK((!previous || previous->in_table == m->in_table));
      previous = m;
      CHECK(found.emplace(rooms.find_live(m->room_slot)->name()).second);
    }
    CHECK(found == model[who]);
    leave_all(rooms, sockets[who]);
  }
  CHECK(rooms.size() == 0);
}

TEST_CASE("rooms_unit: a membership takes at most 64 bytes, with its place in the table") {
  static_assert(sizeof(Membership) == 40);
  realtime::Memberships table;
  std::vector<Membership> all(100'000);
  size_t most = 0;
  for (uint32_t i = 0; i < all.size(); i++) {
    all[i].connection_slot = i;
    REQUIRE(table.make_room(1));
    table.insert(all[i]);
    if (i >= 64) most = std::max(most, table.places() * sizeof(void*) / table.size());
  }
  CHECK(most + sizeof(Membership) <= 64);
  for (uint32_t i = 0; i < all.size(); i++) REQUIRE(table.find(i, 0) == &all[i]);
  for (const Membership& m : all) table.erase(m);
  CHECK(table.size() == 0);
  CHECK(table.find(7, 0) == nullptr);
}

TEST_CASE("rooms_unit: a room that is held stays without members, and goes when it is let go") {
  base::BlockPool pool;
  Rooms rooms;
  WsState a;
  RoomRecord* den = rooms.join(pool, a, 1, "den");
  REQUIRE(den);
  den->held = 1;
  rooms.leave(a, *den);
  CHECK(rooms.find("den") == den);
  CHECK(den->members == 0);
  CHECK(rooms.join(pool, a, 1, "den") == den);
  rooms.let_go(*den);
  CHECK(rooms.find("den") == den);
  den->held = 1;
  rooms.leave(a, *den);
  rooms.let_go(*den);
  CHECK(rooms.size() == 0);
  CHECK(rooms.find("den") == nullptr);
}

TEST_CASE("rooms_unit: a join that finds no memory changes nothing, at whichever allocation") {
  for (size_t allowed = 0; allowed < 200; allowed++) {
    FailingAlloc memory(allowed);
    int joined = 0;
    {
      base::BlockPool pool;
      base::BlockPool::set_current(&pool);
      Rooms rooms;
      WsState ws;
      WsState other;
      bool failed = false;
      for (int i = 0; i < 100; i++) {
        const std::string name = std::to_string(i);
        RoomRecord* room = rooms.join(pool, ws, 1, name);
        failed = failed || !room;
        joined += room != nullptr;
        REQUIRE((rooms.find(name) != nullptr) == (room != nullptr));
        REQUIRE(rooms.size() == static_cast<uint32_t>(joined));
        if (room && i % 2) rooms.join(pool, other, 2, name);
      }
      uint32_t memberships = 0;
      for (const Membership* m = ws.rooms; m; m = m->next_of_socket) memberships++;
      CHECK(memberships == static_cast<uint32_t>(joined));
      leave_all(rooms, ws);
      leave_all(rooms, other);
      CHECK(rooms.size() == 0);
      base::BlockPool::set_current(nullptr);
      if (!failed) allowed = 200;  // enough: nothing fails any more
    }
    CHECK(FailingAlloc::held == 0);
  }
}
