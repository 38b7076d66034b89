// What guards cost a request, in CPU time of the loop's thread, by App::inject: each case beside the same App without the guard, in
// turns, the least of several rounds each. Nothing is judged here.
//
//   guards_bench            requests: none, each guard, all in front of one; the plain call of a Log
#include <martlet/martlet.h>

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::literals;

namespace {

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

constexpr int kRequests = 20'000, kRounds = 9;

struct Case {
  const char* name;
  std::function<void(App&)> set_up;
};

double ns_per_request(App& app) {
  const InjectedRequest request{.path = "/hello", .fields = {{"Origin", "https://a.example"}, {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
                                                             {"Referer", "https://a.example/page"}}};
  const double begin = thread_seconds();
  for (int i = 0; i < kRequests; i++) app.inject(request);
  return (thread_seconds() - begin) * 1e9 / kRequests;
}

template <typename F>
double ns_of(F call) {
  constexpr int kCalls = 2'000;  // what a ring holds
  const double begin = thread_seconds();
  for (int i = 0; i < kCalls; i++) call();
  return (thread_seconds() - begin) * 1e9 / kCalls;
}

}  // namespace

int main() {
  const Log log = Log::to([](std::string_view) {}, {.buffer_bytes = 64_MiB});
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
      {"id, cors, security", [&](App& app) { app.use(request_id()).use(cors(named)).use(security_headers()); }},
  };
  std::vector<std::unique_ptr<App>> apps;
  std::vector<double> least(std::size(cases), 1e9);
  for (const Case& c : cases) {
    apps.push_back(std::make_unique<App>());
    c.set_up(*apps.back());
    apps.back()->get("/hello", [](Request&, Response& res) { res.send("Hello, World!"); });
    ns_per_request(*apps.back());
  }
  for (int round = 0; round < kRounds; round++) {
    for (size_t i = 0; i < apps.size(); i++) least[i] = std::min(least[i], ns_per_request(*apps[i]));
  }
  for (size_t i = 0; i < apps.size(); i++) std::printf("%-26s %7.0f ns  %+6.0f\n", cases[i].name, least[i], least[i] - least[0]);
  double write = 1e9, record = 1e9;
  const Log::Form form = log.add([](const LogRecord&, std::string&) {});
  set_log_level(LogLevel::info);
  for (int round = 0; round < kRounds; round++) {
    log.flush();
    write = std::min(write, ns_of([&] { log.write(LogLevel::info, "a plain line of some forty bytes, no more"); }));
    log.flush();
    record = std::min(record, ns_of([&] { log.record(form, {"a record of", " three pieces,", " some forty bytes"}); }));
  }
  std::printf("%-26s %7.1f ns\n%-26s %7.1f ns\n", "Log::write", write, "Log::record", record);
}
