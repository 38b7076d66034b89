// What topics cost. Each case prints its figures; nothing is judged here.
//
//   topics_bench match      topics matched in a second against 10,000 filters of mixed shape: remembered, and not
//   topics_bench fanout     CPU time per delivery to 1,000 subscribers of "#", 20-byte messages, beside mosquitto's (its TCP
//                           listener, MQTT 3.1.1, QoS 0) where that is installed; and a room of 1,000 beside both
//
// The server is a process of its own on the first processor, the clients are on the second. Linux only.
#if defined(__linux__)
#include <martlet/martlet.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "realtime/topic_cache.h"
#include "realtime/topic_index.h"
#include "support/ws_client.h"

using namespace martlet;

namespace {

double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

void pin_to(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor % static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)), &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// match ---------------------------------------------------------------------------------------------------------------

// Half of them literal, a third with '+' somewhere, the rest with '#', of two to five levels.
std::string filter_of(std::mt19937& random) {
  std::string name = "site" + std::to_string(random() % 20);
  const unsigned shape = random() % 6;
  const int levels = 1 + static_cast<int>(random() % 4);
  const int plus = static_cast<int>(random() % static_cast<unsigned>(levels));
  for (int i = 0; i < levels; i++) {
    const bool wild = (shape == 3 || shape == 4) && i == plus;
    name += wild ? "/+" : "/sensor" + std::to_string(random() % 12);
  }
  return shape == 5 ? name + "/#" : name;
}

std::string topic_of(std::mt19937& random) {
  std::string name = "site" + std::to_string(random() % 20);
  for (unsigned i = 0, levels = 1 + random() % 4; i < levels; i++) name += "/sensor" + std::to_string(random() % 12);
  return name;
}

void match() {
  pin_to(0);
  std::mt19937 random(1);
  realtime::TopicIndex index(random());
  realtime::TopicCache cache(index);
  cache.most_bytes = size_t{64} << 20;
  std::vector<realtime::TopicSubscriber*> subscribers;
  for (uint32_t i = 0; i < 1000; i++) subscribers.push_back(index.add_subscriber({i, 1}));
  while (index.filters() < 10'000) {
    const std::string filter = filter_of(random);
    if (!index.find_filter(filter)) index.add(*subscribers[random() % subscribers.size()], nullptr, filter);
  }
  std::vector<std::string> topics;
  for (int i = 0; i < 10'000; i++) topics.push_back(topic_of(random));
  size_t receivers = 0;
  for (const std::string& topic : topics) {
    const realtime::TopicResult* result = cache.make(topic);
    receivers += result->set ? result->set->count : 0;
  }
  std::printf("%u filters, %zu topics with %.1f receivers each, %zu KiB remembered\n", index.filters(), topics.size(),
              static_cast<double>(receivers) / static_cast<double>(topics.size()), cache.bytes() >> 10);
  const auto run = [&](const char* what, int rounds, auto one) {
    double best = 1e9;
    for (int i = 0; i < rounds; i++) {
      const double begin = seconds_of(CLOCK_THREAD_CPUTIME_ID);
      for (const std::string& topic : topics) {
        if (!one(topic)) fail(what);
      }
      best = std::min(best, seconds_of(CLOCK_THREAD_CPUTIME_ID) - begin);
    }
    std::printf("  %-34s %10.0f a second\n", what, static_cast<double>(topics.size()) / best);
  };
  run("remembered", 20, [&](const std::string& topic) { return cache.look(topic) != nullptr; });
  run("matched, and not remembered", 10, [&](const std::string& topic) { return index.match(topic); });
  cache.most_bytes = size_t{128} << 10;  // of ten thousand topics it remembers a few hundred
  if (!cache.make(topics[0])) fail("make");
  run("matched, remembered, and forgotten", 10, [&](const std::string& topic) { return cache.look(topic) || cache.make(topic); });
}

// fanout --------------------------------------------------------------------------------------------------------------

constexpr int kSubscribers = 1000;
constexpr size_t kPayload = 20;

int connect_to(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int tries = 0; ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0; tries++) {
    if (tries == 200) fail("connect");
    ::usleep(10'000);
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) fail("send");
}

// A peer's first words, and so many bytes of an answer, or up to an empty line.
void shake_hands(int fd, std::string_view words, size_t answer) {
  send_all(fd, words);
  std::string got;
  char piece[512];
  while (answer ? got.size() < answer : got.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = ::recv(fd, piece, answer ? answer - got.size() : 1, 0);
    if (n <= 0) fail("handshake");
    got.append(piece, static_cast<size_t>(n));
  }
}

// How one speaks to a server: what a subscriber says, what a publisher says, and how long a delivery is.
struct Way {
  const char* name;
  std::vector<std::pair<std::string, size_t>> subscribe;  // with the length of its answer
  std::vector<std::pair<std::string, size_t>> publisher;
  std::string message;
  size_t delivery;
};

std::string mqtt_text(std::string_view text) {
  return std::string{static_cast<char>(text.size() >> 8), static_cast<char>(text.size())} + std::string(text);
}
std::string mqtt_packet(int type, std::string_view body) {
  return std::string{static_cast<char>(type), static_cast<char>(body.size())} + std::string(body);
}
std::string mqtt_connect(const std::string& name) {
  return mqtt_packet(0x10, mqtt_text("MQTT") + std::string("\x04\x02\x00\x00", 4) + mqtt_text(name));
}

// Publishes so many messages, `depth` at a time, and reads until all have all of them. Prints the server's CPU time for a delivery.
void deliver(const Way& way, pid_t server, int publisher, int epoll, int depth, int messages) {
  clockid_t clock;
  if (::clock_getcpuclockid(server, &clock) != 0) fail("clock_getcpuclockid");
  std::string burst;
  for (int i = 0; i < depth; i++) burst += way.message;
  static char piece[1 << 16];
  epoll_event events[256];
  double cpu = 0, wall = 0;
  for (int pass = 0; pass < 2; pass++) {  // the first one warms
    const double cpu_before = seconds_of(clock), wall_before = seconds_of(CLOCK_MONOTONIC);
    for (int sent = 0; sent < messages; sent += depth) {
      send_all(publisher, burst);
      size_t wanted = static_cast<size_t>(depth) * kSubscribers * way.delivery;
      while (wanted > 0) {
        const int n = ::epoll_wait(epoll, events, 256, 5000);
        if (n <= 0) fail("nothing comes");
        for (int i = 0; i < n; i++) {
          const ssize_t got = ::recv(events[i].data.fd, piece, sizeof piece, MSG_DONTWAIT);
          if (got <= 0 || static_cast<size_t>(got) > wanted) fail("a subscriber's recv");
          wanted -= static_cast<size_t>(got);
        }
      }
    }
    cpu = seconds_of(clock) - cpu_before;
    wall = seconds_of(CLOCK_MONOTONIC) - wall_before;
  }
  const double deliveries = static_cast<double>(messages) * kSubscribers;
  std::printf("  %-28s %2d at a time  %7.0f ns of CPU for a delivery, %8.0f deliveries a second\n", way.name, depth, cpu / deliveries * 1e9,
              deliveries / wall);
}

void load(const Way& way, pid_t server, uint16_t port) {
  const int epoll = ::epoll_create1(0);
  std::vector<int> fds;
  const auto open = [&](const auto& words, int number) {
    const int fd = connect_to(port);
    for (auto [text, answer] : words) {
      const auto at = text.find("NAME!");  // MQTT clients are told apart by five letters
      if (at != std::string::npos) text.replace(at, 5, std::to_string(10'000 + number));
      shake_hands(fd, text, answer);
    }
    return fd;
  };
  for (int i = 0; i < kSubscribers; i++) {
    const int fd = open(way.subscribe, i);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    fds.push_back(fd);
  }
  const int publisher = open(way.publisher, kSubscribers);
  for (const auto& [depth, messages] : {std::pair{1, 500}, {8, 1000}, {32, 1600}}) deliver(way, server, publisher, epoll, depth, messages);
  for (const int fd : fds) ::close(fd);
  ::close(publisher);
  ::close(epoll);
}

Way websocket_way(const char* name, std::string_view path) {
  const std::string get = test::ws_request(std::string(path));
  return {name, {{get, 0}, {test::ws_frame(test::kText, "subscribe"), 4}}, {{test::ws_request("/publish" + std::string(path)), 0}},
          test::ws_frame(test::kText, std::string(kPayload, 'x')), 2 + kPayload};
}

// Runs in the child.
void serve(int tell) {
  pin_to(0);
  App app;
  app.configure({.heartbeat_interval = milliseconds(0), .heartbeat_timeout = milliseconds(0)});  // its pings would be counted
  const auto ready = [](WebSocket ws) { ws.send("ok"); };
  app.ws("/topic", {.message = [ready](WebSocket ws, const Message&) { ws.subscribe("#"), ready(ws); }});
  app.ws("/room", {.message = [ready](WebSocket ws, const Message&) { ws.join("room"), ready(ws); }});
  app.ws("/publish/topic", {.message = [&app](WebSocket, const Message& m) { app.publish("t/a", m); }});
  app.ws("/publish/room", {.message = [&app](WebSocket, const Message& m) { app.to("room").send(m); }});
  const auto port = app.listen("127.0.0.1", 0);
  const uint16_t number = port ? *port : 0;
  if (::write(tell, &number, sizeof number) != sizeof number) return;
  app.run({.handle_signals = false});
}

void ours() {
  int ends[2];
  if (::pipe(ends) != 0) fail("pipe");
  const pid_t child = ::fork();
  if (child == 0) serve(ends[1]), std::_Exit(0);
  uint16_t port = 0;
  if (::read(ends[0], &port, sizeof port) != sizeof port || port == 0) fail("the server");
  pin_to(1);
  load(websocket_way("martlet, topic", "/topic"), child, port);
  load(websocket_way("martlet, room", "/room"), child, port);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0) fail("bind");
  ::close(fd);
  return ntohs(at.sin_port);
}

void mosquitto() {
  const char* program = ::access("/usr/sbin/mosquitto", X_OK) == 0 ? "/usr/sbin/mosquitto" : "/usr/local/sbin/mosquitto";
  if (::access(program, X_OK) != 0) return (void)std::printf("  mosquitto is not installed\n");
  const uint16_t port = free_port();
  char path[] = "/tmp/mosquitto_confXXXXXX";
  const int file = ::mkstemp(path);
  const std::string text = "listener " + std::to_string(port) + " 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n" +
                           "sys_interval 0\nlog_dest none\nmax_queued_messages 0\n" + (::getuid() == 0 ? "user root\n" : "");
  if (file < 0 || ::write(file, text.data(), text.size()) < 0) fail("its configuration");
  const pid_t child = ::fork();
  if (child == 0) {
    pin_to(0);
    ::execl(program, program, "-c", path, static_cast<char*>(nullptr));
    std::_Exit(127);
  }
  pin_to(1);
  const std::string connect = mqtt_connect("NAME!");
  const std::string subscribe = mqtt_packet(0x82, std::string("\0\x01", 2) + mqtt_text("#") + std::string(1, '\0'));
  const std::string message = mqtt_packet(0x30, mqtt_text("t/a") + std::string(kPayload, 'x'));
  load({"mosquitto, TCP listener", {{connect, 4}, {subscribe, 5}}, {{connect, 4}}, message, message.size()}, child, port);
  ::kill(child, SIGTERM);
  ::waitpid(child, nullptr, 0);
  ::unlink(path);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view which = argc > 1 ? argv[1] : "";
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (which.empty() || which == "match") match();
  if (which.empty() || which == "fanout") {
    std::printf("%d subscribers of \"#\", messages of %zu bytes\n", kSubscribers, kPayload);
    ours();
    mosquitto();
  }
}
#else
int main() {}
#endif
