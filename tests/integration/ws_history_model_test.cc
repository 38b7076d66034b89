// Rooms with memory against a model: 200 members on three workers, who come and go, read slowly or not at all for a while, and come
// back with what they know, while events, texts and keys are published from all workers and from outside, and workers stand still.
// When all rests, each member's mirror is the room's map, and what it was told has no hole and nothing twice, or it was told of a
// gap. MARTLET_MODEL_SECONDS=60 makes it longer, MARTLET_MODEL_SEED=n repeats one.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <poll.h>

#include <atomic>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/history_member.h"
#include "support/history_rooms.h"
#include "support/multi_server.h"
#include "support/small_buffers.h"

using namespace martlet;
using namespace martlet::test;

namespace {

constexpr uint32_t kWorkers = 3;
constexpr size_t kMembers = 200;

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// What a room was sent, by offset, as far as it is known: of what comes from a foreign thread the offset is learned when it is told.
struct RoomModel {
  enum class Kind : uint8_t { event, raw, set, remove };
  struct Entry {
    Kind kind;
    std::string text;  // the arguments
    uint32_t except = 0;
  };
  std::mutex mutex;
  Shared shared;
  std::map<uint64_t, Entry> entries;
  std::map<uint32_t, uint64_t> raws;
  std::map<std::string, uint32_t, std::less<>> excepts;  // by text: whom it leaves out
  uint32_t unknown = 0;

  // `act` publishes one message at once, or nothing.
  template <typename Act>
  void publish(Kind kind, std::string text, uint32_t except, uint32_t raw, Act&& act) {
    const std::lock_guard lock(mutex);
    if (except) excepts[text] = except;
    const uint64_t before = shared.position().offset;
    if (act() != SendStatus::ok) return;
    const uint64_t after = shared.position().offset;
    if (after != before + 1) return void(unknown++);
    if (raw) raws[raw] = after;
    entries.try_emplace(after, Entry{kind, std::move(text), except});
  }
  uint32_t except_of(std::string_view text) const {
    const auto at = excepts.find(text);
    return at == excepts.end() ? 0 : at->second;
  }
  std::string check(const HistoryEvent& event, const HistoryStretch& stretch) {
    const std::lock_guard lock(mutex);
    const auto missed = entries.find(event.offset - 1);
    const bool begun = !stretch.told.empty() || (stretch.begin == HistoryStretch::Begin::known && stretch.after != UINT64_MAX);
    if (begun && stretch.last && missed != entries.end() && missed->first > stretch.last && missed->second.kind == Kind::event &&
        missed->second.except != stretch.connection) {
      return "a hole before it";
    }
    const Kind kind = event.name == "room:set" ? Kind::set : event.name == "room:remove" ? Kind::remove : Kind::event;
    const auto [at, is_new] = entries.try_emplace(event.offset, Entry{kind, std::string(event.args), except_of(event.args)});
    if (!is_new && (at->second.kind != kind || at->second.text != event.args)) return "not what has this offset: " + at->second.text.substr(0, 60);
    return {};
  }
};

// The keys of "wide" take several pages.
const char* const kRooms[] = {"prices", "chat/1", "chat/2", "deep", "wide"};
constexpr uint32_t kWideKeys = 300;
constexpr size_t kWideBytes = 300;

class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed) {
    for (const char* name : kRooms) models_[name];
    server_ = std::make_unique<MultiServer>(kWorkers, [this](App& app, uint32_t worker) { set_up(app, worker); });
    for (size_t i = 0; i < kMembers; i++) {
      const bool slow = i % 4 == 0;
      members_.push_back(std::make_unique<HistoryMember>(server_->port(), "/m/", ConnectOptions{.receive_buffer_bytes = slow ? 4096 : 0}));
      members_.back()->context = this;
      members_.back()->check = [](void* self, const HistoryEvent& event, const HistoryStretch& stretch) {
        return static_cast<Model*>(self)->models_.at(std::string(event.room)).check(event, stretch);
      };
    }
    quiet_.resize(kMembers);
    for (uint32_t i = 0; i < kWideKeys; i++) set(models_.at("wide"), "k" + std::to_string(i), std::to_string(++serial_) + pattern_of(kWideBytes));
  }

  void run(milliseconds time) {
    const auto until = Clock::now() + time;
    while (Clock::now() < until) {
      for (int i = 0; i < 8; i++) publish();
      for (int i = 0; i < 6; i++) one_moves();
      read_all(milliseconds(5));
    }
    rest();
    check();
  }

 private:
  void set_up(App& app, uint32_t worker) {
    if (worker == 0) app_ = &app;
    app.history("chat/*", {.messages = 1000});
    app.history("chat/1", {.messages = 20});
    app.history("deep", {.bytes = 8192, .keys = 50});
    app.history("p*", {.bytes = 65536, .messages = 50});
    app.history("wide", {.messages = 50});
    for (const char* name : kRooms) models_[name].shared = app.shared(name);
    app.ws("/m/:number", {.open = [](WebSocket ws, Request& req) { ws.metadata()["number"] = std::stoul(std::string(req.param("number"))); },
                          .message = [this](WebSocket ws, const Message& m) { obey(ws, m.text()); }});
  }

  // On a worker.
  void obey(WebSocket ws, std::string_view text) {
    const std::vector<std::string> words = words_of(text);
    if (words[0] == "tell" || words[0] == "raw") return speak(ws, words);
    obey_history(ws, text);
  }
  // tell|raw <room> <number> <size> <to others: 0|1>
  void speak(WebSocket ws, const std::vector<std::string>& words) {
    RoomModel& model = models_.at(words[1]);
    const bool others = words[4] == "1";
    const Audience to = others ? ws.to(words[1]) : model_audience(words[1]);
    const uint32_t except = others ? static_cast<uint32_t>(ws.metadata()["number"].int_or(0)) : 0;
    const std::string told = words[2] + pattern_of(std::stoul(words[3]));
    if (words[0] == "tell") {
      model.publish(RoomModel::Kind::event, "\"" + told + "\"", except, 0, [&] { return to.emit("told", told); });
    } else {
      const std::string text = "raw " + words[1] + " " + told;
      model.publish(RoomModel::Kind::raw, text, except, static_cast<uint32_t>(std::stoul(words[2])), [&] { return to.send(text); });
    }
  }
  Audience model_audience(const std::string& room) { return app_->to(room); }
  static std::string pattern_of(size_t size) { return " " + std::string(size, 'x'); }

  uint32_t pick(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  HistoryMember* somebody() {
    HistoryMember& member = *members_[pick(kMembers)];
    return member.connected() ? &member : nullptr;
  }
  std::string any_room() { return kRooms[pick(std::size(kRooms))]; }
  size_t any_size() { return pick(10) == 0 ? pick(4000) : pick(100); }

  void publish() {
    const std::string room = any_room();
    RoomModel& model = models_.at(room);
    const std::string number = std::to_string(++serial_);
    const bool wide = room == "wide";
    const std::string told = number + pattern_of(any_size() + (wide ? kWideBytes : 0));
    // In one room keys come and go so fast that removals are forgotten.
    const bool deep = room == "deep";
    const std::string key = "k" + std::to_string(pick(deep ? 400 : wide ? kWideKeys : 20));
    switch (deep ? pick(5) : pick(8)) {
      case 0: return void(app_->to(room).emit("told", told));
      case 1: return model.publish(RoomModel::Kind::event, "\"" + told + "\"", 0, 0, [&] { return model.shared.send("told", told); });
      case 2:
      case 3: return set(model, key, told);
      case 4: return remove(model, deep ? any_key(model) : key);
      default: break;
    }
    HistoryMember* speaker = somebody();
    const size_t index = speaker ? index_of(*speaker) : 0;
    if (!speaker || quiet_[index]) return;
    speaker->say((pick(3) == 0 ? "raw " : "tell ") + room + " " + number + " " + std::to_string(any_size()) + (pick(2) ? " 1" : " 0"));
  }
  static void set(RoomModel& model, const std::string& key, const std::string& value) {
    model.publish(RoomModel::Kind::set, "\"" + key + "\",\"" + value + "\"", 0, 0, [&] { return model.shared.set(key, value); });
  }
  static void remove(RoomModel& model, const std::string& key) {
    model.publish(RoomModel::Kind::remove, "\"" + key + "\"", 0, 0, [&] { return model.shared.remove(key); });
  }
  std::string any_key(const RoomModel& model) {
    const auto keys = keys_of(model);
    return keys.empty() ? std::string("none") : std::next(keys.begin(), pick(static_cast<uint32_t>(keys.size())))->first;
  }
  size_t index_of(const HistoryMember& member) const {
    size_t i = 0;
    while (members_[i].get() != &member) i++;
    return i;
  }

  // One comes, goes, reads no more for a while, or reads again; or a worker stands still.
  void one_moves() {
    const size_t index = pick(kMembers);
    HistoryMember& member = *members_[index];
    if (!member.connected()) return come(member);
    if (quiet_[index]) return void(pick(20) == 0 ? quiet_[index] = false : false);
    if (!member.is_heard()) return;
    const std::string room = any_room();
    const uint32_t what = pick(100);
    if (what < 6) return member.disconnect();
    if (what < 12) return void(quiet_[index] = index % 4 == 0);
    if (what == 12) return void(member.say("sleep " + std::to_string(pick(200))));
    HistoryMirror& mirror = member.rooms[room];
    if (!mirror.joined) return void(pick(3) == 0 ? member.join(room) : member.come(room, pick(30)));
    if (what < 20) return void(member.leave(room));
    if (what < 25 && !mirror.awaits && mirror.has_position && !mirror.epoch.empty()) member.come(room, 0);
  }
  void come(HistoryMember& member) {
    REQUIRE(member.connect(++connections_));
    std::vector<std::string> known;
    for (const auto& [name, room] : member.rooms) {
      if (pick(4) > 0) known.push_back(name);
    }
    for (const std::string& name : known) member.come(name, pick(30));
  }

  // What is there for those that read.
  void read_all(milliseconds wait) {
    std::vector<pollfd> fds;
    std::vector<size_t> whose;
    for (size_t i = 0; i < kMembers; i++) {
      if (!members_[i]->connected() || quiet_[i]) continue;
      fds.push_back({members_[i]->fd(), POLLIN, 0});
      whose.push_back(i);
    }
    if (::poll(fds.data(), fds.size(), static_cast<int>(wait.count())) <= 0) return;
    for (size_t i = 0; i < fds.size(); i++) {
      if (!fds[i].revents) continue;
      HistoryMember& member = *members_[whose[i]];
      const bool open = member.read();
      CHECK_MESSAGE(member.wrong.empty(), "member " << whose[i] << ": " << member.wrong);
      CHECK(member.close_code == 0);
      CHECK(open);
      if (!open || !member.wrong.empty()) failed_ = true;
    }
    REQUIRE_FALSE(failed_);
  }

  // Nobody publishes any more, all read; then the last event of each room is sent.
  void rest() {
    for (size_t i = 0; i < kMembers; i++) {
      quiet_[i] = false;
      if (!members_[i]->connected()) come(*members_[i]);
      members_[i]->ask_echo();
    }
    wait_until([](HistoryMember& m) { return m.is_heard(); });
    for (uint32_t worker = 0; worker < kWorkers; worker++) server_->on_worker(worker, [](App&) {});
    for (auto& entry : models_) {
      RoomModel& model = entry.second;
      model.publish(RoomModel::Kind::event, "\"all\"", 0, 0, [&] { return model.shared.send("end", "all"); });
    }
    wait_until([](HistoryMember& m) {
      for (const auto& [name, room] : m.rooms) {
        if (room.joined && !room.at_the_end) return false;
      }
      return true;
    });
  }
  template <typename F>
  void wait_until(F condition) {
    const auto deadline = Clock::now() + 6 * kPatience;
    size_t waiting = 0;
    for (; Clock::now() < deadline; read_all(milliseconds(20))) {
      waiting = 0;
      for (auto& member : members_) waiting += !condition(*member);
      if (waiting == 0) return;
    }
    CHECK_MESSAGE(waiting == 0, waiting << " members are not told all");
  }

  void check() {
    std::map<std::string, uint64_t> gaps;
    uint64_t told = 0, stretches = 0;
    for (size_t i = 0; i < kMembers; i++) {
      for (const auto& entry : members_[i]->rooms) {
        const std::string& name = entry.first;
        const auto& room = entry.second;
        RoomModel& model = models_.at(name);
        CAPTURE(i);
        CAPTURE(name);
        if (std::string what = room.joined ? difference(room.keys, keys_of(model)) : std::string(); !what.empty()) CHECK_MESSAGE(false, what);
        for (const HistoryStretch& stretch : room.stretches) {
          if (std::string what = check_stretch(model, stretch); !what.empty()) CHECK_MESSAGE(false, what);
          told += stretch.told.size();
        }
        stretches += room.stretches.size();
        for (const auto& [reason, count] : room.gaps) gaps[reason] += count;
      }
    }
    for (auto& [name, model] : models_) {
      MESSAGE(name << ": " << model.shared.position().offset << " changes, " << model.entries.size() << " known");
    }
    for (const auto& [reason, count] : gaps) MESSAGE("gaps " << reason << ": " << count);
    MESSAGE(connections_ << " connections, " << stretches << " stretches, " << told << " told");
  }
  static std::map<std::string, std::string> keys_of(const RoomModel& model) {
    std::map<std::string, std::string> keys;
    const Json entries = model.shared.entries();
    for (const auto& [key, value] : entries.members()) keys.emplace(std::string(key), std::string(value.text_or("")));
    return keys;
  }
  using Keys = std::map<std::string, std::string>;
  static std::string difference(const Keys& mirror, const Keys& room) {
    std::string all;
    for (const auto& [key, value] : mirror) {
      const auto at = room.find(key);
      if (at == room.end()) all += key + " is gone; ";
      if (at != room.end() && at->second != value) all += key + " is " + at->second.substr(0, 12) + ", not " + value.substr(0, 12) + "; ";
    }
    for (const auto& [key, value] : room) {
      if (!mirror.contains(key)) all += key + " is missing; ";
    }
    return all;
  }
  // What was told in it, against what the room was sent: "" when all is well.
  static std::string check_stretch(const RoomModel& model, const HistoryStretch& stretch) {
    const bool known = stretch.begin == HistoryStretch::Begin::known && stretch.after != UINT64_MAX;
    uint64_t last = known ? stretch.after : 0;
    bool begun = known;
    for (const HistoryStretch::Told& told : stretch.told) {
      const uint64_t offset = offset_of(model, told);
      if (offset == 0 || (told.raw && stretch.asked_again)) continue;
      if (begun && offset <= last) return "offset " + std::to_string(offset) + " behind " + std::to_string(last);
      const auto entry = model.entries.find(offset);
      if (entry != model.entries.end() && entry->second.except == stretch.connection) return "offset " + std::to_string(offset) + " was not for it";
      for (auto e = model.entries.upper_bound(last); begun && e != model.entries.end() && e->first < offset; ++e) {
        const bool may_miss = e->second.kind >= RoomModel::Kind::set || e->second.except == stretch.connection ||
                              (stretch.asked_again && e->second.kind == RoomModel::Kind::raw);
        if (may_miss) continue;
        return "a hole at " + std::to_string(e->first) + (e->second.kind == RoomModel::Kind::raw ? " (a text)" : "") + ", between " +
               std::to_string(last) + " and " + std::to_string(offset) + "; the stretch begins at " + std::to_string(stretch.after) + " with " +
               std::to_string(stretch.told.size()) + (stretch.asked_again ? ", asked again" : "");
      }
      last = offset;
      begun = true;
    }
    return {};
  }
  static uint64_t offset_of(const RoomModel& model, const HistoryStretch::Told& told) {
    if (told.offset) return told.offset;
    const auto raw = model.raws.find(told.raw);
    return raw == model.raws.end() ? 0 : raw->second;
  }

  SmallSendBuffers buffers_{16 << 10};
  std::mt19937_64 random_;
  std::map<std::string, RoomModel> models_;
  App* app_ = nullptr;
  std::unique_ptr<MultiServer> server_;
  std::vector<std::unique_ptr<HistoryMember>> members_;  // before the server
  std::vector<bool> quiet_;
  uint32_t connections_ = 0;
  uint32_t serial_ = 0;
  bool failed_ = false;
};

}  // namespace

TEST_CASE("history: when all rests, all members of 200 on three workers know what their rooms know, or were told of a gap") {
  const uint64_t seed = number_from("MARTLET_MODEL_SEED", std::random_device{}());
  const uint64_t seconds = number_from("MARTLET_MODEL_SECONDS", 5);
  MESSAGE("seed " << seed);
  CAPTURE(seed);
  Model model(seed);
  model.run(milliseconds(seconds * 1000));
}
