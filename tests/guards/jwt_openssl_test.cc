// Tokens signed by another hand: OpenSSL makes keys and signatures, random ones each time, where its program is installed. Its
// public keys are read as it writes them.
#include <martlet/jwt.h>

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "guards/tokens.h"

using namespace martlet;
using namespace martlet::test;
using Why = jwt::Error;

namespace {

namespace fs = std::filesystem;

// A folder of its own, and OpenSSL run in it.
class OpenSsl {
 public:
  OpenSsl() {
    std::string name = (fs::temp_directory_path() / "martlet-openssl-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  OpenSsl(const OpenSsl&) = delete;
  OpenSsl& operator=(const OpenSsl&) = delete;
  ~OpenSsl() { fs::remove_all(folder_); }

  bool run(const std::string& arguments) const {
    return std::system(("cd " + folder_ + " && openssl " + arguments + " >/dev/null 2>&1").c_str()) == 0;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& name, const std::string& bytes) const { std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes; }
  std::string sign(const std::string& key, const std::string& message) const {
    write("message", message);
    REQUIRE(run("dgst -sha256 -sign " + key + " -out signature message"));
    return read("signature");
  }

 private:
  std::string folder_;
};

bool has_openssl(const OpenSsl& openssl) {
  if (openssl.run("version")) return true;
  MESSAGE("there is no openssl here: not compared with it");
  return false;
}

// r and s of a signature in DER, 32 bytes each.
std::string plain_signature(const std::string& der) {
  std::string out;
  size_t at = 2;
  for (int i = 0; i < 2; i++) {
    const size_t size = static_cast<unsigned char>(der[at + 1]);
    std::string number = der.substr(at + 2, size);
    while (number.size() > 32) number.erase(0, 1);
    out += std::string(32 - number.size(), 0) + number;
    at += 2 + size;
  }
  return out;
}

void check_token(const jwt::Key& key, const std::string& message, const std::string& signature) {
  const jwt::Verifier checks(key);
  CHECK(checks.verify(message + "." + url64(signature), at(kNow)).error() == Why::none);
  for (size_t i = 0; i < signature.size(); i += 19) {
    std::string changed = signature;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    REQUIRE(checks.verify(message + "." + url64(changed), at(kNow)).error() == Why::bad_signature);
  }
}

std::string message_of(const char* algorithm, int number) {
  return url64(R"({"alg":")" + std::string(algorithm) + "\"}") + "." + url64("{\"n\":" + std::to_string(number) + "}");
}

}  // namespace

TEST_CASE("jwt openssl: RS256 with keys of several sizes and exponents, in both forms of PEM") {
  const OpenSsl openssl;
  if (!has_openssl(openssl)) return;
  for (const char* options : {"rsa_keygen_bits:2048", "rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3", "rsa_keygen_bits:2051", "rsa_keygen_bits:3072"}) {
    CAPTURE(std::string(options));
    REQUIRE(openssl.run("genpkey -algorithm RSA -pkeyopt " + std::string(options) + " -out key"));
    REQUIRE(openssl.run("rsa -in key -pubout -out public"));
    REQUIRE(openssl.run("rsa -in key -RSAPublicKey_out -out pkcs1"));
    const auto key = jwt::Key::pem(openssl.read("public"));
    const auto other = jwt::Key::pem(openssl.read("pkcs1"));
    REQUIRE(key);
    REQUIRE(other);
    for (int i = 0; i < 4; i++) {
      const std::string message = message_of("RS256", i);
      check_token(i % 2 ? *key : *other, message, openssl.sign("key", message));
    }
  }
}

TEST_CASE("jwt openssl: ES256 with random keys") {
  const OpenSsl openssl;
  if (!has_openssl(openssl)) return;
  for (int i = 0; i < 10; i++) {
    REQUIRE(openssl.run("ecparam -name prime256v1 -genkey -noout -out key"));
    REQUIRE(openssl.run("ec -in key -pubout -out public"));
    const auto key = jwt::Key::pem(openssl.read("public"));
    REQUIRE(key);
    for (int n = 0; n < 3; n++) {
      const std::string message = message_of("ES256", n);
      check_token(*key, message, plain_signature(openssl.sign("key", message)));
    }
  }
}

TEST_CASE("jwt openssl: keys that are not for us are refused") {
  const OpenSsl openssl;
  if (!has_openssl(openssl)) return;
  for (const char* options : {"RSA -pkeyopt rsa_keygen_bits:1024", "RSA-PSS -pkeyopt rsa_keygen_bits:2048", "EC -pkeyopt ec_paramgen_curve:secp384r1",
                              "EC -pkeyopt ec_paramgen_curve:secp256k1", "EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", "ED25519"}) {
    CAPTURE(std::string(options));
    if (!openssl.run("genpkey -algorithm " + std::string(options) + " -out key") || !openssl.run("pkey -in key -pubout -out public")) continue;
    CHECK_FALSE(jwt::Key::pem(openssl.read("public")));
    CHECK_FALSE(jwt::Key::pem(openssl.read("key")));
  }
}
