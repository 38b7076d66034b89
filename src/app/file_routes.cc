// See file_routes.h. The path of a route is read out of the name of its file, which only the program's own build has a say in.
#include <martlet/app.h>
#include <martlet/file_routes.h>

#include <string>
#include <string_view>
#include <utility>

#include "app/app_access.h"

namespace martlet {

namespace {

constinit const detail::FileRoute* announced = nullptr;

// The part of a file's name below the folder: "api/room/[id]/route.cc". Data is null where the folder is not in it. The folder
// is looked for from the left, whole segments compared.
std::string_view below(std::string_view file, std::string_view folder) noexcept {
  for (size_t at = file.find(folder); at != file.npos; at = file.find(folder, at + 1)) {
    const size_t end = at + folder.size();
    if ((at == 0 || file[at - 1] == '/') && end < file.size() && file[end] == '/') return file.substr(end + 1);
  }
  return {};
}

bool is_group(std::string_view segment) noexcept { return segment.size() > 2 && segment.front() == '(' && segment.back() == ')'; }

void append_segment(std::string& path, std::string_view segment) {
  constexpr std::string_view kRest = "[...";
  if (segment.empty() || is_group(segment)) return;
  path.push_back('/');
  if (segment.starts_with(kRest) && segment.back() == ']') {
    path.push_back('*');
    path.append(segment.substr(kRest.size(), segment.size() - kRest.size() - 1));
  } else {
    path.append(segment);
  }
}

// Of "api/room/[id]/route.cc". Empty when the file is not called route.
std::string path_of(std::string_view file) {
  const size_t slash = file.rfind('/');
  const std::string_view name = slash == file.npos ? file : file.substr(slash + 1);
  if (name.substr(0, name.find('.')) != "route") return {};
  std::string path;
  for (std::string_view folders = slash == file.npos ? std::string_view() : file.substr(0, slash); !folders.empty();) {
    const size_t end = folders.find('/');
    append_segment(path, folders.substr(0, end));
    folders = end == folders.npos ? std::string_view() : folders.substr(end + 1);
  }
  return path.empty() ? "/" : path;
}

}  // namespace

namespace detail {

void FileRoute::announce() noexcept { next_ = std::exchange(announced, this); }

struct FileRoutes {
  static void add(realtime::RealtimeWorker& w, const FileRoute& route, std::string_view folder) {
    const std::string_view file = below(route.file_, folder);
    if (!file.data()) return w.refuse_route("this file with routes is not below the folder of file_routes()", route.file_);
    const std::string path = path_of(file);
    if (path.empty()) return w.refuse_route("a file with routes is called route", route.file_);
    if (!route.handler_) return static_cast<void>(w.add_ws(path, realtime::two_phase_route(route.socket_(), WsOptions())));
    Step handler = route.handler_();
    w.add_route(route.method_, path, RouteOptions(), &handler, 1);
  }

  static void add_all(realtime::RealtimeWorker& w, std::string_view folder) {
    for (const FileRoute* route = announced; route; route = route->next_) add(w, *route, folder);
  }
};

}  // namespace detail

App& App::file_routes(std::string_view folder) {
  while (folder.ends_with('/')) folder.remove_suffix(1);
  while (folder.starts_with("./")) folder.remove_prefix(2);
  detail::FileRoutes::add_all(AppAccess::worker(*this), folder);
  return *this;
}

}  // namespace martlet
