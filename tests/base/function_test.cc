// include/martlet/function.h: the move-only callable of all handlers: what it holds and for how long, large and small
// captures, and exceptions that become an answer.
#include <martlet/function.h>

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

using martlet::Function;
namespace detail = martlet::detail;

namespace {

int free_calls;
void free_function(int n) { free_calls += n; }

// Counts itself, of a size that is kept inside or of one that is not; `kThrows`: moving may throw, so it is kept outside.
template <size_t kBytes, bool kThrows = false>
struct Callee {
  static inline int alive = 0;
  std::array<char, kBytes> filling{};
  int* calls;

  explicit Callee(int* c) : calls(c) { alive++; }
  Callee(Callee&& other) noexcept(!kThrows) : filling(other.filling), calls(other.calls) { alive++; }
  Callee(const Callee& other) : filling(other.filling), calls(other.calls) { alive++; }
  ~Callee() { alive--; }
  void operator()(int n) { *calls += n; }
};

template <typename C>
void check_life() {
  int calls = 0;
  {
    Function<void(int)> f = C(&calls);
    CHECK(C::alive == 1);
    CHECK(f(2));
    Function<void(int)> g = std::move(f);
    CHECK(C::alive == 1);
    CHECK_FALSE(f);
    CHECK(f(100));  // of an empty one: nothing happens, and that is no failure
    CHECK(g(3));
    f = std::move(g);
    CHECK(f(4));
    Function<void(int)>& same = f;
    f = std::move(same);
    CHECK(f(5));
    f = Function<void(int)>(C(&calls));
    CHECK(C::alive == 1);
    CHECK(f(6));
    f = nullptr;
    CHECK(C::alive == 0);
    CHECK_FALSE(f);
    f = C(&calls);
  }
  CHECK(C::alive == 0);
  CHECK(calls == 20);
}

}  // namespace

TEST_CASE("function: holds, moves and destroys what it was made of, inside or outside") {
  check_life<Callee<1>>();
  check_life<Callee<24>>();
  check_life<Callee<25>>();
  check_life<Callee<1000>>();
  check_life<Callee<1, true>>();
}

TEST_CASE("function: of an lvalue copies it, of anything that can be called") {
  int calls = 0;
  Callee<8> callee(&calls);
  Function<void(int)> of_lvalue(callee);
  of_lvalue(1);
  Function<void(int)> of_free(free_function);
  of_free(5);
  CHECK(free_calls == 5);
  Function<void(int)> of_pointer(&free_function);
  of_pointer(5);
  CHECK(free_calls == 10);
  Function<void(int)> ignores_result([](int n) { return n * 2; });
  CHECK(ignores_result(4));
  Function<void(int)> takes_long([&](long n) { calls += static_cast<int>(n); });
  takes_long(7);
  CHECK(calls == 8);
  static_assert(!std::is_copy_constructible_v<Function<void()>>);
  static_assert(!std::is_copy_assignable_v<Function<void()>>);
  static_assert(std::is_nothrow_move_constructible_v<Function<void()>>);
  static_assert(!std::is_constructible_v<Function<void(int)>, void (*)(std::string)>);
}

TEST_CASE("function: gives references and move-only arguments through") {
  Function<void(std::string&, std::unique_ptr<int>)> f([](std::string& text, std::unique_ptr<int> n) {
    text += std::to_string(*n);
  });
  std::string text = "n is ";
  f(text, std::make_unique<int>(42));
  CHECK(text == "n is 42");
}

TEST_CASE("function: keeps its own state between calls, and may be moved while empty") {
  int last = 0;
  Function<void()> counter([&last, n = 0]() mutable { last = ++n; });
  counter();
  counter();
  CHECK(last == 2);
  Function<void()> empty;
  Function<void()> other = std::move(empty);
  empty = std::move(other);
  CHECK_FALSE(empty);
  CHECK(empty());
}

TEST_CASE("function: an exception is an answer, its text is kept, and the callee is none the worse") {
  int calls = 0;
  Function<void(int)> f([&](int what) {
    calls++;
    const std::string unwound(100, 'x');
    if (what == 1) throw std::runtime_error("the reason");
    if (what == 2) throw 7;
    if (what == 3) throw std::runtime_error(std::string(5000, 'l'));
  });
  CHECK(f(0));
  CHECK_FALSE(f(1));
  CHECK(std::string(detail::last_failure()) == "the reason");
  CHECK_FALSE(f(2));
  CHECK(std::string(detail::last_failure()) == "unknown exception");
  CHECK_FALSE(f(3));
  const std::string cut = detail::last_failure();
  CHECK(cut.size() >= 100);
  CHECK(cut.size() < 5000);
  CHECK(cut.find_first_not_of('l') == cut.npos);
  CHECK(f(0));
  CHECK(calls == 5);
}
