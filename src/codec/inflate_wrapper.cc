// What stands around DEFLATE: the two bytes before and the Adler-32 behind it of zlib (RFC 1950 §2.2), and the head,
// CRC-32 and length of gzip (RFC 1952 §2.3). What gzip's head says about the file is read over.
#include "codec/checksum.h"
#include "codec/inflate.h"
#include "codec/inflate_cursor.h"

namespace martlet::codec {

namespace {

constexpr uint8_t kDeflateMethod = 8;

// gzip's FLG. FTEXT, the lowest, changes nothing.
constexpr uint8_t kHeadCheck = 2, kExtra = 4, kName = 8, kComment = 16, kReserved = 0xE0;

constexpr uint32_t swap_bytes(uint32_t v) {
  return v << 24 | (v & 0xFF00) << 8 | (v >> 8 & 0xFF00) | v >> 24;
}

}  // namespace

const Inflate::Wrapping Inflate::kWrapping{&Inflate::wrapping_step, &Inflate::sum};

void Inflate::reset(DeflateFormat format, int window_bits) noexcept {
  reset(window_bits);
  if (format == DeflateFormat::raw) return;
  wrapping_ = &kWrapping;
  format_ = format;
  state_ = format == DeflateFormat::zlib ? State::zlib_head : State::gzip_magic;
  check_ = kCrcOfNothing;
  total_ = 0;
}

Inflate::Step Inflate::wrapping_step(InflateCursor& c) noexcept {
  return state_ == State::trailer || state_ == State::trailer_size ? trailer(c) : head(c);
}

// Little-endian bytes of gzip's head, which are all in the bit buffer. Its check is over them.
uint32_t Inflate::take_head(InflateCursor& c, unsigned bytes) noexcept {
  const uint32_t value = c.take(8 * bytes);
  for (unsigned i = 0; i < bytes; i++) {
    const uint8_t byte = static_cast<uint8_t>(value >> (8 * i));
    check_ = crc32(check_, {&byte, 1});
  }
  return value;
}

Inflate::Step Inflate::head(InflateCursor& c) noexcept {
  switch (state_) {
    case State::zlib_head: return zlib_head(c);
    case State::gzip_magic:
      if (!c.need(16)) return Step::need_input;
      return take_head(c, 2) == 0x8B1F ? go_to(State::gzip_flags) : fail("Not a gzip header.");
    case State::gzip_flags: return gzip_flags(c);
    case State::gzip_rest:  // four bytes of time, then what compressed it and where, two bytes each time
      for (; at_ < 6; at_ = static_cast<uint16_t>(at_ + 2)) {
        if (!c.need(16)) return Step::need_input;
        take_head(c, 2);
      }
      return go_to(State::gzip_extra_size);
    case State::gzip_extra_size:
      if (!(gzip_flags_ & kExtra)) return go_to(State::gzip_name);
      if (!c.need(16)) return Step::need_input;
      at_ = static_cast<uint16_t>(take_head(c, 2));
      return go_to(State::gzip_extra);
    case State::gzip_extra: return gzip_extra(c);
    case State::gzip_name: return gzip_text(c, kName, State::gzip_comment);
    case State::gzip_comment: return gzip_text(c, kComment, State::gzip_check);
    default: break;
  }
  if (gzip_flags_ & kHeadCheck) {
    if (!c.need(16)) return Step::need_input;
    if (c.take(16) != (check_ & 0xFFFF)) return fail("The check of the gzip header does not match.");
  }
  check_ = kCrcOfNothing;
  return go_to(State::block);
}

Inflate::Step Inflate::zlib_head(InflateCursor& c) noexcept {
  if (!c.need(16)) return Step::need_input;
  const uint32_t method = c.take(8);
  const uint32_t flags = c.take(8);
  if ((method << 8 | flags) % 31 != 0) return fail("Not a zlib header.");
  if ((method & 15) != kDeflateMethod) return fail("An unknown compression method.");
  if ((method >> 4) + 8 > window_bits_) return fail("A window that is larger than allowed.");
  if (flags & 0x20) return fail("A preset dictionary is asked for.");
  check_ = kAdlerOfNothing;
  return go_to(State::block);
}

Inflate::Step Inflate::gzip_flags(InflateCursor& c) noexcept {
  if (!c.need(16)) return Step::need_input;
  const uint32_t value = take_head(c, 2);
  if ((value & 255) != kDeflateMethod) return fail("An unknown compression method.");
  gzip_flags_ = static_cast<uint8_t>(value >> 8);
  if (gzip_flags_ & kReserved) return fail("Reserved flags of gzip are set.");
  at_ = 0;
  return go_to(State::gzip_rest);
}

Inflate::Step Inflate::gzip_extra(InflateCursor& c) noexcept {
  for (; at_ > 0; at_--) {
    if (!c.need(8)) return Step::need_input;
    take_head(c, 1);
  }
  return go_to(State::gzip_name);
}

// A name or a comment, which ends with a zero.
Inflate::Step Inflate::gzip_text(InflateCursor& c, uint8_t flag, State then) noexcept {
  if (gzip_flags_ & flag) {
    do {
      if (!c.need(8)) return Step::need_input;
    } while (take_head(c, 1) != 0);
  }
  return go_to(then);
}

// Adds the output since the last time to the checksum.
void Inflate::sum(InflateCursor& c) noexcept {
  const base::ByteSpan output(c.summed, c.out);
  c.summed = c.out;
  if (output.empty()) return;
  total_ += static_cast<uint32_t>(output.size());
  check_ = format_ == DeflateFormat::zlib ? adler32(check_, output) : crc32(check_, output);
}

Inflate::Step Inflate::trailer(InflateCursor& c) noexcept {
  c.align();
  sum(c);
  if (!c.need(32)) return Step::need_input;
  if (state_ == State::trailer) {
    const uint32_t value = c.take(32);
    if ((format_ == DeflateFormat::zlib ? swap_bytes(value) : value) != check_) return fail("The checksum does not match.");
    return go_to(format_ == DeflateFormat::zlib ? State::done : State::trailer_size);
  }
  if (c.take(32) != total_) return fail("The length does not match.");
  return go_to(State::done);
}

}  // namespace martlet::codec
