// Json: what a value is, and what its arrays and objects do, by the contract of martlet/json.h. Values of parsed documents are in
// value_document_test.cc, random operations in value_random_test.cc.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/failing_alloc.h"

using namespace martlet;

namespace {

using Kind = Json::Kind;

static_assert(sizeof(Json) == 16);
static_assert(std::is_nothrow_move_constructible_v<Json> && std::is_nothrow_move_assignable_v<Json>);
static_assert(!std::is_constructible_v<Json, char> && !std::is_constructible_v<Json, void*>);

const std::string kLong = "a string that does not lie in the cell";

std::string names_of(const Json& object) {
  std::string all;
  for (const auto& [name, value] : object.members()) all.append(name) += ' ';
  return all;
}

// Arrays in one another, built from the inside by moves.
Json nested(size_t levels) {
  Json value;
  for (size_t i = 0; i < levels; i++) {
    Json outer = i % 2 ? Json::array() : Json::object();
    if (i % 2) {
      outer.push_back(std::move(value));
    } else {
      outer["a"] = std::move(value);
    }
    value = std::move(outer);
  }
  return value;
}

// Both sides of both limits of an integer type, as integers and, where that is exact, as doubles.
template <typename T>
void check_limits() {
  constexpr T least = std::numeric_limits<T>::min(), most = std::numeric_limits<T>::max();
  CHECK(Json(least).as<T>() == least);
  CHECK(Json(most).as<T>() == most);
  CHECK(Json(T{0}).as<T>() == T{0});
  if constexpr (sizeof(T) < 8) {
    CHECK_FALSE(Json(int64_t{least} - 1).as<T>());
    CHECK_FALSE(Json(int64_t{most} + 1).as<T>());
    CHECK(Json(double{least}).as<T>() == least);
    CHECK(Json(double{most}).as<T>() == most);
    CHECK_FALSE(Json(double{least} - 1).as<T>());
    CHECK_FALSE(Json(double{most} + 1).as<T>());
  }
  for (const double none : {0.5, -0.5, 1e300, -1e300, std::numeric_limits<double>::infinity(), std::nan("")}) CHECK_FALSE(Json(none).as<T>());
  CHECK(Json(-0.0).as<T>() == T{0});
  for (const Json& none : {Json(), Json(true), Json("1"), Json::array({1}), Json::object()}) CHECK_FALSE(none.as<T>());
}

}  // namespace

TEST_CASE("json value: scalars in all forms") {
  CHECK(Json().is_null());
  CHECK(Json(nullptr).kind() == Kind::null);
  CHECK(Json(true).is_bool());
  CHECK(Json(false) == Json(false));
  CHECK_FALSE(Json(true) == Json(1));
  for (const Json& number : {Json(1), Json(1u), Json(1L), Json(1LL), Json(1ULL), Json(short{1}), Json(int8_t{1}), Json(uint8_t{1}), Json(1.0), Json(1.0f)}) {
    CHECK(number.kind() == Kind::number);
    CHECK(number.is_number());
    CHECK(number == Json(1));
  }
  CHECK(Json(1).is_integer());
  CHECK(Json(UINT64_MAX).is_integer());
  CHECK_FALSE(Json(1.0).is_integer());
  CHECK_FALSE(Json("1").is_integer());
  char mutable_text[] = "ab";
  for (const Json& text : {Json("ab"), Json(std::string("ab")), Json(std::string_view("ab")), Json(mutable_text), Json(static_cast<const char*>("ab"))}) {
    CHECK(text.kind() == Kind::string);
    CHECK(text.text_or("") == "ab");
  }
  CHECK(Json::array().kind() == Kind::array);
  CHECK(Json::object().kind() == Kind::object);
  CHECK(Json(std::vector<int>{1, 2}) == Json::array({1, 2}));
}

TEST_CASE("json value: texts of every length about the cell, with any bytes") {
  for (size_t size = 0; size <= 40; size++) {
    std::string text;
    for (size_t i = 0; i < size; i++) text += static_cast<char>(i * 7);  // a NUL first
    const Json value(text);
    CHECK(value.text_or("?") == text);
    CHECK(value.as<std::string>() == text);
    CHECK(value.as<std::string_view>() == text);
    CHECK(Json(value) == value);
    Json object;
    object[text] = 1;
    CHECK(object.find(text));
    CHECK_FALSE(object.find(text + '\0'));
    if (size) CHECK_FALSE(object.find(text.substr(1)));
  }
}

TEST_CASE("json value: braces make objects, array() arrays") {
  const Json user = {{"name", "Ann"}, {"age", 41}, {"tags", Json::array({"a", 1, nullptr, true, 1.5, {{"x", 1}}, Json::array()})}};
  CHECK(user.dump() == R"({"name":"Ann","age":41,"tags":["a",1,null,true,1.5,{"x":1},[]]})");
  const Json one = {{"a", "b"}};
  CHECK(one.is_object());
  const Json twice = {{"a", 1}, {"b", 2}, {"a", 3}};
  CHECK(twice.dump() == R"({"a":3,"b":2})");
  CHECK(Json::array({}).dump() == "[]");
}

TEST_CASE("json value: [] inserts, const [] does not") {
  Json value;
  value["b"] = 1;
  value["a"]["deep"]["er"] = kLong;
  CHECK(value.dump() == R"({"b":1,"a":{"deep":{"er":")" + kLong + R"("}}})");
  CHECK(value["absent"].is_null());
  CHECK(names_of(value) == "b a absent ");
  const Json& same = value;
  CHECK(same["none"].is_null());
  CHECK(same["b"]["none"].is_null());
  CHECK(same[0].is_null());
  CHECK(value.size() == 3);
  CHECK(same["a"]["deep"]["er"].text_or("") == kLong);

  Json number = 7;
  number["a"] = 1;  // lost
  number["a"]["b"] = 1;
  number[0] = 1;
  CHECK(number == Json(7));
  CHECK(number["a"].is_null());
  Json list = Json::array({1, 2});
  list["a"] = 1;
  list[2] = 3;
  list[-1] = 3;
  list[SIZE_MAX] = 3;
  CHECK(list.dump() == "[1,2]");
  CHECK(list[2].is_null());
  list[1] = "two";
  CHECK(list[uint8_t{1}].text_or("") == "two");
}

TEST_CASE("json value: as at the limits of every integer type") {
  check_limits<int8_t>();
  check_limits<uint8_t>();
  check_limits<int16_t>();
  check_limits<uint16_t>();
  check_limits<int32_t>();
  check_limits<uint32_t>();
  check_limits<int64_t>();
  check_limits<uint64_t>();
  check_limits<long long>();
  check_limits<unsigned long>();
  CHECK_FALSE(Json(-1).as<uint64_t>());
  CHECK_FALSE(Json(-1.0).as<uint64_t>());
  CHECK_FALSE(Json(INT64_MIN).as<uint64_t>());
  CHECK_FALSE(Json(uint64_t{1} << 63).as<int64_t>());
  CHECK(Json((uint64_t{1} << 63) - 1).as<int64_t>() == INT64_MAX);
  CHECK_FALSE(Json(UINT64_MAX).as<int64_t>());
  // 2^53 may have been another integer
  CHECK(Json(9007199254740991.0).as<int64_t>() == 9007199254740991);
  CHECK(Json(-9007199254740991.0).as<int64_t>() == -9007199254740991);
  CHECK_FALSE(Json(9007199254740992.0).as<int64_t>());
  CHECK_FALSE(Json(-9007199254740992.0).as<int64_t>());
  CHECK_FALSE(Json(9007199254740992.0).as<uint64_t>());
}

TEST_CASE("json value: as a float or double is the nearest") {
  CHECK(Json(1.5).as<double>() == 1.5);
  CHECK(Json(1.1).as<float>() == 1.1f);
  CHECK(Json(INT64_MIN).as<double>() == -9223372036854775808.0);
  CHECK(Json(UINT64_MAX).as<double>() == 18446744073709551616.0);
  CHECK_FALSE(Json("1").as<double>());
  CHECK(Json(3.4028234e38).as<float>() == 3.4028234e38f);
  CHECK_FALSE(Json(3.5e38).as<float>());
  CHECK_FALSE(Json(-1e300).as<float>());
  CHECK(Json(1e300).as<double>() == 1e300);
  // Just above the middle of two floats: by way of a double it would be in the middle.
  CHECK(Json((int64_t{1} << 60) + (int64_t{1} << 36) + 1).as<float>() == std::ldexp(1.0f, 60) + std::ldexp(1.0f, 37));
  CHECK(Json((uint64_t{1} << 63) + (uint64_t{1} << 39) + 1).as<float>() == std::ldexp(1.0f, 63) + std::ldexp(1.0f, 40));
  CHECK(std::isinf(Json(std::numeric_limits<double>::infinity()).as<float>().value()));
}

TEST_CASE("json value: the value, or another") {
  CHECK(Json("a").text_or("b") == "a");
  CHECK(Json(1).text_or("b") == "b");
  CHECK(Json(-3).int_or(7) == -3);
  CHECK(Json(3.0).int_or(7) == 3);
  CHECK(Json(3.5).int_or(7) == 7);
  CHECK(Json(UINT64_MAX).int_or(7) == 7);
  CHECK(Json(INT64_MIN).int_or(7) == INT64_MIN);
  CHECK(Json("3").int_or(7) == 7);
  CHECK(Json(3).number_or(7) == 3.0);
  CHECK(Json(UINT64_MAX).number_or(7) == 18446744073709551616.0);
  CHECK(Json("3").number_or(7) == 7.0);
  CHECK(Json(false).bool_or(true) == false);
  CHECK(Json(0).bool_or(true) == true);
  CHECK(Json(true).as<bool>() == true);
  CHECK_FALSE(Json(1).as<bool>());
  CHECK(Json(5).as<Json>() == Json(5));
}

TEST_CASE("json value: erase") {
  Json object = {{"a", 1}, {"b", kLong}, {kLong, Json::array({kLong})}, {"d", 4}};
  CHECK(object.erase("b"));
  CHECK_FALSE(object.erase("b"));
  CHECK_FALSE(object.erase(size_t{0}));
  CHECK(object.erase(kLong));
  CHECK(object.dump() == R"({"a":1,"d":4})");
  object["b"] = 2;
  CHECK(names_of(object) == "a d b ");
  Json list = Json::array({1, kLong, Json::array({kLong}), 4});
  CHECK_FALSE(list.erase(4));
  CHECK_FALSE(list.erase("a"));
  CHECK(list.erase(3));
  CHECK(list.erase(1));
  CHECK(list.erase(size_t{0}));
  CHECK(list == Json::array({Json::array({kLong})}));
  CHECK(list.erase(size_t{0}));
  CHECK_FALSE(list.erase(size_t{0}));
  Json none;
  CHECK_FALSE(none.erase("a"));
  CHECK_FALSE(none.erase(size_t{0}));
  CHECK(none.is_null());
}

TEST_CASE("json value: push_back, clear, size") {
  Json list;
  for (int i = 0; i < 100; i++) CHECK(list.push_back(i));
  CHECK(list.size() == 100);
  CHECK(list[99].int_or(-1) == 99);
  CHECK(list.push_back(list));  // a copy of itself
  CHECK(list[100].size() == 100);
  CHECK(list.push_back(std::move(list[0])));
  CHECK(list[0].is_null());
  CHECK(list[101].int_or(-1) == 0);
  list.clear();
  CHECK(list.is_array());
  CHECK(list.empty());
  for (Json none : {Json(1), Json("a"), Json(true), Json::object()}) {
    const Json before = none;
    CHECK_FALSE(none.push_back(1));
    CHECK(none == before);
  }
  Json object = {{"a", kLong}};
  object.clear();
  CHECK(object == Json::object());
  Json text = kLong;
  text.clear();  // neither array nor object
  CHECK(text == Json(kLong));
  CHECK(text.size() == 0);
}

TEST_CASE("json value: items, members, find") {
  Json value = {{"a", 1}, {"list", Json::array({1, 2, 3})}};
  for (Json& item : value["list"].items()) item = item.int_or(0) * 2;
  for (auto [name, member] : value.members()) {
    if (name == "a") member = "one";
  }
  CHECK(value.dump() == R"({"a":"one","list":[2,4,6]})");
  CHECK(value.items().empty());
  CHECK(value["list"].members().size() == 0);
  CHECK(value.members().size() == 2);
  CHECK(value.contains("a"));
  CHECK_FALSE(value.contains("A"));
  *value.find("a") = 5;
  CHECK(std::as_const(value).find("a")->int_or(0) == 5);
  CHECK(value.find("none") == nullptr);
  CHECK(value["list"].find("0") == nullptr);
  CHECK(Json(1).items().empty());
  CHECK(Json().members().begin() == Json().members().end());
}

TEST_CASE("json value: copies and moves") {
  Json a = {{"x", Json::array({kLong, 1})}};
  Json copy = a;
  copy["x"][0] = 1;
  CHECK(a["x"][0].text_or("") == kLong);
  Json moved = std::move(a);
  CHECK(a.is_null());
  CHECK(moved["x"].size() == 2);
  a = 1;
  std::swap(a, moved);
  CHECK(moved == Json(1));
  Json& self = a;
  a = self;
  CHECK(a["x"].size() == 2);
  a = std::move(self);
  CHECK(a["x"].size() == 2);
  a = a["x"];  // a part of itself, copied
  CHECK(a == Json::array({kLong, 1}));
  a = std::move(a[0]);
  CHECK(a == Json(kLong));
  Json inside = {{"x", Json::object()}};
  inside["x"] = inside;
  CHECK(inside.dump() == R"({"x":{"x":{}}})");
}

TEST_CASE("json value: equality") {
  CHECK(Json({{"a", 1}, {"b", 2}}) == Json({{"b", 2}, {"a", 1}}));
  CHECK_FALSE(Json({{"a", 1}, {"b", 2}}) == Json({{"b", 2}, {"c", 1}}));
  CHECK_FALSE(Json({{"a", 1}}) == Json({{"a", 1}, {"b", 2}}));
  CHECK_FALSE(Json::array({1, 2}) == Json::array({2, 1}));
  CHECK_FALSE(Json::array() == Json::object());
  CHECK_FALSE(Json() == Json(false));
  CHECK_FALSE(Json(0) == Json(false));
  CHECK(Json(1) == Json(1.0));
  CHECK(Json(0) == Json(-0.0));
  CHECK_FALSE(Json(1) == Json(1.5));
  CHECK_FALSE(Json(std::nan("")) == Json(std::nan("")));
  CHECK_FALSE(Json(-1) == Json(UINT64_MAX));
  CHECK(Json(UINT64_MAX - 2047) == Json(18446744073709549568.0));
  CHECK_FALSE(Json(UINT64_MAX) == Json(18446744073709551616.0));
  CHECK(Json(INT64_MIN) == Json(-9223372036854775808.0));
  CHECK_FALSE(Json(INT64_MAX) == Json(9223372036854775808.0));
  CHECK(Json(uint64_t{1} << 63) == Json(9223372036854775808.0));
  CHECK_FALSE(Json(9007199254740993) == Json(9007199254740992.0));
  CHECK(Json(9007199254740992) == Json(9007199254740992.0));
  CHECK(Json("a") == Json(std::string("a")));
  CHECK_FALSE(Json(kLong) == Json(kLong + "."));
}

TEST_CASE("json value: objects of many members in another order") {
  for (const int count : {15, 16, 17, 18, 40, 1000}) {
    Json a = Json::object(), b = Json::object();
    const auto name_of = [](int i) { return (i % 3 ? "n" : "a name that is longer ") + std::to_string(i); };
    for (int i = 0; i < count; i++) a[name_of(i)] = i, b[name_of(count - 1 - i)] = count - 1 - i;
    CHECK(a == b);
    b[name_of(count / 2)] = -1;
    CHECK_FALSE(a == b);
    b[name_of(count / 2)] = count / 2;
    CHECK(a == b);
    b.erase(name_of(0));
    b["other"] = 0;
    CHECK_FALSE(a == b);
    CHECK_FALSE(b == a);
  }
}

TEST_CASE("json value: a million levels end without a deep stack") {
  Json deep = nested(1'000'000);
  CHECK(deep.size() == 1);
  deep = 1;
  // Deeper than a text may be, it is not copied, and the copy says so.
  Json most = nested(1024), over = nested(1025);
  CHECK(Json(most).complete());
  CHECK(Json(most) == most);
  CHECK_FALSE(Json(over).complete());
}

TEST_CASE("json value: where memory is out, what did not fit is not there, and the value says so") {
  const Json whole = {{"a", kLong}, {"b", Json::array({1, kLong, Json::array({kLong})})}, {kLong, {{"c", kLong}}}};
  size_t allowed = 0;
  for (bool complete = false; !complete; allowed++) {
    test::FailingAlloc alloc(allowed);
    {
      const Json copy = whole;
      complete = copy.complete();
      CHECK(complete == (alloc.failures == 0));
      CHECK(complete == (copy == whole));
      (void)copy.dump();
    }
    CHECK(alloc.held == 0);
  }
  CHECK(allowed > 8);
  for (size_t left = 0; left < 6; left++) {
    test::FailingAlloc alloc(left);
    {
      Json list, object, text = kLong;
      for (int i = 0; i < 50; i++) {
        const bool pushed = list.push_back(i);
        CHECK(pushed == list.complete());
        object[kLong + std::to_string(i)] = i;
      }
      CHECK_FALSE(object.complete());
      CHECK(text.complete() == text.is_string());
      CHECK(object.size() < 50);
    }
    CHECK(alloc.held == 0);
  }
}

// The shape of a value may be a peer's choice: what a program writes into may be a number.
TEST_CASE("json value: places in what is nobody's stay good, and nothing is put there") {
  auto parsed = Json::parse(R"({"a":5,"b":"text"})");
  REQUIRE(parsed);
  Json& first = (*parsed)["a"]["x"]["y"];
  Json& second = (*parsed)["b"]["x"]["y"]["z"];
  first = "a text of more than fourteen bytes";
  second = 2;
  CHECK(!(*parsed)["a"]["list"].push_back(1));
  CHECK((*parsed)["a"]["x"].is_null());
  CHECK((*parsed)["a"]["x"].size() == 0);
  CHECK(!(*parsed)["a"]["x"].set_pointer("/y", 1));
  CHECK(parsed->dump() == R"({"a":5,"b":"text"})");
  CHECK(parsed->complete());
}

TEST_CASE("json value: what is assigned to what is nobody's is not kept, and what comes from there is an ordinary null") {
  Json number = 5;
  test::FailingAlloc alloc;
  Json& lost = number["x"];
  lost = "a text of more than fourteen bytes";
  lost = Json::array({1, 2, 3});
  CHECK(alloc.held == 0);
  CHECK(lost.is_null());
  CHECK(&lost[0] == &lost["y"]);
  lost.merge_patch({{"a", 1}});
  lost.clear();
  CHECK(!lost.erase("a"));
  CHECK(!lost.set_pointer("", 1));
  CHECK(lost.find_pointer("/x") == nullptr);
  CHECK(lost == Json());
  CHECK(lost.complete());
  CHECK(lost.dump() == "null");

  Json copy = lost;
  Json moved = std::move(lost);
  Json assigned = 1;
  assigned = std::move(number["x"]);
  Json list = Json::array({lost, std::move(lost)});
  for (Json* value : {&copy, &moved, &assigned, &list[0], &list[1]}) {
    CHECK(value->is_null());
    (*value)["a"] = 1;
    CHECK(value->dump() == R"({"a":1})");
  }
  using std::swap;
  Json other = "kept by nobody";
  swap(other, number["x"]);
  CHECK(other.is_null());
  CHECK(number["x"].is_null());
}

TEST_CASE("json value: equal objects in another order are equal also where memory is out") {
  Json a = Json::object(), b = Json::object();
  for (int i = 0; i < 100; i++) a[std::to_string(i)] = i, b[std::to_string(99 - i)] = 99 - i;
  test::FailingAlloc alloc(0);
  CHECK(a == b);
}
