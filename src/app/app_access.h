// What the Server may look at in an App.
#pragma once

#include <martlet/app.h>

#include "realtime/realtime.h"

namespace martlet {

struct AppAccess {
  static realtime::RealtimeWorker& worker(App& app) noexcept;
};

}  // namespace martlet
