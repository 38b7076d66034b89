// martlet/common.h: one object for all workers of a Server, for what has to be the same whoever serves: a limit, a count, a
// cache, a connection pool.
#pragma once

#include <martlet/config.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

namespace martlet {

namespace detail {

struct CommonBox {
  CommonBox() noexcept = default;
  CommonBox(const CommonBox&) = delete;
  CommonBox& operator=(const CommonBox&) = delete;
  virtual ~CommonBox() = default;

  std::atomic<uint32_t> references{1};
};
// The next of this type that the set-up of this worker has not yet taken, with a reference for the caller; null when it has to
// make one.
CommonBox* find_common(const void* type) noexcept;
// The one that it has made, for the workers after it. False when memory is out.
[[nodiscard]] bool keep_common(const void* type, CommonBox* box) noexcept;
void release_common(CommonBox* box) noexcept;

template <typename T>
inline constexpr char common_key{};

#if MARTLET_HAS_EXCEPTIONS
[[noreturn]] inline void no_room_for_object() { throw std::bad_alloc(); }
#else
[[noreturn]] MARTLET_THUNK inline void no_room_for_object() { std::terminate(); }
#endif

}  // namespace detail

// A T that the workers of a Server have in common. Made in the function that sets a worker up: what its first worker makes first
// is what each other worker's first is, and so on for each type T, so that all of them ask in the same order, as they register
// the same routes. Elsewhere (an App by itself, a handler) each has a T of its own.
//
//   server.run([](App& app) {
//     Common<Hits> hits;                                            // struct Hits { std::atomic<uint64_t> count; };
//     app.get("/", [hits](Request&, Response& res) { hits->count++; … });
//   });
//
// It is reached from any worker's thread at any time: what it holds is for it to guard. Copies name the same T, which ends with
// the last of them, and not before its Server has ended or is started again. Throws what the constructor throws, and
// std::bad_alloc as `new` does.
template <typename T>
class Common {
 public:
  // The arguments are those of T's constructor, of which those of the worker that comes first count.
  template <typename... Args>
    requires std::is_constructible_v<T, Args&&...>
  MARTLET_THUNK explicit Common(Args&&... args) : box_(static_cast<Box*>(detail::find_common(&detail::common_key<T>))) {
    if (box_) return;
    box_ = new Box(std::forward<Args>(args)...);
    if (detail::keep_common(&detail::common_key<T>, box_)) return;
    detail::release_common(box_);
    detail::no_room_for_object();
  }
  Common(const Common& other) noexcept : box_(other.box_) { box_->references.fetch_add(1, std::memory_order_relaxed); }
  Common& operator=(const Common& other) noexcept {
    other.box_->references.fetch_add(1, std::memory_order_relaxed);
    detail::release_common(std::exchange(box_, other.box_));
    return *this;
  }
  ~Common() { detail::release_common(box_); }

  T& operator*() const noexcept { return box_->object; }
  T* operator->() const noexcept { return &box_->object; }

 private:
  struct Box final : detail::CommonBox {
    template <typename... Args>
    explicit Box(Args&&... args) : object(std::forward<Args>(args)...) {}
    T object;
  };

  Box* box_;
};

}  // namespace martlet
