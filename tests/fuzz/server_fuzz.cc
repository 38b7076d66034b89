// A whole server: the input is a script of what several peers, the network, the clock and the application do, played
// over a fake kernel. Whatever it is, the server stays up, what it says is HTTP and WebSocket frames, and when all peers
// have gone nothing is left.
//
// An instruction is a byte, the operation in its upper half and the peer's number in its lower, and its arguments:
//
//   0 turn           2 feed n, n bytes     4 reset          6 piece: reads and writes of n     8 fault n, which
//   1 connect        3 end of stream       5 takes n × 16   7 time: n² ms pass                 9 the application acts
//  10 bulk: n KiB of one byte    11 connect where a header of the PROXY protocol is to come first
#include <martlet/martlet.h>

#include <stdexcept>

#include "codec/utf8.h"
#include "fuzz/fuzz.h"
#include "fuzz/server_steps.h"
#include "support/fake_kernel.h"

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr int kPeers = 6;
constexpr int kInputsPerApp = 50;  // a process has a bounded number of Apps
constexpr size_t kMostTurns = 400;

struct FuzzedServer {
  test::FakeKernel kernel;
  std::vector<Response> later;
  std::vector<Next> nexts;
  std::vector<WebSocket> sockets;
  SharedFrame kept;
  int begun = 0, finished = 0;  // requests that on_finish tells of
  App app{AppOptions{.max_body_bytes = 100'000, .max_connections = 4, .trusted_proxies = "loopback"}};

  FuzzedServer();
  void act(uint8_t what);
};

void remember(FuzzedServer& s, WebSocket ws) {
  if (s.sockets.size() < 16) s.sockets.push_back(ws);
}

// What a member of a room may say: the first byte is the command, the rest its argument.
void command(FuzzedServer& s, WebSocket ws, const Message& message) {
  const std::string_view text = message.text();
  const std::string_view rest = text.substr(text.empty() ? 0 : 1);
  switch (text.empty() ? 0 : text[0]) {
    case 'j': ws.join(rest.substr(0, 4)); break;
    case 'l': ws.leave(rest.substr(0, 4)); break;
    case 't': ws.to(rest.substr(0, 4)).send(message); break;
    case 'h': ws.to("all").send(rest); break;
    case 'b': ws.broadcast(message); break;
    case 'e': s.app.everybody().send(rest); break;
    case 'c': ws.close(static_cast<CloseCode>(4000 + rest.size()), rest); break;
    case 'a': ws.abort(); break;
    case 'p': ws.ping(rest); break;
    case 'k': s.kept = message.share(); break;
    case 's': if (s.kept) ws.send(s.kept); break;
    case 'r': ws.to("all").send(s.kept); break;
    case 'o': ws.on_message([&s](WebSocket again, const Message& m) { command(s, again, m); }); break;
    case 'q': ws.on_message(nullptr); break;
    case 'w': ws.post([](WebSocket self) { self.send("posted"); }); break;
    case 'x': throw std::runtime_error("a handler that throws");
    case 'd': for (int i = 0; i < 40; i++) ws.send(message); break;
    case 'm': for (const WebSocket& other : s.sockets) other.send(message); break;
    case 'z': for (const WebSocket& other : s.sockets) other.close(); break;
    default: ws.send(message);
  }
}

void add_http(FuzzedServer& s) {
  App& app = s.app;
  app.use("/guarded", [](Request& req, Response& res, Next next) {
    if (!req.header("authorization")) return res.status(401).send("who are you");
    next();
  });
  app.use([&s](Request&, Response& res, Next next) {
    s.begun++;
    res.on_headers([](Response& r) { r.set("X-Status", std::to_string(r.status_code())); });
    res.on_finish([&s](const Finished&) { s.finished++; });
    next();
  });
  app.use("/kept", [&s](Request&, Response&, Next next) {
    if (s.nexts.size() < 16) s.nexts.push_back(next);
  });
  app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });
  app.get("/hello/:name", [](Request& req, Response& res) { res.set("X-Name", req.param("name")).send(req.param("name")); });
  app.all("/echo", [](Request& req, Response& res) {
    if (const auto type = req.header("content-type")) res.type(*type);
    res.send(req.body());
  });
  app.get("/query", [](Request& req, Response& res) { res.json(req.query("q").value_or("none")); });
  app.get("/later", [&s](Request&, Response& res) {
    if (s.later.size() < 16) s.later.push_back(res.defer());
  });
  app.get("/kept/*", [](Request& req, Response& res) { res.send(req.param("*")); });
  app.get("/guarded/*", [](Request& req, Response& res) { res.redirect(req.url(), 307); });
  app.get("/throw", [](Request&, Response&) { throw std::runtime_error("a handler that throws"); });
  app.get("/forgets", [](Request&, Response&) {});
  app.get("/large", [](Request&, Response& res) { res.send(std::string(50'000, 'l')); });
  app.get("/twice", [](Request&, Response& res) { res.status(204).end(); });
}

void add_websockets(FuzzedServer& s) {
  const auto options = [](SlowConsumerPolicy policy) {
    return WsOptions{.max_fragments = 50, .max_message_bytes = 200'000, .max_unsent_bytes = 20'000,
                     .protocols = {"chat", "json"}, .slow_consumer = policy};
  };
  s.app.ws("/echo", {.message = [](WebSocket ws, const Message& m) { ws.send(m); },
                     .options = options(SlowConsumerPolicy::close)});
  s.app.ws("/room", {.open =
                         [&s](WebSocket ws, Request&) {
                           remember(s, ws);
                           ws.join("all");
                         },
                     .message = [&s](WebSocket ws, const Message& m) { command(s, ws, m); },
                     .drain = [](WebSocket ws) { ws.send("drained"); },
                     .close = [](WebSocket ws, const CloseInfo&) { ws.to("all").send("gone"); },
                     .ping = [](WebSocket ws, std::string_view text) { ws.send(text.empty() ? "ping" : "pinged"); },
                     .options = options(SlowConsumerPolicy::drop_newest)});
  s.app.ws("/events", [](WebSocket ws) {
    ws.on("say", [](WebSocket from, std::string text, Json what, EventReply reply) {
      from.emit("said", text, what);
      reply(what);
    });
    ws.on("off", [](WebSocket from, std::string_view name) { from.off(name); });
    ws.on_message([](WebSocket from, const Message& m) { from.emit_with_ack("plain", m.text()).timeout(milliseconds(100)).then([](WebSocket to, AckResult r) { to.send(r.text()); }); });
    ws.emit_with_ack("hello").then([](WebSocket to, AckResult r) { to.emit("answered", r.size(), name_of(r.status())); });
  });
  s.app.ws("/own/:name",
           [&s](WebSocket ws, Request& req) {
             remember(s, ws);
             ws.join("all");
             ws.send(codec::is_valid_utf8(base::as_bytes(req.param("name"))) ? req.param("name") : "?");
             ws.on_message([&s](WebSocket from, const Message& m) { command(s, from, m); });
             ws.on_close([](WebSocket gone, const CloseInfo&) { gone.to("all").send("gone"); });
           },
           options(SlowConsumerPolicy::drop_oldest));
}

FuzzedServer::FuzzedServer() {
  set_log_level(LogLevel::off);
  add_http(*this);
  fuzz::add_steps(app);
  add_websockets(*this);
  FUZZ_CHECK(app.listen("127.0.0.1", 9001).ok());
  FUZZ_CHECK(app.listen({.host = "127.0.0.1", .port = 9001, .proxy_protocol = true}).ok());
}

void FuzzedServer::act(uint8_t what) {
  switch (what % 6) {
    case 0:
      for (Response& response : later) response.status(201).send("later");
      later.clear();
      break;
    case 1:
      for (const Next& next : nexts) next();
      nexts.clear();
      break;
    case 2: app.to("all").send("from the application"); break;
    case 3: app.broadcast("to everybody"); break;
    case 4:
      for (const WebSocket& ws : sockets) ws.send(std::string(3000, 's'));
      break;
    case 5: app.to_route("/room").send(kept); break;
  }
}

// What a server says --------------------------------------------------------------------------------------------------

void check_frames(std::string_view bytes) {
  bool closed = false;
  while (bytes.size() >= 2) {
    const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
    FUZZ_CHECK(!closed);  // nothing behind a Close
    FUZZ_CHECK((at(0) & 0xf0) == 0x80 && !(at(1) & 0x80));
    const int opcode = at(0) & 15;
    FUZZ_CHECK(opcode == 1 || opcode == 2 || (opcode >= 8 && opcode <= 10));
    size_t header = 2;
    size_t length = at(1);
    if (length > 125) {
      header = length == 126 ? 4 : 10;
      if (bytes.size() < header) return;
      length = 0;
      for (size_t i = 2; i < header; i++) length = length << 8 | at(i);
      FUZZ_CHECK(length > (header == 4 ? 125u : 65535u));
    }
    FUZZ_CHECK(opcode < 8 || length < 126);
    if (bytes.size() - header < length) return;
    const std::string_view payload = bytes.substr(header, length);
    if (opcode == 8) {
      closed = true;
      FUZZ_CHECK(payload.empty() || (payload.size() >= 2 && codec::is_valid_utf8(base::as_bytes(payload.substr(2)))));
    }
    bytes.remove_prefix(header + length);
  }
}

// Responses one after the other. Those to HEAD are without the body that they announce, and the checker does not know
// which these are: behind the head must stand a body of the announced length, or the next response.
void check_output(std::string_view bytes) {
  const std::string_view start = "HTTP/1.1 ";
  while (!bytes.empty()) {
    FUZZ_CHECK(bytes.starts_with(start.substr(0, bytes.size())));
    const size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return;
    const std::string_view head = bytes.substr(0, end + 2);
    bytes.remove_prefix(end + 4);
    const std::string_view status = head.substr(start.size(), 3);
    if (status == "101") return check_frames(bytes);
    size_t length = 0;
    if (const size_t field = head.find("\r\nContent-Length: "); field != std::string_view::npos) {
      length = std::strtoull(head.data() + field + 18, nullptr, 10);
    }
    const bool without = bytes.empty() || bytes.starts_with(start.substr(0, std::min(start.size(), bytes.size())));
    if (bytes.size() < length) {
      if (without && bytes.size() >= start.size()) continue;
      return;
    }
    const std::string_view after = bytes.substr(length);
    const bool with = after.starts_with(start.substr(0, std::min(start.size(), after.size())));
    FUZZ_CHECK(with || without);
    if (with) bytes = after;
  }
}

// The script ----------------------------------------------------------------------------------------------------------

int fault_of(uint8_t which) {
  constexpr int kFaults[] = {EMFILE, ENOBUFS, ECONNABORTED, EINTR, ENOMEM, ECONNRESET, EPIPE, ENFILE, EAGAIN};
  return kFaults[which % std::size(kFaults)];
}

void play(FuzzedServer& s, fuzz::Input& input) {
  size_t turns = 0;
  while (!input.empty()) {
    const uint8_t instruction = input.take();
    const int number = (instruction & 15) % kPeers;
    test::FakePeer* peer = s.kernel.find(number);
    switch (instruction >> 4) {
      case 0:
        if (turns++ < kMostTurns) s.app.poll_once(milliseconds(0));
        break;
      case 1:
      case 11:
        if (!peer) s.kernel.connect(number, instruction >> 4 == 11);
        break;
      case 2: {
        const base::ByteSpan bytes = input.take(input.take());
        if (peer && !peer->ended) peer->sends += base::as_text(bytes);
        break;
      }
      case 3: if (peer) peer->ended = true; break;
      case 4: if (peer) peer->reset = true; break;
      case 5: {
        const uint8_t n = input.take();
        if (peer) peer->takes = n == 255 ? SIZE_MAX : size_t{16} * n;
        break;
      }
      case 6: {
        const uint8_t n = input.take();
        if (peer) peer->piece = n ? n : SIZE_MAX;
        break;
      }
      case 7: {
        const uint64_t n = input.take();
        s.kernel.advance_ms(n * n);
        break;
      }
      case 8: {
        const int n = input.take();
        s.kernel.fail_call(n, fault_of(input.take()));
        break;
      }
      case 9: s.act(input.take()); break;
      case 10: {
        const size_t size = size_t{1024} * input.take();
        if (peer && !peer->ended && peer->sends.size() < 400'000) peer->sends.append(size, 'x');
        break;
      }
      default: break;
    }
  }
}

// Everybody goes: nothing may be left of them.
void end(FuzzedServer& s) {
  s.kernel.fail_call(0, 0);
  for (auto& [number, peer] : s.kernel.peers()) check_output(peer.got);
  s.kernel.reset_all();
  for (int i = 0; i < 20 && (s.app.stats().open_connections || fuzz::Frame::now); i++) {  // a task may sleep behind its answer
    s.app.poll_once(milliseconds(0));
    s.kernel.advance_ms(100);
  }
  s.app.poll_once(milliseconds(0));
  FUZZ_CHECK(s.begun == s.finished);
  FUZZ_CHECK(fuzz::Frame::now == 0);
  FUZZ_CHECK(s.app.stats().open_connections == 0 && s.app.stats().open_websockets == 0);
  FUZZ_CHECK(s.app.stats().open_rooms == 0);
  FUZZ_CHECK(s.kernel.open_sockets() == 0);
  s.kernel.forget_all();
  s.later.clear();
  s.nexts.clear();
  s.sockets.clear();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static std::unique_ptr<FuzzedServer> server;
  static int inputs = 0;
  if (!server || inputs++ == kInputsPerApp) {
    server.reset();
    server = std::make_unique<FuzzedServer>();
    inputs = 0;
  }
  fuzz::Input input(data, size);
  play(*server, input);
  end(*server);
  return 0;
}
