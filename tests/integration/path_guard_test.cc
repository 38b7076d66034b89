// No spelling of a path reaches what lies behind a guard, whatever pattern takes it. Through real sockets.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <iterator>
#include <string>
#include <string_view>

#include "support/client.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;
using namespace std::string_view_literals;

namespace {

// Targets that a file system, or a server behind this one, may take for /admin or what is below it.
constexpr std::string_view kGuarded[] = {
    "/admin", "/admin/", "/admin/x", "/admin?x", "/admin/x?y=/..", "/admin/y/z",
    // slashes
    "//admin", "//admin/x", "///admin/x", "/admin//x", "/admin//", "//admin/z",
    // escapes of letters, with digits of either case
    "/%61dmin", "/%61dmin/x", "/%61%64%6d%69%6e", "/%61%64%6D%69%6E/x", "/a%64min/x", "/admi%6E", "/admi%6e/", "/%61dmin?x=1", "//%61dmin/x",
    "/%61%64min//x",
    // encoded slashes
    "/admin%2fx", "/admin%2Fx", "/admin%2f", "/%2fadmin/x", "/%2Fadmin/x", "/%2f%2fadmin", "/%2F/admin", "/admin%2fy/z", "/admin%2Fq/y/z",
    "/%2fadmin%2fx", "/%2f%61dmin", "/admin/%2fx",
    // backslashes
    "/admin%5cx", "/admin%5Cx", "/admin\\x", "/admin\\", "/\\admin/x", "/%5cadmin/x", "/%5C%5cadmin", "/%5c/admin", "/\\/admin", "/%5C%61dmin",
    // absolute form
    "http://t/admin", "http://t/admin/x", "http://t//admin/x", "http://t/%61dmin/x", "http://t//%61dmin", "http://t/admin?x", "HTTP://T//admin",
    "http://t:80/admin/x", "http://t/admin%2fx", "http://t/\\admin",
    // parameters of a segment
    "/admin;x", "/admin;", "/admin;/x", "/admin;a=b;c/y/z", "/;x/admin/y/z", "/;/admin", "/admin;x=1%2fy", "/%61dmin;x", "//admin;x/y", "/;x//admin"};

// Those that nobody means: refused before any step.
constexpr std::string_view kRefused[] = {
    "/./admin/x", "/x/../admin/x", "/..//admin", "/.//admin", "/admin/..", "/admin/../x", "/.", "/..", "/x/.", "/admin/.", "/./admin", "/../admin",
    "/%2e/admin/x", "/%2E/admin/x", "/x/%2e%2e/admin", "/x/.%2e/admin", "/x/%2E./admin/x", "/%2E%2e/admin", "/x/..%2fadmin", "/x%2f..%2fadmin/x",
    "/%2e%2e%2fadmin", "/%2e%2fadmin", "/x/..%5cadmin", "/x\\..\\admin", "/x%5C..%5Cadmin", "/.\\admin", "/x/..;/admin", "/..;x=y/admin",
    "/x/%2e%2e;/admin/y", "/.;/admin", "/admin%00", "/%00/admin", "/admin%00.html", "/\0/admin"sv, "/admin\0"sv, "/admin%", "/%gdmin", "/%6", "/%%61dmin",
    "/admin%2", "http://t/./admin", "http://t/x/../admin", "http://t/%2e/admin", "http://t/..%2fadmin", "\\admin", "\\\\admin", "admin", "%2fadmin"};

// Others, which must not be kept out.
constexpr std::string_view kOpen[] = {"/", "/x", "/admins", "/x/admin", "/Admin", "/.admin", "/x/..admin", "/%2561dmin", "/administrators/x",
                                      "/x;/admin", "/admin%3Bx", "/x;../y", "/admin%20", "/adm", "/%41dmin", "/x?/admin", "/adm;in"};

unsigned status_of(TestServer& server, std::string_view method, std::string_view target) {
  Client client(server.port());
  return client.request(std::string(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: t\r\n\r\n")).status;
}

}  // namespace

TEST_CASE("path_guard: no spelling of a path gets around a guard before a wildcard") {
  static_assert(std::size(kGuarded) >= 60);
  TestServer server([](App& app) {
    app.use("/admin", [](Request&, Response& res, Next) { res.status(403).send("guarded"); });
    app.get("/*", [](Request& req, Response& res) { res.send("open " + std::string(req.param("*"))); });
    app.get("/:a/:b/z", [](Request&, Response& res) { res.send("two parameters"); });
  });
  for (const std::string_view target : kGuarded) {
    CAPTURE(std::string(target));
    CHECK(status_of(server, "GET", target) == 403);
    CHECK(status_of(server, "POST", target) == 403);  // which has no route
  }
  for (const std::string_view target : kRefused) {
    CAPTURE(std::string(target));
    CHECK(status_of(server, "GET", target) == 400);
  }
  for (const std::string_view target : kOpen) {
    CAPTURE(std::string(target));
    CHECK(status_of(server, "GET", target) == 200);
  }
}

TEST_CASE("path_guard: nor before any other kind of pattern, and no route has to match") {
  TestServer server([](App& app) {
    app.use("/admin", [](Request&, Response& res, Next) { res.status(403).send("guarded"); });
    const auto open = [](Request&, Response& res) { res.send("open"); };
    app.get("/:a?", open).get("/:a<slug>/[b]", open).get("/[a]/:b<alnum>/:c?", open).get("//*rest", open).get("/%61dmin/x", open);
    app.get("/\\:a", open).get("/;x/:a", open).get("/admin%2F*", open).post("/*all", open);
  });
  for (const std::string_view target : kGuarded) {
    CAPTURE(std::string(target));
    CHECK(status_of(server, "GET", target) == 403);
    CHECK(status_of(server, "POST", target) == 403);
  }
}

TEST_CASE("path_guard: no spelling of a path opens a WebSocket behind a guard, nor is it refused in place of it") {
  TestServer server([](App& app) {
    app.use("/admin", [](Request&, Response& res, Next) { res.status(403).send("guarded"); });
    const auto open = [](WebSocket, Request&) {};
    app.ws("/*", open).ws("/:a/:b/z", open).ws("/:a?", open).ws("//*rest", open).ws("/\\:a", open).ws("/admin%2F*", open).ws("/;x/:a", open);
  });
  const auto status_of_upgrade = [&](std::string_view target) {
    Client client(server.port());
    return client.request(ws_request(target)).status;
  };
  for (const std::string_view target : kGuarded) {
    CAPTURE(std::string(target));
    CHECK(status_of_upgrade(target) == 403);
  }
  for (const std::string_view target : kRefused) {
    CAPTURE(std::string(target));
    CHECK(status_of_upgrade(target) == 400);
  }
  CHECK(server.stats().open_websockets == 0);
  for (const std::string_view target : kOpen) {
    CAPTURE(std::string(target));
    CHECK(status_of_upgrade(target) == 101);
  }
}
