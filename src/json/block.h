// The memory of an array or object that was not parsed, or has outgrown the document it was parsed into: cells with a head before them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/alloc.h"
#include "json/cells.h"
#include "json/document.h"

namespace martlet::json {

struct alignas(16) BlockHead {
  Document* document;  // that cells in here were parsed into, with a reference; or null
  uint32_t capacity;   // in cells
};

inline BlockHead* head_of(Cell* cells) noexcept { return reinterpret_cast<BlockHead*>(cells) - 1; }

// Cells that are not initialised; null when memory is out.
inline Cell* make_block(size_t capacity, Document* document) noexcept {
  if (capacity > UINT32_MAX / 2) return nullptr;
  auto* head = static_cast<BlockHead*>(base::allocate(sizeof(BlockHead) + capacity * sizeof(Cell)));
  if (!head) return nullptr;
  *head = {document, static_cast<uint32_t>(capacity)};
  return reinterpret_cast<Cell*>(head + 1);
}

// What the cells own has ended.
inline void free_block(Cell* cells) noexcept {
  if (Document* document = head_of(cells)->document) document->release();
  base::deallocate(head_of(cells));
}

}  // namespace martlet::json
