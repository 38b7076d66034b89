// The fields in which a client offers extensions of the WebSocket protocol, Sec-WebSocket-Extensions. The grammar is that
// of RFC 6455 §9.1:
//
//   extension-list  = 1#( token *( ";" token [ "=" ( token | quoted-string ) ] ) )
//
// where a quoted value must be a token once it is unquoted. Which extension is agreed upon is not decided here: every
// handshake is held against the grammar, only servers that compress negotiate (permessage_deflate.h).
// No allocation; views into the request; any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "proto/http_parser.h"

namespace martlet::proto {

// The pieces of one field's value, from the front; each passes over the blanks before it.
class ExtensionScanner {
 public:
  explicit ExtensionScanner(std::string_view text) noexcept : text_(text) {}

  bool at_end() const noexcept { return at_ == text_.size(); }
  bool at_end_of_element() noexcept;
  bool take(char c) noexcept;
  bool take_token(std::string_view& token) noexcept;
  // A token or a quoted one, unquoted into `value`; of one that has no room there only the size counts.
  bool take_value(char* value, size_t room, size_t& size) noexcept;

 private:
  void skip_blanks() noexcept;

  std::string_view text_;
  size_t at_ = 0;
};

// Whether the Sec-WebSocket-Extensions fields of a request keep to the grammar. Empty elements are passed over, as in
// all lists (RFC 9110 §5.6.1.2), and a list of nothing else offers nothing: gateways that take an extension out of a
// list leave such fields.
bool well_formed_extensions(const RequestHead& head, const uint8_t* base) noexcept;

}  // namespace martlet::proto
