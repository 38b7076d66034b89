// See jwt_header.h.
#include "guards/jwt_header.h"

#include <martlet/json_reader.h>

#include "base/bytes.h"
#include "codec/base64.h"

namespace martlet::jwt {

namespace {

// The names so far: none may come twice (RFC 7515 §4). They lie one after the other; all together they are shorter than the
// header.
class Names {
 public:
  // False when it was there already, or there are too many.
  bool add(std::string_view name) noexcept {
    for (size_t i = 0, at = 0; i < count_; at += sizes_[i++]) {
      if (name == std::string_view(text_ + at, sizes_[i])) return false;
    }
    if (count_ == Header::kMostMembers || name.size() > sizeof text_ - used_) return false;
    name.copy(text_ + used_, name.size());
    used_ += name.size();
    sizes_[count_++] = static_cast<uint16_t>(name.size());
    return true;
  }
  bool full() const noexcept { return count_ == Header::kMostMembers; }

 private:
  char text_[Header::kMostBytes];
  uint16_t sizes_[Header::kMostMembers];
  size_t used_ = 0;
  size_t count_ = 0;
};

template <size_t kRoom>
bool read_text(JsonReader& in, HeaderText<kRoom>& to) noexcept {
  std::string_view text;
  if (!in.text(text)) return false;
  to.set(text);
  return true;
}

// What is not named here is ignored (§4): keys and certificates of the token's own above all.
bool read_member(JsonReader& in, std::string_view name, Header& to) noexcept {
  if (name == "alg") return read_text(in, to.algorithm);
  if (name == "kid") return read_text(in, to.key_id);
  if (name == "typ") return read_text(in, to.type);
  if (name == "crit") to.critical = true;
  return in.skip();
}

Error parse_header(std::string_view json, Header& to) noexcept {
  Names names;
  bool full = false;
  JsonError error;
  const JsonOptions options{.depth = 16};
  json::TextReader text(json, options);
  JsonReader& in = text.reader();
  const bool read = text.begin() && in.object([&](std::string_view name) {
    full = names.full();
    return names.add(name) && read_member(in, name, to);
  });
  if (full) return Error::too_large;
  return text.finish(read, error) && read && to.algorithm.said() ? Error::none : Error::malformed;
}

}  // namespace

Error read_header(std::string_view text, Header& to) noexcept {
  uint8_t bytes[codec::base64_decoded_bound(Header::kMostBytes / 3 * 4 + 3)];
  if (text.size() > Header::kMostBytes / 3 * 4 + 3) return Error::too_large;
  const std::optional<size_t> size = codec::decode_base64url(text, bytes);
  if (!size) return Error::malformed;
  if (*size > Header::kMostBytes) return Error::too_large;
  return parse_header(base::as_text({bytes, *size}), to);
}

}  // namespace martlet::jwt
