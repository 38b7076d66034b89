// See request_guards.h.
#include <martlet/request.h>
#include <martlet/request_guards.h>

namespace martlet {

void BodyLimitGuard::operator()(Request& req, Response&, Next next) const noexcept {
  if (!req.limit_body(max_bytes_)) return next(HttpError{413, "The body is larger than this route takes."});
  next();
}

}  // namespace martlet
