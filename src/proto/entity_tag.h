// Entity tags (RFC 9110 §8.8.3): read, compared, and made from bytes.
//
//   ETag: "xyzzy"        If-None-Match: W/"xyzzy", "r2d2"
//
// No allocation, linear time; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace martlet::proto {

struct EntityTag {
  std::string_view opaque;  // between the quotes; there are no escapes in it
  bool weak = false;
};

// The whole text must be one tag. Views into it.
std::optional<EntityTag> parse_entity_tag(std::string_view text) noexcept;

// RFC 9110 §8.8.3.2. Strong: both are strong, and the same. Weak: the same but for W/.
enum class Comparison : uint8_t { weak, strong };
bool same_tag(const EntityTag& a, const EntityTag& b, Comparison how) noexcept;

enum class TagStep : uint8_t { tag, end, malformed };

// Walks the list of an If-Match or If-None-Match that is not "*". Empty elements are passed over; a list without tags is
// malformed. After end and malformed the answer stays.
class EntityTagList {
 public:
  explicit EntityTagList(std::string_view list) noexcept : rest_(list) {}
  TagStep next(EntityTag& tag) noexcept;

 private:
  bool skip_separators() noexcept;

  std::string_view rest_;
  bool any_ = false;
  bool malformed_ = false;
};

// Writes an entity tag of these bytes to out, which has room for kEntityTagBytes; answers how many characters:
// "<size>-<hash>", in hexadecimal, with W/ before a weak one. It is the same in every process and on every machine.
//
// The hash has 64 bits and no key: two bodies of one size have the same by accident once in 2^64 (among a million versions of
// a page the chance that any two do is 3 in 10^8), and never when they differ in one aligned word of eight bytes only. Who
// chooses the bodies can make two with one tag.
inline constexpr size_t kEntityTagBytes = 2 + 2 + 16 + 1 + 16;
size_t encode_entity_tag(base::ByteSpan bytes, Comparison strength, char* out) noexcept;

}  // namespace martlet::proto
