// A member of rooms with memory, for tests with many: it never waits, keeps what it was told by the wire's rules (history.h) only,
// and comes back after a break with the position that these rules give it. One thread.
//
//   HistoryMember a(server.port(), "/");
//   a.come("chat/1");            // with its position, where it has one
//   a.read();                    // what is there
//   a.rooms["chat/1"].keys       // its mirror
//
// The server understands the words of history_rooms.h.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/ws_client.h"

namespace martlet::test {

// A message of the server that tells an offset, cut into what matters.
struct HistoryEvent {
  std::string_view name;
  std::string_view args;  // without the brackets
  std::string_view room;
  uint64_t offset = 0;
  std::string_view epoch;

  explicit operator bool() const { return !name.empty(); }

  static HistoryEvent parse(std::string_view text) {
    HistoryEvent event;
    constexpr std::string_view kHead = R"({"event":")", kArgs = R"(","args":[)", kRoom = R"(],"room":")", kOffset = R"(","offset":)";
    const size_t args = text.find(kArgs);
    const size_t room = text.rfind(kRoom);
    const size_t offset = text.rfind(kOffset);
    if (!text.starts_with(kHead) || args == text.npos || room == text.npos || offset == text.npos) return event;
    event.name = text.substr(kHead.size(), args - kHead.size());
    event.args = text.substr(args + kArgs.size(), room - args - kArgs.size());
    event.room = text.substr(room + kRoom.size(), offset - room - kRoom.size());
    event.offset = std::strtoull(text.data() + offset + kOffset.size(), nullptr, 10);
    const size_t epoch = text.rfind(R"(,"epoch":")");
    if (epoch != text.npos && epoch > offset) event.epoch = text.substr(epoch + 10, 16);
    return event;
  }
};

// {"a":"x","b":"y"}: of texts without anything that is escaped.
inline std::map<std::string, std::string> plain_object(std::string_view text) {
  std::map<std::string, std::string> all;
  std::string* value = nullptr;
  for (size_t at = text.find('"'); at != text.npos; at = text.find('"', at + 1)) {
    const size_t end = text.find('"', at + 1);
    const std::string piece(text.substr(at + 1, end - at - 1));
    if (value) *value = piece;
    value = value ? nullptr : &all[piece];
    at = end;
  }
  return all;
}

// What a member was told of a room without a break that the wire's rules know of.
struct HistoryStretch {
  enum class Begin : uint8_t { unknown, known };
  Begin begin = Begin::unknown;
  uint64_t after = 0;  // where it begins, if that is known
  uint32_t connection = 0;
  // Offsets; or the number of a text without one.
  struct Told {
    uint64_t offset = 0;
    uint32_t raw = 0;
  };
  std::vector<Told> told;
  uint64_t last = 0;  // offset
  bool asked_again = false;  // texts without an offset may be told twice in it
};

struct HistoryMirror {
  std::map<std::string, std::string> keys;
  std::map<std::string, std::string> pages;  // until the last one is there
  std::string epoch;
  uint64_t position = 0;
  bool has_position = false;
  bool joined = false;
  bool awaits = false;       // its position, after it has joined with one or as one who is new
  bool asked_again = false;  // it has asked, as a member, to be told again from `again` on
  uint64_t again = 0;
  bool at_the_end = false;   // the last event of the test has come
  std::vector<HistoryStretch> stretches;
  std::map<std::string, uint32_t> gaps;  // by reason
};

class HistoryMember {
 public:
  HistoryMember(uint16_t port, std::string_view target, const ConnectOptions& options = {}) : port_(port), target_(target), options_(options) {}

  bool connected() const { return ws_ && ws_->open(); }
  int fd() const { return ws_->tcp.fd(); }
  uint32_t connection() const { return connection_; }
  // A new connection, whose number the route is told in its target.
  bool connect(uint32_t connection) {
    connection_ = connection;
    echoed = asked_;
    ws_ = std::make_unique<WsClient>(port_, target_ + std::to_string(connection), "", options_);
    for (auto& [name, room] : rooms) room.joined = room.awaits = room.asked_again = false;
    return ws_->open();
  }
  void disconnect() {
    ws_.reset();
    for (auto& [name, room] : rooms) room.joined = room.awaits = room.asked_again = false;
  }
  bool say(std::string_view text) { return note("> " + std::string(text)), ws_->send_text(text); }

  // Joins with what it knows; without a position as one who is new. It wants so many of the last messages then, or behind a gap.
  bool come(const std::string& name, uint32_t last) {
    HistoryMirror& room = rooms[name];
    room.pages.clear();
    if (room.joined && !room.stretches.empty()) {
      room.asked_again = room.stretches.back().asked_again = true;
      room.again = room.position;
    } else {
      begin_stretch(room);
    }
    room.joined = room.awaits = true;
    if (!room.has_position || room.epoch.empty()) return say("come " + name + " - - " + std::to_string(last));
    return say("come " + name + " " + std::to_string(room.position) + " " + room.epoch + " " + std::to_string(last));
  }
  bool join(const std::string& name) {
    HistoryMirror& room = rooms[name];
    if (room.joined) return true;
    room.has_position = false;
    room.epoch.clear();
    room.keys.clear();
    room.pages.clear();
    begin_stretch(room);
    room.joined = true;
    return say("join " + name);
  }
  bool leave(const std::string& name) {
    HistoryMirror& room = rooms[name];
    room.joined = room.awaits = room.asked_again = false;
    return say("leave " + name) && ask_echo();
  }
  // Whether all that it said has been heard: until then it may still be told things of a room that it left.
  bool ask_echo() { return say("echo " + std::to_string(++asked_)); }
  bool is_heard() const { return echoed == asked_; }

  // Takes all that is there. False when the connection ended.
  bool read() {
    for (;;) {
      const WsFrame frame = ws_->read_frame(milliseconds(0));
      if (!frame.wrong.empty()) wrong = frame.wrong;
      if (frame.opcode == kClose) close_code = frame.close_code();
      if (!frame.ok()) break;
      if (frame.opcode == kPing) ws_->send(ws_frame(kPong, frame.payload));
      if (frame.opcode == kText) take(frame.payload);
    }
    return ws_->tcp.end() == Client::End::open;
  }

  std::map<std::string, HistoryMirror> rooms;
  std::string wrong;  // what the server did against the rules; empty: nothing
  uint16_t close_code = 0;
  uint64_t messages = 0;
  // Called with each event that has an offset and what was told before it; what is wrong with it, or "".
  std::string (*check)(void* context, const HistoryEvent& event, const HistoryStretch& stretch) = nullptr;
  void* context = nullptr;

 private:
  void begin_stretch(HistoryMirror& room) {
    HistoryStretch stretch;
    stretch.connection = connection_;
    if (room.has_position && !room.epoch.empty()) {
      stretch.begin = HistoryStretch::Begin::known;
      stretch.after = stretch.last = room.position;
    }
    room.stretches.push_back(std::move(stretch));
  }
  void fail(std::string_view what, std::string_view text) {
    if (!wrong.empty()) return;
    wrong = std::string(what) + ": " + std::string(text.substr(0, 300)) + "; before that";
    for (const std::string& line : trace_) wrong += "\n  " + line;
  }
  // The last things that were said and heard, for who looks why something went wrong.
  void note(std::string line) {
    trace_.push_back(std::move(line));
    if (trace_.size() > 40) trace_.pop_front();
  }
  void take(std::string_view text) {
    messages++;
    note(text.size() <= 120 ? std::string(text) : std::string(text.substr(0, 50)) + "…" + std::string(text.substr(text.size() - 60)));
    if (text.starts_with("raw ")) return take_raw(text);
    if (text.starts_with("echo ")) return void(echoed = std::strtoull(text.data() + 5, nullptr, 10));
    const HistoryEvent event = HistoryEvent::parse(text);
    if (!event) return fail("not an event of a room", text);
    const auto found = rooms.find(std::string(event.room));
    if (found == rooms.end()) return fail("of a room that it never was in", text);
    HistoryMirror& room = found->second;
    if (event.name == "room:state") return take_state(room, event, text);
    if (event.name == "room:joined") return take_joined(room, event, text);
    if (event.name == "room:gap") return take_gap(room, event);
    take_event(room, event, text);
  }
  // "raw <room> <number> …"
  void take_raw(std::string_view text) {
    const size_t space = text.find(' ', 4);
    const auto found = rooms.find(std::string(text.substr(4, space - 4)));
    if (found == rooms.end() || found->second.stretches.empty()) return fail("a text of a strange room", text);
    found->second.stretches.back().told.push_back({0, static_cast<uint32_t>(std::strtoul(text.data() + space, nullptr, 10))});
  }
  void take_state(HistoryMirror& room, const HistoryEvent& event, std::string_view text) {
    const size_t end = event.args.rfind(R"({"page":)");
    if (end == event.args.npos) return fail("not a page", text);
    const long page = std::strtol(event.args.data() + end + 8, nullptr, 10);
    if (page == 0) room.pages.clear();
    for (auto& [key, value] : plain_object(event.args.substr(0, end))) {
      if (!room.pages.emplace(key, value).second) fail("a key on two pages", text);
    }
    if (event.args.ends_with(R"("more":false})")) room.keys = std::exchange(room.pages, {});
  }
  void take_joined(HistoryMirror& room, const HistoryEvent& event, std::string_view text) {
    if (room.stretches.empty()) return fail("joined, but never asked", text);
    HistoryStretch& stretch = room.stretches.back();
    room.awaits = room.asked_again = false;
    if (event.offset < stretch.last) return fail("joined at less than was told", text);
    if (stretch.begin == HistoryStretch::Begin::unknown) {
      // What came before it were the last few; whether there were more of them is not said.
      stretch.begin = HistoryStretch::Begin::known;
      stretch.after = stretch.told.empty() ? event.offset : UINT64_MAX;
    }
    stretch.last = event.offset;
    stand(room, event.offset, event.epoch);
  }
  void take_gap(HistoryMirror& room, const HistoryEvent& event) {
    room.gaps[std::string(event.args)]++;
    if (event.args != R"({"reason":"behind"})") room.awaits = room.asked_again = false;  // else it may be no answer
    stand(room, event.offset, event.epoch);
    begin_stretch(room);
  }
  void take_event(HistoryMirror& room, const HistoryEvent& event, std::string_view text) {
    if (room.stretches.empty()) return fail("an event of a room that it is not in", text);
    if (room.asked_again && event.offset <= room.stretches.back().last) {
      room.asked_again = false;
      room.position = room.again;
      begin_stretch(room);
      room.stretches.back().asked_again = true;
    }
    HistoryStretch& stretch = room.stretches.back();
    if (event.offset <= stretch.last) return fail("an offset that does not rise above " + std::to_string(stretch.last), text);
    if (std::string what = check ? check(context, event, stretch) : std::string(); !what.empty()) fail(what, text);
    stretch.last = event.offset;
    stretch.told.push_back({event.offset, 0});
    room.position = event.offset;
    room.has_position = true;
    const size_t key_end = event.args.find('"', 1);
    if (event.name == "room:set") room.keys[std::string(event.args.substr(1, key_end - 1))] = event.args.substr(key_end + 3, event.args.size() - key_end - 4);
    if (event.name == "room:remove") room.keys.erase(std::string(event.args.substr(1, key_end - 1)));
    if (event.name == "end") room.at_the_end = true;
  }
  void stand(HistoryMirror& room, uint64_t offset, std::string_view epoch) {
    room.position = offset;
    room.epoch = epoch;
    room.has_position = true;
  }

  std::deque<std::string> trace_;
  uint64_t asked_ = 0;
  uint64_t echoed = 0;
  uint16_t port_;
  std::string target_;
  ConnectOptions options_;
  uint32_t connection_ = 0;
  std::unique_ptr<WsClient> ws_;
};

}  // namespace martlet::test
