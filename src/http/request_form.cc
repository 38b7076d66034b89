// The body of a request as a form, decoded into memory of the request's.
#include <martlet/form.h>

#include "base/bytes.h"
#include "http/decoded.h"
#include "http/failures.h"
#include "proto/accept.h"
#include "session/exchange.h"

namespace martlet {

Form Request::form(const FormOptions& options) const noexcept {
  static constexpr std::string_view kTypes[] = {"application/x-www-form-urlencoded"};
  session::Exchange& e = *exchange_;
  if (!proto::is_media_type(e.field(e.head.find(proto::FieldName::content_type)), kTypes)) return Form(415);
  const size_t count = proto::count_form_pairs(body());
  if (count > options.max_fields) return Form(413);
  auto* const fields = e.room_for<NamedText>(count);
  if (!fields) return Form(503);
  proto::FormScanner scanner(body(), options.max_fields);
  proto::FormPair pair;
  bool failed = false;
  for (size_t i = 0; i < count && scanner.next(pair) == proto::FormStep::pair; i++) {
    const auto name = http::decoded_form(e, pair.name), value = http::decoded_form(e, pair.value);
    failed |= !name || !value;
    new (&fields[i]) NamedText{name.value_or(std::string_view()), value.value_or(std::string_view())};
  }
  return failed ? Form(503) : Form(std::span<const NamedText>(fields, count));
}

Form Request::form() const noexcept { return form(FormOptions()); }

Form Request::form(Response&, const FormOptions& options) const noexcept {
  const Form form = this->form(options);
  const std::string_view what = form.status() == 415   ? "application/x-www-form-urlencoded is wanted."
                                : form.status() == 413 ? "The form has too many fields."
                                                       : std::string_view();
  if (!form) http::give_up(*exchange_, {form.status(), what});
  return form;
}

Form Request::form(Response& res) const noexcept { return form(res, FormOptions()); }

}  // namespace martlet
