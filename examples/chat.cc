// chat.cc: a chat for the browser. `make run`, then open http://localhost:3000 in two windows.
//
// Rooms by URL, names, who is here, who is typing, and what was said before one came. The page is compiled in
// (chat_page.h); nothing is stored on disk, nothing is fetched from elsewhere.
//
// What a room remembers, who is in it, and what somebody missed who comes back, are the library's: see martlet/history.h and
// martlet/presence.h.
//
// What travels. The page sends words, one command per message, so that nothing here has to parse a structure that a
// stranger wrote:
//     hello KEY SINCE EPOCH NAME     first; KEY is the page's secret, SINCE and EPOCH where it stood (- and - where it is new)
//     say NONCE TEXT                 the message comes back to its sender too, with the nonce: that is the receipt
//     typing
//     name NAME
// What begins with another word is passed over: one that is unknown here closes nothing, but counts against the rate.
// The server answers with events, {"event":"say","args":[…]}: those of the room (room:joined, room:gap, presence:state,
// presence:join, presence:leave), and
//     welcome WHO, typing WHO        WHO names somebody, as in presence
//     say {at, who, name, nonce, text}
//     slow NONCE, drop NONCE         say it again later; do not
//
// Everything runs on the thread of App::run, so there is not one lock. Every text of a stranger passes clean() on its
// way in, what goes out is written by the library, and every collection has a limit.
#include <martlet/martlet.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <initializer_list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "chat_page.h"

using namespace martlet;
using namespace martlet::literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr size_t kKeyChars = 64, kNameChars = 24, kNonceChars = 32, kRoomChars = 40, kTextChars = 1000;
constexpr uint32_t kLinesKept = 100;  // per room
constexpr uint32_t kLinesShown = 50;  // of them, to somebody new
constexpr size_t kMaxPeople = 200;    // per room
constexpr uint32_t kMaxRooms = 256;   // that somebody is in
constexpr auto kRemember = 24h;       // what was said; but all rooms together hold no more than 256 MiB (set_history_bytes)
constexpr auto kGrace = 2s;           // a reload takes less: nobody is told that its reader left and came
constexpr auto kHelloTimeout = 10s;   // for connections that never say who they are
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

template <typename Number>
std::optional<Number> parse(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
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

// A connection, and who it is: nobody, and in no room, before its hello.
struct Guest {
  std::string room;    // as martlet knows it: "chat/garden"
  std::string who;     // names the person in messages; the same whenever they come with the same key
  std::string key;     // their page's secret: who knows it is the same person
  std::string wanted;  // the name that they ask for
  std::string name;    // the name that they have, once presence has asked for it: see describe()
  Allowance allowance = {};

  std::string seat() const { return room + "/" + who; }
  // Who types is told in a room beside, which does not remember it.
  std::string typing_room() const { return "typing/" + room; }
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
    app_.rooms_options({.max_rooms = 2 * kMaxRooms});  // with those for typing
    app_.history("chat/*", {.age = kRemember, .messages = kLinesKept});
    people_ = app_.presence("chat/*", [this](WebSocket ws) { return describe(ws); },
                            {.grace = kGrace, .identify = [](WebSocket ws) { return ws.data<Guest>().who; }});
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
    ws.data<Guest>().room = "chat/" + room;
    ws.after(kHelloTimeout, [](WebSocket late) {
      if (late.data<Guest>().who.empty()) late.close(CloseCode::policy_violation, "no hello");
    });
  }

  void on_message(WebSocket ws, const Message& message) {
    if (!message.is_text()) return ws.close(CloseCode::unsupported, "text only");
    Guest& guest = ws.data<Guest>();
    std::string_view rest = message.text();
    const std::string_view verb = take_word(rest);
    if (guest.who.empty() && verb == "hello") return hello(ws, guest, rest);
    const bool allowed = guest.allowance.take();
    if (guest.allowance.refused > 100) return ws.close(CloseCode::policy_violation, "too fast");
    if (!is_command(verb)) return;  // of a page that knows more than this server does, or of another chat's
    if (guest.who.empty()) return ws.close(CloseCode::policy_violation, "say hello first");
    if (verb == "hello") return ws.close(CloseCode::policy_violation, "said hello already");
    if (verb == "say") return say(ws, guest, rest, allowed);
    if (!allowed) return;
    if (verb == "typing") ws.to(guest.typing_room()).emit("typing", guest.who);
    if (verb == "name") rename(ws, guest, rest);
  }

  static bool is_command(std::string_view verb) { return verb == "hello" || verb == "say" || verb == "typing" || verb == "name"; }

  void on_close(WebSocket ws) {
    const auto seat = seats_.find(ws.data<Guest>().seat());
    if (seat != seats_.end() && seat->second == ws) seats_.erase(seat);
  }

  void hello(WebSocket ws, Guest& guest, std::string_view rest) {
    guest.key = clean(take_word(rest), kKeyChars, true);
    const auto since = parse<uint64_t>(take_word(rest));
    const std::string_view epoch = take_word(rest);
    guest.wanted = clean(rest, kNameChars, true);
    if (guest.key.empty()) return ws.close(CloseCode::policy_violation, "no key");
    // A hash of the secret under our own salt is the same for the same page and tells nobody the secret.
    guest.who = std::to_string(std::hash<std::string>()(salt_ + guest.room + "/" + guest.key));

    WebSocket& seat = seats_[guest.seat()];
    if (seat.is_open() && seat.data<Guest>().key != guest.key) return ws.close(CloseCode::policy_violation, "no key");
    seat.leave(guest.room);
    seat.close(kReplaced, "opened elsewhere");
    seat = ws;
    if (app_.room(guest.room).size() >= kMaxPeople) return ws.close(CloseCode::try_again, "the room is full");
    ws.emit("welcome", guest.who);
    // Somebody who comes back gets what was missed, as far as it is there still; somebody new what was said last.
    const JoinOptions wish = {.epoch = epoch, .last = since ? kLinesKept : kLinesShown, .since = since};
    if (!ws.join(guest.typing_room()) || !ws.join(guest.room, wish)) ws.close(CloseCode::try_again, "no more rooms");
  }

  void say(WebSocket ws, const Guest& guest, std::string_view rest, bool allowed) {
    const std::string nonce = clean(take_word(rest), kNonceChars, true);
    if (!allowed || guest.name.empty()) return void(ws.emit("slow", nonce));
    const std::string text = clean(rest, kTextChars, false);
    if (text.empty()) return void(ws.emit("drop", nonce));
    // Milliseconds since 1970, one more than before at least: also the mark of a line for a page that has some of them already.
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    last_at_ = std::max<int64_t>(std::chrono::duration_cast<milliseconds>(since_1970).count(), last_at_ + 1);
    app_.to(guest.room).emit("say", {{"at", last_at_}, {"who", guest.who}, {"name", guest.name}, {"nonce", nonce}, {"text", text}});
  }

  void rename(WebSocket ws, Guest& guest, std::string_view rest) {
    guest.wanted = clean(rest, kNameChars, true);
    people_.update(ws);
  }

  // What presence says of somebody: the wanted name, with a number when somebody else has it. It asks this for one after the
  // other, so that two who come at once are told apart as well.
  Json describe(WebSocket ws) {
    Guest& guest = ws.data<Guest>();
    const Json people = people_.list(guest.room);
    const auto is_taken = [&](const std::string& name) {
      for (const auto& [who, person] : people.members()) {
        if (who != guest.who && lower(person["name"].text_or("")) == lower(name)) return true;
      }
      return false;
    };
    const std::string base = guest.wanted.empty() ? "Guest" : guest.wanted;
    guest.name = base;
    for (int n = 2; is_taken(guest.name); ++n) guest.name = base + " " + std::to_string(n);
    return {{"name", guest.name}};
  }

  std::string salt_ = std::to_string(std::random_device()()) + std::to_string(std::random_device()());
  int64_t last_at_ = 0;
  bool local_ = false;  // nobody but this machine can connect
  Presence people_;
  std::map<std::string, WebSocket> seats_;  // the connection of each person in each room
  App app_;  // last, so that it goes first: its handlers use what stands above
};

}  // namespace

int main(int argc, char** argv) {
  std::string_view host = "127.0.0.1";  // nobody else's business unless --host says so
  std::optional<uint16_t> port = 3000;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--host" && !value.empty()) {
      host = value;
    } else if (option != "--port" || !(port = parse<uint16_t>(value))) {
      std::fputs("usage: chat [--host 127.0.0.1] [--port 3000]   (port 0: any that is free)\n", stderr);
      return 2;
    }
  }
  Chat chat;
  return chat.run(host, *port);
}
