// What App, its steps, options and callables refuse when they are compiled.
#include <martlet/martlet.h>

#include <optional>
#include <span>
#include <string>

using namespace martlet;
using namespace martlet::literals;

void set_up(App& app) {
  app.get("/", [](Request&, Response& res) { res.send("x"); });
  app.use([](Request&, Response&, Next next) { next(); });
  app.get("/none");                                                        // FAILS IN ANOTHER FILE
  app.get("/number", 42);                                                  // FAILS IN ANOTHER FILE
  app.get("/little", [](Request&) {});                                     // FAILS IN ANOTHER FILE
  app.get("/much", [](Request&, Response&, Next, int) {});                 // FAILS IN ANOTHER FILE
  app.not_found([](Request&, Response&, Next) {});                         // FAILS IN ANOTHER FILE
  app.not_found([](Request&, Response&) {});
  app.use([](int) {});                                                     // FAILS IN ANOTHER FILE
  app.ws("/ws", [](WebSocket, Response&) {});                              // FAILS IN ANOTHER FILE
  app.ws("/ws", {.message = [](const Message&) {}});                       // FAILS
  app.ws("/ws", [](int) {}, [](WebSocket) {});                             // FAILS IN ANOTHER FILE
  app.ws("/ws", [](WebSocket, Request&, Next) {}, [](int) {});             // FAILS IN ANOTHER FILE
  app.ws("/ws", [](WebSocket, Request&, Next) {}, [](WebSocket) {});
  app.ws_use([](Request&, Response&, Next) {});                            // FAILS IN ANOTHER FILE
  app.ws("/ws", {.keep_request = true}, [](WebSocket, Request&, Next) {}, WsHandlers());   // FAILS IN ANOTHER FILE
  app.ws("/ws", WsOptions(), WsHandlers());                                // FAILS IN ANOTHER FILE
  app.ws_use([](WebSocket, Request&, Next) -> Task<> { co_return; });
  app.ws("/ws", [](WebSocket) -> Task<> { co_return; });
  app.after(5ms, []() -> Task<> { co_return; });                           // FAILS IN ANOTHER FILE
  app.on_event_error([](WebSocket, const EventError&) -> Task<> { co_return; });   // FAILS IN ANOTHER FILE
  using Offered = std::span<const std::string_view>;
  const WsOptions gone{.choose_protocol = [](Offered) { return std::optional<std::string>("v1"); }};  // FAILS IN ANOTHER FILE
  const WsOptions stays{.choose_protocol = [](Offered) { return "v1"; }};
  const WsOptions verified{.verify = [](Request&) {}};                     // FAILS IN ANOTHER FILE
  (void)app.reconfigure({.heartbeat_interval = 60s, .max_connections = 5, .origins = {"https://a.example"}});
  (void)app.reconfigure({.protocols = {"v1"}});                            // FAILS
  (void)app.reconfigure({.compression = true});                            // FAILS
  (void)app.reconfigure("/ws", {.envelope = Envelope::type_data});         // FAILS
  const WsOptions chosen{.allow_origin = [](int) { return true; }};        // FAILS
  app.on_error([](std::string) {});                                        // FAILS
  app.after(5, [] {});                                                     // FAILS
  app.after(5ms, [] {});
  app.post([](int) {});                                                    // FAILS
  App copy = app;                                                          // FAILS
  App moved = std::move(app);                                              // FAILS
}

int every_core(Server& server) {
  if (Error error = server.start([](App& app) { app.close(); })) return report(error);
  if (Error error = server.start([](App&) { return Error(); })) return report(error);
  return server.run([](int) {});                                           // FAILS IN ANOTHER FILE
}

void values(const Function<void()>& function, const Result<int>& result) {
  Function<void()> made([] {});
  Function<void()> moved = std::move(made);
  Function<void()> copy = function;                                        // FAILS
  Result<int> copied = result;                                             // FAILS
  Function<void(int)> wrong = [](const std::string&) {};                   // FAILS
  const size_t size = 16_MiB;
  const WsOptions options{.max_message_bytes = size};
  const WsOptions unknown{.max_mesage_bytes = size};                       // FAILS
  const AppOptions seconds{.head_timeout = 10};                            // FAILS
  const AppOptions fine{.head_timeout = 10s};
}
