// martlet/field_lines.h: fields of answers that are always the same, checked and put together once, before the first request.
//
//   FieldLines lines;
//   lines.add("X-Frame-Options", "DENY");
//   app.use([lines](Request&, Response& res, Next next) { res.set(lines), next(); });
#pragma once

#include <martlet/config.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace martlet {

struct FieldLinesAccess;

// What Response::set() takes at once: it costs one copy, and a look at the names of what was set before. Made and changed during
// set-up by one thread; read by any number.
class MARTLET_LAYOUT FieldLines {
 public:
  // Adds a field. False, and nothing is added: Response::set() would refuse it, or it has a place of its own (Content-Type,
  // Set-Cookie), or it is the library's (Content-Length, Transfer-Encoding, Connection, Date).
  bool add(std::string_view name, std::string_view value);
  bool empty() const noexcept { return text_.empty(); }

 private:
  friend struct FieldLinesAccess;
  std::string text_ = {};   // "Name: value\r\n" …
  uint64_t names_ = 0;      // a bit for each name; several may have the same
};

}  // namespace martlet
