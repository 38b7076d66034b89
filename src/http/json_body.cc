// See json_body.h. It runs twice when the body is still coming: at the head, for what the head tells, and once more, as
// the same step, when the body is whole.
#include <martlet/json_body.h>

#include "http/failures.h"
#include "http/json_refusal.h"
#include "http/json_slot.h"
#include "session/exchange.h"

namespace martlet {

namespace {

constexpr HttpError kTooLarge{413, "The body is larger than this route takes."};

// The step at which the exchange is runs again when the body is whole.
void wait_for_body(session::Exchange& e) noexcept {
  e.position--;
  e.flags.wants_body = e.flags.chain_waits = true;
}

// False when memory is out.
bool keep(session::Exchange& e, Json&& json) noexcept {
  auto* const slot = e.room_for<session::Exchange::Slot>(1);
  Json* const room = slot ? e.room_for<Json>(1) : nullptr;
  if (!room) return false;
  e.add_slot(slot, &http::json_body_key, new (room) Json(std::move(json)), [](void* it) noexcept { static_cast<Json*>(it)->~Json(); });
  return true;
}

// True when the request may go on.
bool read(session::Exchange& e, const JsonBodyOptions& options) noexcept {
  JsonResult<Json> json = Json::parse(base::as_text(e.body), {.depth = options.depth, .duplicates = options.duplicates, .max_bytes = SIZE_MAX});
  if (!json) return http::refuse_json(e, json.error(), false), false;
  if (options.strict && !json->is_array() && !json->is_object()) return http::give_up(e, {400, "an object or an array is wanted"}), false;
  if (!json->complete() || !keep(e, *std::move(json))) return http::give_up(e, {503}), false;
  return true;
}

}  // namespace

void JsonBody::operator()(Request& req, Response&, Next next) const noexcept {
  session::Exchange& e = *session::Exchange::of(req);
  const bool empty = !e.flags.body_coming && e.body.empty();
  if (empty || e.flags.refused || e.flags.is_upgrade || req.json_body()) return next();
  if (!http::has_json_type(e)) return http::give_up(e, {415, http::kNoJsonType});
  if (options_.max_bytes && !req.limit_body(options_.max_bytes)) return http::give_up(e, kTooLarge);
  if (e.flags.body_coming) return wait_for_body(e);
  if (read(e, options_)) next();
}

}  // namespace martlet
