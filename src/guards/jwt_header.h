// The header of a token (RFC 7515 §4), read before anything is known of who wrote it: so without a tree, within bounds, and
// only for what says how to check the signature.
#pragma once

#include <martlet/jwt.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace martlet::jwt {

// A text of the header, copied; one that is longer is marked so, and equal to nothing.
template <size_t kRoom>
class HeaderText {
 public:
  void set(std::string_view text) noexcept {
    said_ = true;
    too_long_ = text.size() > kRoom;
    if (!too_long_) size_ = text.copy(text_, kRoom);
  }
  bool said() const noexcept { return said_; }
  bool too_long() const noexcept { return too_long_; }
  std::string_view text() const noexcept { return {text_, size_}; }

 private:
  char text_[kRoom];
  size_t size_ = 0;
  bool said_ = false;
  bool too_long_ = false;
};

struct Header {
  static constexpr size_t kMostBytes = 2048;
  static constexpr size_t kMostMembers = 32;

  HeaderText<15> algorithm;
  HeaderText<255> key_id;
  HeaderText<127> type;
  bool critical = false;
};

// From base64url. Error::none, malformed, or too_large.
Error read_header(std::string_view text, Header& to) noexcept;

}  // namespace martlet::jwt
