// A Request is borrowed until its handler returns, a Response and a Next come from the library only.
#include <martlet/martlet.h>

#include <functional>
#include <string>

using namespace martlet;

void handle(Request& req, Response& res) {
  Request& same = req;
  const std::string kept(same.path());
  Response later = res.defer();
  Request copy = req;                                // FAILS
  auto automatic = req;                              // FAILS
  Request moved = std::move(req);                    // FAILS
  auto capture = [req] { return req.path(); };       // FAILS
  req = same;                                        // FAILS
  Request made;                                      // FAILS
  Response answer;                                   // FAILS
  Next next;                                         // FAILS
  res.send(42);                                      // FAILS
  res.send(std::u16string(u"x"));                    // FAILS
  later.send("x");
}

void set_up(App& app) {
  app.get("/a", [](Request&, Response&) {});
  app.get("/b", [](Request, Response&) {});          // FAILS IN ANOTHER FILE
}
