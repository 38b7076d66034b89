// Closing all WebSockets of a worker, from any thread.
#include "base/kept_text.h"
#include "proto/ws_frame.h"
#include "realtime/realtime.h"
#include "worker/orders.h"

namespace martlet::realtime {

namespace {

void close_all(RealtimeWorker& w, CloseCode code, std::string_view reason) noexcept {
  w.for_each_websocket([&](net::Connection& c) { w.handle(c).close(code, reason); });
}

}  // namespace

void order_close_all(uint32_t number, CloseCode code, std::string_view reason) noexcept {
  base::KeptText kept(reason.substr(0, proto::kMaxControlPayload));
  if (kept.ok()) {
    auto call = [code, text = std::move(kept)](RealtimeWorker& w) { close_all(w, code, text.text()); };
    if (post_to(number, std::move(call)) != SendStatus::dropped) return;
  }
  worker::give(number, &net::Inbox::close_all_order, code, [](net::Mail* mail, void* w) {
    close_all(realtime_of(*static_cast<worker::Worker*>(w)), worker::taken_from<CloseCode>(mail), {});
  });
}

}  // namespace martlet::realtime
