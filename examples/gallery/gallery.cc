// gallery.cc: small applications, one file each, to read, to try in a browser, and to begin one's own with.
//
//   gallery                      all of them, each below its name, and a page to try them at http://localhost:3000
//   gallery basic_chat           one, at its own paths: ws://localhost:3000/chat
//   gallery basic_chat --port 0  on a port that is free
#include "gallery.h"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gallery_page.h"

using namespace martlet;

namespace {

const std::vector<gallery::Application> kApplications{
    {"basic_chat", "a greeting, and every message comes back", gallery::basic_chat, {{"/chat", "hello"}}},
    {"hello_ws", "the quick start", gallery::hello_ws, {{"/chat", "hello"}}},
    {"browser_page", "a page and its chat, which knows few messages and minds none", gallery::browser_page, {{"/ws/chat", R"({"type": "message", "text": "hello"})"}}, "/index.html"},
};

void add(App& app, const gallery::Application& application, const std::string& prefix) {
  Router routes;
  application.add(app, routes);
  app.mount(prefix, std::move(routes));
}

// What the page has to know of each, as JSON.
Json catalogue(const std::vector<gallery::Application>& applications, bool alone) {
  Json list = Json::array();
  for (const gallery::Application& each : applications) {
    Json tries = Json::array();
    const std::string prefix = alone ? "" : "/" + std::string(each.name);
    for (const gallery::Try& one : each.tries) tries.push_back({{"path", prefix + std::string(one.path)}, {"say", one.say}});
    list.push_back({{"name", each.name}, {"title", each.title}, {"tries", std::move(tries)}});
    if (!each.page.empty()) list[list.size() - 1]["page"] = prefix + std::string(each.page);
  }
  return list;
}

void add_page(App& app, Json applications) {
  app.get("/gallery.json", [applications = std::move(applications)](Request&) { return Reply(applications); });
  app.get("/gallery.css", [](Request&) { return Reply(200, gallery::kStyle, "css"); });
  app.get("/gallery.js", [](Request&) { return Reply(200, gallery::kScript, "js"); });
  app.get("/", [](Request&) {
    return Reply(200, gallery::kPage, "html")
        .set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
                                        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  });
}

bool parse_port(std::string_view text, uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

int usage() {
  std::fputs("usage: gallery [NAME] [--port 3000]   (port 0: any that is free)\n", stderr);
  for (const gallery::Application& each : kApplications) {
    std::fprintf(stderr, "  %-20.*s %.*s\n", static_cast<int>(each.name.size()), each.name.data(), static_cast<int>(each.title.size()), each.title.data());
  }
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view name;
  uint16_t port = 3000;
  for (int i = 1; i < argc; i++) {
    const std::string_view word = argv[i];
    if (word == "--port" && i + 1 < argc && parse_port(argv[i + 1], port)) i++;
    else if (name.empty() && !word.empty() && word[0] != '-') name = word;
    else return usage();
  }
  set_log_level(LogLevel::info);
  App app;
  std::vector<gallery::Application> shown;
  for (const gallery::Application& each : kApplications) {
    if (name.empty() || name == each.name) shown.push_back(each);
  }
  if (shown.empty()) return usage();
  for (const gallery::Application& each : shown) add(app, each, name.empty() ? "/" + std::string(each.name) : "/");
  add_page(app, catalogue(shown, !name.empty()));
  const Result<uint16_t> bound = app.listen("127.0.0.1", port);
  if (!bound) {
    std::fprintf(stderr, "gallery: %s\n", bound.error().message().c_str());
    return 1;
  }
  std::printf("gallery: http://127.0.0.1:%d/\n", *bound);
  std::fflush(stdout);
  return app.run() ? 1 : 0;
}
