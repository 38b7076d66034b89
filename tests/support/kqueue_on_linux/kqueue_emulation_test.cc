// The emulation of kqueue against the manual page, kqueue(2) of FreeBSD and macOS: queues, lists and flags. A case holds
// what a sentence there says; kqueue_calls_test.cc has errors and waiting, kqueue_filters_test.cc the filters.
#include <sys/event.h>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "support/kqueue_on_linux/kevents.h"

using namespace kqueue_test;

// The queue -----------------------------------------------------------------------------------------------------------

TEST_CASE("kqueue: a condition that is there already is found at the registration") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 1);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.one().ident == static_cast<uintptr_t>(pair.near));
}

TEST_CASE("kqueue: an event that comes later is reported then") {
  const Queue queue;
  const Pair pair;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.none());
  put(pair.far, 1);
  CHECK(queue.one().filter == EVFILT_READ);
}

TEST_CASE("kqueue: a condition that holds no longer when the event is fetched is not returned") {
  const Queue queue;
  const Pair first, second;
  CHECK(queue.change(first.near, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.change(second.near, EVFILT_READ, EV_ADD) == 0);
  put(first.far, 1);
  CHECK(queue.readable());
  get(first.near, 1);
  CHECK(queue.none());
  // The same for an event that had no room when it was first seen.
  put(first.far, 1);
  put(second.far, 1);
  const auto events = queue.take(kPatience, 1);
  REQUIRE(events.size() == 1);
  const int other = events[0].ident == static_cast<uintptr_t>(first.near) ? second.near : first.near;
  get(other, 1);
  CHECK(queue.one().ident == events[0].ident);
}

TEST_CASE("kqueue: several things that happen are one event") {
  const Queue queue;
  const Pair pair;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  for (int i = 0; i < 3; i++) put(pair.far, 5);
  CHECK(queue.one().data == 15);
}

TEST_CASE("kqueue: an event is named by ident and filter, of which there is one") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 1);
  int reading, writing;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD, 0, 0, &reading) == 0);
  CHECK(queue.change(pair.near, EVFILT_WRITE, EV_ADD, 0, 0, &writing) == 0);
  const auto events = queue.take(kPatience);
  REQUIRE(events.size() == 2);  // reading and writing apart, each once
  for (const Event& event : events) {
    CHECK(event.ident == static_cast<uintptr_t>(pair.near));
    CHECK(event.udata == (event.filter == EVFILT_READ ? &reading : &writing));
  }
  CHECK(events[0].filter != events[1].filter);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_DELETE) == 0);
  CHECK(queue.one().filter == EVFILT_WRITE);
}

TEST_CASE("kqueue: close() removes the events of the descriptor, also while a duplicate lives") {
  const Queue first, second;
  Pair pair;
  const Descriptor duplicate(::dup(pair.near));
  for (const Queue* queue : {&first, &second}) {
    CHECK(queue->change(pair.near, EVFILT_READ, EV_ADD) == 0);
    CHECK(queue->change(pair.near, EVFILT_WRITE, EV_ADD) == 0);
  }
  put(pair.far, 1);
  CHECK(first.take(kPatience).size() == 2);
  const int number = pair.near;
  pair.near.close();
  CHECK(first.none());
  CHECK(second.none());
  const Descriptor again(::dup(duplicate));  // the lowest number that is free
  REQUIRE(again == number);
  CHECK(first.none());
  CHECK(first.change(number, EVFILT_READ, EV_DELETE) == ENOENT);
  CHECK(first.change(number, EVFILT_READ, EV_ADD) == 0);
  CHECK(first.one().filter == EVFILT_READ);
}

TEST_CASE("kqueue: an event that waits on the list goes with its descriptor") {
  const Queue queue;
  Pair first, second;
  for (const Pair* pair : {&first, &second}) {
    put(pair->far, 1);
    CHECK(queue.change(pair->near, EVFILT_READ, EV_ADD) == 0);
  }
  const auto events = queue.take(kPatience, 1);
  REQUIRE(events.size() == 1);
  (events[0].ident == static_cast<uintptr_t>(first.near) ? second : first).near.close();
  CHECK(queue.one().ident == events[0].ident);
}

TEST_CASE("kqueue: a child has none of its parent's queues, and what it closes stays watched in the parent") {
  const Queue queue;
  const Pair pair;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.change(7, EVFILT_TIMER, EV_ADD, 0, 3'600'000) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Event event;
    const bool none = ::kevent(queue.fd, nullptr, 0, &event, 1, &kNow) == -1 && errno == EBADF && ::fcntl(queue.fd, F_GETFD) < 0;
    ::close(pair.near);
    ::_exit(none ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  put(pair.far, 1);
  CHECK(queue.one().ident == static_cast<uintptr_t>(pair.near));
}

TEST_CASE("kqueue: a queue can be polled, and watched by another") {
  const Queue inner, outer;
  const Pair pair;
  CHECK(outer.change(inner.fd, EVFILT_READ, EV_ADD) == 0);
  CHECK(inner.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  CHECK(!inner.readable());
  CHECK(outer.none());
  put(pair.far, 1);
  CHECK(inner.readable());
  CHECK(outer.one().ident == static_cast<uintptr_t>(inner.fd));
  get(pair.near, 1);
  CHECK(!inner.readable());
  CHECK(outer.none());
  CHECK(inner.change(pair.near, EVFILT_WRITE, EV_ADD) == 0);
  CHECK(inner.readable());
  CHECK(outer.one().data == 1);
  CHECK(outer.change(outer.fd, EVFILT_READ, EV_ADD) == EINVAL);
}

// The lists -----------------------------------------------------------------------------------------------------------

TEST_CASE("kqueue: all changes are made before events are read") {
  const Queue queue;
  const Pair first, second;
  put(first.far, 1);
  put(second.far, 1);
  CHECK(queue.change(first.near, EVFILT_READ, EV_ADD) == 0);
  const Event changes[] = {change_of(first.near, EVFILT_READ, EV_DELETE), change_of(second.near, EVFILT_READ, EV_ADD)};
  Event events[4];
  REQUIRE(::kevent(queue.fd, changes, 2, events, 4, &kPatience) == 1);
  CHECK(events[0].ident == static_cast<uintptr_t>(second.near));
}

TEST_CASE("kqueue: no more events than there is room for; the rest comes next, and none twice before") {
  const Queue queue;
  const Pair pairs[5];
  for (const Pair& pair : pairs) {
    put(pair.far, 1);
    CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
  }
  size_t seen = 0;
  for (const size_t expected : {2, 2, 1}) {
    CHECK(queue.readable());
    const auto events = queue.take(kPatience, 2);
    CHECK(events.size() == expected);
    for (const Event& event : events) seen += event.ident;
  }
  size_t all = 0;
  for (const Pair& pair : pairs) all += static_cast<size_t>(pair.near);
  CHECK(seen == all);
  CHECK(!queue.readable());
  CHECK(queue.none());
}

TEST_CASE("kqueue: without room for events the call returns at once, whatever the timeout, and takes none") {
  const Queue queue;
  const Pair pair;
  const timespec hour{3600, 0};
  CHECK(::kevent(queue.fd, nullptr, 0, nullptr, 0, &hour) == 0);
  CHECK(::kevent(queue.fd, nullptr, 0, nullptr, 0, nullptr) == 0);
  put(pair.far, 1);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
  CHECK(::kevent(queue.fd, nullptr, 0, nullptr, 0, nullptr) == 0);
  CHECK(queue.one().data == 1);
}

TEST_CASE("kqueue: one array can be both lists") {
  const Queue queue;
  const Pair first, second;
  put(second.far, 1);
  Event both[] = {change_of(first.near, EVFILT_READ, EV_ADD), change_of(second.near, EVFILT_READ, EV_ADD)};
  REQUIRE(::kevent(queue.fd, both, 2, both, 2, &kPatience) == 1);
  CHECK(both[0].ident == static_cast<uintptr_t>(second.near));
  CHECK(both[0].data == 1);
  Event receipts[] = {change_of(first.near, EVFILT_READ, EV_DELETE), change_of(first.near, EVFILT_READ, EV_DELETE),
                      change_of(second.near, EVFILT_READ, EV_ADD | EV_RECEIPT)};
  REQUIRE(::kevent(queue.fd, receipts, 3, receipts, 3, nullptr) == 2);
  CHECK(receipts[0].ident == static_cast<uintptr_t>(first.near));
  CHECK(receipts[0].data == ENOENT);
  CHECK(receipts[1].ident == static_cast<uintptr_t>(second.near));
  CHECK(receipts[1].data == 0);
}

TEST_CASE("kqueue: udata comes back as it was given, and a later change gives another") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 1);
  void* const odd = reinterpret_cast<void*>(uintptr_t{0x1234567});
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD, 0, 0, odd) == 0);
  CHECK(queue.one().udata == odd);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD, 0, 0, nullptr) == 0);
  CHECK(queue.one().udata == nullptr);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ENABLE, 0, 0, odd) == 0);
  CHECK(queue.one().udata == odd);
}

TEST_CASE("kqueue: EV_SET fills each field") {
  Event event;
  int target;
  EV_SET(&event, 5, EVFILT_WRITE, EV_ADD | EV_CLEAR, NOTE_LOWAT, 77, &target);
  CHECK(event.ident == 5);
  CHECK(event.filter == EVFILT_WRITE);
  CHECK(event.flags == (EV_ADD | EV_CLEAR));
  CHECK(event.fflags == NOTE_LOWAT);
  CHECK(event.data == 77);
  CHECK(event.udata == &target);
}

// Flags ---------------------------------------------------------------------------------------------------------------

TEST_CASE("kqueue: without EV_CLEAR an event is returned as long as its condition holds") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 2);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.one().data == 2);
  CHECK(queue.one().data == 2);
  get(pair.near, 1);
  CHECK(queue.one().data == 1);
  get(pair.near, 1);
  CHECK(queue.none());
}

TEST_CASE("kqueue: adding what is there modifies it") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 2);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD, NOTE_LOWAT, 3) == 0);
  CHECK(queue.none());
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD, NOTE_LOWAT, 2) == 0);
  CHECK(queue.one().data == 2);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD, NOTE_LOWAT, 3) == 0);
  CHECK(queue.none());
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD, 0, 3) == 0);
  CHECK(queue.one().data == 2);
}

TEST_CASE("kqueue: adding enables, unless EV_DISABLE stands beside it") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 1);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | EV_DISABLE) == 0);
  CHECK(queue.none());
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.one().data == 1);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | EV_DISABLE) == 0);
  CHECK(queue.none());
}

TEST_CASE("kqueue: EV_DISABLE keeps an event from being returned, not its filter from running") {
  const Queue queue;
  const Pair pair;
  for (const unsigned kind : {0, EV_CLEAR}) {
    CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | kind) == 0);
    CHECK(queue.change(pair.near, EVFILT_READ, EV_DISABLE) == 0);
    put(pair.far, 1);
    CHECK(!queue.readable());
    CHECK(queue.none());
    CHECK(queue.change(pair.near, EVFILT_READ, EV_ENABLE) == 0);
    CHECK(queue.one().data == 1);
    get(pair.near, 1);
    CHECK(queue.change(pair.near, EVFILT_READ, EV_DELETE) == 0);
  }
}

TEST_CASE("kqueue: EV_DISABLE holds for an event that waits on the list already") {
  const Queue queue;
  const Pair first, second;
  for (const Pair* pair : {&first, &second}) {
    put(pair->far, 1);
    CHECK(queue.change(pair->near, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
  }
  const auto events = queue.take(kPatience, 1);
  REQUIRE(events.size() == 1);
  const int waits = events[0].ident == static_cast<uintptr_t>(first.near) ? second.near : first.near;
  CHECK(queue.readable());
  CHECK(queue.change(waits, EVFILT_READ, EV_DISABLE) == 0);
  CHECK(!queue.readable());
  CHECK(queue.none());
  CHECK(queue.change(waits, EVFILT_READ, EV_ENABLE) == 0);
  CHECK(queue.one().ident == static_cast<uintptr_t>(waits));
}

TEST_CASE("kqueue: EV_DISPATCH disables an event once it is returned") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 1);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | EV_DISPATCH) == 0);
  CHECK(queue.one().data == 1);
  put(pair.far, 1);
  CHECK(queue.none());
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ENABLE) == 0);
  CHECK(queue.one().data == 2);
  CHECK(queue.none());
}

TEST_CASE("kqueue: EV_DELETE removes an event, and what is not there is ENOENT") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 1);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_DELETE) == ENOENT);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ENABLE) == ENOENT);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_DISABLE) == ENOENT);
  CHECK(queue.change(7, EVFILT_USER, 0, NOTE_TRIGGER) == ENOENT);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD) == 0);
  CHECK(queue.change(pair.near, EVFILT_WRITE, EV_DELETE) == ENOENT);
  CHECK(queue.one().filter == EVFILT_READ);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_DELETE) == 0);
  CHECK(queue.none());
  CHECK(queue.change(pair.near, EVFILT_READ, EV_DELETE) == ENOENT);
}

TEST_CASE("kqueue: EV_ONESHOT returns the first occurrence and is deleted") {
  const Queue queue;
  const Pair pair;
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | EV_ONESHOT) == 0);
  CHECK(queue.none());
  put(pair.far, 1);
  CHECK(queue.one().data == 1);
  put(pair.far, 1);
  CHECK(queue.none());
  CHECK(queue.change(pair.near, EVFILT_READ, EV_DELETE) == ENOENT);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | EV_ONESHOT) == 0);
  CHECK(queue.one().data == 2);
}

TEST_CASE("kqueue: EV_CLEAR resets an event once it is returned, until something happens again") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 2);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
  CHECK(queue.one().data == 2);
  CHECK(queue.none());
  get(pair.near, 1);
  CHECK(queue.none());  // taking is no event
  put(pair.far, 1);
  CHECK(queue.one().data == 2);
  CHECK(queue.none());
}

TEST_CASE("kqueue: the two events of a descriptor are each of their own kind") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 1);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
  CHECK(queue.change(pair.near, EVFILT_WRITE, EV_ADD) == 0);
  CHECK(queue.take(kPatience).size() == 2);
  CHECK(queue.one().filter == EVFILT_WRITE);
  CHECK(queue.change(pair.near, EVFILT_WRITE, EV_DISABLE) == 0);
  CHECK(queue.none());
  CHECK(queue.change(pair.near, EVFILT_WRITE, EV_ADD) == 0);
  CHECK(queue.one().filter == EVFILT_WRITE);
  put(pair.far, 1);
  CHECK(queue.take(kPatience).size() == 2);
}

TEST_CASE("kqueue: EV_RECEIPT answers each change with EV_ERROR, data 0 when it was made, and drains nothing") {
  const Queue queue;
  const Pair first, second;
  put(first.far, 1);
  CHECK(queue.change(first.near, EVFILT_READ, EV_ADD | EV_CLEAR) == 0);
  const Event changes[] = {change_of(second.near, EVFILT_READ, EV_ADD | EV_RECEIPT),
                           change_of(second.near, EVFILT_WRITE, EV_DELETE | EV_RECEIPT),
                           change_of(second.near, EVFILT_READ, EV_DISABLE | EV_RECEIPT)};
  Event events[8];
  REQUIRE(::kevent(queue.fd, changes, 3, events, 8, nullptr) == 3);
  for (int i = 0; i < 3; i++) {
    CHECK((events[i].flags & EV_ERROR) != 0);
    CHECK(events[i].ident == static_cast<uintptr_t>(second.near));
    CHECK(events[i].filter == changes[i].filter);
    CHECK(events[i].data == (i == 1 ? ENOENT : 0));
  }
  CHECK(queue.one().ident == static_cast<uintptr_t>(first.near));
}

TEST_CASE("kqueue: a receipt for which there is no room ends the changes") {
  const Queue queue;
  const Pair pair;
  put(pair.far, 1);
  const Event changes[] = {change_of(pair.near, EVFILT_READ, EV_ADD | EV_RECEIPT),
                           change_of(pair.near, EVFILT_WRITE, EV_ADD | EV_RECEIPT), change_of(7, EVFILT_USER, EV_ADD)};
  Event event;
  CHECK(::kevent(queue.fd, changes, 3, &event, 1, nullptr) == 1);
  CHECK((event.flags & EV_ERROR) != 0);
  CHECK(event.data == 0);
  CHECK(queue.change(pair.near, EVFILT_READ, EV_DELETE) == 0);
  CHECK(queue.change(pair.near, EVFILT_WRITE, EV_DELETE) == 0);
  CHECK(queue.change(7, EVFILT_USER, EV_DELETE) == ENOENT);
}
