// See parser.h. run() is the loop; what it calls for every value is inlined into it, so that the scanner's place and the top of
// the stack stay in registers, and what is rare is not.
#include "json/parser.h"

#include <algorithm>

#include "base/alloc.h"
#include "json/names.h"
#include "json/number.h"
#include "json/scalar.h"

#define MARTLET_INLINE [[gnu::always_inline]] inline
#define MARTLET_RARE [[gnu::noinline, gnu::cold]]

namespace martlet::json {

namespace {

constexpr const char* kNoMemory = "memory is out";
constexpr size_t kPadding = 24;

// memcpy for what is mostly a few cells.
MARTLET_INLINE void copy_cells(Cell* to, const Cell* from, uint32_t count) noexcept {
  if (count > 8) {
    std::memcpy(static_cast<void*>(to), from, count * sizeof(Cell));
  } else {
    uint32_t i = count & 1;
    if (i) std::memcpy(static_cast<void*>(to), from, sizeof(Cell));
    for (; i < count; i += 2) std::memcpy(static_cast<void*>(to + i), from + i, 2 * sizeof(Cell));
  }
}

}  // namespace

Parser::Parser(std::string_view text, const JsonOptions& options) noexcept
    : text_(text), options_(options), scanner_(text), builder_(text.size()),
      padded_(scanner_.text() + (text.size() > kPadding ? text.size() - kPadding : 0)), begin_(reinterpret_cast<Cell*>(inline_)),
      end_(begin_ + kInlineCells), max_depth_(std::min(options.depth, kMostDepth)) {}

Parser::~Parser() {
  if (begin_ != reinterpret_cast<Cell*>(inline_)) base::deallocate(begin_);
}

bool Parser::parse(Json& result, JsonError& error) noexcept {
  const bool fits = text_.size() <= std::min<size_t>(options_.max_bytes, UINT32_MAX) || fail(0, "the text is longer than allowed");
  if (fits && run() && finish(result)) return true;
  if (const size_t bad = fits ? find_bad_utf8(text_, where_) : text_.size(); bad < text_.size()) fail(bad, kNotUtf8);
  const LineAndColumn at = find_line(text_, where_);
  error = {where_, at.line, at.column, what_};
  return false;
}

// The next place, or Scanner::kEnd.
MARTLET_INLINE const uint8_t* Parser::next(Hot& hot) noexcept {
  if (hot.run.at != hot.run.end) [[likely]] return hot.run.window + *hot.run.at++;
  const uint8_t* place = scanner_.refill();
  hot.run = scanner_.take();
  return place;
}

// A cell on the stack; null when memory is out.
MARTLET_INLINE Cell* Parser::push(Hot& hot) noexcept {
  if (hot.top == end_) [[unlikely]] {
    Cell* top = grow(hot.top);
    if (!top) return nullptr;
    hot.top = top;
  }
  return hot.top++;
}

// One value with all that is in it. What is inlined here is called at one place.
bool Parser::run() noexcept {
  Hot hot{scanner_.take(), begin_};
  const uint8_t* at = next(hot);
  for (;;) {
    const uint8_t c = *at;
    bool begins = false;    // a value is next
    bool has_name = false;  // and before it its name
    if (c == '{' || c == '[') {
      if (!open(hot, at, c == '{' ? kObject : kArray)) return false;
      at = next(hot);
      begins = *at != c + 2;  // the closing bracket is two behind the opening one, for both
      has_name = c == '{';
    } else {
      if (!scalar(hot, at)) return false;
      if (depth_ == 0) return scanner_.put_back(hot.run), true;
      at = next(hot);
    }
    while (!begins) {  // a value has ended, or nothing was in it: what follows?
      const bool object = kind_of(begin_[open_]) == kObject;
      if (*at == ',') {
        at = next(hot);
        has_name = object;
        break;
      }
      if (*at != (object ? '}' : ']')) return fail_wanted(at, object ? "a comma or '}' is wanted here" : "a comma or ']' is wanted here");
      if (!close(hot)) return false;
      if (depth_ == 0) return scanner_.put_back(hot.run), true;
      at = next(hot);
    }
    if (has_name && !name(hot, at)) return false;
  }
}

// Its cell on the stack holds, until it closes: in `size` the next one out, in `natural` where the text has it.
MARTLET_INLINE bool Parser::open(Hot& hot, const uint8_t* at, uint8_t kind) noexcept {
  if (depth_ == max_depth_) [[unlikely]] return fail(place_of(at), "arrays and objects are nested too deep");
  Cell* cell = push(hot);
  if (!cell) return fail(place_of(at), kNoMemory);
  cell->natural = place_of(at);
  cell->size = open_;
  cell->tag = kind;
  open_ = static_cast<uint32_t>(cell - begin_);
  depth_++;
  return true;
}

MARTLET_INLINE bool Parser::close(Hot& hot) noexcept {
  Cell& cell = begin_[open_];
  auto count = static_cast<uint32_t>(hot.top - &cell) - 1;
  const bool object = kind_of(cell) == kObject;
  if (object && count > 2) {
    count = close_object(&cell + 1, count);
    if (what_) return false;
  }
  hot.top = &cell + 1;
  open_ = cell.size;
  depth_--;
  cell = Cell();
  cell.tag = object ? kObject : kArray;
  if (count == 0) return true;
  Cell* cells = builder_.cells(count, place_of(hot.run.window));
  if (!cells) return fail(place_of(hot.run.window), kNoMemory);
  copy_cells(cells, &cell + 1, count);
  cell.cells = cells;
  cell.size = object ? count / 2 : count;
  cell.tag |= kBorrowed;
  builder_.set_memory(cell, cells);
  return true;
}

// A name and its colon; `at` is then where its value begins.
MARTLET_INLINE bool Parser::name(Hot& hot, const uint8_t*& at) noexcept {
  if (*at != '"') [[unlikely]] return fail_name(hot.top, at);
  if (!string(hot, at)) return false;
  const uint8_t* colon = next(hot);
  if (*colon != ':') [[unlikely]] return fail_wanted(colon, "a colon is wanted here");
  at = next(hot);
  return true;
}

MARTLET_INLINE bool Parser::scalar(Hot& hot, const uint8_t* at) noexcept {
  switch (*at) {
    case '"': return string(hot, at);
    case 't': return literal(hot, at, "true", kBoolean, 1);
    case 'f': return literal(hot, at, "false", kBoolean, 0);
    case 'n': return literal(hot, at, "null", kNull, 0);
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': return integer(hot, at);
    default: return fail_value(hot.top, at);
  }
}

MARTLET_INLINE bool Parser::string(Hot& hot, const uint8_t* at) noexcept {
  const uint8_t* stop = next(hot);
  const auto* text = reinterpret_cast<const char*>(at + 1);
  auto size = static_cast<size_t>(stop - at) - 1;
  Cell* cell = push(hot);
  if (!cell) return fail(place_of(at), kNoMemory);
  if (*stop != '"') [[unlikely]] {
    if (!unescape(hot.run, at, stop)) return false;
    hot.run = scanner_.take();
    text = unescaped_.text().data();
    size = unescaped_.text().size();
    if (size <= kShortBytes) return set_short(*cell, text, size), true;
    return long_string(*cell, text, size, kString | kBorrowed);
  }
  if (size > kShortBytes) return long_string(*cell, text, size, kString | kBorrowed | kPlain);
  if (at < padded_) [[likely]] {
    set_short_plain(*cell, text, size);
  } else {
    set_short(*cell, text, size);
  }
  return true;
}

// Most numbers are short integers.
MARTLET_INLINE bool Parser::integer(Hot& hot, const uint8_t* at) noexcept {
  Cell* cell = push(hot);
  if (!cell) return fail(place_of(at), kNoMemory);
  const bool negative = *at == '-';
  const uint8_t* digit = at + negative;
  if (at >= padded_ || *digit == '0') return number(*cell, at);
  uint64_t value = 0;
  while (static_cast<uint8_t>(*digit - '0') <= 9 && digit < at + 18) value = value * 10 + (*digit++ - uint64_t{'0'});
  if (!kEndsScalar[*digit] || digit == at + negative) return number(*cell, at);
  cell->natural = negative ? 0 - value : value;
  cell->tag = kInteger;
  return true;
}

MARTLET_INLINE bool Parser::literal(Hot& hot, const uint8_t* at, std::string_view word, uint8_t tag, uint64_t value) noexcept {
  if (!literal_at(scanner_, place_of(at), word)) return fail_value(hot.top, at);
  Cell* cell = push(hot);
  if (!cell) return fail(place_of(at), kNoMemory);
  cell->natural = value;
  cell->tag = tag;
  return true;
}

// Settles names that came more than once: how many cells are left.
uint32_t Parser::close_object(Cell* first, uint32_t count) noexcept {
  const NamesOutcome outcome = settle_names(first, count / 2, options_.duplicates);
  if (outcome.no_memory) fail(scanner_.reached(), kNoMemory);
  if (outcome.refused != kNone) {
    fail(place_of_name(text_, static_cast<size_t>(first[-1].natural), outcome.refused), kNameTwice.data());
  }
  return outcome.left * 2;
}

MARTLET_RARE bool Parser::unescape(const Scanner::Run& run, const uint8_t* at, const uint8_t* stop) noexcept {
  scanner_.put_back(run);
  const StringFault fault = unescaped_.read(scanner_, place_of(at) + 1, stop == Scanner::kEnd ? scanner_.limit() : place_of(stop));
  return !fault.what || fail(fault.place, fault.what);
}

MARTLET_INLINE bool Parser::long_string(Cell& cell, const char* text, size_t size, uint8_t tag) noexcept {
  char* to = builder_.text(size, scanner_.reached());
  if (!to) return fail(scanner_.reached(), kNoMemory);
  std::memcpy(to, text, size);
  cell.text = to;
  cell.size = static_cast<uint32_t>(size);
  cell.tag = tag;
  builder_.set_memory(cell, to);
  return true;
}

// Any number, when it is no short integer.
[[gnu::noinline]] bool Parser::number(Cell& cell, const uint8_t* at) noexcept {
  Number number;
  if (const Fault fault = number_at(scanner_, place_of(at), number); fault.what) return fail(fault.place, fault.what);
  cell.natural = number.natural;
  cell.tag = number.kind == NumberKind::integer ? kInteger : number.kind == NumberKind::natural ? kNatural : kReal;
  return true;
}

// Nothing may follow, and the value takes the document.
bool Parser::finish(Json& result) noexcept {
  const size_t place = scanner_.next();
  if (place < scanner_.limit()) return fail(place, "something follows the value");
  if (!scanner_.good()) return fail(place, scanner_.fault_at_end());
  Cell& root = *begin_;
  if (root.tag & kBorrowed) {
    builder_.give();
    root.tag ^= kBorrowed | kCounted;
  }
  Access::move_in(result, root);
  return true;
}

MARTLET_RARE Cell* Parser::grow(Cell* top) noexcept {
  const auto used = static_cast<size_t>(top - begin_);
  auto* cells = static_cast<Cell*>(base::allocate(used * 2 * sizeof(Cell)));
  if (!cells) return nullptr;
  std::memcpy(static_cast<void*>(cells), begin_, used * sizeof(Cell));
  if (begin_ != reinterpret_cast<Cell*>(inline_)) base::deallocate(begin_);
  begin_ = cells;
  end_ = cells + used * 2;
  return cells + used;
}

size_t Parser::place_of(const uint8_t* at) const noexcept { return static_cast<size_t>(at - scanner_.text()); }

MARTLET_RARE bool Parser::fail(size_t place, const char* what) noexcept {
  where_ = place;
  what_ = what;
  return false;
}

// Something else was wanted: at the end of what can be read, that is what is wrong.
MARTLET_RARE bool Parser::fail_wanted(const uint8_t* at, const char* wanted) noexcept {
  const bool ends = at == Scanner::kEnd || at >= scanner_.text() + scanner_.limit();
  return ends ? fail(scanner_.limit(), scanner_.fault_at_end()) : fail(place_of(at), wanted);
}

MARTLET_RARE bool Parser::fail_value(const Cell* top, const uint8_t* at) noexcept {
  if (at == Scanner::kEnd) return fail_wanted(at, "");
  if (const Fault fault = word_fault(text_, place_of(at)); fault.what) return fail(fault.place, fault.what);
  const bool first = depth_ != 0 && top == begin_ + open_ + 1 && kind_of(begin_[open_]) == kArray;
  return fail_wanted(at, first ? "a value or ']' is wanted here" : "a value is wanted here");
}

MARTLET_RARE bool Parser::fail_name(const Cell* top, const uint8_t* at) noexcept {
  return fail_wanted(at, top == begin_ + open_ + 1 ? "a name in quotes or '}' is wanted here" : "a name in quotes is wanted here");
}

}  // namespace martlet::json
