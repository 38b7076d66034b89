// event_server.cc: the same event by martlet.
#include <martlet/martlet.h>

#include <cstdio>
#include <string_view>

using namespace martlet;

int main() {
  App app;
  app.ws("/", WsHandlers{.on = {{"echo", [](std::string_view text, EventReply reply) { reply(text); }}}});
  const Result<uint16_t> port = app.listen("127.0.0.1", 0);
  if (!port) return report(port.error());
  std::printf("%d\n", *port);
  std::fflush(stdout);
  return app.run();
}
