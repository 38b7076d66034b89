// Random visits: pipelines of all kinds of requests, cut into random packets, read at a random pace, answered at once,
// later, from another turn or another thread. Whatever the mixture, the answers come whole and in order. The seed of a
// visit that fails is shown, and repeats it.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

using Random = std::mt19937;

size_t below(Random& random, size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); }

// Mostly small, sometimes around the sizes at which something changes.
size_t random_size(Random& random) {
  switch (below(random, 12)) {
    case 0: return 0;
    case 1: return 16'000 + below(random, 1000);
    case 2: return 65'000 + below(random, 1200);
    case 3: return below(random, 200'000);
    default: return below(random, 300);
  }
}

std::string body_of(size_t number, size_t size) {
  std::string body = std::to_string(number).append(":");
  if (body.size() > size) return body.substr(0, size);
  body.reserve(size);
  for (size_t i = body.size(); i < size; i++) body += static_cast<char>('a' + (i * 7 + number) % 26);
  return body;
}

struct Expected {
  int status = 200;
  std::string body;
  bool head = false;
  bool closes = false;
};

struct Visit {
  std::string bytes;
  std::vector<Expected> answers;
  bool ends_with_close = false;  // the last request asks for it
  bool half_closes = false;      // the client ends its side behind the last
};

std::string chunks_of(Random& random, std::string_view body) {
  std::string out;
  while (!body.empty()) {
    const size_t n = std::min(body.size(), 1 + below(random, body.size() > 2000 ? 30'000 : 40));
    char size[24];
    std::snprintf(size, sizeof size, "%zx", n);
    const char* const extensions[] = {";ext=1", " ; ext = \"a; \\\"b\"", ";a;b=c"};
    if (!below(random, 5)) out.append(below(random, 20), '0');
    out.append(size).append(below(random, 5) ? "" : extensions[below(random, 3)]).append("\r\n");
    out.append(body.substr(0, n)).append("\r\n");
    body.remove_prefix(n);
  }
  return out + (below(random, 4) ? "0\r\n\r\n" : "0\r\nTrailer: x\r\n\r\n");
}

// Appends one request and what is to come back.
void add_request(Random& random, Visit& visit, size_t number, bool last) {
  const size_t size = random_size(random);
  const std::string tail = std::to_string(number) + "/" + std::to_string(size) + " HTTP/1.1\r\nHost: t\r\n" +
                           (last ? "Connection: close\r\n" : "");
  Expected answer{.body = body_of(number, size), .closes = last};
  switch (below(random, 9)) {
    case 0: visit.bytes += "GET /later/" + tail + "\r\n"; break;
    case 1: visit.bytes += "GET /thread/" + tail + "\r\n"; break;
    case 2: visit.bytes += "GET /next/" + tail + "\r\n"; break;
    case 3:
      visit.bytes += "HEAD /now/" + tail + "\r\n";
      answer.head = true;
      break;
    case 4:
      visit.bytes += "GET /throw/" + tail + "\r\n";
      answer = {.status = 500, .body = "Internal Server Error", .closes = last};
      break;
    case 5:
      visit.bytes += (below(random, 2) ? "POST /echo/" : "POST /echolater/") + tail + "Content-Length: " +
                     std::to_string(size) + "\r\n\r\n" + answer.body;
      break;
    case 6:
      visit.bytes += (below(random, 2) ? "POST /echo/" : "POST /echolater/") + tail +
                     "Transfer-Encoding: chunked\r\n\r\n" + chunks_of(random, answer.body);
      break;
    default: visit.bytes += "GET /now/" + tail + "\r\n";
  }
  visit.answers.push_back(std::move(answer));
}

Visit make_visit(Random& random) {
  Visit visit;
  const size_t requests = 1 + below(random, below(random, 10) ? 40 : 600);
  visit.ends_with_close = below(random, 3) == 0;
  visit.half_closes = below(random, 3) == 0;
  for (size_t i = 0; i < requests; i++) {
    add_request(random, visit, i, visit.ends_with_close && i + 1 == requests);
  }
  return visit;
}

// Deferred answers that another thread gives.
class Answerer {
 public:
  Answerer() : thread_([this] { run(); }) {}
  ~Answerer() {
    over_ = true;
    thread_.join();
  }
  void give(Response response, std::string body) {
    std::lock_guard lock(mutex_);
    waiting_.emplace_back(response, std::move(body));
  }

 private:
  void run() {
    while (!over_) {
      std::vector<std::pair<Response, std::string>> now;
      {
        std::lock_guard lock(mutex_);
        now.swap(waiting_);
      }
      for (auto& [response, body] : now) response.status(200).send(body);
      if (now.empty()) std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }
  std::atomic<bool> over_ = false;
  std::mutex mutex_;
  std::vector<std::pair<Response, std::string>> waiting_;
  std::thread thread_;
};

std::string wanted_body(Request& req) {
  return body_of(std::stoul(std::string(req.param("n"))), std::stoul(std::string(req.param("size"))));
}

void routes(App& app, Answerer& answerer) {
  const auto now = [](Request& req, Response& res) { res.send(wanted_body(req)); };
  app.get("/now/:n/:size", now);
  app.get("/later/:n/:size", [&app](Request& req, Response& res) {
    const auto wait = milliseconds(std::stoi(std::string(req.param("n"))) % 3);
    app.after(wait, [later = res.defer(), body = wanted_body(req)]() mutable { later.send(body); });
  });
  app.get("/thread/:n/:size", [&](Request& req, Response& res) {
    std::string body = wanted_body(req);
    answerer.give(res.defer(), std::move(body));
  });
  app.get("/next/:n/:size", [&app](Request&, Response&, Next next) { app.post([next] { next(); }); }, now);
  app.get("/throw/:n/:size", [](Request&, Response&) { throw std::runtime_error("random"); });
  app.post("/echo/:n/:size", [](Request& req, Response& res) { res.send(req.body()); });
  app.post("/echolater/:n/:size", [&app](Request&, Response& res, Next next) {
    res.set("X-Later", "1");
    app.post([next] { next(); });
  }, [](Request& req, Response& res) { res.send(req.body()); });
  app.on_error([](const HandlerFailure&) {});
}

// Sends the visit in random packets, at a random pace.
void send_visit(Client& client, const Visit& visit, Random random) {
  const size_t most = std::max(size_t{1} << below(random, 18), visit.bytes.size() / 500);
  for (size_t at = 0; at < visit.bytes.size();) {
    const size_t n = std::min(visit.bytes.size() - at, 1 + below(random, most));
    // A close may cross what is still being sent; nothing of that was asked for.
    if (!client.send(std::string_view(visit.bytes).substr(at, n))) return;
    at += n;
    if (below(random, 50) == 0) std::this_thread::sleep_for(std::chrono::microseconds(below(random, 500)));
  }
  if (visit.half_closes) client.shutdown_sending();
}

// Reads and compares; which answer was wrong, or SIZE_MAX when all are right.
size_t first_wrong(Client& client, const Visit& visit, Random& random) {
  const bool slow = below(random, 4) == 0;
  for (size_t i = 0; i < visit.answers.size(); i++) {
    const Expected& wanted = visit.answers[i];
    if (slow && below(random, 20) == 0) std::this_thread::sleep_for(milliseconds(below(random, 4)));
    const HttpResponse got = client.read_response(wanted.head);
    if (got.status != wanted.status || got.closes() != wanted.closes) return i;
    if (wanted.head ? got.field("content-length") != std::to_string(wanted.body.size()) : got.body != wanted.body) return i;
  }
  return SIZE_MAX;
}

void run_visit(uint16_t port, uint32_t seed) {
  CAPTURE(seed);
  Random random(seed);
  const Visit visit = make_visit(random);
  Client client(port, {.receive_buffer_bytes = below(random, 3) ? 0 : 8192});
  std::thread sender([&, copy = random] { send_visit(client, visit, copy); });
  const size_t wrong = first_wrong(client, visit, random);
  CHECK(wrong == SIZE_MAX);
  if (wrong != SIZE_MAX) ::shutdown(client.fd(), SHUT_RDWR);
  sender.join();
  if (wrong == SIZE_MAX && (visit.ends_with_close || visit.half_closes)) CHECK(client.closed_by_peer());
  CHECK(client.in().empty());
}

}  // namespace

TEST_CASE("http_random: 40 random visits, one after the other") {
  Answerer answerer;
  TestServer server([&](App& app) { routes(app, answerer); });
  for (uint32_t seed = 1; seed <= 40; seed++) run_visit(server.port(), seed);
  CHECK(server.wait_for_connections(0));
}

TEST_CASE("http_random: 8 at a time, and others that break off anywhere") {
  Answerer answerer;
  TestServer server([&](App& app) { routes(app, answerer); });
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 8; t++) {
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < 6; i++) {
        run_visit(server.port(), 10'000 + t * 100 + i);
        Random random(20'000 + t * 100 + i);
        const Visit visit = make_visit(random);
        Client rude(server.port());
        rude.send_some(std::string_view(visit.bytes).substr(0, below(random, visit.bytes.size())), milliseconds(1));
        if (below(random, 2)) rude.read_more(Clock::now() + milliseconds(2));
        below(random, 2) ? rude.reset() : rude.close();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(server.wait_for_connections(0));
}
