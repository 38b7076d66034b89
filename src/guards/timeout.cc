// See request_guards.h.
#include <martlet/request_guards.h>
#include <martlet/response.h>

namespace martlet {

void TimeoutGuard::operator()(Request&, Response& res, Next next) const noexcept {
  res.answer_within(limit_, text_);
  next();
}

Error TimeoutGuard::mistake() const noexcept { return limit_.count() > 0 ? Error() : Error("timeout: it is longer than nothing"); }

}  // namespace martlet
