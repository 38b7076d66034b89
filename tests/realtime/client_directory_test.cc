// The directory of clients by itself (client_directory.h): what happens between two workers, one step after the other.
#include "realtime/client_directory.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::realtime;

namespace {

struct Clients {
  ClientDirectory directory;

  explicit Clients(SessionOptions options = {.store = {}}) { directory.open(options); }
  void come(ClientLink& link, uint32_t worker) {
    link.worker = worker;
    link.id = {worker, 1};
    REQUIRE(directory.admit("ann", link) == ClientDirectory::Admitted::yes);
    directory.begin(link);
  }
  void put(const std::string& text) {
    ClientDirectory::Told told;
    CHECK(directory.put("ann", SharedFrame::text(text), 1, told) == SendStatus::posted);
  }
  std::vector<std::string> take(ClientLink& link) {
    ClientMessages messages;
    directory.take(link, messages);
    std::vector<std::string> all;
    while (QueueHook* hook = messages.pop_front()) {
      auto* message = static_cast<ClientMessage*>(hook);
      const auto text = message->frame.payload();
      all.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
      ClientDirectory::destroy(message);
    }
    return all;
  }
};

}  // namespace

TEST_CASE("client directory: what could not be sent to a connection that has been displaced meanwhile is its successor's, first") {
  for (const bool live : {false, true}) {
    Clients clients;
    ClientLink older;
    ClientLink newer;
    clients.come(older, 1);
    REQUIRE(clients.directory.make_live(older, 1));
    clients.put("1");
    clients.put("2");
    ClientMessages rest;
    clients.directory.take(older, rest);  // it is being sent
    clients.come(newer, 2);
    if (live) REQUIRE(clients.directory.make_live(newer, 1));
    clients.put("3");
    clients.directory.give_back(older, rest);
    clients.directory.leave(older, 1);
    if (live) CHECK(clients.directory.is_untold(newer));
    if (!live) REQUIRE(clients.directory.make_live(newer, 1));
    CHECK(clients.take(newer) == std::vector<std::string>{"1", "2", "3"});
    clients.directory.leave(newer, 1);
    CHECK(clients.directory.counts.waiting == 0);
    CHECK(clients.directory.counts.dropped == 0);
  }
}
