// See request_guards.h.
#include <martlet/request.h>
#include <martlet/request_guards.h>
#include <martlet/response.h>

#include "guards/field_text.h"

namespace martlet {

void RequestIdGuard::operator()(Request& req, Response& res, Next next) const noexcept {
  res.set(field_, req.id());
  next();
}

Error RequestIdGuard::mistake() const noexcept {
  return guards::is_token(field_) ? Error() : Error::of({"request_id: \"", field_, "\" is no name of a field"});
}

}  // namespace martlet
