// See field_lines.h.
#include <martlet/field_lines.h>

#include <martlet/response.h>

#include "base/kept_text.h"
#include "base/text.h"
#include "proto/http_chars.h"
#include "session/answer_fields.h"
#include "worker/worker.h"

namespace martlet {

struct FieldLinesAccess {
  static std::string_view text(const FieldLines& lines) noexcept { return lines.text_; }
  static uint64_t names(const FieldLines& lines) noexcept { return lines.names_; }
};

bool FieldLines::add(std::string_view name, std::string_view value) {
  if (!proto::is_token(name) || !session::is_field_value(value)) return false;
  for (const char* own : {"content-length", "transfer-encoding", "connection", "date", "content-type", "set-cookie"}) {
    if (base::same_text(name, own)) return false;
  }
  names_ |= session::name_bit(name);
  text_.append(name).append(": ").append(value).append("\r\n");
  return true;
}

const Response& Response::set(const FieldLines& lines) const noexcept {
  const std::string_view text = FieldLinesAccess::text(lines);
  const uint64_t names = FieldLinesAccess::names(lines);
  if (elsewhere()) {
    base::KeptText kept(text);
    if (!kept.ok()) return *this;
    worker::post_to(worker_, [self = *this, t = std::move(kept), names](worker::Worker&) {
      if (session::Exchange* e = self.resolve()) session::set_lines(*e, t.text(), names);
    });
  } else if (session::Exchange* e = resolve()) {
    session::set_lines(*e, text, names);
  }
  return *this;
}

}  // namespace martlet
