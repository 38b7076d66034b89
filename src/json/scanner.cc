// See scanner.h.
#include "json/scanner.h"

#include <cstring>

#include "json/scalar.h"

namespace martlet::json {

size_t Scanner::next_window() noexcept {
  while (ahead_ < limit_) {
    base_ = ahead_;
    const size_t size = limit_ - base_ < simd::kJsonWindow ? limit_ - base_ : simd::kJsonWindow;
    const simd::JsonIndexed found = simd::json_kernels->index(&state_, text_ + base_, size, places_);
    ahead_ = base_ + size;
    at_ = 0;
    count_ = found.count;
    check_utf8(size, found.ascii);
    if (count_ != 0) return base_ + places_[at_++];
  }
  // What is asked for now stays the answer, also after peek().
  base_ = limit_;
  places_[0] = 0;
  at_ = 1;
  count_ = 1;
  ahead_ = limit_;
  return limit_;
}

// Only text that is not ASCII is looked at once more.
void Scanner::check_utf8(size_t size, bool ascii) noexcept {
  const bool last = ahead_ == limit_;
  if (ascii && utf8_.at_boundary()) return;
  simd::Utf8State before = utf8_;
  if (simd::kernels->validate_utf8(&utf8_, text_ + base_, size) && (!last || utf8_.at_boundary())) return;
  size_t good = 0;
  while (good < size && simd::kernels->validate_utf8(&before, text_ + base_ + good, 1)) good++;
  bad_utf8_ = true;
  limit_ = base_ + good;
  while (count_ > 0 && places_[count_ - 1] >= good) count_--;
}

Fault word_fault(std::string_view text, size_t place) noexcept {
  if (place >= text.size()) return {};
  for (const std::string_view word : {std::string_view("true"), std::string_view("false"), std::string_view("null")}) {
    const std::string_view here = text.substr(place, word.size());
    const size_t end = place + here.size();
    if (!word.starts_with(here)) continue;
    if (here.size() < word.size()) return {end, kCut};
    if (end < text.size() && find_bad_utf8(text, end) == end) return {end, kNotUtf8};
  }
  return {};
}

size_t find_bad_utf8(std::string_view text, size_t place) noexcept {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const size_t size = place < text.size() ? place + 1 : text.size();
  simd::Utf8State state;
  for (size_t at = 0; at < size; at += simd::kJsonWindow) {
    const size_t window = size - at < simd::kJsonWindow ? size - at : simd::kJsonWindow;
    simd::Utf8State before = state;
    if (simd::kernels->validate_utf8(&state, bytes + at, window)) continue;
    while (simd::kernels->validate_utf8(&before, bytes + at, 1)) at++;
    return at;
  }
  return text.size();
}

LineAndColumn find_line(std::string_view text, size_t position) noexcept {
  LineAndColumn found{1, 1};
  const char* from = text.data();
  const char* const end = from + position;
  while (const void* newline = from < end ? std::memchr(from, '\n', static_cast<size_t>(end - from)) : nullptr) {
    from = static_cast<const char*>(newline) + 1;
    found.line++;
  }
  found.column = static_cast<uint32_t>(end - from) + 1;
  return found;
}

}  // namespace martlet::json
