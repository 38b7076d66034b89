// See document.h.
#include "json/document.h"

#include <algorithm>
#include <new>

namespace martlet::json {

namespace {

// What a cell can say of the distance from the start of its chunk.
constexpr size_t kMaxChunk = (size_t{1} << 24) * 16;
constexpr size_t kLeast = 256;
constexpr size_t kSmallText = size_t{64} << 10;
constexpr size_t kHead = sizeof(Chunk) + sizeof(Document);

}  // namespace

void Document::release() noexcept {
  if (references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // This lies in the last.
  for (Chunk* chunk = chunks; chunk;) {
    Chunk* next = chunk->next;
    base::deallocate(chunk);
    chunk = next;
  }
}

// A small text gets one chunk that is nearly always enough; a large one less than it takes in most cases, and then most of what the
// rest takes at the rate so far, until little is left: little is left over at the end.
size_t DocumentBuilder::chunk_bytes(size_t bytes, size_t read) const noexcept {
  const size_t rest = text_bytes_ - std::min(read, text_bytes_);
  size_t guess = text_bytes_ <= kSmallText ? text_bytes_ + kHead : text_bytes_ / 2;
  if (taken_ != 0 && read != 0) guess = static_cast<size_t>(static_cast<double>(taken_) / static_cast<double>(read) * static_cast<double>(rest) * (rest > kSmallText ? 0.7 : 1.05));
  guess = std::clamp(guess, kLeast, kMaxChunk / 2);
  // What begins in a chunk must lie within reach; a run that is larger begins a chunk of its own.
  return (std::max(guess, bytes + kHead) + 15) & ~size_t{15};
}

bool DocumentBuilder::add_chunk(size_t bytes, size_t read) noexcept {
  if (bytes > SIZE_MAX / 4) return false;
  const size_t size = chunk_bytes(bytes, read);
  auto* chunk = static_cast<Chunk*>(base::allocate(size));
  if (!chunk) return false;
  auto* memory = reinterpret_cast<uint8_t*>(chunk);
  low_ = memory + sizeof(Chunk);
  if (!document_) {
    document_ = new (low_) Document{{1}, {false}, nullptr};
    low_ += sizeof(Document);
  }
  new (chunk) Chunk{document_, document_->chunks};
  document_->chunks = chunk;
  chunk_ = chunk;
  // Behind a run that is larger than a chunk nothing is within reach.
  high_ = size > kMaxChunk ? low_ + bytes : memory + size;
  taken_ += size;
  return true;
}

}  // namespace martlet::json
