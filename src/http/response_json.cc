// JSON as answers. It is in a file of its own so that a program that sends none links none.
#include <martlet/json.h>
#include <martlet/response.h>

namespace martlet {

void Response::json(const JsonText& value) const noexcept {
  if (!value.ok()) return status(503).end();
  json(value.text());
}

void Response::json(std::initializer_list<JsonMember> members) const noexcept { json(JsonText(members)); }

}  // namespace martlet
