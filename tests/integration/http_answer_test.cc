// What a handler says about its answer beyond status and fields: cookies, Vary, attachments, and the choice by Accept.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <thread>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;
using namespace std::chrono_literals;

namespace {

// All values of a field, with a line for each.
std::string all_of(const HttpResponse& got, std::string_view name) {
  std::string all;
  for (const auto& [key, value] : got.fields) {
    if (HttpResponse::same_name(key, name)) all.append(value).append("\n");
  }
  return all;
}

}  // namespace

TEST_CASE("http_answer: cookies are set with their attributes, cleared, and refused when no browser would keep them") {
  TestServer server([](App& app) {
    app.get("/set", [](Request&, Response& res) {
      res.cookie("a", "1 ;\r\n").cookie("sid", "x", {.http_only = true, .max_age = 1h, .same_site = SameSite::lax, .secure = true}).end();
    });
    app.get("/clear", [](Request&, Response& res) { res.clear_cookie("a", {.domain = "example.com", .path = "/x"}).end(); });
    app.get("/bad", [](Request&, Response& res) {
      res.cookie("a b", "1").cookie("__Host-a", "1").cookie("a", "1", {.path = "x"}).cookie("a", "1", {.same_site = SameSite::none});
      res.cookie("a", std::string(4094, 'v'), {.path = ""}).signed_cookie("a", "1", CookieKeys()).clear_cookie("").send("sent");
    });
    app.get("/longest", [](Request&, Response& res) { res.cookie("a", std::string(4094, 'v'), {.path = {}}).end(); });
    app.get("/late", [](Request&, Response& res) {
      std::thread([later = res.defer()] { later.cookie("a", "1").cookie("b c", "2").vary("Origin").attachment("r.pdf").send("x"); }).detach();
    });
  });
  Client client(server.port());
  CHECK(all_of(client.get("/set"), "set-cookie") ==
        "a=1%20%3B%0D%0A; Path=/\nsid=x; Max-Age=3600; Path=/; HttpOnly; Secure; SameSite=Lax\n");
  const std::string cleared = client.get("/clear").field("set-cookie");
  CHECK(cleared.starts_with("a=;"));
  CHECK(cleared.find("Domain=example.com") != std::string::npos);
  CHECK(cleared.find("Path=/x") != std::string::npos);
  CHECK(cleared.find("1970") != std::string::npos);
  CHECK(server.stats().refused_headers == 0);
  const HttpResponse bad = client.get("/bad");
  CHECK(bad.body == "sent");
  CHECK(bad.count("set-cookie") == 1);  // the one of 4,096 bytes
  CHECK(server.stats().refused_headers == 6);
  CHECK(client.get("/longest").field("set-cookie").size() == 4096);
  const HttpResponse late = client.get("/late");
  CHECK(all_of(late, "set-cookie") == "a=1; Path=/\n");
  CHECK(late.field("vary") == "Origin");
  CHECK(late.field("content-disposition") == "attachment; filename=\"r.pdf\"");
  CHECK(late.field("content-type") == "application/pdf");
  CHECK(server.stats().refused_headers == 7);
}

TEST_CASE("http_answer: what was set can be set again by what get() answers, under its own name or another") {
  const std::string longer(300, 'y');  // than the room that the fields begin with
  TestServer server([&](App& app) {
    app.get("/same", [](Request&, Response& res) {
      res.set("X-First", "abc").set("X-Second", "second");
      res.set("X-First", *res.get("X-First")).vary("A, B").set("X-Other", "C, D").vary(*res.get("X-Other")).send(*res.get("X-Second"));
    });
    app.get("/other", [&](Request&, Response& res) {
      res.set("X-First", longer).set("X-Copy", *res.get("X-First")).append("X-Copy", *res.get("X-First")).append("X-First", *res.get("X-Copy"));
      res.set("Content-Type", *res.get("X-First")).set("Content-Type", *res.get("Content-Type")).end();
    });
    app.get("/type", [](Request&, Response& res) { res.type("text/text/html").type(res.get("Content-Type")->substr(5)).end(); });
    app.get("/there", [](Request&, Response& res) { res.set("Location", "/there").set("X-Last", "last").redirect(*res.get("Location")); });
    app.get("/watched", [&](Request&, Response& res) {
      res.on_headers([&](Response& late) { late.remove("X-First").set("X-More", longer); });
      res.set("X-First", "first").send(*res.get("X-First"));
    });
  });
  Client client(server.port());
  const HttpResponse same = client.get("/same");
  CHECK(same.field("x-first") == "abc");
  CHECK(same.field("vary") == "A, B, C, D");
  CHECK(same.body == "second");
  const HttpResponse other = client.get("/other");
  CHECK(all_of(other, "x-first") == longer + "\n" + longer + "\n");
  CHECK(all_of(other, "x-copy") == longer + "\n" + longer + "\n");
  CHECK(other.field("content-type") == longer);
  CHECK(client.get("/type").field("content-type") == "text/html");
  CHECK(client.get("/there").field("location") == "/there");
  CHECK(client.get("/watched").body == "first");
}

TEST_CASE("http_answer: Vary is one line, names each field once, and * stands for all") {
  TestServer server([](App& app) {
    app.get("/one", [](Request&, Response& res) { res.vary("Accept").vary("accept").vary("Origin, Accept , Cookie").end(); });
    app.get("/lines", [](Request&, Response& res) { res.append("Vary", "A, B").append("vary", "").append("VARY", "C").vary("b").vary("D").end(); });
    app.get("/all", [](Request&, Response& res) { res.vary("A").vary("*").vary("B").end(); });
    app.get("/none", [](Request&, Response& res) { res.vary("").vary(" , ").end(); });
    app.get("/bad", [](Request&, Response& res) { res.vary("a\r\nX-Own: 1").end(); });
  });
  Client client(server.port());
  CHECK(all_of(client.get("/one"), "vary") == "Accept, Origin, Cookie\n");
  CHECK(all_of(client.get("/lines"), "vary") == "A, B, C, D\n");
  CHECK(all_of(client.get("/all"), "vary") == "*\n");
  CHECK(all_of(client.get("/none"), "vary") == "");
  CHECK(client.get("/bad").count("x-own") == 0);
}

TEST_CASE("http_answer: an attachment has a name for every client, and a type by its extension") {
  TestServer server([](App& app) {
    app.get("/plain", [](Request&, Response& res) { res.attachment("dir/report.pdf").send("x"); });
    app.get("/typed", [](Request&, Response& res) { res.type("text/csv").attachment("report.pdf").send("x"); });
    app.get("/wide", [](Request&, Response& res) { res.attachment("na\xC3\xAFve\".unknown").send("x"); });
    app.get("/none", [](Request&, Response& res) { res.attachment().send("x"); });
    app.get("/peer", [](Request& req, Response& res) { res.attachment(*req.query("name")).send("x"); });
  });
  Client client(server.port());
  const HttpResponse plain = client.get("/plain");
  CHECK(plain.field("content-disposition") == "attachment; filename=\"report.pdf\"");
  CHECK(plain.field("content-type") == "application/pdf");
  CHECK(client.get("/typed").field("content-type") == "text/csv");
  const HttpResponse wide = client.get("/wide");
  CHECK(wide.field("content-disposition").find("filename*=UTF-8''na%C3%AFve%22.unknown") != std::string::npos);
  CHECK(wide.field("content-type") == "text/plain; charset=utf-8");
  CHECK(client.get("/none").field("content-disposition") == "attachment");
  CHECK(client.get("/peer?name=..%2F%0D%0AX-Own:%201").count("x-own") == 0);
}

TEST_CASE("http_answer: format calls what Accept wants most; 406 when nobody is wanted") {
  TestServer server([](App& app) {
    const auto answer = [](bool with_default) {
      return [with_default](Request&, Response& res) {
        const auto xml = [&] { res.send("<a/>"); };
        const auto other = [&] { res.type("text").send("other"); };
        if (with_default) return res.format({{"default", other}, {"html", [&] { res.send("<p>"); }}});
        res.format({{"json", [&] { res.json({{"a", 1}}); }}, {"html", [&] { res.send("<p>"); }}, {"xml", xml}, {"text/csv", [&] { res.send("a"); }}});
      };
    };
    app.get("/", answer(false));
    app.get("/default", answer(true));
    app.get("/late", [](Request&, Response& res) {
      std::thread([later = res.defer()] { later.format({{"json", [] {}}}); later.send("not here"); }).detach();
    });
    app.get("/throws", [](Request&, Response& res) { res.format({{"json", [] { throw std::runtime_error("no"); }}}); });
  });
  Client client(server.port());
  struct {
    const char* path;
    const char* accept;
    int status;
    const char* type;
    const char* body;
  } const rows[] = {
      {"/", "*/*", 200, "application/json", R"({"a":1})"}, {"/", "text/html, application/json;q=0.9", 200, "text/html; charset=utf-8", "<p>"},
      {"/", "application/xml", 200, "application/xml", "<a/>"}, {"/", "text/csv", 200, "text/csv", "a"}, {"/", "image/png", 406, "text/plain; charset=utf-8", "Not Acceptable"},
      {"/", "application/json;q=0, text/html;q=0, application/xml;q=0, text/csv;q=0", 406, "text/plain; charset=utf-8", "Not Acceptable"},
      {"/default", "image/png", 200, "text/plain; charset=utf-8", "other"}, {"/default", "text/*", 200, "text/html; charset=utf-8", "<p>"},
      {"/late", "*/*", 200, "text/plain; charset=utf-8", "not here"}, {"/throws", "*/*", 500, "text/plain; charset=utf-8", "Internal Server Error"},
  };
  for (const auto& row : rows) {
    CAPTURE(std::string(row.path));
    CAPTURE(std::string(row.accept));
    const HttpResponse got = client.get(row.path, "Accept: " + std::string(row.accept) + "\r\n");
    CHECK(got.status == row.status);
    CHECK(got.field("content-type") == row.type);
    CHECK(got.body == row.body);
    if (row.path[1] != 'l') CHECK(got.field("vary") == "Accept");
  }
  CHECK(client.get("/").body == R"({"a":1})");
}
