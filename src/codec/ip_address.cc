// See ip_address.h. IPv6 is read from the front: groups go to where they belong as long as there was no "::", and what stood
// behind one is moved to the end when all is read.
#include "codec/ip_address.h"

#include <algorithm>

#include "base/text.h"

namespace martlet::codec {

namespace {

constexpr size_t kGroups = 8;
constexpr size_t kLongestText = 45;  // "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"
constexpr uint8_t kMappedBits = 96;  // that an IPv4 address has before its own

// One decimal number without leading zeros and at most `most`, from the front of `text`. False when there is none.
bool take_number(std::string_view& text, unsigned most, unsigned& number) noexcept {
  size_t digits = 0;
  number = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    number = number * 10 + static_cast<unsigned>(text[digits++] - '0');
    if (number > most || (digits == 2 && text[0] == '0')) return false;
  }
  text.remove_prefix(digits);
  return digits > 0;
}

bool parse_four(std::string_view text, uint8_t* out) noexcept {
  for (size_t i = 0; i < 4; i++) {
    if (i > 0) {
      if (text.empty() || text.front() != '.') return false;
      text.remove_prefix(1);
    }
    unsigned number;
    if (!take_number(text, 255, number)) return false;
    out[i] = static_cast<uint8_t>(number);
  }
  return text.empty();
}

// One to four hexadecimal digits from the front of `text`.
bool take_group(std::string_view& text, uint8_t* out) noexcept {
  size_t digits = 0;
  unsigned group = 0;
  for (; digits < std::min<size_t>(text.size(), 4); digits++) {
    const int value = base::hex_digit_value(text[digits]);
    if (value < 0) break;
    group = group << 4 | static_cast<unsigned>(value);
  }
  text.remove_prefix(digits);
  out[0] = static_cast<uint8_t>(group >> 8);
  out[1] = static_cast<uint8_t>(group);
  return digits > 0;
}

bool starts_with_four(std::string_view text) noexcept {
  return text.find('.') < text.find(':');  // one of them, or neither, is npos
}

// The groups of `text`, the "::" among them; `gap` is before which group, kGroups when there is none.
bool take_groups(std::string_view text, uint8_t* out, size_t& count, size_t& gap) noexcept {
  for (count = 0, gap = kGroups; count < kGroups;) {
    if (text.starts_with("::")) {
      if (gap != kGroups) return false;
      gap = count;
      text.remove_prefix(2);
      if (text.empty()) return true;
    } else if (count > 0) {
      if (!text.starts_with(':')) return false;
      text.remove_prefix(1);
    }
    if (starts_with_four(text)) {
      if (count > kGroups - 2 || !parse_four(text, out + 2 * count)) return false;
      count += 2;
      return true;
    }
    if (!take_group(text, out + 2 * count)) return false;
    count++;
    if (text.empty()) return true;
  }
  return false;
}

size_t put_number(unsigned number, char* out) noexcept {
  size_t size = 0;
  if (number >= 100) out[size++] = static_cast<char>('0' + number / 100);
  if (number >= 10) out[size++] = static_cast<char>('0' + number / 10 % 10);
  out[size++] = static_cast<char>('0' + number % 10);
  return size;
}

size_t format_four(const uint8_t* bytes, char* out) noexcept {
  size_t size = 0;
  for (size_t i = 0; i < 4; i++) {
    if (i > 0) out[size++] = '.';
    size += put_number(bytes[i], out + size);
  }
  return size;
}

unsigned group_of(const IpAddress& address, size_t i) noexcept {
  return static_cast<unsigned>(address.bytes[2 * i] << 8 | address.bytes[2 * i + 1]);
}

size_t put_group(unsigned group, char* out) noexcept {
  size_t size = 0;
  for (int shift = 12; shift >= 0; shift -= 4) {
    const unsigned digit = group >> shift & 15;
    if (digit != 0 || size > 0 || shift == 0) out[size++] = "0123456789abcdef"[digit];
  }
  return size;
}

// The zeros that "::" stands for: the first of the longest runs of at least two groups (RFC 5952 §4.2).
struct Run {
  size_t at = kGroups, size = 1;
};

Run longest_zeros(const IpAddress& address) noexcept {
  Run longest;
  Run run{0, 0};
  for (size_t i = 0; i < kGroups; i++) {
    run = group_of(address, i) == 0 ? Run{run.at, run.size + 1} : Run{i + 1, 0};
    if (run.size > longest.size) longest = run;
  }
  return longest;
}

constexpr uint8_t kLoopback4[] = {127, 0, 0, 0};
constexpr uint8_t kLoopback6[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr uint8_t kLink4[] = {169, 254, 0, 0};
constexpr uint8_t kLink6[16] = {0xFE, 0x80};
constexpr uint8_t kUnique10[] = {10, 0, 0, 0};
constexpr uint8_t kUnique172[] = {172, 16, 0, 0};
constexpr uint8_t kUnique192[] = {192, 168, 0, 0};
constexpr uint8_t kUnique6[16] = {0xFC};

constexpr IpRange range4(const uint8_t* four, uint8_t bits) noexcept {
  return {IpAddress::v4(four), static_cast<uint8_t>(kMappedBits + bits)};
}

constexpr IpRange kLoopback[] = {range4(kLoopback4, 8), {IpAddress::v6(kLoopback6), 128}};
constexpr IpRange kLinkLocal[] = {range4(kLink4, 16), {IpAddress::v6(kLink6), 10}};
constexpr IpRange kUniqueLocal[] = {range4(kUnique10, 8), range4(kUnique172, 12), range4(kUnique192, 16),
                                    {IpAddress::v6(kUnique6), 7}};

}  // namespace

std::optional<IpAddress> parse_ipv4(std::string_view text) noexcept {
  uint8_t four[4];
  if (!parse_four(text, four)) return std::nullopt;
  return IpAddress::v4(four);
}

std::optional<IpAddress> parse_ipv6(std::string_view text) noexcept {
  IpAddress address;
  size_t count;
  size_t gap;
  if (text.size() > kLongestText || !take_groups(text, address.bytes.data(), count, gap)) return std::nullopt;
  // "::" is at least one group (RFC 4291 §2.2).
  if (gap == kGroups ? count != kGroups : count == kGroups) return std::nullopt;
  const auto begin = address.bytes.begin();
  std::fill(begin + static_cast<ptrdiff_t>(2 * count), address.bytes.end(), uint8_t{0});
  if (gap < count) {
    std::rotate(begin + static_cast<ptrdiff_t>(2 * gap), begin + static_cast<ptrdiff_t>(2 * count), address.bytes.end());
  }
  return address;
}

std::optional<IpAddress> parse_ip_address(std::string_view text) noexcept {
  return text.find(':') == text.npos ? parse_ipv4(text) : parse_ipv6(text);
}

size_t format_ip_address(const IpAddress& address, char* out) noexcept {
  if (address.is_v4()) return format_four(address.bytes.data() + 12, out);
  const Run zeros = longest_zeros(address);
  size_t size = 0;
  for (size_t i = 0; i < kGroups; i++) {
    if (i == zeros.at) {
      out[size++] = ':';
      out[size++] = ':';
      i += zeros.size - 1;
      continue;
    }
    if (i > 0 && i != zeros.at + zeros.size) out[size++] = ':';
    size += put_group(group_of(address, i), out + size);
  }
  return size;
}

std::optional<IpRange> IpRange::parse(std::string_view text) noexcept {
  const size_t slash = std::min(text.find('/'), text.size());
  const std::optional<IpAddress> address = parse_ip_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == text.size()) return IpRange(*address, 128);
  const bool dotted = text.substr(0, slash).find(':') == text.npos;
  const unsigned before = dotted ? kMappedBits : 0;
  std::string_view length = text.substr(slash + 1);
  unsigned bits;
  if (!take_number(length, 128 - before, bits) || !length.empty()) return std::nullopt;
  if (!dotted && address->is_v4() && bits < kMappedBits) return std::nullopt;
  return IpRange(*address, static_cast<uint8_t>(before + bits));
}

bool IpRange::contains(const IpAddress& address) const noexcept {
  if (first_.is_v4() != address.is_v4()) return false;
  const size_t whole = bits_ / 8;
  if (std::memcmp(first_.bytes.data(), address.bytes.data(), whole) != 0) return false;
  const unsigned left = bits_ % 8;
  return left == 0 || (first_.bytes[whole] ^ address.bytes[whole]) >> (8 - left) == 0;
}

std::span<const IpRange> named_ip_ranges(std::string_view name) noexcept {
  if (name == "loopback") return kLoopback;
  if (name == "linklocal") return kLinkLocal;
  if (name == "uniquelocal") return kUniqueLocal;
  return {};
}

bool IpRanges::add_one(std::string_view entry) {
  if (entry == "unix") return unix_ = true;
  const std::span<const IpRange> named = named_ip_ranges(entry);
  ranges_.insert(ranges_.end(), named.begin(), named.end());
  if (!named.empty()) return true;
  const std::optional<IpRange> range = IpRange::parse(entry);
  if (range) ranges_.push_back(*range);
  return range.has_value();
}

bool IpRanges::add(std::string_view list) {
  const size_t ranges_before = ranges_.size();
  const bool unix_before = unix_;
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    if (!add_one(base::trimmed(list.substr(at, comma - at)))) {
      ranges_.erase(ranges_.begin() + static_cast<ptrdiff_t>(ranges_before), ranges_.end());
      unix_ = unix_before;
      return false;
    }
    at = comma + 1;
  }
  return true;
}

bool IpRanges::contains(const IpAddress& address) const noexcept {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const IpRange& range) { return range.contains(address); });
}

}  // namespace martlet::codec
