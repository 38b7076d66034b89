// What an answer depends on, and the choice that depends on it.
#include <martlet/response.h>

#include <algorithm>
#include <span>

#include "base/kept_text.h"
#include "base/text.h"
#include "proto/accept.h"
#include "proto/field_views.h"
#include "proto/parameters.h"
#include "session/answer_fields.h"
#include "worker/worker.h"

namespace martlet {

namespace {

// Whether a line of Vary that was set has it, or "*".
bool is_named(const session::Exchange& e, std::string_view field) noexcept {
  size_t at = 0;
  while (const auto line = session::next_field(e, "vary", at)) {
    for (std::string_view rest = *line; !rest.empty();) {
      const std::string_view named = proto::take_piece(rest, ',');
      if (named == "*" || base::same_text(named, field)) return true;
    }
  }
  return false;
}

// All in one line, as there are caches that look at the first only.
void add_to_vary(session::Exchange& e, std::string_view field) noexcept {
  if (field.empty() || is_named(e, field)) return;
  if (field == "*") return session::set_field(e, "Vary", field);
  char* const whole = e.text_room(e.fields.size() + field.size());  // a line of what was set has more around its value
  if (!whole) return session::append_field(e, "Vary", field);
  char* to = whole;
  size_t at = 0;
  while (const auto line = session::next_field(e, "vary", at)) {
    if (line->empty()) continue;
    to = std::copy(line->begin(), line->end(), to);
    *to++ = ',';
    *to++ = ' ';
  }
  to = std::copy(field.begin(), field.end(), to);
  session::set_field(e, "Vary", {whole, static_cast<size_t>(to - whole)});
}

}  // namespace

const Response& Response::vary(std::string_view fields) const noexcept {
  if (elsewhere()) {
    base::KeptText kept(fields);
    if (kept.ok()) worker::post_to(worker_, [self = *this, n = std::move(kept)](worker::Worker&) { self.vary(n.text()); });
  } else if (session::Exchange* e = resolve()) {
    std::string_view rest = session::apart(*e, fields).value_or(std::string_view());
    while (!rest.empty()) add_to_vary(*e, proto::take_piece(rest, ','));
  }
  return *this;
}

namespace {

constexpr std::string_view kDefault = "default";

struct Choice {
  const FormatChoice* chosen = nullptr;
  bool is_default = false;
};

// As many choices as anybody writes are held against the field at once; "default" is none of them.
Choice choose(const session::Exchange& e, std::span<const FormatChoice> choices) noexcept {
  constexpr size_t kMost = 16;
  std::string_view types[kMost];
  const FormatChoice* of[kMost];
  Choice choice;
  size_t count = 0;
  for (const FormatChoice& c : choices) {
    if (c.type == kDefault) choice = {&c, true};
    else if (count < kMost) of[count] = &c, types[count++] = c.type;
  }
  const auto lines = proto::FieldViews::first(e.head, e.base, "accept");
  const auto best = proto::accept_media_type(lines.lines(), {types, count});
  if (best && count) return {of[*best], false};
  return choice;
}

}  // namespace

const FormatChoice* Response::choose_format(const FormatChoice* choices, size_t count) const noexcept {
  session::Exchange* e = elsewhere() ? nullptr : resolve();
  if (!e) return nullptr;
  vary("Accept");
  const Choice choice = choose(*e, {choices, count});
  if (!choice.chosen) return fail(406), nullptr;
  if (!choice.is_default) type(choice.chosen->type);
  return choice.chosen;
}

}  // namespace martlet
