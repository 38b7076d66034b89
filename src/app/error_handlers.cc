// App::on_error for those who answer: it brings what they need, problem details among it.
#include <martlet/app.h>

#include "app/app_access.h"
#include "base/check.h"
#include "http/failures.h"

namespace martlet {

void App::add_error_handler(ErrorHandler handler) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "on_error() after listen()");
  w.errors.handlers.push_back(std::move(handler));
  http::bring_error_handlers(w);
}

}  // namespace martlet
