// The fields of an answer that is being made (RFC 9110 §5): whole lines in the exchange, in the order in which they were set.
// What would break the head is refused here, so that no text of a peer can split a response. The worker's thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "session/exchange.h"

namespace martlet::session {

bool is_field_value(std::string_view value) noexcept;

// A text that may be one of these lines, to outlast their changes: then a copy in the exchange's texts, else as it is.
// Nothing when memory is out.
std::optional<std::string_view> apart(Exchange& e, std::string_view value) noexcept;

// Replaces what was set of this name, but Set-Cookie, which is added. The library's own fields are ignored.
void set_field(Exchange& e, std::string_view name, std::string_view value) noexcept;
// As one more line (RFC 9110 §5.3: as good as one more element behind the others).
void append_field(Exchange& e, std::string_view name, std::string_view value) noexcept;
// The bit that stands for a name where several are looked for at once. Others may have the same.
inline uint64_t name_bit(std::string_view name) noexcept {
  return uint64_t{1} << ((name.size() * 7 + static_cast<uint8_t>(base::ascii_lower(name.empty() ? '\0' : name[0]))) & 63);
}
// Replaces what was set of the names of these lines, which are good ones; `names` has their bits.
void set_lines(Exchange& e, std::string_view lines, uint64_t names) noexcept;
void remove_field(Exchange& e, std::string_view name) noexcept;
// What was set, of Set-Cookie the first line. Good until the next change.
std::optional<std::string_view> find_field(const Exchange& e, std::string_view name) noexcept;
// Line by line: the next one of this name from `at` on, which is 0 at first; not for Content-Type.
std::optional<std::string_view> next_field(const Exchange& e, std::string_view name, size_t& at) noexcept;

// Content-Type, which has a place of its own, and may be what lies there; of at most Exchange::kTypeBytes.
inline void set_type(Exchange& e, std::string_view type) noexcept {
  e.content_type_bytes = static_cast<uint8_t>(type.size());
  std::memmove(e.content_type, type.data(), type.size());
}

// Whether a terminal call was made before; then this one is counted and logged, and must do nothing.
bool note_second_answer(Exchange& e) noexcept;
inline bool is_answered(Exchange& e) noexcept {
  return (e.flags.responded || e.flags.upgraded) && note_second_answer(e);
}

}  // namespace martlet::session
