// The parser of trees by every set of kernels, beside a plain one written here from RFC 8259: all accept the same texts, and refuse the
// others at the same place. What is accepted is written, read and written again; then it is edited as the input says, and once more.
#include <martlet/json.h>

#include "fuzz/fuzz.h"
#include "simd/json_kernels.h"
#include "simd/kernels.h"

using namespace martlet;

namespace {

constexpr uint32_t kDepth = 20;

// Recursive descent, a byte at a time. `bad` is the first byte that cannot be; where a whole token is refused, its beginning.
class Plain {
 public:
  explicit Plain(std::string_view text) : text_(text), end_(utf8_end(text)) {}

  bool accepts() {
    space();
    if (!value(0)) return false;
    space();
    return at_ == text_.size() || fail(at_);
  }
  size_t bad = 0;

 private:
  // Where the text stops being UTF-8 (RFC 3629 §4), or ends.
  static size_t utf8_end(std::string_view text) {
    const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
    for (size_t i = 0; i < text.size();) {
      const int c = byte(i);
      const size_t more = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : 9;
      if (more == 9) return i;
      for (size_t k = 1; k <= more; k++) {
        const int low = k > 1 ? 0x80 : c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80, high = k > 1 ? 0xBF : c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        if (byte(i + k) < low || byte(i + k) > high) return i + k;
      }
      i += more + 1;
    }
    return text.size();
  }

  int peek(size_t ahead = 0) const { return at_ + ahead < end_ ? static_cast<uint8_t>(text_[at_ + ahead]) : -1; }
  bool fail(size_t place) { return bad = place, false; }
  void space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') at_++;
  }
  static bool is_digit(int c) { return c >= '0' && c <= '9'; }
  static int hex(int c) { return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }
  bool ends_here() const {
    const int c = peek();
    return c < 0 || std::string_view(" \t\n\r,:[]{}").find(static_cast<char>(c)) != std::string_view::npos;
  }

  bool value(uint32_t depth) {
    switch (peek()) {
      case '{': return depth < kDepth ? object(depth + 1) : fail(at_);
      case '[': return depth < kDepth ? array(depth + 1) : fail(at_);
      case '"': return string();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return peek() == '-' || is_digit(peek()) ? number() : fail(at_);
    }
  }
  bool word(std::string_view word) {
    const size_t begin = at_;
    for (const char c : word) {
      if (at_ == text_.size()) return fail(at_);
      if (peek() != c) return fail(begin);
      at_++;
    }
    return ends_here() || fail(begin);
  }
  bool number() {
    const size_t begin = at_;
    if (peek() == '-') at_++;
    if (!is_digit(peek())) return fail(at_);
    const bool zero = peek() == '0';
    at_++;
    if (zero && is_digit(peek())) return fail(at_);
    while (is_digit(peek())) at_++;
    if (peek() == '.' && (at_++, !digits())) return false;
    if (peek() == 'e' || peek() == 'E') {
      at_++;
      if (peek() == '+' || peek() == '-') at_++;
      if (!digits()) return false;
    }
    // Where it must end comes before how large it is in the text, but not for who reads it.
    const double real = std::strtod(std::string(text_.substr(begin, at_ - begin)).c_str(), nullptr);
    if (real - real != 0) return fail(begin);
    return ends_here() || fail(at_);
  }
  bool digits() {
    if (!is_digit(peek())) return fail(at_);
    while (is_digit(peek())) at_++;
    return true;
  }
  bool string() {
    for (at_++; peek() != '"';) {
      if (peek() < 0x20) return fail(at_);  // also its end
      if (peek() != '\\') {
        at_++;
      } else if (!escape()) {
        return false;
      }
    }
    return at_++, true;
  }
  bool escape() {
    const size_t begin = at_++;
    const int c = peek();
    if (c < 0 || std::string_view("\"\\/bfnrtu").find(static_cast<char>(c)) == std::string_view::npos) return fail(at_);
    at_++;
    if (c != 'u') return true;
    int unit = 0;
    if (!four(unit)) return false;
    if (unit < 0xD800 || unit > 0xDFFF) return true;
    if (unit > 0xDBFF) return fail(begin);
    if (cut_half()) return fail(text_.size());
    if (peek() != '\\' || peek(1) != 'u') return fail(begin);
    at_ += 2;
    if (!four(unit) || unit < 0xDC00 || unit > 0xDFFF) return fail(begin);
    return true;
  }
  bool cut_half() const {
    if (end_ != text_.size() || text_.size() - at_ >= 6) return false;
    for (size_t i = 0; at_ + i < text_.size(); i++) {
      const int c = peek(i), digit = hex(c);
      if (i == 0 ? c != '\\' : i == 1 ? c != 'u' : i == 2 ? digit != 13 : i == 3 ? digit < 12 : digit < 0) return false;
    }
    return true;
  }
  bool four(int& unit) {
    unit = 0;
    for (int i = 0; i < 4; i++, at_++) {
      if (hex(peek()) < 0) return fail(at_);
      unit = unit * 16 + hex(peek());
    }
    return true;
  }
  bool array(uint32_t depth) {
    at_++;
    space();
    if (peek() == ']') return at_++, true;
    for (;;) {
      space();
      if (!value(depth)) return false;
      space();
      if (peek() == ']') return at_++, true;
      if (peek() != ',') return fail(at_);
      at_++;
    }
  }
  bool object(uint32_t depth) {
    at_++;
    space();
    if (peek() == '}') return at_++, true;
    for (;;) {
      space();
      if (peek() != '"') return fail(at_);
      if (!string()) return false;
      space();
      if (peek() != ':') return fail(at_);
      at_++;
      space();
      if (!value(depth)) return false;
      space();
      if (peek() == '}') return at_++, true;
      if (peek() != ',') return fail(at_);
      at_++;
    }
  }

  std::string_view text_;
  size_t end_;
  size_t at_ = 0;
};

void check_same(const Json& value) {
  const std::string text = value.dump();
  auto again = Json::parse(text, {.depth = 1024});
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(again->dump() == text);
  FUZZ_CHECK(*again == value);
  FUZZ_CHECK(*Json::parse(value.dump({.html = true, .indent = 2}), {.depth = 1024}) == value);
  FUZZ_CHECK(value.complete());
}

Json& part(Json& root, fuzz::Input& input) {
  Json* at = &root;
  for (size_t n = input.control() % 4; n > 0 && at->size() > 0; n--) {
    const size_t i = input.control() % at->size();
    if (at->is_array()) {
      at = &(*at)[i];
    } else {
      const auto members = at->members();
      auto member = members.begin();
      for (size_t k = 0; k < i; k++) ++member;
      at = &(*member).value;
    }
  }
  return *at;
}

void edit(Json& root, fuzz::Input& input) {
  Json& at = part(root, input);
  const std::string name(input.control() % 20, static_cast<char>('a' + input.control() % 4));
  switch (input.control() % 11) {
    case 0: at = name; break;
    case 1: at[name] = static_cast<int>(input.control()); break;
    case 2: at.push_back(Json(name)); break;
    case 3: at.erase(size_t{input.control()}); break;
    case 4: at.erase(name); break;
    case 5: at = Json(part(root, input)); break;
    case 6: root = std::move(at); break;
    case 7: at.merge_patch(Json(part(root, input))); break;
    case 8: at.clear(); break;
    case 9: at.set_pointer("/" + name, Json::array({1, name, nullptr})); break;
    default: {
      Json taken = std::move(part(root, input));
      if (input.control() % 2) root = Json::object();
      root["taken"] = std::move(taken);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const size_t edits = input.control() % 8;
  const size_t blanks = input.control() ? input.control_below(simd::kJsonWindow + 64) : 0;
  const std::string steering(input.rest().end() - static_cast<ptrdiff_t>(std::min<size_t>(edits * 12, input.rest().size())), input.rest().end());
  std::string padded(blanks, ' ');
  padded += base::as_text(input.rest().first(input.rest().size() - steering.size()));
  const fuzz::Exact text(base::as_bytes(padded));
  const std::string_view view = base::as_text(text.span());

  Plain plain(view);
  const bool good = plain.accepts();
  const simd::JsonKernels* const chosen = simd::json_kernels;
  std::string dump, what;
  for (const simd::JsonKernels* set : simd::available_json_kernels()) {
    simd::json_kernels = set;
    auto parsed = Json::parse(view, {.depth = kDepth});
    FUZZ_CHECK(parsed.ok() == good);
    if (!good) FUZZ_CHECK(parsed.error().position == plain.bad);
    if (!good && set == chosen) what = parsed.error().what;
    if (!good) FUZZ_CHECK(what.empty() || what == parsed.error().what);
    const std::string here = good ? parsed->dump() : "";
    FUZZ_CHECK(dump.empty() || here == dump);
    dump = here;
  }
  simd::json_kernels = chosen;
  if (!good) return 0;

  Json value = std::move(*Json::parse(view, {.depth = kDepth}));
  check_same(value);
  fuzz::Input steps(base::as_bytes(steering).data(), steering.size());
  for (size_t i = 0; i < edits && value.dump().size() < 100'000; i++) edit(value, steps);
  check_same(value);
  return 0;
}
