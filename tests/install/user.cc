// What a user writes first, built against what was installed: it must compile, link, and run as far as here.
#include <martlet/martlet.h>

#include <cstdio>

int main() {
  martlet::App app;
  app.get("/", [](martlet::Request&, martlet::Response& res) { res.send("Hello, World!"); });
  std::printf("martlet %s\n", MARTLET_VERSION);
}
