// Task by itself: made, moved, destroyed, and run by the loop of the library; and what stands in its frame.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

#include <coroutine>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

using namespace martlet;

namespace {

int alive = 0;
struct Alive {
  Alive() { alive++; }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() { alive--; }
};

// A coroutine of another kind, as a program may have its own: it begins at once, and its owner is told that it has ended.
struct Other {
  struct promise_type {
    Other get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};

template <typename T>
Other run(Task<T> task, std::unique_ptr<T>& result, std::string& thrown) {
  try {
    result = std::make_unique<T>(co_await task);
  } catch (const std::exception& e) {
    thrown = e.what();
  }
}

template <typename T>
struct Outcome {
  explicit Outcome(Task<T> task) { run(std::move(task), result, thrown); }
  std::unique_ptr<T> result;
  std::string thrown;
};

Task<int> number(int n) {
  const Alive here;
  co_return n;
}
Task<std::unique_ptr<int>> move_only(int n) { co_return std::make_unique<int>(n); }
Task<> nothing() { co_return; }
Task<int> fails(const char* what) {
  const Alive here;
  throw std::runtime_error(what);
  co_return 0;
}
Task<int> sum(int n) {
  const Alive here;
  int all = 0;
  for (int i = 1; i <= n; i++) {
    all += co_await number(i);
    co_await nothing();
  }
  co_return all;
}
Task<int> deep(int n) {
  const Alive here;
  if (n == 0) co_return 0;
  const int below = co_await deep(n - 1);
  co_return below + 1;
}
Task<std::string> catches() {
  std::string what;
  try {
    co_await fails("inside");
  } catch (const std::runtime_error& e) {
    what = e.what();
  }
  const int n = co_await number(7);
  co_return what + std::to_string(n);
}

}  // namespace

TEST_CASE("task: it is lazy, movable, and its frame goes with it") {
  static_assert(!std::is_copy_constructible_v<Task<int>> && std::is_nothrow_move_constructible_v<Task<int>>);
  CHECK_FALSE(Task<int>());
  {
    Task<int> one = fails("never run");
    CHECK(one);
    CHECK(alive == 0);
    Task<int> two = std::move(one);
    CHECK(two);
    one = number(1);
    two = std::move(one);
  }
  CHECK(alive == 0);
}

TEST_CASE("task: values, what can only be moved, exceptions through several levels") {
  CHECK(*Outcome(number(5)).result == 5);
  CHECK(**Outcome(move_only(6)).result == 6);
  CHECK(Outcome(fails("outside")).thrown == "outside");
  CHECK(*Outcome(catches()).result == "inside7");
  CHECK(alive == 0);
}

TEST_CASE("task: a long loop and a deep chain need no stack") {
  CHECK(*Outcome(sum(60'000)).result == 60'000 / 2 * 60'001);
  CHECK(*Outcome(deep(20'000)).result == 20'000);
  CHECK(alive == 0);
}

#endif
