// The option of martlet/proxies.h as a worker sees it: text, and who makes something of it. A program whose options name no
// proxies is linked without that.
#pragma once

#include <martlet/error.h>
#include <martlet/proxies.h>

#include <string_view>

namespace martlet {

namespace worker {
struct Worker;
}

struct TrustedProxies::Parts {
  // Makes the worker believe them; an error when the list is none. It may be called again.
  Error (*open)(worker::Worker& w, std::string_view list) noexcept;
};

struct ProxiesAccess {
  static bool any(const TrustedProxies& proxies) noexcept { return !proxies.list_.empty(); }
  static Error open(const TrustedProxies& proxies, worker::Worker& w) noexcept {
    return any(proxies) ? proxies.parts_->open(w, proxies.list_) : Error();
  }
};

}  // namespace martlet
