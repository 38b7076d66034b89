// The smallest server: three routes and an echoing WebSocket on http://localhost:3000.
#include <martlet/martlet.h>

#include <cstdio>
using namespace martlet;

int main() {
  App app;
  app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });
  app.get("/hello/:name", [](Request& req, Response& res) {
    res.send("Hello " + std::string(req.param("name")) + "!");
  });
  app.ws("/echo", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); }});

  if (auto port = app.listen(3000); !port) return report(port.error());
  std::puts("listening on http://localhost:3000");
  return app.run();
}
