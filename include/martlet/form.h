// martlet/form.h: the body of a request as a form: application/x-www-form-urlencoded, as <form method=post> sends it.
//
//   app.post("/sign", [](Request& req, Response& res) {
//     if (Form form = req.form(res)) res.send("hello " + std::string(form["name"]));      // else it has answered 415 or 413
//   });
#pragma once

#include <martlet/config.h>
#include <martlet/request.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace martlet {

struct FormOptions {
  // How many fields a form may have. 413 above it. As in Express: each may become an entry of somebody's table.
  uint32_t max_fields = 1000;
};

// Name and value of each field, decoded ('+' is a space), in the order in which they came; the same name may come more than
// once. Nothing is nested: "a[b]=1" has the name "a[b]". What it holds are views, good for as long as the request's. Values may
// be any bytes.
class Form {
 public:
  // Why there is no form: 415 (the Content-Type is another), 413 (too many fields), 503 (memory is out); 200 when there is one.
  int status() const noexcept { return status_; }
  explicit operator bool() const noexcept { return status_ == 200; }

  // The first value of this name; nothing, and as operator[] an empty text, when there is none.
  std::optional<std::string_view> get(std::string_view name) const noexcept {
    for (const NamedText& field : fields_) {
      if (field.name == name) return field.value;
    }
    return std::nullopt;
  }
  std::string_view operator[](std::string_view name) const noexcept { return get(name).value_or(std::string_view()); }
  // for (const auto& [name, value] : form)
  const NamedText* begin() const noexcept { return fields_.data(); }
  const NamedText* end() const noexcept { return fields_.data() + fields_.size(); }
  size_t size() const noexcept { return fields_.size(); }

 private:
  friend class Request;
  explicit Form(int status) noexcept : status_(status) {}
  explicit Form(std::span<const NamedText> fields) noexcept : fields_(fields), status_(200) {}

  std::span<const NamedText> fields_ = {};
  int status_;
};

}  // namespace martlet
