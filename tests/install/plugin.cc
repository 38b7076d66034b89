// A shared object with a server inside, for shared.sh: what a plugin of another program is.
#include <martlet/martlet.h>

#include <atomic>

namespace {

std::atomic<int> answered;

void hello(martlet::Request&, martlet::Response& res) {
  answered++;
  res.send("from a plugin");
}

void fails(martlet::Request&, martlet::Response&) { throw 1; }

}  // namespace

// Serves until `talk` has talked to the port. Answers how many requests it has seen, negative when it could not serve.
extern "C" int plugin_serve(int (*talk)(unsigned short port)) {
  martlet::Server server({.host = "127.0.0.1", .workers = 2});
  if (server.start([](martlet::App& app) {
        app.get("/", hello);
        app.get("/fails", fails);
        app.on_error([](const martlet::HandlerFailure&) {});
      }))
    return -1;
  server.post(0, [](martlet::App& app) { app.after(std::chrono::hours(1), [] {}); });
  const int talked = talk(server.port());
  server.drain({.deadline = std::chrono::milliseconds(2000)});
  const int status = server.wait();
  return talked == 0 && status == 0 ? answered.load() : -2;
}
