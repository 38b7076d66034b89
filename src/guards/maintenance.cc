// See request_guards.h.
#include <martlet/request.h>
#include <martlet/request_guards.h>
#include <martlet/response.h>

namespace martlet {

namespace {

bool lies_below(std::string_view path, std::string_view prefix) noexcept {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

}  // namespace

Maintenance::Maintenance(MaintenanceOptions options)
    : state_(options.on), options_(std::move(options)), retry_after_(std::to_string(options_.retry_after.count())) {}

void Maintenance::operator()(Request& req, Response& res, Next next) const noexcept {
  if (!is_on()) [[likely]] return next();
  for (const std::string& path : options_.skip) {
    if (lies_below(req.path(), path)) return next();
  }
  if (options_.retry_after.count() > 0) res.set("Retry-After", retry_after_);
  next(HttpError{503, options_.text});
}

Error Maintenance::mistake() const noexcept {
  if (options_.retry_after.count() < 0) return Error("maintenance: retry_after is negative");
  for (const std::string& path : options_.skip) {
    if (!path.starts_with('/')) return Error::of({"maintenance: skip: \"", path, "\" does not begin with '/'"});
  }
  return {};
}

}  // namespace martlet
