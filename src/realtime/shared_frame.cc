// SharedFrame: one encoded frame in a reference-counted block, and making one out of a message.
#include <cstring>
#include <utility>

#include "realtime/realtime.h"
#include "base/block.h"
#include "proto/ws_frame.h"

namespace martlet {

namespace {

// Where a frame begins in its block: before data() when its payload does, in the block's headroom.
uint8_t* start_of(base::Block* block, uint32_t begin) noexcept {
  return block->data() - base::Block::kHeadroom + begin;
}

SharedFrame encode(proto::Opcode opcode, const void* payload, size_t size) noexcept {
  base::Block* block = base::Block::make(size);
  if (!block) return SharedFrame();
  if (size) std::memcpy(block->data(), payload, size);
  const size_t header = proto::frame_header_size(size);
  proto::encode_frame_header(block->data() - header, opcode, size);
  return MessageAccess::frame(block, static_cast<uint32_t>(base::Block::kHeadroom - header), header + size);
}

}  // namespace

SharedFrame MessageAccess::frame(base::Block* block, uint32_t begin, uint64_t length) noexcept {
  SharedFrame frame;
  frame.block_ = block;
  frame.begin_ = begin;
  frame.length_ = length;
  return frame;
}

uint8_t* MessageAccess::data(const SharedFrame& f) noexcept { return start_of(f.block_, f.begin_); }

SharedFrame::SharedFrame(const SharedFrame& other) noexcept
    : block_(other.block_), begin_(other.begin_), length_(other.length_) {
  if (block_) block_->retain();
}

SharedFrame::SharedFrame(SharedFrame&& other) noexcept
    : block_(std::exchange(other.block_, nullptr)), begin_(other.begin_), length_(other.length_) {}

SharedFrame& SharedFrame::operator=(SharedFrame other) noexcept {
  std::swap(block_, other.block_);
  std::swap(begin_, other.begin_);
  std::swap(length_, other.length_);
  return *this;
}

SharedFrame::~SharedFrame() {
  if (block_) block_->release();
}

SharedFrame SharedFrame::text(std::string_view payload) noexcept {
  return encode(proto::Opcode::text, payload.data(), payload.size());
}

SharedFrame SharedFrame::binary(std::span<const std::byte> payload) noexcept {
  return encode(proto::Opcode::binary, payload.data(), payload.size());
}

std::span<const std::byte> SharedFrame::payload() const noexcept {
  if (!block_) return {};
  const size_t length = static_cast<size_t>(length_);
  const size_t header = length < 126 + 2 ? 2 : length < 65536 + 4 ? 4 : 10;
  return {reinterpret_cast<const std::byte*>(start_of(block_, begin_)) + header, length - header};
}

bool SharedFrame::is_text() const noexcept { return block_ && (*start_of(block_, begin_) & 0x0f) == 1; }

// A message in a block of its own lends the block: only a header is written before it.
SharedFrame Message::share() const noexcept {
  const proto::Opcode opcode = is_text_ ? proto::Opcode::text : proto::Opcode::binary;
  if (!block_ || size_ < 4096) return encode(opcode, data_, size_);
  const size_t header = proto::frame_header_size(size_);
  // As in sending it: the first one writes the header, before anybody else can see it.
  if (block_->references.load(std::memory_order_relaxed) == 1) {
    proto::encode_frame_header(data_ - header, opcode, size_);
  }
  block_->retain();
  return MessageAccess::frame(block_, static_cast<uint32_t>(base::Block::kHeadroom - header), header + size_);
}

}  // namespace martlet
