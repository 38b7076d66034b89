// src/app/group.h: what the workers of a Server share goes in an order in which nothing is missed.
#include "worker/group.h"

#include <doctest/doctest.h>

#include <utility>

#include "support/failing_alloc.h"

using namespace martlet;
using worker::Group;
using martlet::test::FailingAlloc;

TEST_CASE("group: mail that its lanes drop may still look at seats and directory") {
  static Group* shared;
  static bool found;
  net::Inbox inbox;
  std::unique_ptr<Group> group = Group::make(2, 7);
  REQUIRE(group);
  shared = group.get();
  found = false;
  REQUIRE(!inbox.open(8));  // as a worker's, but for that it drops nothing of the lanes when it closes
  group->lanes->sit(1, &inbox);
  group->seats[1].connections = 5;
  REQUIRE(group->directory.enter(worker::AudienceKind::room, "den", 1));
  net::Mail mail;
  mail.drop = [](net::Mail*) {
    shared->seats[1].connections--;
    found = shared->seats[1].connections == 4 && shared->directory.find(worker::AudienceKind::room, "den");
  };
  REQUIRE(group->lanes->post(0, 1, &mail) == net::Posted::yes);
  inbox.close();
  group.reset();
  CHECK(found);
}

TEST_CASE("group: none without memory") {
  FailingAlloc memory(1);
  CHECK(Group::make(2, 7) == nullptr);
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("group: shown counters are summed") {
  worker::ShownStats shown[2];
  shown[0].show({.accepted = 3, .mail_refused = 4});
  shown[1].show({.accepted = 10, .open_rooms = 2});
  Stats sum{.accepted = 100};
  for (const worker::ShownStats& one : shown) one.add_to(sum);
  CHECK(sum.accepted == 113);
  CHECK(sum.open_rooms == 2);
  CHECK(sum.mail_refused == 4);
}
