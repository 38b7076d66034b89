// src/realtime/topic_names.h, topic_index.h and topic_cache.h: the rules of MQTT 3.1.1 §4.7 by the standard's own examples, the
// trie against a matcher that anybody can check, and what is remembered of topics. Delivery is in integration/ws_topics_test.cc;
// tests/e2e/mosquitto.test.mjs asks a real broker.
#include "realtime/topic_cache.h"
#include "realtime/topic_index.h"
#include "realtime/topic_names.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/failing_alloc.h"

using namespace martlet;
using martlet::test::FailingAlloc;
using realtime::is_filter;
using realtime::is_topic;
using realtime::ReceiverSet;
using realtime::TopicCache;
using realtime::TopicFilter;
using realtime::TopicIndex;
using realtime::TopicResult;
using realtime::TopicSubscriber;

namespace {

std::vector<std::string> split(std::string_view name) {
  std::vector<std::string> levels(1);
  for (const char letter : name) {
    if (letter == '/') {
      levels.emplace_back();
    } else {
      levels.back() += letter;
    }
  }
  return levels;
}

// The rules as they are written, level by level. Both are good.
bool naive_match(std::string_view filter, std::string_view topic) {
  if (topic[0] == '$' && (filter[0] == '+' || filter[0] == '#')) return false;
  const auto wanted = split(filter);
  const auto levels = split(topic);
  for (size_t i = 0; i < wanted.size(); i++) {
    if (wanted[i] == "#") return true;
    if (i >= levels.size()) return false;
    if (wanted[i] != "+" && wanted[i] != levels[i]) return false;
    if (i + 2 == wanted.size() && i + 1 == levels.size() && wanted[i + 1] == "#") return true;  // the parent
  }
  return wanted.size() == levels.size();
}

// Subscribers by number.
struct World {
  TopicIndex index{0x5eed};
  TopicCache cache{index};
  std::map<int, base::SlotId> ids = {};

  TopicSubscriber& subscriber(int number) {
    if (!ids.count(number)) ids[number] = index.add_subscriber({static_cast<uint32_t>(number), 1})->id();
    return *index.find(ids[number]);
  }
  void subscribe(int number, std::string_view filter) {
    TopicSubscriber& one = subscriber(number);
    TopicFilter* known = index.find_filter(filter);
    if (known && index.has(one, *known)) return;
    cache.changed(*index.add(one, known, filter));
  }
  void unsubscribe(int number, std::string_view filter) {
    TopicFilter* known = index.find_filter(filter);
    if (!known || !index.has(subscriber(number), *known)) return;
    cache.changed(*known);
    index.remove(subscriber(number), *known);
  }
  void end(int number) {
    index.remove_subscriber(subscriber(number), [this](const TopicFilter& filter) { cache.changed(filter); });
    ids.erase(number);
  }
  std::vector<int> numbers(std::span<const base::SlotId> found) const {
    std::vector<int> all;
    for (const base::SlotId id : found) all.push_back(static_cast<int>(index.find(id)->connection.slot));
    std::sort(all.begin(), all.end());
    return all;
  }
  std::vector<int> match(std::string_view topic) {
    REQUIRE(index.match(topic));
    return numbers(index.found());
  }
  // By way of the cache.
  std::vector<int> receivers(std::string_view topic) {
    TopicResult* result = cache.look(topic);
    if (!result) result = cache.make(topic);
    REQUIRE(result);
    std::vector<base::SlotId> found;
    if (result->set) {
      for (const auto& receiver : result->set->receivers()) found.push_back(receiver.subscriber);
    }
    return numbers(found);
  }
};

bool matches(std::string_view filter, std::string_view topic) {
  World world;
  REQUIRE(is_filter(filter));
  REQUIRE(is_topic(topic));
  world.subscribe(1, filter);
  const bool yes = world.match(topic).size() == 1;
  CHECK(yes == naive_match(filter, topic));
  return yes;
}

std::string random_name(std::mt19937& random, bool is_a_filter) {
  static constexpr std::string_view kLevels[] = {"a", "b", "", "c", "A", "$x", "aa", "ä"};
  std::string name;
  const int levels = 1 + static_cast<int>(random() % 5);
  for (int i = 0; i < levels; i++) {
    if (i > 0) name += '/';
    const unsigned what = random() % 10;
    if (is_a_filter && what < 3) {
      name += '+';
    } else if (is_a_filter && what == 3) {
      return name += '#';
    } else {
      name += kLevels[random() % (what < 7 ? 3 : std::size(kLevels))];
    }
  }
  return name.empty() ? "a" : name;
}

}  // namespace

TEST_CASE("topics: the examples of MQTT 3.1.1 section 4.7") {
  SUBCASE("4.7.1.2, the multi-level wildcard") {
    for (const char* topic : {"sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"}) {
      CHECK(matches("sport/tennis/player1/#", topic));
    }
    CHECK(matches("sport/#", "sport"));
    CHECK(matches("#", "sport"));
    CHECK(matches("#", "sport/tennis"));
    CHECK(is_filter("#"));
    CHECK(is_filter("sport/tennis/#"));
    CHECK_FALSE(is_filter("sport/tennis#"));
    CHECK_FALSE(is_filter("sport/tennis/#/ranking"));
  }
  SUBCASE("4.7.1.3, the single-level wildcard") {
    CHECK(matches("sport/tennis/+", "sport/tennis/player1"));
    CHECK(matches("sport/tennis/+", "sport/tennis/player2"));
    CHECK_FALSE(matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    CHECK_FALSE(matches("sport/+", "sport"));
    CHECK(matches("sport/+", "sport/"));
    CHECK(is_filter("+"));
    CHECK(is_filter("+/tennis/#"));
    CHECK_FALSE(is_filter("sport+"));
    CHECK(is_filter("sport/+/player1"));
    CHECK(matches("+/+", "/finance"));
    CHECK(matches("/+", "/finance"));
    CHECK_FALSE(matches("+", "/finance"));
  }
  SUBCASE("4.7.2, topics beginning with $") {
    CHECK_FALSE(matches("#", "$SYS/a"));
    CHECK_FALSE(matches("+/monitor/Clients", "$SYS/monitor/Clients"));
    CHECK(matches("$SYS/#", "$SYS/"));
    CHECK(matches("$SYS/#", "$SYS/monitor/Clients"));
    CHECK(matches("$SYS/#", "$SYS"));
    CHECK(matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
    CHECK(matches("+/$x", "a/$x"));  // only where it begins
    CHECK_FALSE(matches("+", "$x"));
  }
  SUBCASE("4.7.3, names") {
    CHECK_FALSE(is_topic(""));
    CHECK_FALSE(is_filter(""));
    CHECK_FALSE(matches("ACCOUNTS", "Accounts"));
    CHECK(matches("Accounts payable", "Accounts payable"));
    CHECK_FALSE(matches("/finance", "finance"));
    CHECK_FALSE(matches("finance/", "finance"));
    CHECK(matches("/", "/"));
    CHECK(matches("+/+", "/"));
    CHECK(matches("//", "//"));
    CHECK_FALSE(is_topic(std::string_view("a\0b", 3)));
    CHECK_FALSE(is_filter(std::string_view("a/\0/#", 5)));
  }
}

TEST_CASE("topics: names with wildcards where they may not be, and bytes that are no UTF-8") {
  for (const char* good : {"+/+/+", "+/#", "/#", "/", "//", "a//b", " ", "$", "a/$/b", "\xc3\xa4/\xf0\x9f\x90\xa6"}) CHECK(is_filter(good));
  for (const char* bad : {"#/", "##", "a/##", "#a", "+a", "a+", "++", "a/+b/c", "a/#/b", "#/#", "+#", "a/#b"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_filter(bad));
    CHECK_FALSE(is_topic(bad));
  }
  for (const char* bad : {"+", "#", "a/+", "a/#", "a+", "a#b", "\xff", "\xc0\xaf", "\xed\xa0\x80", "a/\xc3"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_topic(bad));
  }
  for (const char* bad : {"\xff/#", "+/\xc0\xaf", "\xed\xa0\x80/+", "a/\xf0\x9f\x90"}) CHECK_FALSE(is_filter(bad));
  CHECK(realtime::levels_of("a") == 1);
  CHECK(realtime::levels_of("/") == 2);
  CHECK(realtime::levels_of("a/b/") == 3);
}

TEST_CASE("topics: 100,000 random pairs of filters and topics as a naive matcher says") {
  std::mt19937 random(7);
  size_t pairs = 0, hits = 0;
  while (pairs < 100'000) {
    World world;
    std::vector<std::string> filters;
    for (int i = 0; i < 100; i++) {
      filters.push_back(random_name(random, true));
      REQUIRE(is_filter(filters.back()));
      world.subscribe(i, filters.back());
    }
    for (int i = 0; i < 50; i++) {
      const std::string topic = random_name(random, false);
      REQUIRE(is_topic(topic));
      std::vector<int> expected;
      for (int n = 0; n < 100; n++) {
        if (naive_match(filters[static_cast<size_t>(n)], topic)) expected.push_back(n);
      }
      CAPTURE(topic);
      REQUIRE(world.match(topic) == expected);
      REQUIRE(world.receivers(topic) == expected);
      REQUIRE(world.receivers(topic) == expected);  // remembered
      pairs += 100;
      hits += expected.size();
    }
  }
  CHECK(hits > 5'000);
}

TEST_CASE("topics: subscribers come and go, and it stays as a model says; at the end nothing is left") {
  FailingAlloc memory;
  {
    World world;
    world.cache.most_bytes = 20'000;  // so that it begins anew again and again
    std::map<int, std::set<std::string>> model;
    std::mt19937 random(11);
    for (int step = 0; step < 20'000; step++) {
      const int who = static_cast<int>(random() % 12);
      const unsigned what = random() % 20;
      if (what < 6) {
        const std::string filter = random_name(random, random() % 2);
        world.subscribe(who, filter);
        model[who].insert(filter);
      } else if (what < 10 && !model[who].empty()) {
        auto& has = model[who];
        const std::string filter = *std::next(has.begin(), static_cast<long>(random() % has.size()));
        world.unsubscribe(who, filter);
        has.erase(filter);
      } else if (what == 10) {
        world.end(who);
        model.erase(who);
      } else {
        const std::string topic = random_name(random, false);
        std::vector<int> expected;
        for (const auto& [number, filters] : model) {
          if (std::any_of(filters.begin(), filters.end(), [&](const auto& f) { return naive_match(f, topic); })) expected.push_back(number);
        }
        CAPTURE(topic);
        REQUIRE(world.receivers(topic) == expected);
        CHECK(world.cache.bytes() < 22'000);
      }
    }
    size_t all = 0;
    std::set<std::string> different;
    for (const auto& [number, filters] : model) {
      all += filters.size();
      different.insert(filters.begin(), filters.end());
    }
    CHECK(world.index.subscriptions() == all);
    CHECK(world.index.filters() == different.size());
    while (!world.ids.empty()) world.end(world.ids.begin()->first);
    CHECK(world.index.subscriptions() == 0);
    CHECK(world.index.filters() == 0);
  }
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("topics: a receiver is found once, however many of its filters match") {
  World world;
  for (const char* filter : {"#", "+/#", "a/#", "a/b", "a/+", "+/b", "+/+"}) world.subscribe(1, filter);
  world.subscribe(2, "a/b");
  CHECK(world.match("a/b") == std::vector<int>{1, 2});
  for (const char* filter : {"#", "+/#", "a/#", "a/b", "a/+", "+/b"}) {
    world.unsubscribe(1, filter);
    CHECK(world.match("a/b") == std::vector<int>{1, 2});
  }
  world.unsubscribe(1, "+/+");
  CHECK(world.match("a/b") == std::vector<int>{2});
}

TEST_CASE("topics: what is remembered is stale when a filter with wildcards changes, and only one topic's when a literal one does") {
  World world;
  world.subscribe(1, "#");
  world.subscribe(2, "a");
  CHECK(world.receivers("a") == std::vector<int>{1, 2});
  CHECK(world.receivers("b") == std::vector<int>{1});
  REQUIRE(world.cache.look("a"));
  REQUIRE(world.cache.look("b"));
  world.subscribe(3, "a");
  CHECK_FALSE(world.cache.look("a"));
  CHECK(world.cache.look("b"));
  CHECK(world.receivers("a") == std::vector<int>{1, 2, 3});
  world.subscribe(3, "nobody publishes there");
  CHECK(world.cache.look("a"));
  world.subscribe(3, "x/+");
  CHECK_FALSE(world.cache.look("a"));
  CHECK_FALSE(world.cache.look("b"));
  CHECK(world.receivers("b") == std::vector<int>{1});
  world.end(2);  // it had a literal one
  CHECK_FALSE(world.cache.look("a"));
  CHECK(world.cache.look("b"));
  world.unsubscribe(1, "#");
  CHECK_FALSE(world.cache.look("b"));
  CHECK(world.receivers("b").empty());
  CHECK(world.cache.look("b"));  // that nobody hears it is remembered, too
}

TEST_CASE("topics: topics with the same receivers share a set") {
  World world;
  for (int i = 0; i < 50; i++) world.subscribe(i, "#");
  world.subscribe(60, "b/+");
  ReceiverSet* const all = world.cache.make("a")->set;
  for (int i = 0; i < 30; i++) CHECK(world.cache.make("a/" + std::to_string(i))->set == all);
  CHECK(world.cache.sets() == 1);
  ReceiverSet* const more = world.cache.make("b/1")->set;
  CHECK(more != all);
  CHECK(more->count == 51);
  CHECK(world.cache.make("b/2")->set == more);
  CHECK(world.cache.sets() == 2);
}

TEST_CASE("topics: a set that is not delivered yet outlives its results") {
  FailingAlloc memory;
  {
    World world;
    world.subscribe(1, "a");
    ReceiverSet* const set = world.cache.make("a")->set;
    set->listed = true;
    world.unsubscribe(1, "a");
    CHECK(world.receivers("a").empty());
    CHECK(world.cache.sets() == 0);
    world.cache.end_turn();
    CHECK(set->count == 1);
    const size_t before = world.cache.bytes();
    set->listed = false;
    world.cache.end_turn();
    CHECK(world.cache.bytes() < before);
  }
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("topics: ten thousand levels, and a filter of wildcards only, are no work of more steps than there are nodes") {
  World world;
  std::string deep = "+";
  for (int i = 1; i < 10'000; i++) deep += "/+";
  world.subscribe(1, deep);  // the limit of options keeps it away from here
  std::string topic = "a";
  for (int i = 1; i < 10'000; i++) topic += "/a";
  CHECK(world.match(topic) == std::vector<int>{1});
  CHECK(world.match(topic + "/a").empty());
  world.end(1);
  CHECK(world.index.filters() == 0);
  // 2^10 filters over {a, +}: each node is visited once
  for (int i = 0; i < 1024; i++) {
    std::string filter;
    for (int bit = 0; bit < 10; bit++) filter += std::string(bit ? "/" : "") + (i >> bit & 1 ? "+" : "a");
    world.subscribe(i, filter);
  }
  CHECK(world.match("a/a/a/a/a/a/a/a/a/a").size() == 1024);
}

TEST_CASE("topics: without memory a subscription is refused, a topic is not matched, and nothing else changes") {
  for (size_t allowed = 0;; allowed++) {
    REQUIRE(allowed < 100);
    FailingAlloc memory;
    bool was_short = false;
    {
      World world;
      world.subscribe(1, "x/+/y");
      CHECK(world.receivers("x/1/y") == std::vector<int>{1});
      FailingAlloc::left = allowed;
      TopicFilter* added = nullptr;
      TopicSubscriber* other = world.index.add_subscriber({2, 1});
      if (other) added = world.index.add(*other, nullptr, "x/+/z/q/#");
      if (added) world.cache.changed(*added);
      TopicResult* result = world.cache.make("x/1/z/q");
      if (result) CHECK((result->set != nullptr) == (added != nullptr));
      if (!result) CHECK_FALSE(world.cache.look("x/1/z/q"));
      was_short = FailingAlloc::left == 0;
      FailingAlloc::left = SIZE_MAX;
      CHECK(world.index.filters() == (added ? 2 : 1));
      CHECK(world.receivers("x/1/y") == std::vector<int>{1});
      CHECK(world.match("x/1/z/q").size() == (added ? 1 : 0));
    }
    CHECK(FailingAlloc::held == 0);
    if (!was_short) break;
  }
}
