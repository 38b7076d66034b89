// Answers as values: see reply.h.
#include <martlet/reply.h>
#include <martlet/response.h>

#include "base/text.h"

namespace martlet {

std::string_view Reply::field(std::string_view name) const noexcept {
  for (const auto& [field_name, value] : fields) {
    if (base::same_text(field_name, name)) return value;
  }
  return {};
}

void Response::reply(const Reply& reply) const noexcept {
  for (const auto& [name, value] : reply.fields) append(name, value);
  if (reply.failed) return fail(reply.status, reply.body);
  status(reply.status);
  if (!reply.type.empty()) type(reply.type);
  reply.body.empty() ? end() : send(reply.body);
}

}  // namespace martlet
