// Whether the client of a request has its answer already.
#include <martlet/request.h>
#include <martlet/response.h>

#include "proto/conditions.h"
#include "proto/http_date.h"
#include "session/exchange.h"
#include "sys/clock.h"

namespace martlet {

bool Request::fresh(const Response& res) const noexcept {
  const int64_t now = sys::wall_seconds();
  const proto::ConditionFields fields = {.if_none_match = header("if-none-match"), .if_modified_since = header("if-modified-since"),
                                         .cache_control = header("cache-control")};
  proto::Representation current;
  current.etag = res.get("ETag").value_or("");
  if (const auto date = res.get("Last-Modified")) current.last_modified = proto::parse_http_date(*date, now);
  return proto::is_fresh(exchange_->head.method, res.status_code(), fields, current, now);
}

}  // namespace martlet
