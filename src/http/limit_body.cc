// Request::limit_body.
#include <martlet/request.h>

#include "session/exchange.h"

namespace martlet {

// What is not announced is refused by the session, as soon as it is too much.
bool Request::limit_body(size_t max_bytes) const noexcept {
  session::Exchange& e = *exchange_;
  if (max_bytes >= e.body_limit || e.head.framing == proto::BodyFraming::none) return true;
  e.body_limit = max_bytes;
  if (e.head.framing == proto::BodyFraming::content_length) return e.head.content_length <= max_bytes;
  return e.flags.body_coming ? e.chunked.lower_limit(max_bytes) : e.body.size() <= max_bytes;
}

}  // namespace martlet
