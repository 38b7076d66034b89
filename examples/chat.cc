// chat.cc: a chat for the browser. `make run`, then open http://localhost:3000 in two windows.
//
// Rooms by URL, names, who is here, who is typing, and what was said before one came. The page is compiled in
// (chat_page.h); nothing is stored on disk, nothing is fetched from elsewhere.
//
// What travels. The page sends words, one command per message, so that nothing here has to parse a structure that a
// stranger wrote:
//     hello KEY SINCE NAME     first; KEY is the page's secret, SINCE the last message it has seen (0: none)
//     say NONCE TEXT           the message comes back to its sender too, with the nonce: that is the receipt
//     typing
//     name NAME
// What begins with another word is passed over: one that is unknown here closes nothing, but counts against the rate.
// The server answers in JSON, one object per message, told apart by "t": welcome, here, gone, say, typing, slow, drop.
//
// Everything runs on the thread of App::run, so there is not one lock. Every text of a stranger passes clean() on its
// way in, what goes out is written by Json, and every collection has a limit.
#include <martlet/martlet.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <initializer_list>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "chat_page.h"

using namespace martlet;
using namespace martlet::literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr size_t kKeyChars = 64, kNameChars = 24, kNonceChars = 32, kRoomChars = 40, kTextChars = 1000;
constexpr size_t kLinesKept = 100;   // per room
constexpr size_t kLinesShown = 50;   // of them, to somebody new
constexpr size_t kMaxPeople = 200;   // per room
constexpr size_t kMaxRooms = 256;    // with kLinesKept lines of up to 6,000 bytes each: 150 MB if somebody wants to be nasty
constexpr auto kGrace = 2s;          // a reload takes less: nobody is told that its reader left and came
constexpr auto kHelloTimeout = 10s;  // for connections that never say who they are
constexpr auto kRemember = 1h;       // what was said in a room that everybody has left
constexpr auto kReplaced = static_cast<CloseCode>(4001);  // the same page has connected again

// Text of strangers, in -----------------------------------------------------------------------------------------------

// The code point at the front of `text` (not empty) and its length in bytes; length 0: not UTF-8 (RFC 3629).
struct CodePoint {
  char32_t value;
  size_t length;
};
CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  char32_t value = length == 1 ? lead : lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0, 0};
    value = value << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  return {value, overlong || surrogate || value > 0x10FFFF ? 0 : length};
}

// Characters that show nothing, or turn the direction of the text around them: good for pretending to be somebody else.
// The joiners U+200C and U+200D count in names only, because words and emoji need them.
bool is_invisible(char32_t c, bool in_name) {
  if (c == '\n' || c == '\t') return false;
  if (c == 0x200C || c == 0x200D) return in_name;
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || c == 0x61C || c == 0x180E ||
         c == 0x2800 || c == 0x115F || c == 0x1160 || c == 0x3164 || c == 0xFFA0 || (c >= 0xE0000 && c <= 0xE007F);
}

// At most `max_chars` characters of `text`: always UTF-8, without invisible ones, without space at the ends. In a name
// all white space is one blank.
std::string clean(std::string_view text, size_t max_chars, bool in_name) {
  std::string out;
  for (size_t chars = 0; !text.empty() && chars < max_chars;) {
    const CodePoint c = first_code_point(text);
    const std::string_view bytes = text.substr(0, std::max<size_t>(c.length, 1));
    text.remove_prefix(bytes.size());
    if (c.length == 0 || is_invisible(c.value, in_name)) continue;
    const bool blank = in_name && (c.value == ' ' || c.value == '\t' || c.value == '\n' || c.value == 0xA0);
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? " " : bytes;
    ++chars;
  }
  const size_t begin = std::min(out.find_first_not_of(" \t\n"), out.size());
  return out.substr(begin, out.find_last_not_of(" \t\n") + 1 - begin);
}

// Names that differ in the case of ASCII letters only are the same name.
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

// Cuts the first word off `rest`, together with the blank behind it.
std::string_view take_word(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  return word;
}

// The chat ------------------------------------------------------------------------------------------------------------

// How much a connection may say: `kBurst` at once, then `kPerSecond`. Nobody can type that fast.
struct Allowance {
  static constexpr double kBurst = 12, kPerSecond = 4;
  double left = kBurst;
  int refused = 0;  // in a row
  Clock::time_point at = Clock::now();

  bool take() {
    const Clock::time_point now = Clock::now();
    left = std::min(kBurst, left + kPerSecond * std::chrono::duration<double>(now - at).count());
    at = now;
    refused = left < 1 ? refused + 1 : 0;
    if (refused == 0) left -= 1;
    return refused == 0;
  }
};

// Somebody in a room; for kGrace also somebody whose connection has just ended.
struct Person {
  uint64_t who;     // names them in messages; the same whenever they come with the same key
  std::string key;  // their page's secret: who knows it is the same person
  std::string name;
  WebSocket socket;  // of no connection while they are away
  uint32_t visit = 0;
};

struct Line {
  int64_t at;  // milliseconds since 1970, one more than the line before at least: a name and a time stamp in one
  std::string json;  // what was sent
};

// (Room is martlet's word for who gets a message. This is what the chat remembers beside it, under the same name.)
struct Parlour {
  std::string name;
  std::vector<Person> people;
  std::deque<Line> lines;
  Clock::time_point empty_since = {};

  Person* find(uint64_t who) {
    const auto found = std::find_if(people.begin(), people.end(), [&](const Person& p) { return p.who == who; });
    return found == people.end() ? nullptr : &*found;
  }

  // The wanted name, with a number when somebody else has it.
  std::string free_name(std::string_view wanted, uint64_t who) const {
    const std::string base = wanted.empty() ? "Guest" : std::string(wanted);
    std::string free = base;
    const auto taken = [&](const Person& p) { return p.who != who && lower(p.name) == lower(free); };
    for (int n = 2; std::any_of(people.begin(), people.end(), taken); ++n) free = base + " " + std::to_string(n);
    return free;
  }
};

// A connection. It is nobody, and in no room, before its hello.
struct Guest {
  std::string parlour;
  uint64_t who = 0;
  Allowance allowance = {};
};

class Chat {
 public:
  Chat() {
    app_.use([](Request&, Response& res, Next next) {
      res.set("X-Content-Type-Options", "nosniff").set("Referrer-Policy", "no-referrer");
      next();
    });
    // Whoever may open the page may talk, and no page from elsewhere on their behalf: browsers say where a script comes from.
    app_.use("/ws", [this](Request& req, Response& res, Next next) {
      if (!from_own_page(req)) return res.status(403).send("This chat talks to its own page only.");
      next();
    });
    app_.get("/", send_page);
    app_.get("/r/:room", send_page);
    app_.not_found([](Request&, Response& res) { send_html(res.status(404), missing_page); });
    app_.ws("/ws/:room", {
        .open = [this](WebSocket ws, Request& req) { on_open(ws, req); },
        .message = [this](WebSocket ws, const Message& message) { on_message(ws, message); },
        .close = [this](WebSocket ws, const CloseInfo&) { on_close(ws); },
        .options = {.max_connections = 10'000, .max_message_bytes = 8_KiB},
    });
    app_.every(1min, [this] { forget_parlours(); });
  }

  int run(std::string_view host, uint16_t port) {
    local_ = host == "localhost" || host == "::1" || host.starts_with("127.");
    const Result<uint16_t> bound = app_.listen(host, port);
    if (!bound) return report(bound.error());
    const bool ipv6 = host.find(':') != host.npos;
    std::printf(ipv6 ? "chat: listening on http://[%s]:%u\n" : "chat: listening on http://%s:%u\n", std::string(host).c_str(),
                unsigned{*bound});
    std::fflush(stdout);
    return app_.run();
  }

 private:
  // The page is the same for every URL; its script reads the room from the address. The nonce lets the browser run the
  // page's own style and script, and nothing that somebody might smuggle in.
  static void send_page(Request&, Response& res) { send_html(res, chat_page); }
  static void send_html(Response& res, std::string (*page)(std::string_view nonce)) {
    std::random_device random;
    char nonce[33];
    std::snprintf(nonce, sizeof nonce, "%08x%08x%08x%08x", random(), random(), random(), random());
    const std::string source = "'nonce-" + std::string(nonce) + "'";
    res.set("Content-Security-Policy",
            "default-src 'none'; script-src " + source + "; style-src " + source +
                "; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    res.set("Cache-Control", "no-store").type("html").send(page(nonce));
  }

  // Origin, where there is one, must be the host that the request names. And a name that somebody has pointed at this
  // machine (DNS rebinding) is not one of its own, when it is only there for itself.
  bool from_own_page(const Request& req) const {
    const std::string_view host = req.header("Host").value_or("");
    const std::string_view name = host.starts_with('[') ? host.substr(0, host.find(']') + 1) : host.substr(0, host.find(':'));
    const bool loopback = name.starts_with("127.") && name.find_first_not_of("0123456789.") == name.npos;
    if (local_ && !loopback && name != "localhost" && name != "[::1]") return false;
    std::string_view origin = req.header("Origin").value_or("");
    if (origin.empty()) return true;
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (origin.starts_with(scheme)) return origin.substr(scheme.size()) == host;
    }
    return false;
  }

  void on_open(WebSocket ws, Request& req) {
    // Percent-decoded, a parameter can be any bytes. "Garden" and "garden" are the same room.
    const std::string room = lower(clean(req.param("room"), kRoomChars, true));
    if (room.empty()) return ws.close(CloseCode::policy_violation, "a room needs a name");
    guests_[ws].parlour = room;
    app_.after(kHelloTimeout, [this, ws] {
      const auto guest = guests_.find(ws);
      if (guest != guests_.end() && guest->second.who == 0) ws.close(CloseCode::policy_violation, "no hello");
    });
  }

  void on_message(WebSocket ws, const Message& message) {
    const auto found = guests_.find(ws);
    if (found == guests_.end()) return;  // replaced by a newer connection of the same page
    Guest& guest = found->second;
    if (!message.is_text()) return ws.close(CloseCode::unsupported, "text only");

    std::string_view rest = message.text();
    const std::string_view verb = take_word(rest);
    if (guest.who == 0 && verb == "hello") return hello(ws, guest, rest);
    const bool allowed = guest.allowance.take();
    if (guest.allowance.refused > 100) return ws.close(CloseCode::policy_violation, "too fast");
    if (!is_command(verb)) return;  // of a page that knows more than this server does, or of another chat's
    if (guest.who == 0) return ws.close(CloseCode::policy_violation, "say hello first");
    if (verb == "hello") return ws.close(CloseCode::policy_violation, "said hello already");
    Parlour& parlour = parlours_.at(guest.parlour);  // it stays as long as this person is in it
    Person& person = *parlour.find(guest.who);
    if (verb == "say") return say(ws, parlour, person, rest, allowed);
    if (!allowed) return;
    if (verb == "typing") ws.to(parlour.name).send({{"t", "typing"}, {"who", person.who}});
    if (verb == "name") rename(parlour, person, rest);
  }

  static bool is_command(std::string_view verb) { return verb == "hello" || verb == "say" || verb == "typing" || verb == "name"; }

  void on_close(WebSocket ws) {
    const auto guest = guests_.extract(ws);
    if (guest.empty() || guest.mapped().who == 0) return;
    Parlour& parlour = parlours_.at(guest.mapped().parlour);
    Person& person = *parlour.find(guest.mapped().who);
    person.socket = WebSocket();
    app_.after(kGrace, [this, room = parlour.name, who = person.who, visit = person.visit] {
      const auto found = parlours_.find(room);
      Person* gone = found == parlours_.end() ? nullptr : found->second.find(who);
      if (gone && gone->visit == visit) leave(found->second, *gone);
    });
  }

  void hello(WebSocket ws, Guest& guest, std::string_view rest) {
    const std::string key = clean(take_word(rest), kKeyChars, true);
    const std::string_view since_text = take_word(rest);
    int64_t since = 0;
    std::from_chars(since_text.data(), since_text.data() + since_text.size(), since);
    // A hash of the secret under our own salt is the same for the same page and tells nobody the secret. 53 bits are
    // what a number of JavaScript holds.
    const uint64_t who = (std::hash<std::string>()(salt_ + guest.parlour + "/" + key) & ((uint64_t{1} << 53) - 1)) | 1;

    Parlour* parlour = find_parlour(guest.parlour);
    if (!parlour) return ws.close(CloseCode::try_again, "no more rooms");
    Person* person = parlour->find(who);
    if (key.empty() || (person && person->key != key)) return ws.close(CloseCode::policy_violation, "no key");
    if (!person && parlour->people.size() >= kMaxPeople) return ws.close(CloseCode::try_again, "the room is full");
    if (!person) {
      parlour->people.push_back({.who = who, .key = key, .name = {}, .socket = {}});
      person = &parlour->people.back();
    } else if (guests_.erase(person->socket)) {
      person->socket.close(kReplaced, "opened elsewhere");
      person->socket.leave(parlour->name);
    }
    person->socket = ws;
    person->visit += 1;
    guest.who = who;
    rename(*parlour, *person, rest);
    if (!ws.join(parlour->name)) return ws.close(CloseCode::try_again, "out of memory");
    welcome(ws, *parlour, *person, since);
  }

  void welcome(WebSocket ws, const Parlour& parlour, const Person& person, int64_t since) const {
    JsonWriter out;
    out.object([&] {
      out.member("t", "welcome");
      out.member("you", person.who);
      out.member("room", parlour.name);
      out.key("people");
      out.array([&] {
        for (const Person& p : parlour.people) out.value(Json{{"t", "here"}, {"who", p.who}, {"name", p.name}});
      });
      // Somebody who comes back gets what was missed, somebody new what was said last.
      size_t first = parlour.lines.size() - std::min(parlour.lines.size(), since > 0 ? kLinesKept : kLinesShown);
      while (first < parlour.lines.size() && parlour.lines[first].at <= since) ++first;
      out.key("lines");
      out.array([&] {
        for (; first < parlour.lines.size(); ++first) out.raw(parlour.lines[first].json);
      });
    });
    ws.send(out);
  }

  void say(WebSocket ws, Parlour& parlour, const Person& person, std::string_view rest, bool allowed) {
    const std::string nonce = clean(take_word(rest), kNonceChars, true);
    if (!allowed) return void(ws.send({{"t", "slow"}, {"nonce", nonce}}));  // the page tries again later
    const std::string text = clean(rest, kTextChars, false);
    if (text.empty()) return void(ws.send({{"t", "drop"}, {"nonce", nonce}}));
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    const int64_t now = std::chrono::duration_cast<milliseconds>(since_1970).count();
    last_at_ = std::max(now, last_at_ + 1);
    const Json line = {{"t", "say"}, {"at", last_at_}, {"who", person.who}, {"name", person.name}, {"nonce", nonce}, {"text", text}};
    parlour.lines.push_back({last_at_, line.dump()});
    if (parlour.lines.size() > kLinesKept) parlour.lines.pop_front();
    app_.to(parlour.name).send(parlour.lines.back().json);
  }

  // Also how somebody new is announced: the first name is a change from none.
  void rename(Parlour& parlour, Person& person, std::string_view wanted) {
    const std::string name = parlour.free_name(clean(wanted, kNameChars, true), person.who);
    if (name == person.name) return;
    person.name = name;
    app_.to(parlour.name).send({{"t", "here"}, {"who", person.who}, {"name", name}});
  }

  void leave(Parlour& parlour, const Person& person) {
    app_.to(parlour.name).send({{"t", "gone"}, {"who", person.who}});
    parlour.people.erase(parlour.people.begin() + (&person - parlour.people.data()));
    parlour.empty_since = Clock::now();
    if (parlour.people.empty() && parlour.lines.empty()) parlours_.erase(parlours_.find(parlour.name));
  }

  // Finds it or makes it, in place of the one that has been empty for longest; null when all are in use.
  Parlour* find_parlour(const std::string& name) {
    const auto found = parlours_.find(name);
    if (found != parlours_.end()) return &found->second;
    if (parlours_.size() >= kMaxRooms) {
      const auto rank = [](const auto& entry) {
        return entry.second.people.empty() ? entry.second.empty_since : Clock::time_point::max();
      };
      const auto oldest = std::min_element(parlours_.begin(), parlours_.end(),
                                           [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
      if (!oldest->second.people.empty()) return nullptr;
      parlours_.erase(oldest);
    }
    Parlour& parlour = parlours_[name];
    parlour.name = name;
    return &parlour;
  }

  void forget_parlours() {
    const Clock::time_point long_ago = Clock::now() - kRemember;
    std::erase_if(parlours_, [&](const auto& entry) {
      return entry.second.people.empty() && entry.second.empty_since < long_ago;
    });
  }

  std::string salt_ = std::to_string(std::random_device()()) + std::to_string(std::random_device()());
  int64_t last_at_ = 0;
  bool local_ = false;  // nobody but this machine can connect
  std::map<std::string, Parlour> parlours_;
  std::unordered_map<WebSocket, Guest> guests_;
  App app_;  // last, so that it goes first: its handlers use what stands above
};

bool parse_port(std::string_view text, uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view host = "127.0.0.1";  // nobody else's business unless --host says so
  uint16_t port = 3000;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--host" && !value.empty()) {
      host = value;
    } else if (option != "--port" || !parse_port(value, port)) {
      std::fputs("usage: chat [--host 127.0.0.1] [--port 3000]   (port 0: any that is free)\n", stderr);
      return 2;
    }
  }
  Chat chat;
  return chat.run(host, port);
}
