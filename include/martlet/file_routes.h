// martlet/file_routes.h: routes whose path is where their file stands. Below the folder that App::file_routes names, the file
// app/api/room/[roomId]/route.cc has the routes of /api/room/:roomId:
//
//   MARTLET_SOCKET(RouteServer& server) {                 // once per worker; see route_server.h
//     return [server](WebSocket ws, Request& req) { … };  // for each client
//   }
//   MARTLET_GET(req, res) { res.send(req.param("roomId")); }
//
// Folders: "[id]" is a parameter, "[...rest]" takes all that follows (which may be nothing) as the parameter "rest", "(name)"
// stands for nothing. The file is called route, whatever its ending; it has at most one route of each kind.
// The routes are those of the whole program: what is linked into it has announced itself before main().
#pragma once

#include <martlet/config.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/route_server.h>
#include <martlet/router.h>

namespace martlet::detail {

// One of them: a static object of its file's, for as long as the program runs. What calls the functions is made in their unit.
class FileRoute {
 public:
  FileRoute(const char* file, RouteSetup (*socket)()) noexcept : file_(file), socket_(socket) { announce(); }
  FileRoute(const char* file, const char* method, Step (*handler)()) noexcept : file_(file), method_(method), handler_(handler) { announce(); }
  FileRoute(const FileRoute&) = delete;
  FileRoute& operator=(const FileRoute&) = delete;

 private:
  friend struct FileRoutes;
  void announce() noexcept;
  const char* file_;
  const char* method_ = nullptr;  // of a WebSocket's
  Step (*handler_)() = nullptr;
  RouteSetup (*socket_)() = nullptr;
  const FileRoute* next_ = nullptr;
};

}  // namespace martlet::detail

// Each declares a function whose body follows, and announces it. What they name is the unit's own.
#define MARTLET_SOCKET(...)                                                                                               \
  static ::martlet::ConnectionHandler martlet_socket_here(__VA_ARGS__);                                                   \
  static const ::martlet::detail::FileRoute martlet_socket_route(__FILE__, [] { return ::martlet::detail::route_setup(martlet_socket_here); }); \
  static ::martlet::ConnectionHandler martlet_socket_here(__VA_ARGS__)
#define MARTLET_GET(req, res) MARTLET_FILE_ROUTE_("GET", martlet_get, req, res)
#define MARTLET_POST(req, res) MARTLET_FILE_ROUTE_("POST", martlet_post, req, res)
#define MARTLET_PUT(req, res) MARTLET_FILE_ROUTE_("PUT", martlet_put, req, res)
#define MARTLET_PATCH(req, res) MARTLET_FILE_ROUTE_("PATCH", martlet_patch, req, res)
#define MARTLET_DELETE(req, res) MARTLET_FILE_ROUTE_("DELETE", martlet_delete, req, res)
#define MARTLET_HEAD(req, res) MARTLET_FILE_ROUTE_("HEAD", martlet_head, req, res)
#define MARTLET_OPTIONS(req, res) MARTLET_FILE_ROUTE_("OPTIONS", martlet_options, req, res)
#define MARTLET_FILE_ROUTE_(method, name, req, res)                                                                    \
  static void name##_here(::martlet::Request&, ::martlet::Response&);                                                  \
  static const ::martlet::detail::FileRoute name##_route(__FILE__, method, [] { return ::martlet::Step(name##_here); }); \
  static void name##_here([[maybe_unused]] ::martlet::Request& req, [[maybe_unused]] ::martlet::Response& res)
