// JsonWriter: its memory, lines and indents, and text. How a tree is written is in dump.cc.
#include <martlet/json_writer.h>

#include <algorithm>
#include <cstring>

#include "base/block.h"
#include "json/escape.h"
#include "json/number.h"
#include "simd/json_kernels.h"

namespace martlet::json {

namespace {

constexpr char kDigits[] = "0123456789abcdef";

uint8_t* bytes(char* text) noexcept { return reinterpret_cast<uint8_t*>(text); }
char* text(uint8_t* bytes) noexcept { return reinterpret_cast<char*>(bytes); }

char letter_of(char c) noexcept {
  switch (c) {
    case '"': case '\\': return c;
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
  }
}

char* put_unicode(char* to, uint32_t c) noexcept {
  const char escape[] = {'\\', 'u', kDigits[c >> 12], kDigits[c >> 8 & 15], kDigits[c >> 4 & 15], kDigits[c & 15]};
  std::memcpy(to, escape, sizeof escape);
  return to + sizeof escape;
}

}  // namespace

char* write_integer(char* out, int64_t value) noexcept { return text(write_integer(bytes(out), value)); }
char* write_natural(char* out, uint64_t value) noexcept { return text(write_natural(bytes(out), value)); }
char* write_real(char* out, double value) noexcept { return text(write_real(bytes(out), value)); }

size_t copy_plain(char* to, const char* from, size_t size) noexcept {
  if (size >= 64) return simd::json_kernels->copy_plain(reinterpret_cast<uint8_t*>(to), reinterpret_cast<const uint8_t*>(from), size);
  size_t at = 0;
  if (size < 16) {
    if (copy_plain_short(to, from, size)) [[likely]] return size;
  } else {
    for (;; at = size - 32) {  // once or twice, and what is looked at may overlap
      Sixteen first, second;
      const size_t other = size < 32 ? size - 16 : at + 16;
      std::memcpy(&first, from + at, sizeof first);
      std::memcpy(&second, from + other, sizeof second);
      if (any(special_marks(first) | special_marks(second))) break;
      std::memcpy(to + at, &first, sizeof first);
      std::memcpy(to + other, &second, sizeof second);
      if (other == size - 16) return size;
    }
  }
  for (; at < size && !is_special(from[at]); at++) to[at] = from[at];
  return at;
}

char* put_short_text(char* out, const char* text, size_t size) noexcept {
  if (size >= 16 || !copy_plain_short(out + 1, text, size)) return nullptr;
  *out = '"';
  out[size + 1] = '"';
  return out + size + 2;
}

char* put_escape(char* to, char c) noexcept {
  const char letter = letter_of(c);
  if (!letter) return put_unicode(to, static_cast<uint8_t>(c));
  to[0] = '\\';
  to[1] = letter;
  return to + 2;
}

}  // namespace martlet::json

namespace martlet {

namespace {

constexpr size_t kFirstBlock = 4096;
constexpr uint32_t kMostIndent = 16;

base::Block* make_block(size_t capacity) noexcept {
  base::BlockPool* pool = base::BlockPool::current();
  return pool ? pool->acquire(capacity) : base::Block::make(capacity);
}

// How many bytes at `at` a page must not see as they are; 0: none.
size_t unsafe_in_pages(std::string_view text, size_t at) noexcept {
  const char c = text[at];
  if (c == '<' || c == '>' || c == '&') return 1;
  const std::string_view separator = text.substr(at, 3);  // U+2028, U+2029: ends of lines to scripts
  return separator == "\xe2\x80\xa8" || separator == "\xe2\x80\xa9" ? 3 : 0;
}

}  // namespace

JsonWriter::JsonWriter(const JsonFormat& format) noexcept : JsonWriter() {
  format_ = format;
  format_.indent = std::min(format.indent, kMostIndent);
  after_ = format_.indent ? kCommaAndLine : kComma;
  simple_ = !format_.indent && !format_.html;
}

bool JsonWriter::grow(size_t size) noexcept {
  const auto used = static_cast<size_t>(at_ - begin_);
  const size_t doubled = std::max(kFirstBlock, 2 * static_cast<size_t>(end_ - begin_));
  base::Block* block = failed_ || size > SIZE_MAX / 4 ? nullptr : make_block(std::max(doubled, used + size));
  if (!block) return fail(), false;
  std::memcpy(block->data(), begin_, used);
  if (block_) block_->release();
  block_ = block;
  begin_ = reinterpret_cast<char*>(block->data());
  at_ = begin_ + used;
  end_ = begin_ + block->capacity;
  return true;
}

// From here on there is no room for anything.
void JsonWriter::fail() noexcept {
  if (block_) forget();
  failed_ = true;
  begin_ = at_ = end_ = small_;
}

void JsonWriter::forget() noexcept {
  block_->release();
  block_ = nullptr;
}

void JsonWriter::clear() noexcept {
  // What was sent lies in the block, and may not have left yet.
  if (block_ && block_->references.load(std::memory_order_acquire) != 1) {
    forget();
    begin_ = small_, end_ = small_ + sizeof small_;
  }
  if (failed_) begin_ = small_, end_ = small_ + sizeof small_;
  at_ = begin_;
  failed_ = false;
  level_ = 0;
  before_ = kNothing;
}

bool JsonWriter::lead_line(size_t size) noexcept {
  const size_t spaces = size_t{level_} * format_.indent;
  if (!room(2 + spaces + size)) return false;
  if (before_ == kCommaAndLine) *at_++ = ',';
  *at_++ = '\n';
  std::memset(at_, ' ', spaces);
  at_ += spaces;
  before_ = after_;
  return true;
}

void JsonWriter::begin_line() noexcept {
  level_++;
  before_ = kLine;
}

void JsonWriter::finish_line(char bracket) noexcept {
  if (!room(0)) return;
  level_--;
  if (before_ == kCommaAndLine) {
    before_ = kLine;
    if (!lead_line(0)) return;
  }
  *at_++ = bracket;
  before_ = after_;
}

void JsonWriter::key_of(std::string_view name) noexcept {
  put_text(name);
  if (!room(0)) return;
  at_--;  // the quote is written once more, with the colon
  end_key();
}

// A short text in compact form: most.
void JsonWriter::put_text(std::string_view text) noexcept {
  if (!simple_ || !room(0)) return put_any_text(text);
  char* at = at_;
  const uint8_t before = before_;
  *at = ',';
  char* end = json::put_short_text(at + before, text.data(), text.size());
  if (!end) return put_any_text(text);
  end_value(end);
}

[[gnu::noinline]] void JsonWriter::put_any_text(std::string_view text) noexcept {
  if (!lead(text.size())) return;
  *at_++ = '"';
  const size_t plain = format_.html ? 0 : json::copy_plain(at_, text.data(), text.size());
  at_ += plain;
  if (plain < text.size() && !put_escaped(text.substr(plain))) return;
  *at_++ = '"';
}

// Text that begins with a byte to escape, or may.
bool JsonWriter::put_escaped(std::string_view text) noexcept {
  for (size_t at = 0; at < text.size();) {
    if (!room(text.size() - at + json::kEscapeBytes)) return false;
    const size_t unsafe = format_.html ? unsafe_in_pages(text, at) : 0;
    if (unsafe) {
      at_ = json::put_unicode(at_, unsafe == 1 ? static_cast<uint8_t>(text[at]) : text[at + 2] == '\xa8' ? 0x2028u : 0x2029u);
      at += unsafe;
    } else if (json::is_special(text[at])) {
      at_ = json::put_escape(at_, text[at++]);
    } else if (format_.html) {
      *at_++ = text[at++];
    } else {
      const size_t plain = json::copy_plain(at_, text.data() + at, text.size() - at);
      at_ += plain;
      at += plain;
    }
  }
  return true;
}

}  // namespace martlet
