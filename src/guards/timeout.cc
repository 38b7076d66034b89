// See request_guards.h.
#include <martlet/request_guards.h>
#include <martlet/response.h>

namespace martlet {

void TimeoutGuard::operator()(Request&, Response& res, Next next) const noexcept {
  if (limit_.count() <= 0) return next(HttpError{500});
  res.answer_within(limit_, text_);
  next();
}

Error TimeoutGuard::mistake() const noexcept { return limit_.count() > 0 ? Error() : Error("timeout: limit is not more than 0"); }

}  // namespace martlet
