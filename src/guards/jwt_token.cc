// The check of one token, in the order of RFC 7519 §7.2: its form, its header, the key, the signature, and only then what it
// claims. Of a token that is not well signed nothing is said but that.
#include "guards/jwt_token.h"

#include <algorithm>

#include "base/alloc.h"
#include "codec/base64.h"
#include "guards/jwt_header.h"

namespace martlet::jwt {

namespace {

constexpr size_t kMostBytes = size_t{1} << 20;
constexpr size_t kMostSignature = 512;  // of RSA with 4,096 bits
constexpr size_t kOnStack = 2048;       // of claims; longer ones are decoded into memory of their own

// {"alg":"HS256","typ":"JWT"}, as nearly all that make such tokens write it, jwt::sign among them: known at sight.
constexpr std::string_view kUsualHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

Error usual(Header& to) noexcept {
  to.algorithm.set("HS256");
  to.type.set("JWT");
  return Error::none;
}

struct Parts {
  std::string_view header, claims, signature;
  std::string_view message;  // what is signed: the first two, and the dot
};

// Three parts and two dots, no less and no more (RFC 7515 §3.1).
bool split(std::string_view token, Parts& to) noexcept {
  const size_t first = token.find('.');
  if (first == token.npos) return false;
  const size_t second = token.find('.', first + 1);
  if (second == token.npos || token.find('.', second + 1) != token.npos) return false;
  to = {token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1), token.substr(0, second)};
  return true;
}

Error check_signature(const Parts& parts, const Header& header, Materials keys) noexcept {
  uint8_t signature[codec::base64_decoded_bound(kMostSignature / 3 * 4 + 3)];
  std::optional<size_t> size;
  size_t tries = 0;
  bool known = false;
  for (const Material* key : keys) {
    if (header.key_id.said() && !key->id.empty() && (header.key_id.too_long() || key->id != header.key_id.text())) continue;
    known = true;
    if (header.algorithm.too_long() || header.algorithm.text() != name_of(key->algorithm)) continue;
    if (tries++ == 0) {
      if (parts.signature.size() > kMostSignature / 3 * 4 + 3) return Error::bad_signature;
      size = codec::decode_base64url(parts.signature, signature);
      if (!size) return Error::malformed;
    }
    if (key->check(*key, base::as_bytes(parts.message), {signature, *size})) return Error::none;
    if (tries == Keys::kMostTries) break;
  }
  if (tries > 0) return Error::bad_signature;
  return known ? Error::wrong_algorithm : Error::unknown_key;
}

std::string_view without_application(std::string_view type) noexcept {
  constexpr std::string_view kPrefix = "application/";
  const bool has = type.size() > kPrefix.size() && base::equals_lower(type.substr(0, kPrefix.size()), kPrefix);
  return has ? type.substr(kPrefix.size()) : type;
}

// RFC 7515 §4.1.9: as media types, without regard to case; "application/" may be left out.
bool has_type(const Header& header, std::string_view wanted) noexcept {
  const std::string_view type = without_application(header.type.text());
  wanted = without_application(wanted);
  const auto same = [](char a, char b) { return base::ascii_lower(a) == base::ascii_lower(b); };
  return header.type.said() && !header.type.too_long() && std::equal(type.begin(), type.end(), wanted.begin(), wanted.end(), same);
}

// The claims that RFC 7519 §4.1 registers, null where they are not said. All have three letters: one pass finds them.
struct Registered {
  const Json *aud = nullptr, *exp = nullptr, *iat = nullptr, *iss = nullptr, *jti = nullptr, *nbf = nullptr, *sub = nullptr;
};

constexpr uint32_t letters(const char* name) noexcept {
  return static_cast<uint32_t>(static_cast<uint8_t>(name[0])) << 16 | static_cast<uint32_t>(static_cast<uint8_t>(name[1])) << 8 |
         static_cast<uint8_t>(name[2]);
}

Registered find_registered(const Json& claims) noexcept {
  Registered to;
  for (const auto [name, value] : claims.members()) {
    if (name.size() != 3) continue;
    switch (letters(name.data())) {
      case letters("aud"): to.aud = &value; break;
      case letters("exp"): to.exp = &value; break;
      case letters("iat"): to.iat = &value; break;
      case letters("iss"): to.iss = &value; break;
      case letters("jti"): to.jti = &value; break;
      case letters("nbf"): to.nbf = &value; break;
      case letters("sub"): to.sub = &value; break;
      default: break;
    }
  }
  return to;
}

bool is_number_or_absent(const Json* value) noexcept { return !value || value->is_number(); }
bool is_text_or_absent(const Json* value) noexcept { return !value || value->is_string(); }

// Times are NumericDates (RFC 7519 §2).
Error check_times(const Registered& said, const VerifyOptions& options, double now) noexcept {
  if (!is_number_or_absent(said.exp) || !is_number_or_absent(said.nbf) || !is_number_or_absent(said.iat)) return Error::malformed;
  const double leeway = options.leeway.count() > 0 ? static_cast<double>(options.leeway.count()) : 0;
  if (said.exp && now >= said.exp->number_or(0) + leeway) return Error::expired;
  if (said.nbf && now + leeway < said.nbf->number_or(0)) return Error::not_yet_valid;
  if (!options.max_age) return Error::none;
  if (!said.iat) return Error::missing_claim;
  const double made = said.iat->number_or(0);
  if (now + leeway < made) return Error::not_yet_valid;
  return now - made > static_cast<double>(options.max_age->count()) + leeway ? Error::too_old : Error::none;
}

Error check_text(const Json* said, std::string_view wanted, Error wrong) noexcept {
  if (!is_text_or_absent(said)) return Error::malformed;
  if (wanted.empty()) return Error::none;
  return said && said->text_or("") == wanted ? Error::none : wrong;
}

bool is_one_of(const Json& said, const std::vector<std::string>& ours) noexcept {
  return std::any_of(ours.begin(), ours.end(), [&](const std::string& one) { return said.text_or("") == one; });
}

// RFC 7519 §4.1.3: a text, or an array of texts.
Error check_audience(const Json* said, const VerifyOptions& options) noexcept {
  if (!said) return options.audience.empty() ? Error::none : Error::wrong_audience;
  bool found = false;
  if (said->is_array()) {
    for (const Json& one : said->items()) {
      if (!one.is_string()) return Error::malformed;
      found = found || is_one_of(one, options.audience);
    }
  } else {
    if (!said->is_string()) return Error::malformed;
    found = is_one_of(*said, options.audience);
  }
  return found || (options.audience.empty() && options.any_audience) ? Error::none : Error::wrong_audience;
}

Error check_claims(const Json& claims, const VerifyOptions& options, double now) noexcept {
  const Registered said = find_registered(claims);
  const Error errors[] = {
      check_times(said, options, now),
      check_text(said.iss, options.issuer, Error::wrong_issuer),
      check_audience(said.aud, options),
      check_text(said.sub, options.subject, Error::wrong_subject),
      check_text(said.jti, options.id, Error::wrong_id),
  };
  for (const Error error : errors) {
    if (error == Error::malformed) return error;
  }
  for (const Error error : errors) {
    if (error != Error::none) return error;
  }
  for (const std::string& name : options.required) {
    if (!claims.contains(name)) return Error::missing_claim;
  }
  return Error::none;
}

Verified parse_claims(std::string_view text, uint8_t* room) noexcept {
  const std::optional<size_t> size = codec::decode_base64url(text, room);
  if (!size) return Error::malformed;
  JsonResult<Json> parsed = Json::parse(base::as_text({room, *size}), {.duplicates = Duplicates::refuse});
  if (!parsed) return std::string_view(parsed.error().what) == "memory is out" ? Error::no_memory : Error::malformed;
  if (!parsed->is_object()) return Error::malformed;
  return std::move(*parsed);
}

Verified read_claims(std::string_view text) noexcept {
  uint8_t room[kOnStack];
  const size_t bound = codec::base64_decoded_bound(text.size());
  if (bound <= sizeof room) return parse_claims(text, room);
  void* const memory = base::allocate(bound);
  if (!memory) return Error::no_memory;
  Verified claims = parse_claims(text, static_cast<uint8_t*>(memory));
  base::deallocate(memory);
  return claims;
}

Error check_head(const Parts& parts, Materials keys, const VerifyOptions& options) noexcept {
  Header header;
  if (const Error error = parts.header == kUsualHeader ? usual(header) : read_header(parts.header, header); error != Error::none) {
    return error;
  }
  if (header.critical) return Error::critical;
  if (const Error error = check_signature(parts, header, keys); error != Error::none) return error;
  return options.type.empty() || has_type(header, options.type) ? Error::none : Error::wrong_type;
}

}  // namespace

Verified check_token(std::string_view token, Materials keys, const VerifyOptions& options,
                     std::chrono::system_clock::time_point now) noexcept {
  if (token.size() > std::min(options.max_bytes, kMostBytes)) return Error::too_large;
  Parts parts;
  if (!split(token, parts)) return Error::malformed;
  if (const Error error = check_head(parts, keys, options); error != Error::none) return error;
  Verified claims = read_claims(parts.claims);
  if (!claims) return claims;
  const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
  if (const Error error = check_claims(*claims, options, seconds); error != Error::none) return error;
  return claims;
}

}  // namespace martlet::jwt
