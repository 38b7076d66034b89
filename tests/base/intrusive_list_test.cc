// The list that runs through its elements.
#include "base/intrusive_list.h"

#include <doctest/doctest.h>

#include <string>

using martlet::base::IntrusiveList;
using martlet::base::ListHook;

namespace {

struct Item : ListHook {
  explicit Item(char c) : name(c) {}
  char name;
};

std::string names(IntrusiveList<Item>& list) {
  std::string text;
  for (Item* item = list.front(); item; item = list.after(item)) text += item->name;
  return text;
}

}  // namespace

TEST_CASE("intrusive_list: elements come out in the order they went in") {
  IntrusiveList<Item> list;
  Item a('a'), b('b'), c('c');
  CHECK(list.empty());
  CHECK(list.front() == nullptr);
  CHECK(list.pop_front() == nullptr);
  for (Item* item : {&a, &b, &c}) list.push_back(item);
  CHECK(!list.empty());
  CHECK(names(list) == "abc");
  CHECK(list.pop_front() == &a);
  CHECK(!a.linked());
  CHECK(names(list) == "bc");
  CHECK(list.pop_front() == &b);
  CHECK(list.pop_front() == &c);
  CHECK(list.empty());
}

TEST_CASE("intrusive_list: an element leaves from any place") {
  for (size_t place = 0; place < 3; place++) {
    IntrusiveList<Item> list;
    Item items[] = {Item('a'), Item('b'), Item('c')};
    for (Item& item : items) list.push_back(&item);
    IntrusiveList<Item>::unlink(&items[place]);
    CHECK(!items[place].linked());
    CHECK(names(list) == std::string("abc").erase(place, 1));
    list.push_back(&items[place]);
    CHECK(items[place].linked());
    CHECK(names(list) == std::string("abc").erase(place, 1) + items[place].name);
  }
}

TEST_CASE("intrusive_list: an element may move to another list while the first is walked") {
  IntrusiveList<Item> from;
  IntrusiveList<Item> to;
  Item items[] = {Item('a'), Item('b'), Item('c'), Item('d')};
  for (Item& item : items) from.push_back(&item);
  for (Item* item = from.front(); item;) {
    Item* next = from.after(item);
    if (item->name == 'b' || item->name == 'd') {
      IntrusiveList<Item>::unlink(item);
      to.push_back(item);
    }
    item = next;
  }
  CHECK(names(from) == "ac");
  CHECK(names(to) == "bd");
}
