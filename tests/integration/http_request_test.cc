// What a handler asks a request for beyond path, query and fields as text: lists, typed values, cookies, negotiation, data of
// its own, JSON and forms with the answers of those that are none. Through real sockets.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <vector>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

struct Ask {
  const char* target;
  const char* fields;
  int status;
  const char* body;
};

void check_all(Client& client, std::initializer_list<Ask> asks) {
  for (const Ask& ask : asks) {
    CAPTURE(std::string(ask.target));
    CAPTURE(std::string(ask.fields));
    const HttpResponse got = client.get(ask.target, ask.fields);
    CHECK(got.status == ask.status);
    CHECK(got.body == ask.body);
  }
}

std::string joined(std::span<const std::string_view> texts) {
  std::string all = std::to_string(texts.size());
  for (const std::string_view text : texts) all.append("|").append(text);
  return all;
}

struct Point {
  int x = 0;
  std::optional<int> y;
};
MARTLET_JSON(Point, x, y)

}  // namespace

TEST_CASE("http_request: all values of a query parameter and all lines of a field, in order") {
  TestServer server([](App& app) {
    app.get("/q", [](Request& req, Response& res) { res.send(joined(req.query_all("tag"))); });
    app.get("/h", [](Request& req, Response& res) { res.send(joined(req.header_all("X-Own"))); });
  });
  Client client(server.port());
  check_all(client, {{"/q", "", 200, "0"},
                     {"/q?tag=a&x=1&tag=b+c&t%61g=%41&tag&Tag=no", "", 200, "4|a|b c|A|"},
                     {"/q?tag=%zz", "", 200, "1|%zz"},
                     {"/q?tag=50%+off%21&t%61g+=no&t%zz=no", "", 200, "1|50% off!"},
                     {"/h", "", 200, "0"},
                     {"/h", "X-Own: a, b\r\nx-owner: no\r\nX-OWN:  c \r\nx-own:\r\n", 200, "3|a, b|c|"}});
}

TEST_CASE("http_request: typed parameters, both ends of their ranges; what is none is a 400 that names it") {
  TestServer server([](App& app) {
    app.get("/u8", [](Request& req, Response& res) { res.send(std::to_string(req.query<uint8_t>("n", 7))); });
    app.get("/i8", [](Request& req, Response& res) { res.send(std::to_string(req.query<int8_t>("n", -7))); });
    app.get("/u64", [](Request& req, Response& res) { res.send(std::to_string(req.query<uint64_t>("n", 7))); });
    app.get("/i64", [](Request& req, Response& res) { res.send(std::to_string(req.query<int64_t>("n", 7))); });
    app.get("/f", [](Request& req, Response& res) { res.send(std::to_string(req.query<float>("n", 0.5F))); });
    app.get("/b", [](Request& req, Response& res) { res.send(req.query<bool>("n", false) ? "yes" : "no"); });
    app.get("/s", [](Request& req, Response& res) { res.send(req.query<std::string>("n", "none")); });
    app.get("/there", [](Request& req, Response& res) { res.send(req.query<int>("n") ? "there" : "absent"); });
    app.get("/p/:id", [](Request& req, Response& res) { res.send(std::to_string(*req.param<int>("id"))); });
    app.get("/none", [](Request& req, Response& res) { res.send(std::to_string(*req.param<int>("id")) + *req.param<std::string>("id")); });
    app.get("/two", [](Request& req) { return std::to_string(req.query<int>("a", 1) + req.query<int>("b", 2)); });
  });
  Client client(server.port());
  const char* const u8 = "n: an integer from 0 to 255 is wanted";
  const char* const i8 = "n: an integer from -128 to 127 is wanted";
  const char* const u64 = "n: an integer from 0 to 18446744073709551615 is wanted";
  const char* const i64 = "n: an integer from -9223372036854775808 to 9223372036854775807 is wanted";
  check_all(client, {{"/u8", "", 200, "7"}, {"/u8?n=0", "", 200, "0"}, {"/u8?n=255", "", 200, "255"}, {"/u8?n=007", "", 200, "7"},
                     {"/u8?n=256", "", 400, u8}, {"/u8?n=-1", "", 400, u8}, {"/u8?n=", "", 400, u8}, {"/u8?n=%2B1", "", 400, u8},
                     {"/u8?n=1+", "", 400, u8}, {"/u8?n=1.0", "", 400, u8}, {"/u8?n=0x1", "", 400, u8}, {"/u8?n=%31%00", "", 400, u8},
                     {"/i8?n=-128", "", 200, "-128"}, {"/i8?n=127", "", 200, "127"}, {"/i8?n=-129", "", 400, i8}, {"/i8?n=128", "", 400, i8},
                     {"/u64?n=18446744073709551615", "", 200, "18446744073709551615"}, {"/u64?n=18446744073709551616", "", 400, u64},
                     {"/i64?n=-9223372036854775808", "", 200, "-9223372036854775808"}, {"/i64?n=9223372036854775807", "", 200, "9223372036854775807"},
                     {"/i64?n=9223372036854775808", "", 400, i64}, {"/i64?n=-9223372036854775809", "", 400, i64},
                     {"/f?n=1.25e1", "", 200, "12.500000"}, {"/f?n=-3", "", 200, "-3.000000"}, {"/f?n=1e38", "", 200, std::to_string(1e38F).c_str()},
                     {"/f?n=1e39", "", 400, "n: a number is wanted"}, {"/f?n=1e999", "", 400, "n: a number is wanted"},
                     {"/f?n=nan", "", 400, "n: a number is wanted"}, {"/f?n=1,5", "", 400, "n: a number is wanted"}, {"/f?n=", "", 400, "n: a number is wanted"},
                     {"/b", "", 200, "no"}, {"/b?n", "", 200, "yes"}, {"/b?n=1", "", 200, "yes"}, {"/b?n=true", "", 200, "yes"},
                     {"/b?n=0", "", 200, "no"}, {"/b?n=false", "", 200, "no"}, {"/b?n=TRUE", "", 400, "n: true or false is wanted"},
                     {"/s", "", 200, "none"}, {"/s?n=a%20b", "", 200, "a b"}, {"/there", "", 200, "absent"}, {"/there?n=1", "", 200, "there"},
                     {"/p/42", "", 200, "42"}, {"/p/-42", "", 200, "-42"},
                     {"/p/4x", "", 400, "id: an integer from -2147483648 to 2147483647 is wanted"}, {"/none", "", 200, "0"},
                     {"/two?a=x&b=y", "", 400, "a: an integer from -2147483648 to 2147483647 is wanted"}, {"/two?b=5", "", 200, "6"}});
  CHECK(server.stats().late_responses == 0);
}

TEST_CASE("http_request: what a handler says after a parameter was refused is no mistake, and nobody hears it") {
  std::atomic<int> later{0};
  TestServer server([&](App& app) {
    app.get("/guarded", [](Request& req, Response& res, Next next) {
      const int n = req.query<int>("n", 5);
      CHECK(res.sent() == (req.query("n") == "x"));
      res.set("X-N", std::to_string(n));
      next();
    }, [&](Request&, Response& res) { later++, res.send("through"); });
    app.get("/after", [](Request& req, Response&, Next next) {
      next();
      (void)req.query<int>("n", 5);
    }, [&](Request&, Response& res) { later++, res.send("through"); });
    app.get("/defers", [](Request& req, Response& res) {
      (void)req.query<int>("n", 5);
      Response kept = res.defer();
      res.status(201).set("X-Late", "1").fail(404);
      kept.send("kept");
    });
    app.get("/throws", [](Request& req, Response&) {
      (void)req.query<int>("n", 5);
      throw std::runtime_error("no");
    });
  });
  Client client(server.port());
  check_all(client, {{"/guarded?n=x", "", 400, "n: an integer from -2147483648 to 2147483647 is wanted"},
                     {"/guarded?n=6", "", 200, "through"},
                     {"/after?n=x", "", 400, "n: an integer from -2147483648 to 2147483647 is wanted"}, {"/after", "", 200, "through"},
                     {"/defers?n=x", "", 400, "n: an integer from -2147483648 to 2147483647 is wanted"},
                     {"/throws?n=x", "", 400, "n: an integer from -2147483648 to 2147483647 is wanted"},
                     {"/guarded", "", 200, "through"}});
  CHECK(later == 3);
  CHECK(server.stats().late_responses == 0);
  CHECK(server.stats().late_nexts == 0);
}

TEST_CASE("http_request: an error handler answers a refused parameter in its own way, at once or later") {
  TestServer server([](App& app) {
    app.get("/", [](Request& req, Response& res) {
      (void)req.query<int>("n", 5);
      res.send("the handler");
    });
    app.on_error([&app](const Failure& failure, Request& req, Response& res) {
      if (!req.query("later")) return res.json({{"error", std::string(failure.text)}});
      app.after(milliseconds(1), [res = res.defer()] { res.send("later"); });
    });
  });
  Client client(server.port());
  const HttpResponse at_once = client.get("/?n=x");
  CHECK(at_once.status == 400);
  CHECK(at_once.body == R"({"error":"n: an integer from -2147483648 to 2147483647 is wanted"})");
  const HttpResponse late = client.get("/?n=x&later");
  CHECK(late.status == 400);
  CHECK(late.body == "later");
  CHECK(client.get("/?n=1").body == "the handler");
  CHECK(server.stats().late_responses == 0);
}

TEST_CASE("http_request: a refused parameter is a problem where Accept prefers JSON") {
  TestServer server([](App& app) { app.get("/:id", [](Request& req, Response& res) { res.send(std::to_string(*req.param<int>("id"))); }); });
  Client client(server.port());
  const HttpResponse got = client.get("/x", "Accept: application/json\r\n");
  CHECK(got.status == 400);
  CHECK(got.field("content-type") == "application/problem+json");
  CHECK(got.body.find(R"("detail":"id: an integer)") != std::string::npos);
}

TEST_CASE("http_request: cookies, one by name, all of them, signed ones") {
  const auto keys = CookieKeys::of({"0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"});
  const auto old_keys = CookieKeys::of({"fedcba9876543210fedcba9876543210"});
  const auto other_keys = CookieKeys::of({"................................"});
  REQUIRE(keys);
  REQUIRE(old_keys);
  REQUIRE(other_keys);
  TestServer server([&](App& app) {
    app.get("/one", [](Request& req, Response& res) { res.send(req.cookie("sid").value_or("none")); });
    app.get("/all", [](Request& req, Response& res) {
      std::string all;
      for (const auto& [name, value] : req.cookies()) all.append(name).append("=").append(value).append("|");
      res.send(all);
    });
    app.get("/signed", [&](Request& req, Response& res) { res.send(req.signed_cookie("user", *keys).value_or("none")); });
    app.get("/sign/:with", [&](Request& req, Response& res) {
      const auto& with = req.param("with") == "new" ? *keys : req.param("with") == "old" ? *old_keys : *other_keys;
      res.signed_cookie("user", "a b;c", with).end();
    });
  });
  Client client(server.port());
  check_all(client, {{"/one", "", 200, "none"}, {"/one", "Cookie: sid=a%20b; sid=c\r\n", 200, "a b"}, {"/one", "Cookie: x=1\r\nCookie: sid=50%\r\n", 200, "50%"},
                     {"/one", "Cookie: SID=1; sid\r\n", 200, "none"}, {"/all", "", 200, ""},
                     {"/all", "Cookie: a=1; b=\"2\";; c\r\nCookie: a=%33=3\r\n", 200, "a=1|b=\"2\"|=c|a=3=3|"}, {"/signed", "", 200, "none"},
                     {"/signed", "Cookie: user=ann\r\n", 200, "none"}});
  for (const auto& [with, value] : {std::pair{"new", "a b;c"}, std::pair{"old", "a b;c"}, std::pair{"other", "none"}}) {
    const std::string set = client.get("/sign/" + std::string(with)).field("set-cookie");
    const std::string pair = set.substr(0, set.find(';'));
    CHECK(client.get("/signed", "Cookie: " + pair + "\r\n").body == value);
    CHECK(client.get("/signed", "Cookie: " + pair + "x\r\n").body == "none");
  }
}

TEST_CASE("http_request: what the client accepts, and what it has sent") {
  TestServer server([](App& app) {
    app.get("/t", [](Request& req, Response& res) { res.send(req.accepts({"json", "html", "text/csv"}).value_or("none")); });
    app.get("/l", [](Request& req, Response& res) { res.send(req.accepts_languages({"en", "de"}).value_or("none")); });
    app.get("/e", [](Request& req, Response& res) { res.send(req.accepts_encodings({"gzip", "identity"}).value_or("none")); });
    app.get("/c", [](Request& req, Response& res) { res.send(req.accepts_charsets({"utf-8", "latin1"}).value_or("none")); });
    app.get("/0", [](Request& req, Response& res) { res.send(req.accepts({}).value_or("none")); });
    app.post("/is", [](Request& req, Response& res) { res.send(std::string(req.is("json") ? "json " : "") + std::string(req.is({"text/*", "+json"}).value_or("none"))); });
    app.get("/is", [](Request& req, Response& res) { res.send(req.is("json") ? "json" : "none"); });
  });
  Client client(server.port());
  check_all(client, {{"/t", "", 200, "json"}, {"/t", "Accept: text/*;q=0.5, text/html\r\n", 200, "html"}, {"/t", "Accept: text/*\r\nAccept: text/html;q=0\r\n", 200, "text/csv"},
                     {"/t", "Accept: image/png\r\n", 200, "none"}, {"/l", "Accept-Language: fr, de-AT\r\n", 200, "de"}, {"/l", "Accept-Language: fr\r\n", 200, "none"},
                     {"/e", "", 200, "identity"}, {"/e", "Accept-Encoding: gzip\r\n", 200, "gzip"}, {"/c", "Accept-Charset: latin1\r\n", 200, "latin1"}, {"/0", "", 200, "none"},
                     {"/is", "Content-Type: application/json\r\n", 200, "none"}});
  CHECK(client.post("/is", "{}", "Content-Type: application/problem+json; charset=utf-8\r\n").body == "json +json");
  CHECK(client.post("/is", "x", "Content-Type: text/plain\r\n").body == "text/*");
  CHECK(client.post("/is", "x", "Content-Type: text\r\n").body == "none");
  CHECK(client.post("/is", "x").body == "none");
}

TEST_CASE("http_request: fresh by ETag and by Last-Modified") {
  TestServer server([](App& app) {
    app.get("/", [](Request& req, Response& res) {
      res.status(req.query<int>("status", 200)).set("ETag", "\"v1\"").set("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
      res.send(req.fresh(res) ? "fresh" : "stale");
    });
  });
  Client client(server.port());
  check_all(client, {{"/", "", 200, "stale"}, {"/", "If-None-Match: \"v0\"\r\nIf-None-Match: W/\"v1\"\r\n", 200, "fresh"}, {"/", "If-None-Match: \"v0\"\r\n", 200, "stale"},
                     {"/", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200, "fresh"}, {"/", "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 200, "stale"},
                     {"/", "If-None-Match: \"v1\"\r\nCache-Control: no-cache\r\n", 200, "stale"}, {"/?status=404", "If-None-Match: \"v1\"\r\n", 404, "stale"}});
}

namespace {

struct alignas(64) Wide {
  uint64_t numbers[16] = {};
};

struct Counted {
  static inline std::atomic<int> alive{0};
  Counted() { alive++; }
  ~Counted() { alive--; }
  std::string name = "a name that is too long to lie in a string without memory of its own";
};

struct Fails {
  Fails() { throw std::runtime_error("no"); }
};

}  // namespace

TEST_CASE("http_request: data of a request, by type, of any number and alignment; it ends with the request") {
  TestServer server([](App& app) {
    app.use([](Request& req, Response&, Next next) {
      CHECK(req.find_data<Counted>() == nullptr);  // nothing of an earlier request
      req.data<Counted>().name = req.path();
      req.data<int>() = 7;
      next();
    });
    app.get("/later", [](Request& req, Response& res) {
      req.data<Wide>().numbers[0] = 9;
      CHECK(reinterpret_cast<uintptr_t>(&req.data<Wide>()) % 64 == 0);
      CHECK(Counted::alive == 1);
      Counted* before = &req.data<Counted>();
      Response later = res.defer();
      CHECK(&req.data<Counted>() == before);  // copied aside is what came from the peer
      later.send(req.find_data<Counted>()->name + std::to_string(req.data<int>()) + std::to_string(req.data<Wide>().numbers[0]));
    });
    app.get("/fails", [](Request& req, Response& res) {
      try {
        req.data<Fails>();
      } catch (const std::runtime_error&) {
      }
      res.send(req.find_data<Fails>() ? "there" : "none");
    });
    app.get("/never", [](Request& req, Response& res) {
      req.data<Counted>();
      res.defer().on_aborted([] {});
    });
  });
  Client client(server.port());
  for (int i = 0; i < 3; i++) CHECK(client.get("/later").body == "/later79");
  CHECK(client.get("/fails").body == "none");
  CHECK(client.get("/nowhere").status == 404);
  {
    Client leaves(server.port());
    leaves.send("GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(eventually([] { return Counted::alive == 1; }));
    leaves.reset();
    CHECK(eventually([] { return Counted::alive == 0; }));
  }
}

TEST_CASE("http_request: json(res) answers 415, 400 with the place, or 422 with the member") {
  TestServer server([](App& app) {
    app.post("/point", [](Request& req, Response& res) {
      if (auto point = req.json<Point>(res)) res.status(201).json(*point);
    });
    app.post("/tree", [](Request& req, Response& res) {
      auto tree = req.json(res);
      res.json(tree ? *tree : Json());  // which nobody hears when there is none
    });
  });
  Client client(server.port());
  struct {
    const char* path;
    const char* type;
    const char* body;
    int status;
    const char* says;
  } const rows[] = {
      {"/point", "application/json", R"({"x": 1})", 201, R"({"x":1})"}, {"/point", "application/vnd.x+json; charset=utf-8", R"({"x":2,"y":3})", 201, R"({"x":2,"y":3})"},
      {"/point", "text/plain", R"({"x": 1})", 415, "application/json is wanted."}, {"/point", "", R"({"x": 1})", 415, "application/json is wanted."},
      {"/point", "application/json", "{\"x\":\n  01}", 400, "line 2, column 4: "}, {"/point", "application/json", "", 400, "line 1, column 1: "},
      {"/point", "application/json", R"({"x": "one"})", 422, "/x: an integer"}, {"/point", "application/json", "[]", 422, ""}, {"/point", "application/json", "{\"x\": 1}\xff", 400, "line 1, column 9: "},
      {"/tree", "application/json", "[1, 2", 400, "line 1, column 6: "}, {"/tree", "application/json", "[1,2]", 200, "[1,2]"}, {"/tree", "text/html", "[1,2]", 415, "application/json is wanted."},
  };
  for (const auto& row : rows) {
    CAPTURE(std::string(row.body));
    const std::string type = *row.type ? "Content-Type: " + std::string(row.type) + "\r\n" : "";
    const HttpResponse got = client.post(row.path, row.body, type);
    CHECK(got.status == row.status);
    CHECK_MESSAGE(got.body.starts_with(row.says), got.body);
  }
  CHECK(server.stats().late_responses == 0);
}

TEST_CASE("http_request: forms, flat, with repeats; one field too many is 413") {
  TestServer server([](App& app) {
    app.post("/", [](Request& req, Response& res) {
      std::string all;
      Form form = req.form(res, {.max_fields = 3});
      for (const auto& [name, value] : form) all.append(name).append("=").append(value).append("|");
      res.send(all + std::string(form["a"]) + (form.get("zz") ? "zz" : ""));
    });
    app.post("/status", [](Request& req, Response& res) { res.send(std::to_string(req.form().status())); });
  });
  Client client(server.port());
  const std::string type = "Content-Type: application/x-www-form-urlencoded\r\n";
  CHECK(client.post("/", "a=1&b=x+y&a=%E2%82%AC", type).body == "a=1|b=x y|a=\xE2\x82\xAC|1");
  CHECK(client.post("/", "&&a%5Bb%5D=1&&flag&", type).body == "a[b]=1|flag=|");
  CHECK(client.post("/", "a=%&b=%4&c=%zz", type).body == "a=%|b=%4|c=%zz|%");
  CHECK(client.post("/", "", type).body == "");
  const HttpResponse many = client.post("/", "a=1&b=2&c=3&d=4", type);
  CHECK(many.status == 413);
  CHECK(many.body == "The form has too many fields.");
  CHECK(client.post("/", "a=1", "Content-Type: text/plain\r\n").status == 415);
  CHECK(client.post("/", "a=1").status == 415);
  std::string thousand;
  for (int i = 0; i < 1000; i++) thousand += "a&";
  CHECK(client.post("/status", thousand, type).body == "200");
  CHECK(client.post("/status", thousand + "a", type).body == "413");
  CHECK(server.stats().late_responses == 0);
}

TEST_CASE("http_request: an id is made once, and never twice; what a stranger sends is none") {
  TestServer server([](App& app) {
    app.get("/", [](Request& req, Response& res) {
      const std::string first(req.id());
      res.send(first == req.id() ? first : "two");
    });
  });
  Client client(server.port());
  const std::string one = client.get("/", "X-Request-Id: mine\r\n").body;
  const std::string two = client.get("/").body;
  CHECK(one.size() == 24);
  CHECK(one.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz") == std::string::npos);
  CHECK(two.size() == 24);
  CHECK(one != two);
}
