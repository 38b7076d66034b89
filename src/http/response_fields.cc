// What else is done with the fields of an answer than setting them.
#include <martlet/response.h>

#include "base/kept_text.h"
#include "session/answer_fields.h"
#include "worker/worker.h"

namespace martlet {

const Response& Response::append(std::string_view name, std::string_view value) const noexcept {
  if (elsewhere()) {
    base::KeptText kept_name(name);
    base::KeptText kept_value(value);
    if (!kept_name.ok() || !kept_value.ok()) return *this;
    worker::post_to(worker_, [self = *this, n = std::move(kept_name), v = std::move(kept_value)](worker::Worker&) {
      self.append(n.text(), v.text());
    });
  } else if (session::Exchange* e = resolve()) {
    session::append_field(*e, name, value);
  }
  return *this;
}

const Response& Response::remove(std::string_view name) const noexcept {
  if (elsewhere()) {
    base::KeptText kept(name);
    if (kept.ok()) worker::post_to(worker_, [self = *this, n = std::move(kept)](worker::Worker&) { self.remove(n.text()); });
  } else if (session::Exchange* e = resolve()) {
    session::remove_field(*e, name);
  }
  return *this;
}

}  // namespace martlet
