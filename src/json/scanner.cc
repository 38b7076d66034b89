// See scanner.h.
#include "json/scanner.h"

#include <cstring>
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
