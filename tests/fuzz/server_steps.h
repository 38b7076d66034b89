// Routes of the server target that read all of a request: typed parameters, cookies, forms, JSON, what proxies say, what is
// accepted; that fail in every way; and that are coroutines. What a handler may rely on is checked in it.
#pragma once

#include <martlet/martlet.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "codec/utf8.h"
#include "fuzz/fuzz.h"

namespace martlet::fuzz {

// How many frames of the target's coroutines are there.
struct Frame {
  Frame() { now++; }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() { now--; }
  static inline int now = 0;
};

struct FuzzedPost {
  std::string title;
  int likes = 0;
  std::optional<std::string> link;
};
MARTLET_JSON(FuzzedPost, title, likes, link)

inline void check_origin(Request& req) {
  FUZZ_CHECK(req.ip().size() <= 45);
  FUZZ_CHECK(req.ip().find_first_not_of("0123456789abcdef.:") == std::string::npos);
  const std::string_view protocol = req.protocol();
  FUZZ_CHECK(protocol == "http" || protocol == "https");
  FUZZ_CHECK(req.secure() == (protocol == "https"));
  FUZZ_CHECK(req.host().starts_with(req.hostname()));
  const std::string id(req.id());
  FUZZ_CHECK(!id.empty() && id.size() <= 128 && req.id() == id);
  FUZZ_CHECK(id.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.:=+/@") == std::string::npos);
}

inline void add_readers(App& app) {
  app.get("/who", [](Request& req, Response& res) {
    check_origin(req);
    Json way = Json::array({});
    for (const std::string& ip : req.ips()) way.push_back(ip);
    const std::string_view before = req.ip().empty() ? "" : "known";
    if (req.query("later")) (void)res.defer({.deadline = milliseconds(500)}), check_origin(req);
    res.set("X-Before", before).json({{"ip", req.ip()}, {"ips", way}, {"host", req.host()}, {"id", req.id()}});
  });
  app.get("/typed/:n", [](Request& req, Response& res) {
    const auto n = req.param<int8_t>("n");
    const auto page = req.query<uint16_t>("page", 1);
    const auto ratio = req.query<double>("ratio");
    const auto all = req.query<bool>("all", false);
    res.json({{"n", *n}, {"page", page}, {"ratio", *ratio}, {"all", all}, {"tags", req.query_all("tag").size()}, {"lines", req.header_all("x").size()}});
  });
  app.get("/users/:id<int>", [](Request& req) { return "user " + std::to_string(req.param<int64_t>("id").value_or(0)); });
  app.get("/files/:name<slug>?", [](Request& req) { return Reply(200, std::string(req.param("name"))); });
  app.all("/cookie", [](Request& req, Response& res) {
    static const CookieKeys keys = *CookieKeys::of({"the first of two secrets", "the second of two secrets"});
    size_t bytes = 0;
    for (const auto& [name, value] : req.cookies()) bytes += name.size() + value.size();
    if (const auto sid = req.signed_cookie("sid", keys)) res.signed_cookie("sid", *sid, keys, {.http_only = true});
    res.cookie(req.query("name").value_or("name"), req.query("value").value_or("value"), {.domain = req.query("domain").value_or("")});
    res.clear_cookie(req.cookie("clear").value_or("a")).send(std::to_string(bytes));
  });
  app.get("/accept", [](Request& req, Response& res) {
    res.vary("Origin").vary(req.query("vary").value_or("Accept")).append("X-Language", req.accepts_languages({"de", "en-GB", "en"}).value_or("none"));
    if (req.accepts_encodings({"br", "gzip"}) || req.accepts_charsets({"utf-8"})) res.attachment(req.query("file").value_or(""));
    res.set("ETag", "\"1\"");
    if (req.fresh(res)) return res.status(304).end();
    res.format({{"json", [&] { res.json({{"a", 1}}); }}, {"html", [&] { res.send("<p>"); }}});
  });
}

inline void add_bodies(App& app) {
  app.post("/form", {.max_body_bytes = 5000}, [](Request& req, Response& res) {
    const Form form = req.form(res, {.max_fields = 20});
    if (!form) return;
    FUZZ_CHECK(form.size() <= 20);
    std::string all;
    for (const auto& [name, value] : form) all.append(name).append("=").append(value).append(";");
    res.send(all);
  });
  app.post("/json", json_body({.depth = 8, .max_bytes = 3000, .strict = false}), [](Request& req, Response& res) {
    const Json* body = req.json_body();
    if (!body) return res.status(204).end();
    const std::string text = body->dump();
    const auto again = Json::parse(text, {.depth = 8});
    FUZZ_CHECK(again && again->dump() == text);
    res.json(*body);
  });
  app.put("/own", [](Request& req, Response& res) {
    if (auto post = req.json<FuzzedPost>(res)) res.status(201).json(*post);
  });
}

inline void add_failures(App& app) {
  app.on_error([&app](const Failure& f, Request& req, Response& res) {
    FUZZ_CHECK(f.status >= 400 && f.status < 600 && !f.route.empty());
    if (f.status == 418) return res.send(f.text);
    if (f.status == 419) return app.post([later = res.defer()] { later.send("later"); });
    if (f.status == 420) throw std::runtime_error("an error handler that throws");
    if (f.status == 421) return res.fail(422, req.query("text").value_or(""));
  });
  app.get("/fail/:status", [](Request& req, Response& res) { res.fail(*req.param<int>("status"), req.query("text").value_or("")); });
  app.get("/error/:status<int>", [](Request& req, Response&, Next next) {
    next(HttpError{*req.param<int>("status"), req.query("text").value_or("")});
  });
  Router mounted;
  mounted.use([](Request& req, Response& res, Next next) {
    req.data<std::string>() = req.path();
    req.query("stop") ? res.status(403).end() : next();
  });
  mounted.on_error([](const Failure& f, Request&, Response& res) {
    if (f.status != 500) res.send("mounted");
  });
  mounted.get("/[a]/:b?", [](Request& req, Response& res) { req.param<int>("b") ? res.fail(409) : res.send(*req.find_data<std::string>()); });
  mounted.ws("/ws", [](WebSocket ws, Request& req) {
    const std::string& path = *req.find_data<std::string>();
    ws.send(codec::is_valid_utf8(base::as_bytes(path)) ? path : "?");
  });
  app.mount("/mounted", std::move(mounted));
}

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

inline Task<int> nap(int ms) {
  const Frame frame;
  co_await sleep(milliseconds(ms));
  if (ms == 13) throw std::runtime_error("a task that throws");
  co_return ms;
}

inline void add_tasks(App& app) {
  app.use("/task", [](Request& req, Response& res, Next next) -> Task<> {
    const Frame frame;
    const std::string path(req.path());
    co_await next;
    FUZZ_CHECK(req.path() == path);  // held
    co_await sleep(milliseconds(10));
    (void)res.status_code();
  });
  app.get("/task/:ms", [](Request& req, Response& res) -> Task<> {
    const Frame frame;
    const int ms = co_await nap(static_cast<int>(req.param<uint8_t>("ms").value_or(1)));
    check_origin(req);
    res.json({{"ms", ms}});
    co_await sleep(milliseconds(ms));
  });
  app.post("/task/body", [](Request& req, Response& res, Next next) -> Task<> {
    const Frame frame;
    if (req.query("nap")) co_await nap(5);
    const std::string_view body = co_await req.whole_body();
    if (body.size() > 10) co_await next;
    else res.send(body);
  }, [](Request& req) -> Task<std::string> {
    const Frame frame;
    co_return std::to_string(req.body().size());
  });
}

#else

inline void add_tasks(App&) {}

#endif

inline void add_steps(App& app) {
  add_readers(app);
  add_bodies(app);
  add_failures(app);
  add_tasks(app);
}

}  // namespace martlet::fuzz
