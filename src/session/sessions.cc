// The birth and end of what the sessions of a worker share: where the pooled types are known whole.
#include "session/sessions.h"

#include "session/ws_input.h"

namespace martlet::session {

Sessions::Sessions(net::Reactor& r, Stats& counters) noexcept : reactor(r), stats(counters) { r.sessions = this; }

Sessions::~Sessions() {
  if (spare) exchanges.give_back(spare);
}

}  // namespace martlet::session
