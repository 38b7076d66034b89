// See rsa_verify.h. The message that a right signature encodes is made anew, and all of it compared: no padding is ever parsed,
// which is where the forgeries of others came from (Bleichenbacher 2006; CVE-2006-4339, CVE-2014-1568).
#include "codec/rsa_verify.h"

#include <bit>
#include <cstring>

namespace martlet::codec {

namespace {

// DigestInfo of SHA-256 as RFC 8017 §9.2 gives it in DER; the digest follows.
constexpr uint8_t kDigestInfo[] = {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

// EMSA-PKCS1-v1_5 (§9.2): 00 01 FF … FF 00 DigestInfo digest.
void encode_message(const Sha256Digest& digest, base::MutableByteSpan out) noexcept {
  const size_t tail = sizeof kDigestInfo + digest.size();
  std::memset(out.data(), 0xFF, out.size());
  out[0] = 0;
  out[1] = 1;
  out[out.size() - tail - 1] = 0;
  std::memcpy(out.data() + out.size() - tail, kDigestInfo, sizeof kDigestInfo);
  std::memcpy(out.data() + out.size() - digest.size(), digest.data(), digest.size());
}

base::ByteSpan without_zeros(base::ByteSpan number) noexcept {
  while (!number.empty() && number.front() == 0) number = number.subspan(1);
  return number;
}

}  // namespace

bool RsaPublicKey::set(base::ByteSpan modulus, base::ByteSpan exponent) noexcept {
  modulus = without_zeros(modulus);
  exponent = without_zeros(exponent);
  if (modulus.empty() || modulus.size() > kMostBits / 8 || exponent.empty() || exponent.size() > sizeof exponent_) return false;
  const size_t bits = modulus.size() * 8 - static_cast<size_t>(std::countl_zero(modulus.front()));
  if (bits < kLeastBits || !(modulus.back() & 1)) return false;
  exponent_ = 0;
  for (const uint8_t byte : exponent) exponent_ = exponent_ << 8 | byte;
  if (exponent_ < 3 || !(exponent_ & 1)) return false;
  bytes_ = static_cast<uint32_t>(modulus.size());
  limbs_ = static_cast<uint32_t>(limbs_of_bits(bits));
  limbs_from_bytes(modulus_, limbs_, modulus);
  inverse_ = montgomery_inverse(modulus_[0]);
  // The highest power of two that is below the modulus, doubled until it is R squared.
  std::memset(square_, 0, sizeof square_);
  square_[(bits - 1) / kLimbBits] = Limb{1} << (bits - 1) % kLimbBits;
  for (size_t i = bits - 1; i < 2 * limbs_ * kLimbBits; i++) limbs_double_modulo(square_, modulus_, limbs_);
  return true;
}

void RsaPublicKey::multiply(Limb* to, const Limb* a, const Limb* b) const noexcept {
  montgomery_multiply<kMostLimbs>(to, a, b, modulus_, limbs_, inverse_);
}

// to = to to the power of the exponent.
void RsaPublicKey::raise(Limb* to) const noexcept {
  Limb base[kMostLimbs];
  multiply(base, to, square_);
  std::memcpy(to, base, limbs_ * sizeof(Limb));
  for (int bit = 30 - std::countl_zero(exponent_); bit >= 0; bit--) {
    multiply(to, to, to);
    if (exponent_ >> bit & 1) multiply(to, to, base);
  }
  const Limb one[kMostLimbs] = {1};
  multiply(to, to, one);
}

bool RsaPublicKey::verify(const Sha256Digest& digest, base::ByteSpan signature) const noexcept {
  if (signature.size() != bytes_) return false;
  Limb number[kMostLimbs];
  limbs_from_bytes(number, limbs_, signature);
  if (!limbs_less(number, modulus_, limbs_)) return false;
  raise(number);
  uint8_t message[kMostBits / 8];
  uint8_t wanted[kMostBits / 8];
  limbs_to_bytes(number, limbs_, {message, bytes_});
  encode_message(digest, {wanted, bytes_});
  return std::memcmp(message, wanted, bytes_) == 0;
}

}  // namespace martlet::codec
