// Whom a message goes to, as the public headers' calls say it; and a message of a thread that is none of the workers', on its way.
#pragma once

#include <martlet/rooms.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/kept_text.h"
#include "base/slot_table.h"
#include "realtime/access.h"

namespace martlet::realtime {

struct Recipients {
  uint32_t first;  // the worker, or the first of its group
  MessageAccess::Kind kind;
  base::SlotId id;        // of a room or a route, as RealtimeWorker::id_of
  std::string_view name;  // of the room or the route, where it was asked for on another thread
  std::span<const WebSocket> except;
};

// A publish on its way to a worker, with all that it needs.
struct Travelling {
  Recipients to;
  base::KeptText name;
  SharedFrame frame;
  WebSocket few[MessageAccess::kFewExcepts];
  base::KeptText more;  // those who are left out, where they are more than a few

  Travelling(const Recipients& recipients, const SharedFrame& f) noexcept : to(recipients), frame(f) {
    static_assert(std::is_trivially_copyable_v<WebSocket>);
    if (to.name.data()) name = base::KeptText(to.name);
    if (to.except.size() > std::size(few)) {
      more = base::KeptText({reinterpret_cast<const char*>(to.except.data()), to.except.size_bytes()});
    } else {
      std::copy(to.except.begin(), to.except.end(), few);
    }
  }
  bool ok() const noexcept {
    return (!to.name.data() || name.ok()) && (to.except.size() <= std::size(few) || more.ok());
  }
  Recipients recipients() const noexcept {
    Recipients here = to;
    here.name = name.text();
    here.except = {more.ok() ? reinterpret_cast<const WebSocket*>(more.text().data()) : few, to.except.size()};
    return here;
  }
};

}  // namespace martlet::realtime
