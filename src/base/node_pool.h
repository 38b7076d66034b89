// Small objects of one type, recycled: segments of output, exchanges, memberships. Objects are carved from chunks that
// grow on demand and are given back when the pool dies. take() answers null when memory is out. One thread.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "base/alloc.h"

namespace martlet::base {

template <typename T, size_t kChunkNodes = 32>
class NodePool {
 public:
  NodePool() noexcept = default;
  NodePool(const NodePool&) = delete;
  NodePool& operator=(const NodePool&) = delete;
  ~NodePool() {
    while (chunks_) {
      Chunk* next = chunks_->next;
      deallocate(chunks_);
      chunks_ = next;
    }
  }

  template <typename... Args>
  [[nodiscard]] T* take(Args&&... args) noexcept {
    if (!free_ && !grow()) return nullptr;
    Node* node = free_;
    free_ = node->next;
    return new (node->memory) T(std::forward<Args>(args)...);
  }

  void give_back(T* object) noexcept {
    object->~T();
    Node* node = reinterpret_cast<Node*>(object);
    node->next = free_;
    free_ = node;
  }

 private:
  union Node {
    Node* next;
    alignas(T) unsigned char memory[sizeof(T)];
  };
  struct Chunk {
    Chunk* next;
    Node nodes[kChunkNodes];
  };

  bool grow() noexcept {
    auto* chunk = static_cast<Chunk*>(allocate(sizeof(Chunk)));
    if (!chunk) return false;
    chunk->next = chunks_;
    chunks_ = chunk;
    for (size_t i = kChunkNodes; i-- > 0;) {
      chunk->nodes[i].next = free_;
      free_ = &chunk->nodes[i];
    }
    return true;
  }

  Chunk* chunks_ = nullptr;
  Node* free_ = nullptr;
};

}  // namespace martlet::base
