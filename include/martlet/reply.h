// martlet/reply.h: an answer as a value: what a handler may return, and what App::inject answers.
#pragma once

#include <martlet/config.h>
#include <martlet/json_forward.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

//   app.get("/x", [](Request&) -> Reply { return {404, "gone"}; });
struct MARTLET_LAYOUT Reply {
  Reply() = default;
  // With a text of this type ("text", "html", "json", … or a whole media type).
  Reply(int code, std::string_view text = {}, std::string_view content_type = "text") : status(code), body(text), type(content_type) {}
  Reply(std::string_view text) : body(text) {}
  Reply(const char* text) : body(text) {}
  // With JSON: a Json, a JsonWriter, an own type (json.h).
  template <typename T>
    requires(!std::is_convertible_v<const T&, std::string_view> && !std::is_arithmetic_v<T>)
  Reply(const T& value) : Reply(200, value) {}
  template <typename T>
    requires(!std::is_convertible_v<const T&, std::string_view>)
  Reply(int code, const T& value) : status(code), type("json") {
    // Json comes by json.h, which is not needed by those who answer with text.
    const std::conditional_t<std::is_void_v<T>, void, JsonText> text(value);
    if (text.ok()) body = text.text();
    else *this = Reply(503);
  }

  // Adds a field.
  Reply& set(std::string_view name, std::string_view value) {
    fields.emplace_back(name, value);
    return *this;
  }
  // The first field of this name (any case); empty when there is none.
  std::string_view field(std::string_view name) const noexcept;

  int status = 200;
  std::string body = {};
  std::string type = "text";
  std::vector<std::pair<std::string, std::string>> fields = {};
  bool failed = false;  // of fail(): the error handlers are asked first
};

// What res.fail() does, for those who return their answer: return fail(404, "no such post");
inline Reply fail(int code, std::string_view text = {}) {
  Reply reply(code, text);
  reply.failed = true;
  return reply;
}

}  // namespace martlet
