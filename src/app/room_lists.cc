// App::to of several rooms: for the few who want it.
#include <martlet/app.h>

#include "realtime/access.h"

namespace martlet {

Audience App::to(std::initializer_list<std::string_view> rooms) const noexcept {
  return MessageAccess::rooms_audience(first_worker(), std::span(rooms.begin(), rooms.size()));
}

Audience App::to(std::span<const std::string> rooms) const noexcept {
  return MessageAccess::rooms_audience(first_worker(), rooms);
}

}  // namespace martlet
