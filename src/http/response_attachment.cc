// An answer that is a file. In a file of its own, as it brings the table of extensions with it.
#include <martlet/response.h>

#include "base/kept_text.h"
#include "proto/content_disposition.h"
#include "proto/file_types.h"
#include "session/answer_fields.h"
#include "worker/worker.h"

namespace martlet {

const Response& Response::attachment(std::string_view file_name) const noexcept {
  if (elsewhere()) {
    base::KeptText kept(file_name);
    if (kept.ok()) worker::post_to(worker_, [self = *this, n = std::move(kept)](worker::Worker&) { self.attachment(n.text()); });
  } else if (session::Exchange* e = resolve()) {
    char value[proto::kContentDispositionBytes];
    const size_t size = proto::encode_content_disposition(proto::Disposition::attachment, file_name, value);
    const std::string_view type = proto::type_of_file(file_name);  // before the name changes with the fields, as it may be one
    session::set_field(*e, "Content-Disposition", {value, size});
    if (!type.empty() && !session::find_field(*e, "Content-Type")) session::set_field(*e, "Content-Type", type);
  }
  return *this;
}

}  // namespace martlet
