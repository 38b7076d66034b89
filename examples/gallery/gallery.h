// gallery.h: what an application of the gallery is: a function that registers routes, and what a person may try with it.
//
// Each application stands in a file of its own, or with those that it reads better with, and is to be read alone: it begins
// with its namespace's constants and ends with its function. gallery.cc lists them all.
#pragma once

#include <martlet/martlet.h>

#include <string_view>
#include <vector>

namespace gallery {

// A socket that can be opened from the page: where, and what to say there.
struct Try {
  std::string_view path;  // as the application has registered it, with something for each parameter: "/rooms/lobby"; a token is put behind "?token="
  std::string_view say;   // a first message, best one that is answered; empty where the server speaks of its own accord
};

struct Application {
  std::string_view name;   // gallery NAME; alone, the paths of the application begin with /NAME
  std::string_view title;  // in a few words what it shows
  void (*add)(martlet::App& app, martlet::Router& routes);
  std::vector<Try> tries;
  std::string_view page = {};  // the path of a page of its own, where it has one
};

// App is for what belongs to all: logging, reading the clock, sending to everybody. Routes go to the Router, which is mounted
// at / or at /NAME.
void route_chat(martlet::App& app, martlet::Router& routes);
void route_room(martlet::App& app, martlet::Router& routes);
void route_broadcast(martlet::App& app, martlet::Router& routes);
void route_secure(martlet::App& app, martlet::Router& routes);
void quickstart(martlet::App& app, martlet::Router& routes);
void data_stream(martlet::App& app, martlet::Router& routes);
void binary(martlet::App& app, martlet::Router& routes);
void secure_ws(martlet::App& app, martlet::Router& routes);
void strict(martlet::App& app, martlet::Router& routes);
void basic_chat(martlet::App& app, martlet::Router& routes);
void params(martlet::App& app, martlet::Router& routes);
void ws_test(martlet::App& app, martlet::Router& routes);
void hello_ws(martlet::App& app, martlet::Router& routes);
void info(martlet::App& app, martlet::Router& routes);
void api_router(martlet::App& app, martlet::Router& routes);
void events(martlet::App& app, martlet::Router& routes);
void secure(martlet::App& app, martlet::Router& routes);
void error_handling(martlet::App& app, martlet::Router& routes);
void debug(martlet::App& app, martlet::Router& routes);
void basic_routes(martlet::App& app, martlet::Router& routes);
void protected_route(martlet::App& app, martlet::Router& routes);
void rooms_and_metadata(martlet::App& app, martlet::Router& routes);
void errors_and_closing(martlet::App& app, martlet::Router& routes);
void browser_page(martlet::App& app, martlet::Router& routes);
void reconnect(martlet::App& app, martlet::Router& routes);
void offline_queue(martlet::App& app, martlet::Router& routes);
void room_chat(martlet::App& app, martlet::Router& routes);
void room_manager(martlet::App& app, martlet::Router& routes);
void rooms(martlet::App& app, martlet::Router& routes);
void broadcast(martlet::App& app, martlet::Router& routes);
void resource_aware(martlet::App& app, martlet::Router& routes);
void realtime_chat(martlet::App& app, martlet::Router& routes);
void lobby_chat(martlet::App& app, martlet::Router& routes);
void private_chat(martlet::App& app, martlet::Router& routes);
void live_chat(martlet::App& app, martlet::Router& routes);
void rbac(martlet::App& app, martlet::Router& routes);
void game(martlet::App& app, martlet::Router& routes);
void token_and_rate(martlet::App& app, martlet::Router& routes);
void robust_chat(martlet::App& app, martlet::Router& routes);
void middleware(martlet::App& app, martlet::Router& routes);
void live_updates(martlet::App& app, martlet::Router& routes);
void monitoring(martlet::App& app, martlet::Router& routes);

}  // namespace gallery
