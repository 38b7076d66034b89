// Tokens, with a judge beside the library that reads them plainly: parts by their dots, header and claims as trees, each rule of
// RFC 7519 in a line. Input is a token as a client sends it; or a header and claims, in two lines, which are then well signed,
// so that what comes behind the signature is reached; or keys, as text and as bytes; or signatures by public keys.
#include <martlet/jwt.h>

#include <optional>

#include "base/bytes.h"
#include "codec/base64.h"
#include "codec/hmac.h"
#include "codec/p256.h"
#include "codec/public_key.h"
#include "codec/rsa_verify.h"
#include "fuzz/fuzz.h"

using namespace martlet;

namespace {

using Why = jwt::Error;

constexpr int64_t kNow = 1'800'000'000;
const std::string kSecret = "a secret of thirty-two bytes, or";
const std::chrono::system_clock::time_point kThen{std::chrono::seconds(kNow)};

// The public keys of RFC 7515 A.2 and A.3.
constexpr std::string_view kPublic =
    R"({"keys":[{"kty":"RSA","kid":"r","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-)"
    R"(pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9k)"
    R"(G4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"},{"kty":"EC","crv":"P-256","kid":"e","x":)"
    R"("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";

std::string url64(std::string_view bytes) {
  std::string text(codec::base64_encoded_size(bytes.size()), 0);
  text.resize(codec::encode_base64url(base::as_bytes(bytes), text.data()));
  return text;
}

std::optional<std::string> from_url64(std::string_view text) {
  std::string bytes(codec::base64_decoded_bound(text.size()), 0);
  const auto size = codec::decode_base64url(text, reinterpret_cast<uint8_t*>(bytes.data()));
  if (!size) return std::nullopt;
  bytes.resize(*size);
  return bytes;
}

std::string mac_of(std::string_view message) {
  return std::string(base::as_text(codec::hmac_sha256(codec::hmac_key(base::as_bytes(kSecret)), base::as_bytes(message))));
}

const jwt::VerifyOptions& options_of(uint8_t choice) {
  static const jwt::VerifyOptions all[] = {
      {},
      {.audience = {"a", "b"}, .issuer = "i", .leeway = std::chrono::seconds(30)},
      {.any_audience = true, .max_age = std::chrono::seconds(60), .required = {"sub"}},
      {.id = "j", .subject = "s", .type = "application/at+jwt"},
  };
  return all[choice % 4];
}

jwt::Verified verify_exactly(std::string_view token, const jwt::Keys& keys, const jwt::VerifyOptions& options) {
  const fuzz::Exact copy(base::as_bytes(token));
  return jwt::Verifier(keys, options).verify(base::as_text(copy.span()), kThen);
}

// The judge --------------------------------------------------------------------------------------------------------------

bool is_text_or_absent(const Json& claims, const char* name) { return !claims.contains(name) || claims[name].is_string(); }
bool is_number_or_absent(const Json& claims, const char* name) { return !claims.contains(name) || claims[name].is_number(); }

bool good_types(const Json& claims) {
  for (const char* name : {"iss", "sub", "jti"}) {
    if (!is_text_or_absent(claims, name)) return false;
  }
  for (const char* name : {"exp", "nbf", "iat"}) {
    if (!is_number_or_absent(claims, name)) return false;
  }
  if (!claims.contains("aud") || claims["aud"].is_string()) return true;
  if (!claims["aud"].is_array()) return false;
  const auto items = claims["aud"].items();
  return std::all_of(items.begin(), items.end(), [](const Json& one) { return one.is_string(); });
}

bool good_audience(const Json& claims, const jwt::VerifyOptions& options) {
  if (!claims.contains("aud")) return options.audience.empty();
  if (options.audience.empty()) return options.any_audience;
  for (const std::string& ours : options.audience) {
    if (claims["aud"].text_or("") == ours) return true;
    for (const Json& one : claims["aud"].items()) {
      if (one.text_or("") == ours) return true;
    }
  }
  return false;
}

bool good_claims(const Json& claims, const jwt::VerifyOptions& options) {
  const double leeway = static_cast<double>(options.leeway.count());
  const double now = kNow;
  const auto is = [&](const char* name, const std::string& wanted) { return wanted.empty() || claims[name].text_or("") == wanted; };
  bool good = !claims.contains("exp") || now < claims["exp"].number_or(0) + leeway;
  good = good && (!claims.contains("nbf") || now + leeway >= claims["nbf"].number_or(0));
  if (options.max_age) {
    const double made = claims["iat"].number_or(0);
    good = good && claims.contains("iat") && now + leeway >= made && now - made <= static_cast<double>(options.max_age->count()) + leeway;
  }
  for (const std::string& name : options.required) good = good && claims.contains(name);
  return good && is("iss", options.issuer) && is("sub", options.subject) && is("jti", options.id) && good_audience(claims, options);
}

bool good_type(const Json& header, const jwt::VerifyOptions& options) {
  if (options.type.empty()) return true;
  const std::string type = fuzz::lower(header["typ"].text_or(""));
  return type == "at+jwt" || type == "application/at+jwt";
}

// What is wrong with a well signed token, roughly: malformed, or something else, or nothing.
enum class Verdict { good, malformed, refused };

Verdict judge(const std::string& header_text, const std::string& claims_text, const jwt::VerifyOptions& options) {
  const auto header = Json::parse(header_text, {.depth = 16, .duplicates = Duplicates::last});
  const bool texts = header && header->is_object() && header->contains("alg") && is_text_or_absent(*header, "alg") &&
                     is_text_or_absent(*header, "kid") && is_text_or_absent(*header, "typ");
  if (!texts) return Verdict::malformed;
  if (header->contains("crit") || (*header)["alg"].text_or("") != "HS256" || !good_type(*header, options)) return Verdict::refused;
  const auto claims = Json::parse(claims_text, {.duplicates = Duplicates::refuse});
  if (!claims || !claims->is_object() || !good_types(*claims)) return Verdict::malformed;
  return good_claims(*claims, options) ? Verdict::good : Verdict::refused;
}

bool has_names_twice(const std::string& text) {
  const auto once = Json::parse(text, {.depth = 16, .duplicates = Duplicates::refuse});
  const auto any = Json::parse(text, {.depth = 16});
  return any.ok() && !once.ok();
}

// The targets ------------------------------------------------------------------------------------------------------------

// What is believed was signed with the secret, in the one spelling that there is, and says HS256.
void check_token(std::string_view token, uint8_t choice) {
  static const jwt::Keys secret = *jwt::Key::secret(kSecret);
  static const jwt::Keys known = *jwt::Keys::jwks(kPublic);
  (void)verify_exactly(token, known, options_of(choice));
  const jwt::Verified claims = verify_exactly(token, secret, options_of(choice));
  if (!claims) {
    FUZZ_CHECK(claims.error() != Why::none && claims.error() != Why::no_memory && claims.error() != Why::bad_secret);
    return;
  }
  const size_t first = token.find('.'), second = token.rfind('.');
  FUZZ_CHECK(first < second && token.find('.', first + 1) == second);
  FUZZ_CHECK(from_url64(token.substr(second + 1)) == mac_of(token.substr(0, second)));
  FUZZ_CHECK((*Json::parse(*from_url64(token.substr(0, first))))["alg"].text_or("") == "HS256");
  FUZZ_CHECK(*Json::parse(*from_url64(token.substr(first + 1, second - first - 1))) == *claims);
}

void check_signed(std::string_view text, uint8_t choice) {
  static const jwt::Keys secret = *jwt::Key::secret(kSecret);
  const size_t line = std::min(text.find('\n'), text.size());
  const std::string header(text.substr(0, line)), claims_text(text.substr(std::min(line + 1, text.size())));
  const std::string message = url64(header) + "." + url64(claims_text);
  const jwt::Verified claims = verify_exactly(message + "." + url64(mac_of(message)), secret, options_of(choice));
  const Why why = claims.error();
  if (why == Why::too_large) {
    FUZZ_CHECK(header.size() > 32 * 5 || message.size() > 8000);
    return;
  }
  if (why == Why::malformed && has_names_twice(header)) return;
  const Verdict verdict = judge(header, claims_text, options_of(choice));
  FUZZ_CHECK((verdict == Verdict::good) == (why == Why::none));
  FUZZ_CHECK((verdict == Verdict::malformed) == (why == Why::malformed));
  FUZZ_CHECK(why != Why::bad_signature && why != Why::unknown_key);
  if (!claims) return;
  std::string changed = message;
  changed[choice % changed.size()] ^= 1;
  FUZZ_CHECK(!verify_exactly(changed + "." + url64(mac_of(message)), secret, options_of(choice)));
  // What was believed is believed again when it is signed here.
  const auto again = jwt::sign(*claims, kSecret);
  FUZZ_CHECK(again.ok());
  const jwt::Verified back = verify_exactly(*again, secret, {.any_audience = true, .leeway = std::chrono::seconds::max(), .max_bytes = 1 << 20});
  FUZZ_CHECK(back.ok() && back->size() == claims->size() + !claims->contains("iat"));
}

void check_keys(base::ByteSpan bytes) {
  const fuzz::Exact copy(bytes);
  const std::string_view text = base::as_text(copy.span());
  const auto is_public = [](const jwt::Key& key) { return key.algorithm() == jwt::Algorithm::rs256 || key.algorithm() == jwt::Algorithm::es256; };
  if (const auto key = jwt::Key::jwk(text)) FUZZ_CHECK(is_public(*key) && !jwt::Key::secret(text, {.short_secret = true}));
  if (const auto key = jwt::Key::pem(text)) FUZZ_CHECK(is_public(*key) && !jwt::Key::secret(text, {.short_secret = true}));
  if (const auto keys = jwt::Keys::jwks(text)) FUZZ_CHECK(keys->size() > 0 && keys->size() <= jwt::Keys::kMost);
  for (const auto& numbers : {codec::parse_subject_public_key(copy.span()), codec::parse_rsa_public_key(copy.span())}) {
    if (numbers) FUZZ_CHECK(numbers->first.size() + numbers->second.size() <= bytes.size());
  }
}

// The first byte says which number of the key is what; nobody signs by chance.
void check_signature(fuzz::Input input) {
  const uint8_t how = input.control();
  const fuzz::Exact first(input.take(how & 1 ? 32 : 256)), second(input.take(how & 1 ? 32 : 4)), signature(input.rest());
  const auto digest = codec::sha256(signature.span());
  if (how & 1) {
    codec::P256PublicKey key;
    if (key.set(first.span(), second.span())) FUZZ_CHECK(!key.verify(digest, signature.span()));
  } else {
    codec::RsaPublicKey key;
    if (key.set(first.span(), second.span())) (void)key.verify(digest, signature.span());  // of a modulus that is no product, who knows
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t what = input.control();
  const uint8_t choice = input.control();
  switch (what % 4) {
    case 0: check_token(base::as_text(input.rest()), choice); break;
    case 1: check_signed(base::as_text(input.rest()), choice); break;
    case 2: check_keys(input.rest()); break;
    case 3: check_signature(input); break;
  }
  return 0;
}
