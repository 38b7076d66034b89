// Members of own types: found by their names, nearly always at the first look, as texts have them in the order of the type.
#include <bit>
#include <cstring>

#include "json/names.h"
#include "json/reader.h"

namespace martlet::json {

namespace {

uint64_t load(const char* at) noexcept {
  uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

// `readable`: bytes that may be looked at from where the name begins.
inline bool same_name(const MemberReader& member, std::string_view name, size_t readable) noexcept {
  const size_t size = name.size();
  if (size != member.size) return false;
  if (readable < 8) [[unlikely]] return std::memcmp(name.data(), member.name, size) == 0;
  if (((load(name.data()) ^ member.word) & member.mask) != 0) return false;
  if (size <= 8) return true;
  if (load(name.data() + size - 8) != load(member.name + size - 8)) return false;
  if (size <= 16) return true;
  if (load(name.data() + 8) != load(member.name + 8)) return false;
  return size <= 24 || std::memcmp(name.data() + 16, member.name + 16, size - 24) == 0;
}

}  // namespace

// Its index, or kNone.
inline uint32_t Reader::find(const MemberTable& table, std::string_view name, bool plain, uint32_t guess) const noexcept {
  const size_t readable = plain ? text_.size() - static_cast<size_t>(name.data() - text_.data()) : name.size();
  if (guess < table.count && same_name(table.members[guess], name, readable)) [[likely]] return guess;
  return find_any(table, name, readable);
}

uint32_t Reader::find_any(const MemberTable& table, std::string_view name, size_t readable) noexcept {
  for (uint32_t i = 0; i < table.count; i++) {
    if (same_name(table.members[i], name, readable)) return i;
  }
  return kNone;
}

inline bool Reader::member(const MemberTable& table, void* object, uint32_t index, uint64_t& seen) noexcept {
  const uint64_t bit = uint64_t{1} << index;
  const bool again = seen & bit;
  if (again && options_.duplicates == Duplicates::first) return skip();
  seen |= bit;
  return table.members[index].read(*this, object, again);
}

bool Reader::unknown(size_t place) noexcept {
  return options_.refuse_unknown ? fail_value(place, "there is no such member") : skip();
}

// `place`: of the bracket that ends the object.
bool Reader::check_missing(const MemberTable& table, uint64_t seen, size_t place) noexcept {
  const uint64_t missing = table.required & ~seen;
  if (!options_.require_all || missing == 0) return true;
  const MemberReader& member = table.members[std::countr_zero(missing)];
  missing_ = {member.name, member.size};
  return fail_value(place, "is missing");
}

}  // namespace martlet::json

namespace martlet {

using json::Reader;

bool JsonReader::members(void* object, const json::MemberTable& table) noexcept {
  Reader& r = self();
  const size_t begin = r.take();
  if (r.scanner_.byte(begin) != '{') return r.wrong(begin, "an object is wanted");
  if (!r.enter(begin)) return false;
  uint64_t seen = 0;
  size_t place = r.scanner_.next();
  if (r.scanner_.byte(place) != '}') {
    for (uint32_t guess = 0;;) {
      std::string_view name;
      bool plain = false;
      if (!r.name(place, guess == 0, name, plain)) return false;
      const uint32_t index = r.find(table, name, plain, guess);
      if (!(index == Reader::kNone ? r.unknown(place) : r.member(table, object, index, seen))) return false;
      guess = (index == Reader::kNone ? guess : index) + 1;
      place = r.scanner_.next();
      const uint8_t c = r.scanner_.byte(place);
      if (c == '}') break;
      if (c != ',') return r.fail_wanted(place, "a comma or '}' is wanted here");
      place = r.scanner_.next();
    }
  }
  return r.check_missing(table, seen, place) && r.leave(begin);
}

}  // namespace martlet
