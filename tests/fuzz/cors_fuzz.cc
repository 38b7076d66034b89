// Patterns of origins (cors(), WsOptions::origins) beside a plain reading of them, and what may be reflected as an origin. The input has two lines: a
// pattern and an origin.
#include "codec/origin_pattern.h"
#include "fuzz/fuzz.h"
#include "guards/field_text.h"

using namespace martlet;

namespace {

std::string lower(std::string_view text) {
  std::string low(text);
  for (char& c : low) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return low;
}

bool are_labels(std::string_view text) {
  if (text.empty() || text.starts_with('.') || text.ends_with('.') || text.find("..") != text.npos) return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == text.npos;
}

// Whether a good pattern means this origin, by its words.
bool is_meant(std::string pattern, std::string origin) {
  pattern = lower(pattern), origin = lower(origin);
  if (pattern == "*") return true;
  if (pattern.ends_with(":*")) {
    pattern.resize(pattern.size() - 2);
    const size_t digits = origin.find_last_not_of("0123456789");
    if (digits != origin.npos && origin[digits] == ':' && digits + 1 < origin.size()) origin.resize(digits);
  }
  const size_t star = pattern.find("://*.");
  if (star == pattern.npos) return pattern == origin;
  const std::string scheme = pattern.substr(0, star + 3), host = pattern.substr(star + 4);
  if (!origin.starts_with(scheme) || !origin.ends_with(host) || origin.size() <= scheme.size() + host.size()) return false;
  return are_labels(std::string_view(origin).substr(scheme.size(), origin.size() - scheme.size() - host.size()));
}

std::string_view cut_line(std::string_view& rest) {
  const size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = base::as_text({data, size});
  const fuzz::Exact pattern(base::as_bytes(cut_line(rest)));
  const fuzz::Exact origin(base::as_bytes(cut_line(rest)));
  const std::string_view p = base::as_text(pattern.span()), o = base::as_text(origin.span());
  if (guards::is_serialized_origin(o)) FUZZ_CHECK(o.find_first_of(std::string_view("\r\n\t ,\"\0", 7)) == o.npos);
  if (codec::wrong_origin(p)) return 0;
  FUZZ_CHECK(codec::is_origin(p, o) == is_meant(std::string(p), std::string(o)));
  return 0;
}
