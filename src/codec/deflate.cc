// See deflate.h. A call without a context works on the input itself. One with a context first copies as much as it may
// refer back from to its window, behind what it kept; when it is further in than the window reaches, it goes on in the
// input itself, and keeps the end of that.
#include "codec/deflate.h"

#include <cstring>
#include <new>

#include "base/alloc.h"
#include "codec/deflate_block.h"
#include "codec/deflate_match.h"

namespace martlet::codec {

namespace {

constexpr size_t kBlockBytes = 4 * Deflate::kMostStored;  // so that stored blocks come out full
constexpr uint32_t kLastPosition = 0xE0000000;
// Symbols from which a dynamic code is tried.
constexpr uint32_t kFastDynamic = 98;
constexpr uint32_t kBetterDynamic = 92;

size_t table_bytes(DeflateLevel level, int window_bits) noexcept {
  return level == DeflateLevel::fast ? FastMatcher::bytes(window_bits) : ChainMatcher::bytes(window_bits);
}

// The context, and room for as much input as is looked at with it at a time.
size_t window_size(int window_bits) noexcept {
  const size_t window = size_t{1} << window_bits;
  return window + (window < 2048 ? 1024 : window / 2);
}

struct Scratch : DeflateScratch {
  BlockWorkspace work;
};

}  // namespace

DeflateScratch* DeflateScratch::make() noexcept { return base::create<Scratch>(); }
void DeflateScratch::destroy(DeflateScratch* scratch) noexcept { base::destroy(static_cast<Scratch*>(scratch)); }

size_t Deflate::memory(const DeflateSettings& settings) noexcept {
  return sizeof(Deflate) + table_bytes(settings.level, settings.window_bits) +
         (settings.keep_context ? window_size(settings.window_bits) : 0);
}

Deflate::Deflate(const DeflateSettings& settings) noexcept
    : level_(settings.level),
      window_bits_(static_cast<uint8_t>(settings.window_bits)),
      keep_context_(settings.keep_context) {
  const size_t tables_size = table_bytes(level_, window_bits_);
  std::memset(tables(), 0, tables_size);
  if (!keep_context_) return;
  window_ = tables() + tables_size;
  window_bytes_ = static_cast<uint32_t>(window_size(window_bits_));
}

Deflate* Deflate::make(const DeflateSettings& settings) noexcept {
  void* memory = base::allocate(Deflate::memory(settings));
  return memory ? new (memory) Deflate(settings) : nullptr;
}

void Deflate::destroy(Deflate* deflate) noexcept { base::deallocate(deflate); }

// Compresses base[from, end); history_ bytes before `from` may be referred to.
void Deflate::compress_span(const uint8_t* base, size_t from, size_t end, bool last, DeflateScratch& scratch) noexcept {
  BlockWorkspace& work = static_cast<Scratch&>(scratch).work;
  const uint32_t window = uint32_t{1} << window_bits_;
  const bool is_fast = level_ == DeflateLevel::fast;
  BitWriter writer(out_, bits_, bit_count_);
  while (from < end) {
    if (position_ > kLastPosition) {
      std::memset(tables(), 0, table_bytes(level_, window_bits_));
      position_ = history_ + 1;
    }
    const size_t size = end - from < kBlockBytes ? end - from : kBlockBytes;
    const MatchInput in{base + from - history_, history_, history_ + static_cast<uint32_t>(size), position_ - history_,
                        window};
    work.parsed = {};
    const uint32_t stop = is_fast ? FastMatcher(tables(), window_bits_).parse(in, work.sequences, work.parsed)
                                  : ChainMatcher(tables(), window_bits_).parse(in, work.sequences, work.parsed);
    const uint32_t done = stop - history_;
    write_block(writer, work, base + from, done, last && from + done == end, is_fast ? kFastDynamic : kBetterDynamic);
    from += done;
    position_ += done;
    history_ = stop < window ? stop : window;
  }
  out_ = writer.out();
  bits_ = writer.bits();
  bit_count_ = writer.count();
}

// Room for so many bytes behind the context.
void Deflate::slide(size_t room) noexcept {
  if (window_bytes_ - at_ >= room) return;
  std::memmove(window_, window_ + at_ - history_, history_);
  at_ = history_;
}

void Deflate::compress_with_context(base::ByteSpan in, DeflateFlush flush, DeflateScratch& scratch) noexcept {
  const bool last = flush == DeflateFlush::finish;
  const size_t window = size_t{1} << window_bits_;
  const size_t most = window_bytes_ - window;
  size_t done = 0;
  while (done < in.size() && done < window) {
    const size_t here = in.size() - done < most ? in.size() - done : most;
    slide(here);
    std::memcpy(window_ + at_, in.data() + done, here);
    done += here;
    at_ += static_cast<uint32_t>(here);
    compress_span(window_, at_ - here, at_, last && done == in.size(), scratch);
  }
  if (done == in.size()) return;
  compress_span(in.data(), done, in.size(), last, scratch);
  std::memcpy(window_, in.data() + in.size() - window, window);
  at_ = history_;
}

size_t Deflate::compress(base::ByteSpan in, uint8_t* out, DeflateFlush flush, DeflateScratch& scratch) noexcept {
  out_ = out;
  if (!keep_context_) history_ = 0;
  if (keep_context_) {
    compress_with_context(in, flush, scratch);
  } else {
    compress_span(in.data(), 0, in.size(), flush == DeflateFlush::finish, scratch);
  }
  if (flush != DeflateFlush::none) {
    BitWriter writer(out_, bits_, bit_count_);
    if (flush == DeflateFlush::sync) write_stored(writer, nullptr, 0, false);
    if (flush == DeflateFlush::finish && in.empty()) {
      writer.put(3, 3 + 7);  // an empty final block of the fixed code
    }
    writer.align();
    out_ = writer.out();
    bits_ = 0;
    bit_count_ = 0;
    if (flush == DeflateFlush::finish) reset();
  }
  return static_cast<size_t>(out_ - out);
}

}  // namespace martlet::codec
