// What all workers of a group have in common, and a worker on its own has by itself: objects of features (parts.h) that span
// workers. One is made when it is first asked for, found by the address of its type's key, and destroyed when no worker is
// left. What it holds is for it to guard: any thread that has a worker may come.
//
//   struct Clients final : worker::CommonObject {
//     static constexpr worker::PartKey kKey{};
//     std::mutex mutex;
//   };
//   Clients* clients = worker::common_of(w).find_or_add<Clients>();   // null when memory is out
#pragma once

#include <mutex>

#include "base/alloc.h"
#include "worker/parts.h"

namespace martlet::worker {

struct Worker;

// A T that derives from it may have `bool worker_opens(Worker&) noexcept`: one of the workers opens, on its thread; for what each of
// them is to have, though only one was asked. False when memory is out.
struct CommonObject {
  CommonObject() noexcept = default;
  CommonObject(const CommonObject&) = delete;
  CommonObject& operator=(const CommonObject&) = delete;

  const PartKey* key = nullptr;
  CommonObject* next = nullptr;
  void (*destroy)(CommonObject* object) noexcept = nullptr;
  bool (*opens)(CommonObject* object, Worker& w) noexcept = nullptr;
};

class Common {
 public:
  Common() noexcept = default;
  Common(const Common&) = delete;
  Common& operator=(const Common&) = delete;
  // The last one that came goes first.
  ~Common() {
    while (CommonObject* object = first_) {
      first_ = object->next;
      object->destroy(object);
    }
  }

  bool worker_opens(Worker& w) noexcept {
    CommonObject* object;
    {
      const std::lock_guard lock(mutex_);
      object = first_;
    }
    while (object && (!object->opens || object->opens(object, w))) object = object->next;  // one that came first stays behind those that come
    return !object;
  }

  template <typename T>
  T* find() noexcept {
    const std::lock_guard lock(mutex_);
    return look<T>();
  }
  template <typename T>
  T* find_or_add() noexcept {
    const std::lock_guard lock(mutex_);
    if (T* object = look<T>()) return object;
    T* object = base::create<T>();
    if (!object) return nullptr;
    CommonObject& made = *object;
    made.key = &T::kKey;
    made.destroy = [](CommonObject* it) noexcept { base::destroy(static_cast<T*>(it)); };
    if constexpr (requires(Worker& w) { object->worker_opens(w); }) {
      made.opens = [](CommonObject* it, Worker& w) noexcept { return static_cast<T*>(it)->worker_opens(w); };
    }
    made.next = first_;
    first_ = object;
    return object;
  }

 private:
  template <typename T>
  T* look() const noexcept {
    for (CommonObject* object = first_; object; object = object->next) {
      if (object->key == &T::kKey) return static_cast<T*>(object);
    }
    return nullptr;
  }

  std::mutex mutex_;
  CommonObject* first_ = nullptr;
};

Common& common_of(Worker& w) noexcept;

}  // namespace martlet::worker
