// What guards cost a request, in CPU time of the loop's thread: turns that serve a hundred pipelined requests each, of the same App with
// a guard and without, one after the other; the least of many turns counts. The bytes that a guard adds are written, too. Nothing
// is judged here.
//
//   guards_bench            requests: none, each guard, five in front of one; the plain call of a Log
#include <martlet/martlet.h>

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/client.h"

using namespace martlet;
using namespace martlet::literals;

namespace {

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

const std::string secret = "0123456789abcdef0123456789abcdef";
constexpr int kBatch = 100, kRounds = 300;

struct Case {
  const char* name;
  std::function<void(App&)> set_up;
};

std::string requests() {
  static const std::string token = *jwt::sign({{"sub", "7"}, {"name", "Ann"}}, secret, std::chrono::hours(1));
  const std::string one = "GET /hello HTTP/1.1\r\nHost: a.example\r\nOrigin: https://a.example\r\nReferer: https://a.example/page\r\nUser-Agent: Mozilla/5.0 (X11; "
                          "Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAuthorization: Bearer " + token + "\r\n\r\n";
  std::string all;
  for (int i = 0; i < kBatch; i++) all += one;
  return all;
}

struct Served {
  explicit Served(const Case& c) {
    c.set_up(app);
    app.get("/hello", [](Request&, Response& res) { res.send("Hello, World!"); });
    client.emplace(*app.listen("127.0.0.1", 0));
    app.poll_once(milliseconds(1));
  }
  double ns_per_request() {
    static const std::string batch = requests();
    client->send(batch);
    double spent = 0;
    for (int answers = 0; answers < kBatch;) {
      const double begin = thread_seconds();
      app.poll_once(milliseconds(0));
      spent += thread_seconds() - begin;
      client->read_more(test::Clock::now());
      for (size_t at = 0; (at = client->in().find("HTTP/1.1 200", at)) != std::string::npos; at++) answers++;
      const size_t whole = client->in().rfind("HTTP/1.1 200");
      client->in().erase(0, whole == std::string::npos ? 0 : whole + 1);
    }
    return spent * 1e9 / kBatch;
  }
  App app;
  std::optional<test::Client> client;
};

template <typename F>
double ns_of(F call) {
  constexpr int kCalls = 1'500;  // what a ring holds
  const double begin = thread_seconds();
  for (int i = 0; i < kCalls; i++) call();
  return (thread_seconds() - begin) * 1e9 / kCalls;
}

}  // namespace

int main() {
  const Log log = Log::to([](std::string_view) {}, {.buffer_bytes = 1_MiB});
  const auto policy = ContentSecurityPolicy().add("script-src", {ContentSecurityPolicy::nonce});
  const CorsOptions named{.credentials = true, .origins = {"https://a.example", "https://*.b.example"}};
  const Case cases[] = {
      {"nothing", [](App&) {}},
      {"request_id", [](App& app) { app.use(request_id()); }},
      {"cors, any", [](App& app) { app.use(cors()); }},
      {"cors, named", [&](App& app) { app.use(cors(named)); }},
      {"security_headers", [](App& app) { app.use(security_headers()); }},
      {"security_headers, nonce", [&](App& app) { app.use(security_headers({.content_security_policy = policy})); }},
      {"response_time", [](App& app) { app.use(response_time()); }},
      {"on_finish", [](App& app) { app.use([](Request&, Response& res, Next next) { res.on_finish([](const Finished&) {}); next(); }); }},
      {"logger, combined", [&](App& app) { app.use(logger({.to = log})); }},
      {"logger, tiny", [&](App& app) { app.use(logger({.format = Log::tiny, .to = log})); }},
      {"rate_limit", [&](App& app) { app.use(rate_limit({.algorithm = Limit::token_bucket, .max = 1'000'000, .per = 1s})); }},
      {"jwt_auth", [&](App& app) { app.use(jwt_auth({.secret = secret})); }},
      {"five in front", [&](App& app) {
         app.use(request_id()).use(cors(named)).use(security_headers()).use(rate_limit({.algorithm = Limit::token_bucket, .max = 1'000'000, .per = 1s})).use(jwt_auth({.secret = secret}));
       }},
  };
  std::vector<std::unique_ptr<Served>> served;
  std::vector<double> least(std::size(cases), 1e9);
  for (const Case& c : cases) served.push_back(std::make_unique<Served>(c));
  for (int round = 0; round < kRounds; round++) {
    for (size_t i = 0; i < served.size(); i++) {
      least[i] = std::min(least[i], served[i]->ns_per_request());
      log.flush();
    }
  }
  for (size_t i = 0; i < served.size(); i++) std::printf("%-26s %7.0f ns  %+6.0f\n", cases[i].name, least[i], least[i] - least[0]);
  double write = 1e9, record = 1e9;
  const Log::Form form = log.add([](const LogRecord&, std::string&) {});
  set_log_level(LogLevel::info);
  for (int round = 0; round < kRounds / 10; round++) {
    log.flush();
    write = std::min(write, ns_of([&] { log.write(LogLevel::info, "a plain line of some forty bytes, no more"); }));
    log.flush();
    record = std::min(record, ns_of([&] { log.record(form, {"a record of", " three pieces,", " some forty bytes"}); }));
  }
  std::printf("%-26s %7.1f ns\n%-26s %7.1f ns\n", "Log::write", write, "Log::record", record);
}
