// What checking a token costs, beside OpenSSL's MAC over the same bytes where that is installed. Prints a Markdown table of
// nanoseconds, medians over the rounds, and exits with 1 when a check of a 200-byte HS256 token takes more than 1.5 µs, or more
// than 1.5 times OpenSSL's HMAC().
//
//   make bench-jwt, or: taskset -c 1 build/bench/jwt_bench [ROUNDS]
//
// The token is checked as a middleware does it: Verifier::verify, by the clock, the claims parsed and freed. OpenSSL's MAC takes
// the key and the 156 signed bytes, once by HMAC() and once by EVP_MAC with a context and a key kept ready; it decodes, parses
// and compares nothing. In a round each takes its turn. CPU time.
#include <martlet/jwt.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "codec/hmac.h"
#include "codec/key_texts.h"
#include "codec/p256.h"
#include "codec/p256_cases.h"
#include "codec/rsa_cases.h"
#include "codec/rsa_verify.h"
#include "simd/hash_kernels.h"

#if MARTLET_BENCH_OPENSSL
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#endif

using namespace martlet;
using namespace std::chrono_literals;
using martlet::test::from_hex;

namespace {

constexpr double kLeastSeconds = 0.02;  // of one runner in one round
constexpr double kMostNs = 1500;
constexpr double kMostTimesOpenSsl = 1.5;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "jwt_bench: %s\n", what);
  std::exit(1);
}

struct Runner {
  std::string name;
  std::function<void()> run;
  std::vector<double> ns = {};
};

void run_round(Runner& runner) {
  size_t passes = 0;
  double seconds = 0;
  const std::clock_t from = std::clock();
  for (size_t step = 1; seconds < kLeastSeconds; step *= 2) {
    for (size_t i = 0; i < step; i++, passes++) runner.run();
    seconds = static_cast<double>(std::clock() - from) / CLOCKS_PER_SEC;
  }
  runner.ns.push_back(seconds * 1e9 / static_cast<double>(passes));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

const std::string kSecret = "a secret of thirty-two bytes, or";

// 200 bytes: a header of 36 characters, 119 of claims, a signature of 43, and two dots.
std::string make_token() {
  const auto token = jwt::sign({{"sub", "user-1234567"}, {"role", "editor"}, {"name", "Ann Bee"}}, kSecret, 24h * 365);
  must(token.ok(), "a token is not signed");
  return *token;
}

#if MARTLET_BENCH_OPENSSL
void add_openssl(std::vector<Runner>& runners, std::string_view message) {
  runners.push_back({"OpenSSL HMAC()", [=] {
                       unsigned char mac[32];
                       unsigned size = 0;
                       HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()), reinterpret_cast<const unsigned char*>(message.data()), message.size(), mac, &size);
                     }});
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  static EVP_MAC_CTX* const context = EVP_MAC_CTX_new(mac);
  static char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end()};
  must(EVP_MAC_init(context, reinterpret_cast<const unsigned char*>(kSecret.data()), kSecret.size(), parameters) == 1, "OpenSSL has no HMAC");
  runners.push_back({"OpenSSL EVP_MAC, context and key kept", [=] {
                       unsigned char out[32];
                       size_t size = 0;
                       EVP_MAC_init(context, nullptr, 0, nullptr);
                       EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(message.data()), message.size());
                       EVP_MAC_final(context, out, &size, sizeof out);
                     }});
}
#else
void add_openssl(std::vector<Runner>&, std::string_view) {}
#endif

void add_public_keys(std::vector<Runner>& runners) {
  static codec::RsaPublicKey rsa[2];
  for (const int i : {0, 3}) {
    codec::RsaPublicKey& key = rsa[i / 3];
    const std::string modulus = from_hex(test::kRsaKeys[i].modulus), signature = from_hex(test::kRsaCases[i].signature);
    must(key.set(base::as_bytes(modulus), base::as_bytes(std::string_view("\x01\x00\x01", 3))), "no RSA key");
    const auto digest = codec::sha256(base::as_bytes("martlet"));
    must(key.verify(digest, base::as_bytes(signature)), "no RSA signature");
    runners.push_back({i ? "RS256, 4,096 bits: the signature" : "RS256, 2,048 bits: the signature", [&key, digest, signature] { (void)key.verify(digest, base::as_bytes(signature)); }});
  }
  static codec::P256PublicKey curve;
  const test::P256Case& one = test::kP256Cases[0];
  const std::string x = from_hex(one.x), y = from_hex(one.y), signature = from_hex(one.signature), text = from_hex(one.digest);
  codec::Sha256Digest digest;
  std::copy(text.begin(), text.end(), digest.begin());
  must(curve.set(base::as_bytes(x), base::as_bytes(y)) && curve.verify(digest, base::as_bytes(signature)), "no signature on P-256");
  runners.push_back({"ES256: the signature", [digest, signature] { (void)curve.verify(digest, base::as_bytes(signature)); }});
}

int judge(const std::vector<Runner>& runners) {
  const double ours = median(runners[0].ns);
  int status = ours > kMostNs;
  for (const Runner& runner : runners) {
    if (!runner.name.starts_with("OpenSSL")) continue;
    std::vector<double> times;
    for (size_t i = 0; i < runner.ns.size(); i++) times.push_back(runners[0].ns[i] / runner.ns[i]);
    std::printf("\nverify is %.2f times %s\n", median(times), runner.name.c_str());
    if (runner.name == "OpenSSL HMAC()" && median(times) > kMostTimesOpenSsl) status = 1;
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
  const std::string token = make_token();
  const std::string_view message = std::string_view(token).substr(0, token.rfind('.'));
  const jwt::Verifier verifier(*jwt::Key::secret(kSecret));
  const jwt::Verifier strict(*jwt::Key::secret(kSecret), {.required = {"exp", "sub"}, .type = "JWT"});
  const codec::HmacKey key = codec::hmac_key(base::as_bytes(kSecret));
  must(verifier.verify(token).ok() && strict.verify(token).ok(), "a token is refused");
  must(token.size() == 200, "the token has not 200 bytes");
  std::vector<Runner> runners = {
      {"Verifier::verify, HS256, 200 bytes", [&] { (void)verifier.verify(token); }},
      {"the same, with typ and two claims required", [&] { (void)strict.verify(token); }},
      {"jwt::verify with the secret", [&] { (void)jwt::verify(token, kSecret); }},
      {"jwt::sign", [&] { (void)jwt::sign({{"sub", "user-1234567"}}, kSecret, 1h); }},
      {"martlet's HMAC-SHA-256, key kept", [&] { (void)codec::hmac_sha256(key, base::as_bytes(message)); }},
  };
  add_openssl(runners, message);
  add_public_keys(runners);
  for (int i = 0; i < rounds; i++) {
    for (Runner& runner : runners) run_round(runner);
  }
  std::printf("SHA-256 by %s; %zu bytes are signed\n\n| what | ns |\n|---|---|\n", simd::hash_kernels->name, message.size());
  for (const Runner& runner : runners) std::printf("| %s | %.0f |\n", runner.name.c_str(), median(runner.ns));
  return judge(runners);
}
