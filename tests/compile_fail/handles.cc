// Handles are given by the library: nobody makes one out of numbers, and codes are not mixed up with numbers.
#include <martlet/martlet.h>

#include <string>
#include <vector>

using namespace martlet;

void use(WebSocket ws, const std::vector<std::byte>& bytes, const SharedFrame& frame) {
  ws.send("text");
  ws.send(std::string("text"));
  ws.send(bytes);
  ws.send(frame);
  ws.close(static_cast<CloseCode>(4000), "reason");
  WebSocket made(1, 2, 3);                           // FAILS
  Room room(1, 2, 3);                                // FAILS
  Audience audience;                                 // FAILS
  ws.send(42);                                       // FAILS
  ws.send('x');                                      // FAILS
  ws.send(std::vector<int>{1, 2});                   // as JSON
  ws.close(4000);                                    // FAILS
  const int status = ws.send("x");                   // FAILS
  if (ws.send("x")) return;                          // FAILS
  const SharedFrame shared = std::string("x");       // FAILS
  if (ws) return;                                    // FAILS
  ws.to(42).send("x");                               // FAILS
  const bool same = ws == Room();                    // FAILS
}
