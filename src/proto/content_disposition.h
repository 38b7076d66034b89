// Content-Disposition: how a body is to be shown, and how a part of multipart/form-data is called.
//
// Written (RFC 6266, RFC 8187): a name in ASCII for every client, and the whole one for those who read filename*:
//
//   attachment; filename="na_ve _ plan.pdf"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC%20plan.pdf
//
// Read (RFC 6266, and RFC 7578 §4.2 with what browsers send): type, name and file name. Strict in the grammar (no parameter
// twice, quotes closed, no control bytes), as a name that two readers see differently passes the filter of one of them.
//
// A file name never has path parts, neither Unix's nor Windows', nor control bytes: what says "../../etc/passwd" is
// called passwd. No allocation; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/type_parameters.h"

namespace martlet::proto {

// The last part of a path, split at '/' and at '\'; separators behind it do not count. Empty for "." and "..".
std::string_view file_base_name(std::string_view path) noexcept;

enum class Disposition : uint8_t { attachment, inline_content };

// What file systems take. A name that is longer is cut in front of its extension, never within a character.
inline constexpr size_t kMaxFileNameBytes = 255;
inline constexpr size_t kContentDispositionBytes = 42 + 5 * kMaxFileNameBytes;  // at most

// Writes the field's value to out, which has room for kContentDispositionBytes; answers how many bytes. All of them are
// printable ASCII. Of file_name, a path in UTF-8, the last part is said, or nothing when there is none. A control
// character becomes '_', a byte that is no UTF-8 U+FFFD; filename has '_' for each character beyond ASCII. filename*
// is written when it says something else than filename, or filename has what clients are known to read differently ('"',
// and '%' before two digits: RFC 6266 appendix D).
size_t encode_content_disposition(Disposition disposition, std::string_view file_name, char* out) noexcept;

struct ContentDisposition {
  std::string_view type;                       // "form-data", "attachment"; in any case
  std::optional<ParameterValue> name;          // of a field of a form
  std::optional<ParameterValue> file_name;     // filename
  std::optional<ParameterValue> extended;      // filename*, still encoded

  bool is_form_data() const noexcept;
  // The part is a file, though its name may be empty: browsers send one for an <input type=file> without a choice.
  bool is_file() const noexcept { return file_name || extended; }
  size_t name_room() const noexcept { return name ? name->text.size() : 0; }
  size_t file_name_room() const noexcept {
    return std::max(file_name ? file_name->text.size() : 0, extended ? extended->text.size() : 0);
  }
};

// Nothing when the value breaks the grammar. Views into the value.
std::optional<ContentDisposition> parse_content_disposition(std::string_view value) noexcept;

// Writes the name of the field to out, which has name_room() bytes; answers how many. A '\' is one unless '"' or another
// '\' follows (browsers do not double it), and "%22" is the quote that browsers write so; "%0D" and "%0A", which they
// write for ends of lines, stay. The bytes are those of the form's charset: they need not be UTF-8.
size_t decode_field_name(const ContentDisposition& disposition, char* out) noexcept;

// The same with the name of the file, in file_name_room() bytes: that of filename* where it is there and good (UTF-8 or
// ISO-8859-1, which becomes UTF-8), else of filename. Its last part, with '_' for control bytes; empty when nothing is left.
size_t decode_file_name(const ContentDisposition& disposition, char* out) noexcept;

}  // namespace martlet::proto
