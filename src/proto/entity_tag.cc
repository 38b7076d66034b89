// See entity_tag.h. The hash has four lanes that do not wait for each other. Each takes words by a permutation of 64 bits, so
// that no lane forgets what it has taken, and they are folded by permutations, too. Words are read the same way on every
// machine.
#include "proto/entity_tag.h"

#include <cstring>

#include "base/hash.h"

namespace martlet::proto {

namespace {

// etagc (RFC 9110 §8.8.3): visible characters without '"', and obs-text.
bool is_tag_char(char c) noexcept {
  const auto byte = static_cast<uint8_t>(c);
  return byte > 0x20 && byte != '"' && byte != 0x7F;
}

// Takes a tag from the front of the text; false when there is none.
bool take_tag(std::string_view& text, EntityTag& tag) noexcept {
  std::string_view rest = text;
  tag.weak = rest.starts_with("W/");
  if (tag.weak) rest.remove_prefix(2);
  if (!rest.starts_with('"')) return false;
  size_t end = 1;
  while (end < rest.size() && is_tag_char(rest[end])) end++;
  if (end == rest.size() || rest[end] != '"') return false;
  tag.opaque = rest.substr(1, end - 1);
  text = rest.substr(end + 1);
  return true;
}

constexpr size_t kLanes = 4;
constexpr size_t kBlock = kLanes * sizeof(uint64_t);
constexpr uint64_t kStep = 0x9e3779b97f4a7c15;  // odd, about half of its bits set

void take_block(uint64_t* lanes, const uint8_t* block) noexcept {
  for (size_t i = 0; i < kLanes; i++) lanes[i] = base::mix64(lanes[i] ^ base::load_le64(block + 8 * i)) + kStep;
}

uint64_t content_hash(base::ByteSpan bytes) noexcept {
  uint64_t lanes[kLanes] = {kStep, 2 * kStep, 3 * kStep, 4 * kStep};
  for (; bytes.size() >= kBlock; bytes = bytes.subspan(kBlock)) take_block(lanes, bytes.data());
  if (!bytes.empty()) {
    uint8_t last[kBlock] = {};  // what is filled up with zeros has another size than what ends with them
    std::memcpy(last, bytes.data(), bytes.size());
    take_block(lanes, last);
  }
  uint64_t hash = 0;
  for (const uint64_t lane : lanes) hash = base::mix64(hash ^ lane) + kStep;
  return hash;
}

char* put_hex(char* out, uint64_t value, int digits) noexcept {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) *out++ = "0123456789abcdef"[value >> shift & 15];
  return out;
}

}  // namespace

std::optional<EntityTag> parse_entity_tag(std::string_view text) noexcept {
  EntityTag tag;
  if (!take_tag(text, tag) || !text.empty()) return std::nullopt;
  return tag;
}

bool same_tag(const EntityTag& a, const EntityTag& b, Comparison how) noexcept {
  return a.opaque == b.opaque && (how == Comparison::weak || (!a.weak && !b.weak));
}

// Blanks and commas before the next tag; whether there was a comma.
bool EntityTagList::skip_separators() noexcept {
  bool comma = false;
  while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == ',')) {
    comma |= rest_[0] == ',';
    rest_.remove_prefix(1);
  }
  return comma;
}

TagStep EntityTagList::next(EntityTag& tag) noexcept {
  if (malformed_) return TagStep::malformed;
  const bool separate = skip_separators() || !any_;
  if (rest_.empty() && any_) return TagStep::end;
  malformed_ = !separate || !take_tag(rest_, tag);
  any_ = true;
  return malformed_ ? TagStep::malformed : TagStep::tag;
}

size_t encode_entity_tag(base::ByteSpan bytes, Comparison strength, char* out) noexcept {
  char* at = out;
  if (strength == Comparison::weak) {
    *at++ = 'W';
    *at++ = '/';
  }
  *at++ = '"';
  int digits = 1;
  while (digits < 16 && uint64_t{bytes.size()} >> (4 * digits)) digits++;
  at = put_hex(at, bytes.size(), digits);
  *at++ = '-';
  at = put_hex(at, content_hash(bytes), 16);
  *at++ = '"';
  return static_cast<size_t>(at - out);
}

}  // namespace martlet::proto
