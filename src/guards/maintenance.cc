// See request_guards.h.
#include <martlet/request.h>
#include <martlet/request_guards.h>
#include <martlet/response.h>

#include "guards/path_prefix.h"

namespace martlet {

namespace {

Error wrong(const MaintenanceOptions& options) noexcept {
  if (options.retry_after.count() < 0) return "maintenance: retry_after is negative";
  for (const std::string& path : options.skip) {
    if (!path.starts_with('/')) return Error::of({"maintenance: skip: \"", path, "\" does not begin with '/'"});
  }
  return {};
}

}  // namespace

Maintenance::Maintenance(MaintenanceOptions options)
    : state_(options.on), options_(std::move(options)), retry_after_(std::to_string(options_.retry_after.count())),
      mistake_(wrong(options_)) {}

void Maintenance::operator()(Request& req, Response& res, Next next) const noexcept {
  if (mistake_) return next(HttpError{500});
  if (!is_on()) [[likely]] return next();
  for (const std::string& path : options_.skip) {
    if (guards::lies_below(req.path(), path)) return next();
  }
  if (options_.retry_after.count() > 0) res.set("Retry-After", retry_after_);
  next(HttpError{503, options_.text});
}

}  // namespace martlet
