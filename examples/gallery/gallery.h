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
  std::string_view path;  // as the application has registered it, with something for each parameter: "/rooms/lobby"
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
void basic_chat(martlet::App& app, martlet::Router& routes);
void hello_ws(martlet::App& app, martlet::Router& routes);
void browser_page(martlet::App& app, martlet::Router& routes);

}  // namespace gallery
