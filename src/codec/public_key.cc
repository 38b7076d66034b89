// See public_key.h.
#include "codec/public_key.h"

#include <cstring>

#include "codec/base64.h"

namespace martlet::codec {

namespace {

enum Tag : uint8_t { kInteger = 0x02, kBitString = 0x03, kNull = 0x05, kObjectIdentifier = 0x06, kSequence = 0x30 };

constexpr uint8_t kRsaEncryption[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};  // 1.2.840.113549.1.1.1
constexpr uint8_t kEcPublicKey[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};                // 1.2.840.10045.2.1
constexpr uint8_t kPrime256v1[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};           // 1.2.840.10045.3.1.7
constexpr size_t kCoordinate = 32;
constexpr uint8_t kUncompressed = 4;  // SEC 1 §2.3.3

bool same(base::ByteSpan a, base::ByteSpan b) noexcept { return base::as_text(a) == base::as_text(b); }

// Elements one after the other. After the first that is not as it should be, all are empty and ok() is false.
class Der {
 public:
  explicit Der(base::ByteSpan bytes) noexcept : rest_(bytes) {}

  // What the next element has in it, which must be of this kind.
  base::ByteSpan take(Tag tag) noexcept {
    size_t head = 2;
    const size_t size = rest_.size() < 2 || rest_[0] != tag ? fail() : length(head);
    if (!ok_ || size > rest_.size() - head) return fail(), base::ByteSpan();
    const base::ByteSpan content = rest_.subspan(head, size);
    rest_ = rest_.subspan(head + size);
    return content;
  }
  // A whole number that is not negative, without the zero before a bit of one.
  base::ByteSpan take_number() noexcept {
    base::ByteSpan number = take(kInteger);
    if (number.empty() || (number[0] & 0x80)) return fail(), base::ByteSpan();
    if (number.size() > 1 && number[0] == 0) {
      number = number.subspan(1);
      if (!(number[0] & 0x80)) return fail(), base::ByteSpan();
    }
    return number;
  }
  // Whether all was good, and nothing is left.
  bool ended() const noexcept { return ok_ && rest_.empty(); }

 private:
  size_t fail() noexcept {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  // Up to 65,535, in the fewest bytes (X.690 §10.1). `head` becomes the size of tag and length.
  size_t length(size_t& head) noexcept {
    if (rest_[1] < 0x80) return rest_[1];
    if (rest_[1] == 0x81 && rest_.size() > 2 && rest_[2] >= 0x80) return head = 3, rest_[2];
    if (rest_[1] == 0x82 && rest_.size() > 3 && rest_[2] > 0) return head = 4, base::load_be16(rest_.data() + 2);
    return fail();
  }

  base::ByteSpan rest_;
  bool ok_ = true;
};

std::optional<PublicKeyNumbers> parse_point(base::ByteSpan point) noexcept {
  if (point.size() != 1 + 2 * kCoordinate || point[0] != kUncompressed) return std::nullopt;
  return PublicKeyNumbers{PublicKeyNumbers::Kind::p256, point.subspan(1, kCoordinate), point.last(kCoordinate)};
}

bool is_space(char c) noexcept { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; }

// Where "-----BEGIN label-----" begins, and behind it.
struct Line {
  size_t begin, end;
};
std::optional<Line> find_line(std::string_view text, std::string_view verb, std::string_view label) noexcept {
  for (size_t at = text.find(verb); at != text.npos; at = text.find(verb, at + 1)) {
    const std::string_view behind = text.substr(at + verb.size());
    if (behind.starts_with(label) && behind.substr(label.size()).starts_with("-----")) {
      return Line{at, at + verb.size() + label.size() + 5};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<PublicKeyNumbers> parse_rsa_public_key(base::ByteSpan der) noexcept {
  Der outer(der);
  Der inner(outer.take(kSequence));
  const base::ByteSpan modulus = inner.take_number();
  const base::ByteSpan exponent = inner.take_number();
  if (!outer.ended() || !inner.ended()) return std::nullopt;
  return PublicKeyNumbers{PublicKeyNumbers::Kind::rsa, modulus, exponent};
}

std::optional<PublicKeyNumbers> parse_subject_public_key(base::ByteSpan der) noexcept {
  Der outer(der);
  Der inner(outer.take(kSequence));
  Der algorithm(inner.take(kSequence));
  const base::ByteSpan bits = inner.take(kBitString);
  if (!outer.ended() || !inner.ended() || bits.empty() || bits[0] != 0) return std::nullopt;  // no bits unused
  const base::ByteSpan kind = algorithm.take(kObjectIdentifier);
  if (same(kind, kRsaEncryption)) {
    algorithm.take(kNull);
    return algorithm.ended() ? parse_rsa_public_key(bits.subspan(1)) : std::nullopt;
  }
  const bool p256 = same(kind, kEcPublicKey) && same(algorithm.take(kObjectIdentifier), kPrime256v1);
  return p256 && algorithm.ended() ? parse_point(bits.subspan(1)) : std::nullopt;
}

std::optional<std::string_view> find_pem(std::string_view text, std::string_view label) noexcept {
  const std::optional<Line> begin = find_line(text, "-----BEGIN ", label);
  if (!begin) return std::nullopt;
  text.remove_prefix(begin->end);
  const std::optional<Line> end = find_line(text, "-----END ", label);
  return end ? std::optional(text.substr(0, end->begin)) : std::nullopt;
}

std::optional<size_t> decode_pem(std::string_view body, base::MutableByteSpan out) noexcept {
  char four[4];
  size_t have = 0, size = 0;
  bool padded = false;
  for (const char c : body) {
    if (is_space(c)) continue;
    if (padded) return std::nullopt;  // nothing behind the padding
    four[have++] = c;
    if (have < 4) continue;
    have = 0;
    padded = c == '=';
    uint8_t bytes[base64_decoded_bound(4)];
    const std::optional<size_t> count = decode_base64({four, 4}, bytes);
    if (!count || *count > out.size() - size) return std::nullopt;
    std::memcpy(out.data() + size, bytes, *count);
    size += *count;
  }
  return have == 0 ? std::optional(size) : std::nullopt;
}

}  // namespace martlet::codec
