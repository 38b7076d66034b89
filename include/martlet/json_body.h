// martlet/json_body.h: a middleware that reads the body of a request as JSON before the handler runs.
//
//   app.use("/api", json_body());
//   app.post("/posts", json_body({.max_bytes = 10_KiB}), [](Request& req, Response& res) {
//     const Json& post = *req.json_body();
//   });
//
// It refuses a body by itself: 415 when its Content-Type is not JSON, 413 when it is too large (both before it is read, as far as
// its head tells), 400 with the place when it is no JSON. A request without a body goes through, without a value. Own types
// are read from the text by req.json<Post>().
#pragma once

#include <martlet/config.h>
#include <martlet/json.h>
#include <martlet/middleware.h>
#include <martlet/request.h>
#include <martlet/response.h>

#include <cstddef>
#include <cstdint>

namespace martlet {

struct JsonBodyOptions {
  // How deep arrays and objects may nest; at most 1,024.
  uint32_t depth = 64;
  Duplicates duplicates = Duplicates::last;
  // How large the body may be, in bytes; what the route allows when that is less. 0: as much as that.
  size_t max_bytes = 0;
  // Only an object or an array is taken, as in Express: a number or a text alone is mostly a mistake.
  bool strict = true;
};

class JsonBody {
 public:
  explicit JsonBody(const JsonBodyOptions& options) noexcept : options_(options) {}
  void operator()(Request& req, Response& res, Next next) const noexcept;

 private:
  JsonBodyOptions options_;
};

inline JsonBody json_body(const JsonBodyOptions& options = {}) noexcept { return JsonBody(options); }

}  // namespace martlet
