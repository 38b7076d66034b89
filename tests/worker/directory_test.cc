// src/app/directory.h: who has whom, against a model, with memory that fails, and read by threads while others write.
#include "worker/directory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "support/failing_alloc.h"

using namespace martlet;
using worker::AudienceKind;
using worker::Directory;
using worker::DirectoryEntry;
using worker::Seats;
using martlet::base::SlotId;
using martlet::test::FailingAlloc;

namespace {

Seats of(std::initializer_list<uint32_t> seats) {
  Seats all;
  for (const uint32_t seat : seats) all.add(seat);
  return all;
}

bool same(const Seats& a, const Seats& b) { return std::equal(std::begin(a.words), std::end(a.words), std::begin(b.words)); }

// What the directory should know.
struct Model {
  static constexpr uint32_t kSeats = 3;
  using Key = std::pair<AudienceKind, std::string>;
  struct Known {
    DirectoryEntry* entry = nullptr;
    SlotId id;
    std::set<uint32_t> seats;
    uint32_t members = 0;
  };
  std::map<Key, Known> all;

  uint32_t rooms() const {
    uint32_t n = 0;
    for (const auto& [key, known] : all) n += key.first == AudienceKind::room;
    return n;
  }
  void agrees(const Directory& directory, const Key& key) const {
    const Directory::Found found = directory.find(key.first, key.second);
    const auto at = all.find(key);
    REQUIRE(!found == (at == all.end()));
    if (!found) return;
    const Known& known = at->second;
    REQUIRE(found.entry == known.entry);
    REQUIRE(found.id == known.id);
    REQUIRE(directory.find(known.id) == known.entry);
    REQUIRE(directory.name_of(known.id) == key.second);
    Seats seats;
    for (const uint32_t seat : known.seats) seats.add(seat);
    REQUIRE(same(found.entry->where(), seats));
    REQUIRE(found.entry->members.load() == known.members);
  }
};

}  // namespace

TEST_CASE("directory: sets of seats") {
  Seats seats;
  CHECK(!seats.any());
  CHECK(seats.count() == 0);
  for (const uint32_t seat : {0u, 63u, 64u, 255u}) seats.add(seat);
  CHECK(seats.count() == 4);
  CHECK(seats.has(63));
  CHECK(!seats.has(62));
  seats.add(of({62, 63}));
  CHECK(seats.count() == 5);
  seats.remove(0);
  seats.remove(1);
  CHECK(!seats.has(0));
  CHECK(seats.any());
  CHECK(same(seats, of({62, 63, 64, 255})));
}

TEST_CASE("directory: an entry lives from the first seat that enters to the last that leaves") {
  Directory directory;
  CHECK(!directory.find(AudienceKind::room, "den"));
  CHECK(directory.find(SlotId{0, 1}) == nullptr);
  CHECK(directory.find(SlotId{UINT32_MAX, UINT32_MAX}) == nullptr);
  DirectoryEntry* den = directory.enter(AudienceKind::room, "den", 2);
  REQUIRE(den);
  CHECK(directory.enter(AudienceKind::room, "den", 255) == den);
  const SlotId id = den->id();
  CHECK(same(den->where(), of({2, 255})));
  // A name of another kind is another one, and so is the empty name.
  CHECK(!directory.find(AudienceKind::route, "den"));
  CHECK(!directory.find(AudienceKind::room, ""));
  DirectoryEntry* route = directory.enter(AudienceKind::route, "den", 2);
  DirectoryEntry* all = directory.enter(AudienceKind::all, "", 2);
  DirectoryEntry* unnamed = directory.enter(AudienceKind::room, "", 2);
  CHECK(std::set<DirectoryEntry*>{den, route, all, unnamed}.size() == 4);
  CHECK(directory.rooms() == 2);
  CHECK(directory.name_of(id) == "den");
  CHECK(den->key[0].load() == base::keyed_hash("den", directory.hash_key()));

  directory.leave(*den, 2);
  CHECK(directory.find(AudienceKind::room, "den").entry == den);
  CHECK(same(den->where(), of({255})));
  directory.leave(*den, 255);
  CHECK(!directory.find(AudienceKind::room, "den"));
  CHECK(directory.find(id) == nullptr);
  CHECK(directory.name_of(id).empty());
  CHECK(directory.rooms() == 1);
  // Used again, it has another name, and the old one means nothing.
  DirectoryEntry* again = directory.enter(AudienceKind::room, "other", 0);
  CHECK(again == den);
  CHECK(again->id().generation != id.generation);
  CHECK(again->members.load() == 0);
  CHECK(same(again->where(), of({0})));
  CHECK(directory.find(id) == nullptr);
  std::map<std::string, uint32_t> rooms;
  directory.for_each_room([&](std::string_view name, uint32_t members) { rooms.emplace(name, members); });
  CHECK(rooms == std::map<std::string, uint32_t>{{"", 0}, {"other", 0}});
}

TEST_CASE("directory: a join on its way counts as its worker's, until it has arrived or got lost") {
  Directory directory;
  DirectoryEntry* den = directory.expect("den", 3);
  REQUIRE(den);
  const SlotId id = den->id();
  CHECK(same(den->where(), of({3})));
  CHECK(directory.find(AudienceKind::room, "den").entry == den);
  CHECK(directory.expect("den", 3) == den);
  SUBCASE("it arrives, and others come and go meanwhile") {
    CHECK(directory.enter(AudienceKind::room, "den", 3) == den);
    directory.settle(*den);
    CHECK(directory.enter(AudienceKind::room, "den", 70) == den);
    directory.leave(*den, 3);
    CHECK(den->where().has(3));  // one is still expected
    directory.settle(*den);
    CHECK(same(den->where(), of({70})));
    directory.leave(*den, 70);
  }
  SUBCASE("they get lost") {
    directory.settle(*den);
    CHECK(directory.find(id) == den);
    directory.settle(*den);
  }
  CHECK(directory.find(id) == nullptr);
  CHECK(directory.rooms() == 0);
  DirectoryEntry* other = directory.enter(AudienceKind::room, "other", 0);
  CHECK(other == den);  // used again, and clean
  CHECK(same(other->where(), of({0})));
}

TEST_CASE("directory: against a model, thousands of names that come and go") {
  std::mt19937 random(7);
  Directory directory;
  Model model;
  std::vector<SlotId> gone;
  const auto key_at = [](uint32_t i) {
    return Model::Key{i % 10 == 0 ? AudienceKind::route : AudienceKind::room, "name " + std::to_string(i / 2)};
  };
  for (int step = 0; step < 60'000; step++) {
    // Grows to thousands, shrinks to few, and grows again.
    const uint32_t names = step / 20'000 == 1 ? 50 : 6000;
    const Model::Key key = key_at(random() % names);
    const uint32_t seat = random() % Model::kSeats;
    auto known = model.all.find(key);
    const bool enters = random() % (step / 20'000 == 1 ? 4 : 2) == 0;
    if (enters && (known == model.all.end() || !known->second.seats.contains(seat))) {
      DirectoryEntry* entry = directory.enter(key.first, key.second, seat);
      REQUIRE(entry);
      Model::Known& now = model.all[key];
      if (now.entry) {
        REQUIRE(now.entry == entry);
      } else {
        now.id = entry->id();
      }
      now.entry = entry;
      now.seats.insert(seat);
      for (uint32_t n = random() % 3; n > 0; n--, now.members++) entry->add_member();
    } else if (!enters && known != model.all.end() && known->second.seats.contains(seat)) {
      Model::Known& now = known->second;
      now.seats.erase(seat);
      if (now.members) now.members--, now.entry->remove_member();
      if (now.seats.empty()) gone.push_back(now.id);
      directory.leave(*now.entry, seat);
      if (now.seats.empty()) model.all.erase(known);
    }
    model.agrees(directory, key);
    model.agrees(directory, key_at(random() % names));
    if (!gone.empty()) REQUIRE(directory.find(gone[random() % gone.size()]) == nullptr);
    REQUIRE(directory.rooms() == model.rooms());
  }
  CHECK(model.all.size() > 1000);
  CHECK(gone.size() > 1000);
  for (const auto& [key, known] : model.all) model.agrees(directory, key);
  std::map<std::string, uint32_t> listed;
  directory.for_each_room([&](std::string_view name, uint32_t members) { REQUIRE(listed.emplace(name, members).second); });
  CHECK(listed.size() == model.rooms());
  for (const auto& [name, members] : listed) REQUIRE(model.all.at({AudienceKind::room, name}).members == members);
}

TEST_CASE("directory: out of memory refuses one name, and what is there stays") {
  for (size_t allowed = 0; allowed < 40; allowed++) {
    FailingAlloc memory(allowed);
    {
      Directory directory;
      std::vector<std::pair<std::string, DirectoryEntry*>> known;
      for (int i = 0; i < 600; i++) {
        const std::string name = "a room with the number " + std::to_string(i);
        if (DirectoryEntry* entry = directory.enter(AudienceKind::room, name, 0)) known.emplace_back(name, entry);
      }
      CHECK(known.size() == (allowed ? allowed - 1 : 0));  // one for the buckets, one for each name
      CHECK(directory.rooms() == known.size());
      for (const auto& [name, entry] : known) REQUIRE(directory.find(AudienceKind::room, name).entry == entry);
      FailingAlloc::left = SIZE_MAX;
      for (int i = 0; i < 600; i++) {
        REQUIRE(directory.enter(AudienceKind::room, "a room with the number " + std::to_string(i), 1));
      }
      CHECK(directory.rooms() == 600);
      for (const auto& [name, entry] : known) {
        REQUIRE(directory.find(AudienceKind::room, name).entry == entry);
        REQUIRE(same(entry->where(), of({0, 1})));
      }
    }
    CHECK(FailingAlloc::held == 0);
  }
}

TEST_CASE("directory: no memory for more buckets refuses nobody") {
  FailingAlloc memory;
  {
    Directory directory;
    std::vector<std::string> names;
    for (int i = 0; i < 2000; i++) names.push_back(std::to_string(i));
    for (size_t i = 0; i < names.size(); i++) {
      // Where the buckets would be doubled, that is the first to be asked for.
      FailingAlloc::left = i >= 256 ? 0 : SIZE_MAX;
      FailingAlloc::only_once = true;
      REQUIRE(directory.enter(AudienceKind::room, names[i], 0));
    }
    FailingAlloc::only_once = false;
    FailingAlloc::left = SIZE_MAX;
    CHECK(FailingAlloc::failures > 1000);
    for (const std::string& name : names) REQUIRE(directory.find(AudienceKind::room, name));
    REQUIRE(directory.enter(AudienceKind::room, "and one more", 0));
    for (const std::string& name : names) REQUIRE(directory.find(AudienceKind::room, name));
  }
  CHECK(FailingAlloc::held == 0);
}

// Writers let a few names come and go, so that their entries are used again at once, in the same chain or in another one;
// and many, so that the table doubles. What readers find is what they asked for, and what is held is found each time.
TEST_CASE("directory: readers find what is held, and never another's entry, while writers write") {
  constexpr int kFew = 12, kHeld = 8, kWriters = 2, kReaders = 2;
  struct Name {
    std::string text;
    uint64_t hash = 0;  // the first half of its key
  };
  for (int round = 0; round < 6; round++) {
    Directory directory;
    // In one chain with what is held, however often the table is doubled; or in others.
    const auto name = [&](const char* kind, int i, bool same_chain) {
      for (int n = 0;; n++) {
        Name made{kind + std::to_string(i) + " " + std::to_string(n), 0};
        made.hash = base::keyed_hash(made.text, directory.hash_key());
        if (((made.hash & 4095) == 0) == same_chain) return made;
      }
    };
    std::vector<Name> few, held;
    for (int i = 0; i < kFew; i++) few.push_back(name("few ", i, i % 3 != 0));
    for (int i = 0; i < kHeld; i++) held.push_back(name("held ", i, true));
    for (const Name& one : held) REQUIRE(directory.enter(AudienceKind::room, one.text, 200));
    std::atomic<int> missed{0}, wrong{0}, resurrected{0};
    std::atomic<uint64_t> found_few{0}, looked{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (uint32_t me = 0; me < kWriters; me++) {
      threads.emplace_back([&, me] {
        std::mt19937 random(me * 100 + static_cast<uint32_t>(round));
        DirectoryEntry* mine[kFew] = {};
        std::vector<DirectoryEntry*> many;
        for (int step = 0; !over; step++) {
          const uint32_t i = random() % kFew;
          if (mine[i]) {
            directory.leave(*std::exchange(mine[i], nullptr), me);
          } else {
            mine[i] = directory.enter(AudienceKind::room, few[i].text, me);
          }
          if (step % 4 == 0 && many.size() < 3000) {
            many.push_back(directory.enter(AudienceKind::room, std::to_string(me) + " many " + std::to_string(step), me));
          }
          if (step % 64 == 0 && !many.empty()) {
            directory.leave(*many.back(), me);
            many.pop_back();
          }
        }
      });
    }
    for (uint32_t me = 0; me < kReaders; me++) {
      threads.emplace_back([&, me] {
        std::mt19937 random(me * 100 + 50 + static_cast<uint32_t>(round));
        SlotId before[kFew];
        while (!over) {
          looked++;
          const Name& one = held[random() % kHeld];
          const Directory::Found found = directory.find(AudienceKind::room, one.text);
          if (!found) {
            missed++;
          } else if (found.entry->key[0].load() != one.hash || found.entry->id() != found.id ||
                     !found.entry->where().has(200) || directory.find(found.id) != found.entry) {
            wrong++;
          }
          // One that comes and goes: while the generation that was found is there, the entry is that name's.
          const uint32_t i = random() % kFew;
          if (const Directory::Found other = directory.find(AudienceKind::room, few[i].text)) {
            found_few++;
            const uint64_t key = other.entry->key[0].load(std::memory_order_acquire);
            if (directory.find(other.id) == other.entry && key != few[i].hash && key != 0) wrong++;  // 0: it is about to go
            if (random() % 512 == 0 && directory.name_of(other.id) != few[i].text && directory.find(other.id)) wrong++;
            // A generation that is gone never comes back: names that were found earlier have later numbers.
            if (before[i].generation && before[i].slot == other.id.slot && other.id.generation < before[i].generation) {
              resurrected++;
            }
            before[i] = other.id;
          }
          if (directory.find(AudienceKind::route, one.text)) wrong++;
        }
      });
    }
    // A machine that is busy elsewhere may give the readers nothing for longer than that.
    const auto begin = std::chrono::steady_clock::now();
    const auto passed = [&] { return std::chrono::steady_clock::now() - begin; };
    while (passed() < std::chrono::milliseconds(250) || ((looked <= 1000 || found_few <= 100) && passed() < std::chrono::seconds(20))) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    over = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(missed == 0);
    CHECK(wrong == 0);
    CHECK(resurrected == 0);
    CHECK(looked > 1000);
    CHECK(found_few > 100);
    for (const Name& one : held) CHECK(same(directory.find(AudienceKind::room, one.text).entry->where(), of({200})));
  }
}
