// What one message costs the library, without the kernel: a server whose recv() and send() are replaced by canned
// input and a sink, driven for a given number of messages. Under callgrind the instructions per message repeat
// exactly, as the clock is replaced too: the difference of two runs divided by the difference of their messages is
// what instructions.py prints and holds against budgets.txt. Run alone it prints the processor time per message.
//
//   messages_bench CASE MESSAGES     messages_bench without arguments lists the cases
//   messages_bench CASE serve PORT   the same routes on a real port, for a load generator, until SIGTERM
//
// In the fan-out cases a message is a delivery: what one member of the room costs.
#include <martlet/martlet.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <ctime>
#include <string>
#include <string_view>

#include "proto/ws_frame.h"
#include "sys/socket.h"
#include "sys/syscalls.h"

using namespace martlet;

namespace {

constexpr size_t kReceivers = 100;  // members of the room beside the sender

std::string input;       // what every recv() answers
size_t sent_bytes = 0;
bool canned = false;     // off during connect and handshake
uint64_t clock_ns = 1'000'000'000;  // of both clocks; it stands still during a turn

// The replaced system calls -------------------------------------------------------------------------------------------

ssize_t canned_recv(int fd, void* to, size_t size, int flags) {
  if (!canned) return ::recv(fd, to, size, flags);
  if (size < input.size()) std::abort();
  std::memcpy(to, input.data(), input.size());
  return static_cast<ssize_t>(input.size());
}

ssize_t canned_send(int fd, const void* bytes, size_t size, int flags) {
  if (!canned) return ::send(fd, bytes, size, flags);
  sent_bytes += size;
  return static_cast<ssize_t>(size);
}

ssize_t canned_sendmsg(int fd, const msghdr* message, int flags) {
  if (!canned) return ::sendmsg(fd, message, flags);
  size_t size = 0;
  for (size_t i = 0; i < message->msg_iovlen; i++) size += message->msg_iov[i].iov_len;
  sent_bytes += size;
  return static_cast<ssize_t>(size);
}

int canned_clock(clockid_t, timespec* time) {
  *time = {static_cast<time_t>(clock_ns / 1'000'000'000), static_cast<long>(clock_ns % 1'000'000'000)};
  return 0;
}

void replace_system_calls() {
  sys::syscalls.recv = canned_recv;
  sys::syscalls.send = canned_send;
  sys::syscalls.sendmsg = canned_sendmsg;
  sys::syscalls.clock_gettime = canned_clock;
}

// The input -----------------------------------------------------------------------------------------------------------

enum class Payload : uint8_t { ascii, utf8 };

std::string payload_of(size_t size, Payload kind) {
  std::string payload;
  while (payload.size() < size) payload += kind == Payload::utf8 ? "\xd0\x9f\xd1\x80 " : "abcdefgh";
  payload.resize(size);
  if (kind == Payload::utf8) payload[size - 1] = payload[size - 2] = 'x';  // the cut may have split a character
  return payload;
}

std::string frames(const std::string& payload, size_t count) {
  std::string all;
  for (size_t n = 0; n < count; n++) {
    uint8_t header[proto::kMaxFrameHeader];
    const size_t bytes = proto::encode_frame_header(header, proto::Opcode::text, payload.size());
    header[1] |= 0x80;
    const char key[4] = {0x12, 0x34, 0x56, static_cast<char>(0x78 + n)};
    all.append(reinterpret_cast<char*>(header), bytes).append(key, 4);
    for (size_t i = 0; i < payload.size(); i++) all.push_back(static_cast<char>(payload[i] ^ key[i % 4]));
  }
  return all;
}

std::string short_head(std::string_view target) {
  return "GET " + std::string(target) +
         " HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: loadgen\r\nAccept: */*\r\n\r\n";
}

// No two are alike, so that a shortcut for bytes that were seen before shows as none.
std::string browser_head(size_t n) {
  return "GET /?page=" + std::to_string(n * 7 + 1) +
         "&sort=new HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nConnection: keep-alive\r\n"
         "sec-ch-ua: \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\n"
         "sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n"
         "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0\r\n"
         "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
         "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
         "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
         "Cookie: session=" + std::to_string(n * 1234567) + "; theme=dark\r\n\r\n";
}

enum class Kind : uint8_t { http, http_browser, http_param, http_routes, http_steps, http_json, echo, task, event, fan_out };

struct Case {
  std::string_view name;
  Kind kind;
  size_t per_read;  // requests or frames in one recv()
  size_t size = 0;  // of a frame's payload; of http_routes and http_steps: how many routes there are
  Payload payload = Payload::ascii;
  std::string_view target = {};  // of http_json; of event, what stands behind its arguments; of fan_out, the room with a memory
};

constexpr Case kCases[] = {
    {"http", Kind::http, 16},
    {"http-depth-1", Kind::http, 1},
    {"http-browser", Kind::http_browser, 16},
    {"http-param", Kind::http_param, 16},
    {"http-routes-500", Kind::http_routes, 16, 500},
    {"http-routes-5000", Kind::http_routes, 16, 5000},
    {"http-steps-500", Kind::http_steps, 16, 500},
    {"http-steps-5000", Kind::http_steps, 16, 5000},
    {"http-json-text", Kind::http_json, 16, 0, Payload::ascii, "/text"},
    {"http-json-writer", Kind::http_json, 16, 0, Payload::ascii, "/writer"},
    {"http-json-tree", Kind::http_json, 16, 0, Payload::ascii, "/tree"},
    {"echo-20", Kind::echo, 16, 20},
    {"echo-20-depth-1", Kind::echo, 1, 20},
    {"echo-1k", Kind::echo, 16, 1024},
    {"echo-1k-utf8", Kind::echo, 16, 1024, Payload::utf8},
    {"echo-16k", Kind::echo, 16, 16384},
    {"echo-16k-utf8", Kind::echo, 16, 16384, Payload::utf8},
    {"task-20", Kind::task, 16, 20},
    {"event-20", Kind::event, 16, 20},
    {"event-20-ack", Kind::event, 16, 20, Payload::ascii, ",\"ack\":1234567"},
    {"fan-out-1", Kind::fan_out, 1, 100},
    {"fan-out-32", Kind::fan_out, 32, 100},
    {"fan-out-1-beside-history", Kind::fan_out, 1, 100, Payload::ascii, "other"},
    {"fan-out-1-history", Kind::fan_out, 1, 100, Payload::ascii, "room"},
    {"fan-out-32-history", Kind::fan_out, 32, 100, Payload::ascii, "room"},
};

const Case* find_case(std::string_view name) {
  for (const Case& c : kCases) {
    if (c.name == name) return &c;
  }
  return nullptr;
}

std::string event_of(const Case& c) {
  return std::string(R"({"event":")") + (c.target.empty() ? "echo" : "ask") + R"(","args":[")" + payload_of(c.size, c.payload) + "\"]" +
         std::string(c.target) + "}";
}

std::string input_of(const Case& c) {
  if (c.kind == Kind::echo || c.kind == Kind::task || c.kind == Kind::fan_out) return frames(payload_of(c.size, c.payload), c.per_read);
  if (c.kind == Kind::event) return frames(event_of(c), c.per_read);
  std::string all;
  for (size_t n = 0; n < c.per_read; n++) {
    all += c.kind == Kind::http           ? short_head("/")
           : c.kind == Kind::http_browser ? browser_head(n)
           : c.kind == Kind::http_json    ? short_head(c.target)
           : c.kind == Kind::http_param   ? short_head("/hello/" + std::to_string(n * 1234567))
                                          : short_head("/user/" + std::to_string(n * 1234567));
  }
  return all;
}

// The server and its clients ------------------------------------------------------------------------------------------

void add_routes(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });
  app.get("/hello/:name", [](Request& req, Response& res) {
    res.set("X-Greeting", "yes");
    res.send(req.param("name"));
  });
  app.ws("/echo", {.message = [](WebSocket from, const Message& msg) { from.send(msg); }});
  app.ws("/task", [](WebSocket ws, Request&) {
    ws.on_message([](WebSocket from, const Message& msg) -> Task<> {
      from.send(msg);
      co_return;
    });
  });
  app.ws("/events", [](WebSocket ws, Request&) {
    ws.on("echo", [](WebSocket from, std::string_view text) { from.emit("echo", text); });
    ws.on("ask", [](std::string_view text, EventReply reply) { reply(text); });
  });
  app.ws("/room", [](WebSocket ws, Request&) {
    const Room room = ws.join("room");
    ws.on_message([room](WebSocket from, const Message& msg) { from.to(room).send(msg); });
  });
}

// So many routes, with and without parameters, next to "/user/:id" and elsewhere.
void add_other_routes(App& app, size_t count) {
  const auto other = [](Request&, Response& res) { res.send("other"); };
  const char* const forms[] = {"/api/v1/resource-/items", "/api/v1/resource-/items/:item", "/user-/:id", "/user/me/page-"};
  for (size_t n = 0; n < count; n++) {
    std::string path = forms[n % std::size(forms)];
    app.get(path.insert(path.find('-') + 1, std::to_string(n)), other);
  }
}

void add_many_routes(App& app, size_t count) {
  add_other_routes(app, count);
  app.get("/user/:id", [](Request& req, Response& res) { res.send(req.param("id")); });
}

// The same with five middlewares that let everything through, and an answer of JSON.
void add_steps(App& app, size_t count) {
  for (int n = 0; n < 5; n++) app.use([](Request&, Response&, Next next) { next(); });
  add_other_routes(app, count);
  app.get("/user/:id", [](Request& req, Response& res) {
    const std::string_view id = req.param("id");
    JsonWriter out;
    out.object([&] {
      out.member("id", id);
      out.member("name", "Ann Example");
      out.member("ok", !id.empty());
    });
    res.json(out);
  });
}

// The same answer as text, by a JsonWriter, and as a tree that is made for it. Its parts are not known when this is compiled.
void add_json_routes(App& app, const std::string& name) {
  app.get("/text", [](Request&, Response& res) { res.json(R"({"id":70123,"name":"Ann Example","ok":true})"); });
  app.get("/writer", [&name](Request&, Response& res) {
    JsonWriter out;
    out.object([&] {
      out.member("id", static_cast<int>(name.size()) + 70112);
      out.member("name", name);
      out.member("ok", !name.empty());
    });
    res.json(out);
  });
  app.get("/tree", [&name](Request&, Response& res) {
    res.json({{"id", static_cast<int>(name.size()) + 70112}, {"name", name}, {"ok", !name.empty()}});
  });
}

// A client that never reads. Its socket is the program's until the end.
int connect_client(App& app, std::string_view websocket_path) {
  auto fd = sys::connect_to("127.0.0.1", app.port());
  if (!fd) std::exit(report(fd.error()));
  const std::string handshake = "GET " + std::string(websocket_path) +
                                " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  const uint64_t wanted = app.stats().open_connections + 1;
  while (app.stats().open_connections < wanted) app.poll_once(milliseconds(50));
  if (websocket_path.empty()) return *fd;
  sys::transmit(*fd, handshake.data(), handshake.size());
  while (app.stats().open_websockets < wanted) app.poll_once(milliseconds(50));
  return *fd;
}

std::string_view websocket_path(Kind kind) {
  return kind == Kind::echo ? "/echo" : kind == Kind::task ? "/task" : kind == Kind::event ? "/events" : kind == Kind::fan_out ? "/room" : "";
}

void connect_clients(App& app, const Case& c) {
  for (size_t n = 0; c.kind == Kind::fan_out && n < kReceivers; n++) connect_client(app, "/room");
  const int sender = connect_client(app, websocket_path(c.kind));
  sys::transmit(sender, "x", 1);  // never taken: the socket stays readable
}

uint64_t processor_ns() {
  timespec time;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

void add_routes_of(App& app, const Case& chosen, const std::string& name) {
  if (chosen.kind == Kind::fan_out && !chosen.target.empty()) app.history(chosen.target, {});
  switch (chosen.kind) {
    case Kind::http_json: return add_json_routes(app, name);
    case Kind::http_routes: return add_many_routes(app, chosen.size);
    case Kind::http_steps: return add_steps(app, chosen.size);
    default: return add_routes(app);
  }
}

int serve(const Case& chosen, const std::string& name, const char* where) {
  App app;
  add_routes_of(app, chosen, name);
  if (auto port = app.listen("127.0.0.1", static_cast<uint16_t>(std::atoi(where))); !port) return report(port.error());
  return app.run();
}

int usage() {
  std::fputs("usage: messages_bench CASE MESSAGES | CASE serve PORT; the cases are", stderr);
  for (const Case& c : kCases) std::fprintf(stderr, " %.*s", static_cast<int>(c.name.size()), c.name.data());
  std::fputs("\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const bool serves = argc == 4 && std::string_view(argv[2]) == "serve";
  const Case* chosen = argc == 3 || serves ? find_case(argv[1]) : nullptr;
  if (!chosen) return usage();
  const std::string name = argc > 2 ? "Ann Example" : argv[0];
  if (serves) return serve(*chosen, name, argv[3]);
  const size_t wanted = std::strtoull(argv[2], nullptr, 10);
  replace_system_calls();
  App app;
  add_routes_of(app, *chosen, name);
  if (auto port = app.listen("127.0.0.1", 0); !port) return report(port.error());
  connect_clients(app, *chosen);
  input = input_of(*chosen);
  canned = true;
  const size_t per_turn = chosen->per_read * (chosen->kind == Kind::fan_out ? kReceivers : 1);
  const uint64_t begin_ns = processor_ns();
  size_t done = 0;
  for (; done < wanted; done += per_turn, clock_ns += 1000) app.poll_once(milliseconds(0));
  const double spent_ns = static_cast<double>(processor_ns() - begin_ns);
  std::printf("%s: %zu messages, %zu bytes sent, %.1f ns each\n", argv[1], done, sent_bytes,
              spent_ns / static_cast<double>(done));
  return sent_bytes > 0 ? 0 : 1;
}
