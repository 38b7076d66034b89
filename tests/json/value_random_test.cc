// A hundred thousand random operations on a few values, built and parsed ones, whose parts are copied, moved and swapped among each
// other; beside them a plain model of each, which must look the same after every operation. Nothing may be left over.
#include <doctest/doctest.h>
#include <martlet/json.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "support/failing_alloc.h"

using namespace martlet;

namespace {

struct Model;
struct Member;
using Items = std::vector<Model>;
using Members = std::vector<Member>;

struct Model {
  std::variant<std::nullptr_t, bool, int64_t, double, std::string, Items, Members> is;

  Items* items();
  Members* members();
  Model* find(const std::string& name);
  size_t size();
  Model& child(size_t i);
};
struct Member {
  std::string first;
  Model second;
};

Items* Model::items() { return std::get_if<Items>(&is); }
Members* Model::members() { return std::get_if<Members>(&is); }
Model* Model::find(const std::string& name) {
  if (!members()) return nullptr;
  for (auto& [known, value] : *members()) {
    if (known == name) return &value;
  }
  return nullptr;
}
size_t Model::size() { return items() ? items()->size() : members() ? members()->size() : 0; }
Model& Model::child(size_t i) { return items() ? (*items())[i] : (*members())[i].second; }

void dump(const Model& model, std::string& to) {
  if (const auto* flag = std::get_if<bool>(&model.is)) to += *flag ? "true" : "false";
  if (const auto* number = std::get_if<int64_t>(&model.is)) to += std::to_string(*number);
  if (const auto* real = std::get_if<double>(&model.is)) to += std::to_string(static_cast<int>(*real)) + ".5";
  if (const auto* text = std::get_if<std::string>(&model.is)) to += '"' + *text + '"';
  if (std::get_if<std::nullptr_t>(&model.is)) to += "null";
  if (const auto* items = std::get_if<Items>(&model.is)) {
    to += '[';
    for (const Model& item : *items) dump(item, to), to += ',';
    if (!items->empty()) to.pop_back();
    to += ']';
  }
  if (const auto* members = std::get_if<Members>(&model.is)) {
    to += '{';
    for (const auto& [name, value] : *members) to += '"' + name + "\":", dump(value, to), to += ',';
    if (!members->empty()) to.pop_back();
    to += '}';
  }
}

// RFC 7396 §2, as it stands there.
void merge(Model& target, const Model& patch) {
  const auto* members = std::get_if<Members>(&patch.is);
  if (!members) return void(target = patch);
  if (!target.members()) target.is = Members();
  for (const Member& by : *members) {
    if (std::get_if<std::nullptr_t>(&by.second.is)) {
      std::erase_if(*target.members(), [&](const auto& member) { return member.first == by.first; });
      continue;
    }
    if (!target.find(by.first)) target.members()->push_back({by.first, Model()});
    merge(*target.find(by.first), by.second);
  }
}

class Run {
 public:
  explicit Run(uint32_t seed) : rng_(seed) {}

  // True while both are the same.
  bool step() {
    const size_t root = below(kRoots);
    Place place = pick(root);
    change(place);
    for (size_t i = 0; i < kRoots; i++) {
      if (json_[i].size() > 0 && same(i) > 3000) json_[i] = Json(), model_[i] = Model();
    }
    return good_;
  }

 private:
  static constexpr size_t kRoots = 4;
  struct Place {
    Json* json;
    Model* model;
    size_t root;
    std::vector<size_t> path;
  };

  size_t below(size_t n) { return rng_() % n; }

  size_t same(size_t i) {
    std::string expected;
    dump(model_[i], expected);
    good_ = good_ && json_[i].dump() == expected && json_[i].complete();
    return expected.size();
  }

  std::string name() { return (below(3) ? "n" : "a name of more than fourteen bytes ") + std::to_string(below(below(10) ? 6 : 60)); }

  Json& child(Json& json, size_t i) {
    if (json.is_array()) return below(2) ? json[i] : json.items()[i];
    size_t at = 0;
    for (auto [name, value] : json.members()) {
      if (at++ == i) return below(2) ? value : *json.find(std::string(name));
    }
    return json;
  }

  Place pick(size_t root) {
    Place place{&json_[root], &model_[root], root, {}};
    while (place.model->size() > 0 && below(5) != 0) {
      const size_t i = below(place.model->size());
      place.json = &child(*place.json, i);
      place.model = &place.model->child(i);
      place.path.push_back(i);
    }
    return place;
  }

  // Whether `inner` lies in `outer`, or is it.
  static bool holds(const Place& outer, const Place& inner) {
    return outer.root == inner.root && outer.path.size() <= inner.path.size() && std::equal(outer.path.begin(), outer.path.end(), inner.path.begin());
  }

  Model make(int depth = 0) {
    switch (below(depth < 3 ? 8 : 5)) {
      case 0: return {below(2) == 0};
      case 1: return {static_cast<int64_t>(rng_()) - INT32_MAX};
      case 2: return {static_cast<double>(below(1000)) + 0.5};
      case 3: return {std::string(below(20), 'x')};
      case 4: return {nullptr};
      case 5: {
        Items items;
        for (size_t n = below(5); n > 0; n--) items.push_back(make(depth + 1));
        return {std::move(items)};
      }
      default: {
        Model object{Members()};
        for (size_t n = below(below(20) ? 5 : 70); n > 0; n--) {
          const std::string one = name();
          if (!object.find(one)) object.members()->push_back({one, make(depth + 1)});
        }
        return object;
      }
    }
  }

  // Built by calls, or parsed.
  Json made(const Model& model) {
    std::string text;
    dump(model, text);
    if (below(2)) return std::move(*Json::parse(text));
    if (const auto* items = std::get_if<Items>(&model.is)) {
      Json array = Json::array();
      for (const Model& item : *items) array.push_back(made(item));
      return array;
    }
    if (const auto* members = std::get_if<Members>(&model.is)) {
      Json object = Json::object();
      for (const auto& [name, value] : *members) object[name] = made(value);
      return object;
    }
    if (const auto* flag = std::get_if<bool>(&model.is)) return Json(*flag);
    if (const auto* number = std::get_if<int64_t>(&model.is)) return Json(*number);
    if (const auto* real = std::get_if<double>(&model.is)) return Json(*real);
    if (const auto* string = std::get_if<std::string>(&model.is)) return Json(*string);
    return Json();
  }

  void change(Place& at) {
    switch (below(12)) {
      case 0: return set(at, make());
      case 1: return insert(at);
      case 2: return push(at);
      case 3: return erase(at);
      case 4: return copy(at);
      case 5: return move(at);
      case 6: return swap(at);
      case 7: return patch(at);
      case 8: return put(at);
      case 9: return take_out(at);
      case 10: return reparse(at);
      default: return below(4) ? compare(at) : clear(at);
    }
  }

  void set(Place& at, Model model) {
    *at.json = made(model);
    *at.model = std::move(model);
  }
  void insert(Place& at) {
    const std::string one = name();
    const Model model = make(2);
    (*at.json)[one] = made(model);
    if (at.model->is.index() == 0) at.model->is = Members();
    if (Model* found = at.model->find(one)) return void(*found = model);
    if (at.model->members()) at.model->members()->push_back({one, model});
  }
  void push(Place& at) {
    const Model model = make(2);
    if (at.model->is.index() == 0) at.model->is = Items();
    good_ = good_ && at.json->push_back(made(model)) == (at.model->items() != nullptr);
    if (at.model->items()) at.model->items()->push_back(model);
  }
  void erase(Place& at) {
    if (at.model->members() && at.model->size() > 0) {
      const std::string one = (*at.model->members())[below(at.model->size())].first;
      good_ = good_ && at.json->erase(one) && !at.json->erase(one);
      std::erase_if(*at.model->members(), [&](const auto& member) { return member.first == one; });
    } else {
      const size_t i = below(at.model->size() + 2);
      good_ = good_ && at.json->erase(i) == (at.model->items() && i < at.model->size());
      if (at.model->items() && i < at.model->size()) at.model->items()->erase(at.model->items()->begin() + static_cast<ptrdiff_t>(i));
    }
  }
  // Either may lie in the other.
  void copy(Place& at) {
    const Place from = pick(below(kRoots));
    *at.json = *from.json;
    const Model copied = *from.model;
    *at.model = copied;
  }
  void move(Place& at) {
    const Place from = pick(below(2) ? at.root : below(kRoots));
    if (holds(from, at) && from.json != at.json) return;  // it would hold itself
    Model moved = *from.model;
    *at.json = std::move(*from.json);
    if (from.json != at.json && !holds(at, from)) from.model->is = nullptr;
    *at.model = std::move(moved);
  }
  void swap(Place& at) {
    const Place other = pick(below(2) ? at.root : below(kRoots));
    if (holds(other, at) || holds(at, other)) return;
    std::swap(*at.json, *other.json);
    std::swap(at.model->is, other.model->is);
  }
  void patch(Place& at) {
    if (below(2)) {
      const Place from = pick(below(kRoots));
      const Model by = *from.model;
      at.json->merge_patch(*from.json);
      merge(*at.model, by);
    } else {
      const Model by = make();
      at.json->merge_patch(made(by));
      merge(*at.model, by);
    }
  }
  void put(Place& at) {
    const Model model = make(2);
    if (at.model->items()) {
      good_ = good_ && at.json->set_pointer("/-", made(model));
      at.model->items()->push_back(model);
    } else if (at.model->members()) {
      const std::string one = name();
      good_ = good_ && at.json->set_pointer("/" + one, made(model));
      if (Model* found = at.model->find(one)) *found = model;
      else at.model->members()->push_back({one, model});
    } else {
      good_ = good_ && !at.json->set_pointer("/a", made(model));
    }
  }
  // A part that outlives what it was in, or not.
  void take_out(Place& at) {
    Json part = std::move(*at.json);
    Model model = std::move(*at.model);
    at.model->is = nullptr;
    if (below(2)) json_[at.root] = Json(), model_[at.root] = Model();
    std::string text;
    dump(model, text);
    good_ = good_ && part.dump() == text;
    const size_t to = below(kRoots);
    if (below(2)) {
      json_[to] = std::move(part);
      model_[to] = std::move(model);
    } else if (model_[to].items()) {
      json_[to].push_back(std::move(part));
      model_[to].items()->push_back(std::move(model));
    }
  }
  void reparse(Place& at) { json_[at.root] = std::move(*Json::parse(json_[at.root].dump())); }
  void clear(Place& at) {
    at.json->clear();
    if (at.model->items()) at.model->items()->clear();
    if (at.model->members()) at.model->members()->clear();
  }
  void compare(Place& at) {
    const Place other = pick(below(kRoots));
    const Json copied = *at.json;
    good_ = good_ && copied == *at.json && Json::parse(copied.dump(2)).operator*() == copied;
    std::string a, b;
    dump(*at.model, a);
    dump(*other.model, b);
    if (a == b) good_ = good_ && *at.json == *other.json;
    if (a.size() != b.size()) good_ = good_ && !(*at.json == *other.json);
  }

  std::mt19937 rng_;
  Json json_[kRoots];
  Model model_[kRoots];
  bool good_ = true;
};

}  // namespace

TEST_CASE("json value: a hundred thousand random operations, beside a model") {
  test::FailingAlloc alloc;
  for (uint32_t seed = 0; seed < 20; seed++) {
    auto run = std::make_unique<Run>(seed);
    for (int step = 0; step < 5'000; step++) {
      CAPTURE(seed);
      CAPTURE(step);
      REQUIRE(run->step());
    }
  }
  CHECK(test::FailingAlloc::held == 0);
}
