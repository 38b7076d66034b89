// See request_guards.h.
#include <martlet/request.h>
#include <martlet/request_guards.h>
#include <martlet/response.h>

#include "guards/field_text.h"

namespace martlet {

RequestIdGuard::RequestIdGuard(std::string field) : field_(std::move(field)) {
  if (!guards::is_token(field_)) mistake_ = Error::of({"request_id: \"", field_, "\" is no name of a field"});
}

void RequestIdGuard::operator()(Request& req, Response& res, Next next) const noexcept {
  if (mistake_) return next(HttpError{500});
  res.set(field_, req.id());
  next();
}

}  // namespace martlet
