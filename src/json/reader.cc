// See reader.h. What it does to members of own types is in reader_members.cc.
#include "json/reader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "json/cells.h"
#include "json/names.h"
#include "json/path.h"

namespace martlet::json {

static_assert(sizeof(Reader) <= sizeof(TextReader) && alignof(Reader) <= alignof(TextReader));

Reader::Reader(std::string_view text, const JsonOptions& options) noexcept
    : text_(text), options_(options), max_depth_(std::min(options.depth, kMostDepth)), scanner_(text) {}

// Names that come twice are looked for in all of the text, also in what will be skipped: that is what a tree is for.
bool Reader::begin() noexcept {
  if (too_long()) return fail_text(0, "the text is longer than allowed");
  if (options_.duplicates != Duplicates::refuse) return true;
  const JsonResult<Json> tree = Json::parse(text_, options_);
  if (tree) return true;
  return tree.error().what == kNameTwice ? fail_value(tree.error().position, tree.error().what) : fail_text(tree.error().position, tree.error().what);
}

bool Reader::finish(bool read, JsonError& error) noexcept {
  if (read && !what_) {
    const size_t place = scanner_.next();
    if (place == scanner_.limit() && scanner_.good()) return true;
    fail_wanted(place, "something follows the value");
  }
  if (!what_) fail_value(last_, "this is not what is wanted");
  if (const size_t bad = too_long() ? text_.size() : find_bad_utf8(text_, where_); bad < text_.size()) {
    where_ = bad;
    what_ = kNotUtf8;
    has_path_ = false;
  }
  const LineAndColumn at = find_line(text_, where_);
  error = {where_, at.line, at.column, what_};
  if (has_path_) write_path(text_, where_, missing_, error.path, sizeof error.path);
  return false;
}

bool Reader::fail_text(size_t place, const char* what) noexcept {
  if (what_) return false;
  where_ = place;
  what_ = what;
  return false;
}

bool Reader::fail_wanted(size_t place, const char* wanted) noexcept {
  return fail_text(place, place < scanner_.limit() ? wanted : scanner_.fault_at_end());
}

bool Reader::fail_no_value(size_t place, const char* wanted) noexcept {
  const Fault fault = word_fault(text_, place);
  return fault.what ? fail_text(fault.place, fault.what) : fail_wanted(place, wanted);
}

bool Reader::fail_value(size_t place, const char* what) noexcept {
  if (what_) return false;
  has_path_ = true;
  return fail_text(place, what);
}

bool Reader::is_value(size_t place) const noexcept {
  switch (const uint8_t c = scanner_.byte(place)) {
    case '"': case '{': case '[': return true;
    case 't': return literal_at(scanner_, place, "true");
    case 'f': return literal_at(scanner_, place, "false");
    case 'n': return literal_at(scanner_, place, "null");
    default: return begins_number(c);
  }
}

bool Reader::wrong(size_t place, const char* wanted) noexcept {
  return is_value(place) ? fail_value(place, wanted) : fail_no_value(place, "a value is wanted here");
}

bool Reader::escaped_string(size_t begin, size_t stop, std::string_view& to) noexcept {
  const Fault fault = unescaped_.read(scanner_, begin, stop);
  to = unescaped_.text();
  return !fault.what || fail_text(fault.place, fault.what);
}

bool Reader::fail_name(size_t place, bool first) noexcept {
  return fail_wanted(place, first ? "a name in quotes or '}' is wanted here" : "a name in quotes is wanted here");
}

bool Reader::enter(size_t place) noexcept {
  if (depth_ == max_depth_) return fail_text(place, "arrays and objects are nested too deep");
  depth_++;
  return true;
}

// The array or object that began at `place` is what was read last.
bool Reader::leave(size_t place) noexcept {
  last_ = place;
  depth_--;
  return true;
}

// Integers ------------------------------------------------------------------------------------------------------------

inline bool Reader::range(bool negative, uint64_t magnitude, int64_t least, uint64_t most, uint64_t& to) noexcept {
  if (!negative && magnitude > most) return fail_value(last_, "the integer is too large");
  if (negative && magnitude > 0 - static_cast<uint64_t>(least)) return fail_value(last_, "the integer is too small");
  to = negative ? 0 - magnitude : magnitude;
  return true;
}

bool Reader::real_integer(double real, int64_t least, uint64_t most, uint64_t& to) noexcept {
  bool negative = false;
  uint64_t magnitude = 0;
  if (exact_integer(real, kSureIntegers, negative, magnitude)) return range(negative, magnitude, least, most, to);
  if (real != std::trunc(real)) return fail_value(last_, "an integer is wanted");
  return fail_value(last_, real < 0 ? "the integer is too small" : "the integer is too large");
}

// Skipping ------------------------------------------------------------------------------------------------------------

// What is open in a value that is skipped: a bit for each level says whether it is an object.
struct Reader::Open {
  uint64_t objects[kMostDepth / 64];
  uint32_t count = 0;

  void push(bool object) noexcept {
    const uint64_t bit = uint64_t{1} << (count % 64);
    uint64_t& word = objects[count++ / 64];
    word = object ? word | bit : word & ~bit;
  }
  bool object() const noexcept { return objects[(count - 1) / 64] >> ((count - 1) % 64) & 1; }
};

bool Reader::skip_scalar(size_t place) noexcept {
  const uint8_t c = scanner_.byte(place);
  std::string_view text;
  bool plain = false;
  if (c == '"') return string(place, text, plain);
  if (begins_number(c)) {
    Number number;
    const Fault fault = number_at(scanner_, place, number);
    return !fault.what || fail_text(fault.place, fault.what);
  }
  return is_value(place) || fail_no_value(place, "a value is wanted here");
}

// From the bracket at `place` to the first value in it; Step::end behind it when there is none.
Reader::Step Reader::skip_into(size_t& place, Open& open) noexcept {
  const bool object = scanner_.byte(place) == '{';
  if (!enter(place)) return Step::failed;
  place = scanner_.next();
  if (scanner_.byte(place) == (object ? '}' : ']')) return depth_--, Step::end;
  open.push(object);
  if (!object) return is_value(place) || fail_no_value(place, "a value or ']' is wanted here") ? Step::more : Step::failed;
  std::string_view text;
  bool plain = false;
  if (!name(place, true, text, plain)) return Step::failed;
  place = scanner_.next();
  return Step::more;
}

// Behind a value: to the next one, or out of all that is open.
bool Reader::skip_out(size_t& place, Open& open) noexcept {
  std::string_view text;
  bool plain = false;
  while (open.count > 0) {
    const bool object = open.object();
    place = scanner_.next();
    const uint8_t c = scanner_.byte(place);
    if (c == ',') {
      place = scanner_.next();
      if (!object) return true;
      if (!name(place, false, text, plain)) return false;
      place = scanner_.next();
      return true;
    }
    if (c != (object ? '}' : ']')) return fail_wanted(place, object ? "a comma or '}' is wanted here" : "a comma or ']' is wanted here");
    open.count--;
    depth_--;
  }
  return true;
}

}  // namespace martlet::json

namespace martlet {

using json::Fault;
using json::Number;
using json::NumberKind;
using json::Reader;

json::Reader& JsonReader::self() noexcept { return static_cast<Reader&>(*this); }

bool JsonReader::fail(const char* what) noexcept { return self().fail_value(self().last_, what); }
bool JsonReader::fail_next(const char* what) noexcept { return self().wrong(self().scanner_.peek(), what); }
const JsonOptions& JsonReader::options() const noexcept { return static_cast<const Reader&>(*this).options_; }

bool JsonReader::text(std::string_view& to) noexcept {
  Reader& r = self();
  const size_t place = r.take();
  bool plain = false;
  return r.scanner_.byte(place) == '"' ? r.string(place, to, plain) : r.wrong(place, "a string is wanted");
}

bool JsonReader::boolean(bool& to) noexcept {
  Reader& r = self();
  const size_t place = r.take();
  to = json::literal_at(r.scanner_, place, "true");
  return to || json::literal_at(r.scanner_, place, "false") || r.wrong(place, "true or false is wanted");
}

bool JsonReader::integer(int64_t least, uint64_t most, uint64_t& to) noexcept {
  Reader& r = self();
  const size_t place = r.take();
  bool negative = false;
  uint64_t magnitude = 0;
  if (r.scanner_.limit() - place > json::kShortInteger && json::short_integer(r.scanner_.text() + place, negative, magnitude)) [[likely]] return r.range(negative, magnitude, least, most, to);
  if (!json::begins_number(r.scanner_.byte(place))) return r.wrong(place, "an integer is wanted");
  Number number;
  if (const Fault fault = number_at(r.scanner_, place, number); fault.what) return r.fail_text(fault.place, fault.what);
  if (number.kind == NumberKind::real) {
    // Written as an integer, it is one that no 64 bits hold: the nearest double may be the last that they do.
    const std::string_view digits = r.text_.substr(place, static_cast<size_t>(number.end - r.scanner_.text()) - place);
    if (number.real < 0 && digits.find_first_of(".eE") == digits.npos) return r.fail_value(place, "the integer is too small");
    return r.real_integer(number.real, least, most, to);
  }
  negative = number.kind == NumberKind::integer && number.integer < 0;
  return r.range(negative, negative ? 0 - number.natural : number.natural, least, most, to);
}

bool JsonReader::real(double& to) noexcept {
  Reader& r = self();
  const size_t place = r.take();
  if (!json::begins_number(r.scanner_.byte(place))) return r.wrong(place, "a number is wanted");
  Number number;
  if (const Fault fault = number_at(r.scanner_, place, number); fault.what) return r.fail_text(fault.place, fault.what);
  to = number.kind == NumberKind::real ? number.real : number.kind == NumberKind::integer ? static_cast<double>(number.integer) : static_cast<double>(number.natural);
  return true;
}

bool JsonReader::single(float& to) noexcept {
  double value = 0;
  if (!real(value)) return false;
  to = static_cast<float>(value);
  return std::isfinite(to) || self().fail_value(self().last_, "the number is too large for a float");
}

bool JsonReader::null() noexcept {
  Reader& r = self();
  const size_t place = r.scanner_.peek();
  if (r.scanner_.byte(place) != 'n' || !json::literal_at(r.scanner_, place, "null")) return false;
  r.take();
  return true;
}

JsonKind JsonReader::kind() noexcept {
  const json::Scanner& scanner = self().scanner_;
  switch (const uint8_t c = scanner.byte(self().scanner_.peek())) {
    case '"': return JsonKind::string;
    case '{': return JsonKind::object;
    case '[': return JsonKind::array;
    case 't': case 'f': return JsonKind::boolean;
    default: return json::begins_number(c) ? JsonKind::number : JsonKind::null;
  }
}

bool JsonReader::skip() noexcept {
  Reader& r = self();
  const size_t begin = r.take();
  Reader::Open open;
  for (size_t place = begin;;) {
    const uint8_t c = r.scanner_.byte(place);
    if (c == '{' || c == '[') {
      const Step step = r.skip_into(place, open);
      if (step == Step::failed) return false;
      if (step == Step::more) continue;
    } else if (!r.skip_scalar(place)) {
      return false;
    }
    if (!r.skip_out(place, open)) return false;
    if (open.count == 0) break;
  }
  r.last_ = begin;
  return true;
}

// The end of the value is known when it has been skipped; then it is a text of its own.
bool JsonReader::tree(Json& to) noexcept {
  Reader& r = self();
  const size_t place = r.scanner_.peek();
  if (!skip()) return false;
  JsonOptions options = r.options_;
  options.depth = r.max_depth_ - r.depth_;
  JsonResult<Json> tree = Json::parse(r.text_.substr(place, r.scanner_.peek() - place), options);
  if (!tree) return r.fail_text(place + tree.error().position, tree.error().what);
  to = std::move(*tree);
  return true;
}

// Arrays and objects --------------------------------------------------------------------------------------------------

JsonReader::Step JsonReader::enter_array(size_t& place) noexcept {
  Reader& r = self();
  place = r.take();
  if (r.scanner_.byte(place) != '[') return r.wrong(place, "an array is wanted"), Step::failed;
  if (!r.enter(place)) return Step::failed;
  const size_t first = r.scanner_.peek();
  if (r.scanner_.byte(first) == ']') return r.scanner_.next(), r.leave(place), Step::end;
  if (!r.is_value(first)) return r.fail_no_value(first, "a value or ']' is wanted here"), Step::failed;
  return Step::more;
}

JsonReader::Step JsonReader::after_element(size_t place) noexcept {
  Reader& r = self();
  const size_t at = r.scanner_.next();
  const uint8_t c = r.scanner_.byte(at);
  if (c == ',') return Step::more;
  if (c == ']') return r.leave(place), Step::end;
  return r.fail_wanted(at, "a comma or ']' is wanted here"), Step::failed;
}

JsonReader::Step JsonReader::enter_object(size_t& place, std::string_view& name) noexcept {
  Reader& r = self();
  place = r.take();
  if (r.scanner_.byte(place) != '{') return r.wrong(place, "an object is wanted"), Step::failed;
  if (!r.enter(place)) return Step::failed;
  const size_t first = r.scanner_.next();
  bool plain = false;
  if (r.scanner_.byte(first) == '}') return r.leave(place), Step::end;
  return r.name(first, true, name, plain) ? Step::more : Step::failed;
}

JsonReader::Step JsonReader::after_member(size_t place, std::string_view& name) noexcept {
  Reader& r = self();
  const size_t at = r.scanner_.next();
  const uint8_t c = r.scanner_.byte(at);
  bool plain = false;
  if (c == ',') return r.name(r.scanner_.next(), false, name, plain) ? Step::more : Step::failed;
  if (c == '}') return r.leave(place), Step::end;
  return r.fail_wanted(at, "a comma or '}' is wanted here"), Step::failed;
}

namespace json {

namespace {

Reader& in(unsigned char* memory) noexcept { return *std::launder(reinterpret_cast<Reader*>(memory)); }

}  // namespace

TextReader::TextReader(std::string_view text, const JsonOptions& options) noexcept { new (memory_) Reader(text, options); }
TextReader::~TextReader() { in(memory_).~Reader(); }
JsonReader& TextReader::reader() noexcept { return in(memory_); }
bool TextReader::begin() noexcept { return in(memory_).begin(); }
bool TextReader::finish(bool read, JsonError& error) noexcept { return in(memory_).finish(read, error); }

}  // namespace json

}  // namespace martlet
