// App::configure(). In a file of its own, so that it is linked by who calls it.
#include <martlet/app.h>

#include "app/app_access.h"
#include "base/check.h"

namespace martlet {

App& App::configure(WsOptions options) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "configure() after listen()");
  realtime::configure(w, std::move(options));
  return *this;
}

}  // namespace martlet
