// The memory of a parsed document: a few chunks that end together.
//
//   | Chunk | Document (first chunk only) | cells of arrays and objects → ... free ... ← long strings |
//
// A cell in it (kBorrowed) costs its document nothing and has no reference to it: it ends with the value it was parsed
// into. Each such cell knows how far its memory lies from the start of its chunk, and the chunk knows the document: so a value can be moved out at any time, for one
// reference (kCounted), and keeps the document until it ends.
//
// As long as nobody has asked for a part of the document to change it, nothing in it can own memory of its own, and
// the end of the document looks at no cell. touched() says that somebody has.
//
// References are counted across threads: parts of one document may be used on different ones.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/alloc.h"
#include "json/cells.h"

namespace martlet::json {

struct Document;

struct alignas(16) Chunk {
  Document* document;
  Chunk* next;
};

struct alignas(16) Document {
  std::atomic<uint32_t> references;
  std::atomic<bool> touched;
  Chunk* chunks;  // all of them; this lies in the last of the list

  void retain() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;
  void touch() noexcept {
    if (!touched.load(std::memory_order_relaxed)) touched.store(true, std::memory_order_relaxed);
  }
};

// The document that the memory of a cell with kBorrowed or kCounted belongs to.
inline Document* document_of(const Cell& cell) noexcept {
  const uintptr_t units = uintptr_t{cell.distance[0]} | uintptr_t{cell.distance[1]} << 8 | uintptr_t{cell.distance[2]} << 16;
  const uintptr_t at = reinterpret_cast<uintptr_t>(cell.text) & ~uintptr_t{15};
  return reinterpret_cast<const Chunk*>(at - units * 16)->document;
}

// What is changed from outside in cells that were parsed: their document must look at them when it ends.
inline void touch(const Cell& cell) noexcept {
  if (is_container(cell) && (cell.tag & (kBorrowed | kCounted))) document_of(cell)->touch();
}

// Fills a document while its text is read. Answers null when memory is out.
class DocumentBuilder {
 public:
  // `text_bytes` are to come: the size of the first chunk goes by it.
  explicit DocumentBuilder(size_t text_bytes) noexcept : text_bytes_(text_bytes) {}
  DocumentBuilder(const DocumentBuilder&) = delete;
  DocumentBuilder& operator=(const DocumentBuilder&) = delete;
  ~DocumentBuilder() {
    if (document_) document_->release();
  }

  // `read` bytes of the text have been used: what is still to come needs memory in proportion.
  Cell* cells(size_t count, size_t read) noexcept {
    const size_t bytes = count * sizeof(Cell);
    if (static_cast<size_t>(high_ - low_) < bytes && !add_chunk(bytes, read)) return nullptr;
    auto* cells = reinterpret_cast<Cell*>(low_);
    low_ += bytes;
    return cells;
  }
  char* text(size_t size, size_t read) noexcept {
    if (static_cast<size_t>(high_ - low_) < size && !add_chunk(size, read)) return nullptr;
    high_ -= size;
    return reinterpret_cast<char*>(high_);
  }
  // The cell's memory, which came last from here, is `memory`.
  void set_memory(Cell& cell, const void* memory) const noexcept {
    const auto units = static_cast<uint32_t>((reinterpret_cast<uintptr_t>(memory) & ~uintptr_t{15}) - reinterpret_cast<uintptr_t>(chunk_)) / 16;
    cell.distance[0] = static_cast<uint8_t>(units);
    cell.distance[1] = static_cast<uint8_t>(units >> 8);
    cell.distance[2] = static_cast<uint8_t>(units >> 16);
  }
  // The reference that the builder had is the caller's. Null when nothing was asked for.
  Document* give() noexcept {
    Document* document = document_;
    document_ = nullptr;
    return document;
  }

 private:
  bool add_chunk(size_t bytes, size_t read) noexcept;
  size_t chunk_bytes(size_t bytes, size_t read) const noexcept;

  size_t text_bytes_;
  size_t taken_ = 0;  // bytes of chunks so far
  Document* document_ = nullptr;
  Chunk* chunk_ = nullptr;
  uint8_t* low_ = nullptr;
  uint8_t* high_ = nullptr;
};

}  // namespace martlet::json
