// Slots, generations, and what running out of either memory or slots does.
#include "base/slot_table.h"

#include <doctest/doctest.h>

#include <vector>

#include "support/failing_alloc.h"

using martlet::base::SlotId;
using martlet::base::SlotTable;
using martlet::test::FailingAlloc;

namespace {

struct Thing {
  uint32_t generation;
  uint32_t slot;
  int value = 0;
  int* died = nullptr;

  Thing(int v, int* d) : value(v), died(d) {}
  ~Thing() { ++*died; }

  SlotId id() const { return {slot, generation}; }
};

using Table = SlotTable<Thing, 4>;

}  // namespace

TEST_CASE("slot_table: an id finds its object") {
  int died = 0;
  Table table;
  Thing* first = table.create(1, &died);
  Thing* second = table.create(2, &died);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(table.size() == 2);
  CHECK(table.find(first->id()) == first);
  CHECK(table.find(second->id()) == second);
  CHECK(table.at(second->slot) == second);
  CHECK(table.live(second->slot) == second);
  CHECK(SlotId::unpack(second->id().packed()) == second->id());
  CHECK(table.find(SlotId::unpack(second->id().packed()))->value == 2);
}

TEST_CASE("slot_table: stale id is gone, also when its slot is used again") {
  int died = 0;
  Table table;
  Thing* thing = table.create(1, &died);
  const SlotId stale = thing->id();
  table.destroy(thing);
  CHECK(died == 1);
  CHECK(table.size() == 0);
  CHECK(table.find(stale) == nullptr);
  CHECK(table.at(stale.slot) == nullptr);
  CHECK(table.find({stale.slot, stale.generation + 1}) == nullptr);  // what a free slot holds is no id
  Thing* next = table.create(2, &died);
  CHECK(next->slot == stale.slot);
  CHECK(next->generation != stale.generation);
  CHECK(table.find(stale) == nullptr);
  CHECK(table.find(next->id()) == next);
}

TEST_CASE("slot_table: no id of generation 0 and none past the end is found") {
  int died = 0;
  Table table;
  CHECK(table.find({0, 0}) == nullptr);
  CHECK(table.find({0, 1}) == nullptr);
  Thing* thing = table.create(1, &died);
  CHECK(table.find({thing->slot, 0}) == nullptr);
  CHECK(table.find({thing->slot + 1, 1}) == nullptr);
  CHECK(table.find({UINT32_MAX, 1}) == nullptr);
  CHECK(table.at(thing->slot + 1) == nullptr);
}

TEST_CASE("slot_table: the slot freed last is used first") {
  int died = 0;
  Table table;
  Thing* things[3];
  for (Thing*& thing : things) thing = table.create(0, &died);
  const uint32_t a = things[0]->slot;
  const uint32_t b = things[2]->slot;
  table.destroy(things[0]);
  table.destroy(things[2]);
  CHECK(table.create(0, &died)->slot == b);
  CHECK(table.create(0, &died)->slot == a);
  CHECK(table.create(0, &died)->slot == 3);
}

TEST_CASE("slot_table: addresses stay while the table grows") {
  int died = 0;
  Table table;
  std::vector<Thing*> things;
  for (int i = 0; i < 500; i++) things.push_back(table.create(i, &died));
  CHECK(table.extent() == 500);
  for (int i = 0; i < 500; i++) {
    CHECK(things[static_cast<size_t>(i)]->value == i);
    CHECK(table.find(things[static_cast<size_t>(i)]->id()) == things[static_cast<size_t>(i)]);
  }
}

TEST_CASE("slot_table: the dying table destroys what lives, once") {
  int died = 0;
  {
    FailingAlloc counted;
    {
      Table table;
      for (int i = 0; i < 100; i++) (void)table.create(i, &died);
      for (uint32_t slot = 0; slot < 50; slot++) table.destroy(table.at(slot));
      CHECK(died == 50);
    }
    CHECK(FailingAlloc::held == 0);
  }
  CHECK(died == 100);
}

TEST_CASE("slot_table: a slot whose generation would wrap is retired") {
  int died = 0;
  Table table(2);
  Thing* thing = table.create(1, &died);
  thing->generation = Table::kLastGeneration - 2;  // as if it had been used four thousand million times
  table.destroy(thing);
  Thing* last = table.create(2, &died);
  CHECK(last->slot == 0);
  CHECK(last->generation == Table::kLastGeneration);
  const SlotId id = last->id();
  CHECK(table.find(id) == last);
  table.destroy(last);
  CHECK(table.find(id) == nullptr);
  CHECK(table.at(0) == nullptr);
  CHECK(table.create(3, &died)->slot == 1);
  CHECK(table.create(4, &died) == nullptr);
}

TEST_CASE("slot_table: at its limit it answers null until a slot is free") {
  int died = 0;
  Table table(5);
  for (int i = 0; i < 5; i++) CHECK(table.create(i, &died));
  CHECK(table.create(5, &died) == nullptr);
  CHECK(table.size() == 5);
  table.destroy(table.at(3));
  Thing* thing = table.create(6, &died);
  REQUIRE(thing);
  CHECK(thing->slot == 3);
}

TEST_CASE("slot_table: without memory it answers null, and goes on when there is some") {
  int died = 0;
  for (size_t allowed = 0; allowed < 8; allowed++) {
    FailingAlloc memory(allowed);
    {
      Table table;
      uint32_t made = 0;
      while (table.create(1, &died)) made++;
      CHECK(table.size() == made);
      CHECK(made <= allowed * 4);
      if (allowed >= 2) CHECK(made > 0);
      FailingAlloc::left = 2;
      Thing* thing = table.create(2, &died);
      REQUIRE(thing);
      CHECK(thing->slot == made);
      CHECK(table.find(thing->id()) == thing);
    }
    CHECK(FailingAlloc::held == 0);
  }
}
