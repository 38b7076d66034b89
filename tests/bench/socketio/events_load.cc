// events_load.cc: asks a server for acknowledgements, from many connections, some in flight on each; every answer is compared.
//   events_load martlet|socketio PORT PID CONNECTIONS DEPTH SECONDS     prints: EVENTS MICROSECONDS, of the server's CPU, for each
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view kText = "twenty bytes of text";

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "events_load: %s\n", what.c_str());
  std::exit(2);
}

// How the two say the same.
struct Wire {
  bool socketio;
  std::string target() const { return socketio ? "/socket.io/?EIO=4&transport=websocket" : "/"; }
  std::string event(uint64_t id) const {
    const std::string number = std::to_string(id), text(kText);
    return socketio ? "42" + number + R"(["echo",")" + text + R"("])" : R"({"event":"echo","args":[")" + text + R"("],"ack":)" + number + "}";
  }
  std::string answer(uint64_t id) const {
    const std::string number = std::to_string(id), text(kText);
    return socketio ? "43" + number + R"([")" + text + R"("])" : R"({"ack":)" + number + R"(,"args":[")" + text + R"("]})";
  }
};

class Peer {
 public:
  Peer(const Wire& wire, uint16_t port) : wire_(wire), fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail("no connection");
    write("GET " + wire.target() + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    while (in_.find("\r\n\r\n") == std::string::npos) read();
    if (in_.rfind("HTTP/1.1 101", 0) != 0) fail(in_);
    in_.erase(0, in_.find("\r\n\r\n") + 4);
    if (!wire.socketio) return;
    message();  // Engine.IO's open
    write(frame("40"));
    if (message().rfind("40", 0) != 0) fail("Socket.IO does not connect");
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { ::close(fd_); }

  void ask(int count) {
    std::string all;
    for (int i = 0; i < count; i++) all += frame(wire_.event(asked_++));
    write(all);
  }
  void take(int count) {
    for (int i = 0; i < count; i++) {
      const std::string want = wire_.answer(answered_++), got = message();
      if (got != want) fail("wanted " + want + ", got " + got);
    }
  }

 private:
  static std::string frame(const std::string& payload) {  // short, with a key of zeros
    std::string out = "\x81";
    out += static_cast<char>(0x80 | payload.size());
    out.append(4, '\0');
    return out + payload;
  }
  std::string message() {
    while (in_.size() < at_ + 2 || in_.size() < at_ + 2 + static_cast<unsigned char>(in_[at_ + 1])) read();
    const size_t size = static_cast<unsigned char>(in_[at_ + 1]);
    std::string got = in_.substr(at_ + 2, size);
    at_ += 2 + size;
    if (at_ == in_.size()) in_.clear(), at_ = 0;
    return got;
  }
  void read() {
    char bytes[16384];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) fail("the server has gone");
    in_.append(bytes, static_cast<size_t>(n));
  }
  void write(std::string_view bytes) {
    if (::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) fail("the server does not read");
  }

  const Wire& wire_;
  int fd_;
  std::string in_;
  size_t at_ = 0;
  uint64_t asked_ = 0;
  uint64_t answered_ = 0;
};

// User and system time, of all threads.
double cpu_us(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string all;
  std::getline(file, all);
  std::istringstream fields(all.substr(all.rfind(')') + 2));
  std::string field;
  double user = 0, system = 0;
  for (int i = 3; i <= 15 && fields >> field; i++) {
    if (i == 14) user = std::stod(field);
    if (i == 15) system = std::stod(field);
  }
  return (user + system) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) fail("martlet|socketio PORT PID CONNECTIONS DEPTH SECONDS");
  const Wire wire{std::string_view(argv[1]) == "socketio"};
  const std::string pid = argv[3];
  const int depth = std::atoi(argv[5]);
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < std::atoi(argv[4]); i++) peers.push_back(std::make_unique<Peer>(wire, static_cast<uint16_t>(std::atoi(argv[2]))));
  const auto round = [&] {
    for (const auto& peer : peers) peer->ask(depth);
    for (const auto& peer : peers) peer->take(depth);
  };
  using Clock = std::chrono::steady_clock;
  const auto run = [&](double seconds) {
    uint64_t rounds = 0;
    for (const auto begun = Clock::now(); Clock::now() - begun < std::chrono::duration<double>(seconds); rounds++) round();
    return rounds;
  };
  run(0.5);  // until the server is warm
  const double before = cpu_us(pid);
  const uint64_t events = run(std::atof(argv[6])) * peers.size() * static_cast<uint64_t>(depth);
  std::printf("%llu %.3f\n", static_cast<unsigned long long>(events), (cpu_us(pid) - before) / static_cast<double>(events));
}
