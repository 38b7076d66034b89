// martlet/common.h: one object for all workers of a Server, for what has to be the same whoever serves: a limit, a count, a
// cache, a pool of connections.
#pragma once

#include <martlet/config.h>
#include <martlet/function.h>
#include <martlet/typed_data.h>

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

namespace martlet {

namespace detail {

// The next of this type that the set-up of this worker has not yet taken; empty when it has to make one.
CountedPointer find_common(const void* type) noexcept;
// The one that it has made, for the workers after it. False when memory is out.
[[nodiscard]] bool keep_common(const void* type, const CountedPointer& made) noexcept;

#if MARTLET_HAS_EXCEPTIONS
[[noreturn]] inline void no_room_in_common() { throw std::bad_alloc(); }
#else
[[noreturn]] MARTLET_THUNK inline void no_room_in_common() { std::terminate(); }
#endif

}  // namespace detail

// A T that the workers of a Server have in common. Made in the function that sets a worker up: what its first worker makes first
// is what each other worker's first is, and so on for each type T, so that all of them ask in the same order, as they register
// the same routes. Elsewhere (an App by itself, a handler) each has a T of its own.
//
//   server.run([](App& app) {
//     Common<Hits> hits;                                            // struct Hits { std::atomic<uint64_t> count; };
//     app.get("/", [hits](Request&, Response& res) { hits->count++; ... });
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
  MARTLET_THUNK explicit Common(Args&&... args) : it_(detail::Shared<T>::of(detail::find_common(&detail::slot_key<T>))) {
    if (it_) return;
    it_ = detail::Shared<T>::make(std::forward<Args>(args)...);
    if (!detail::keep_common(&detail::slot_key<T>, it_.counted())) detail::no_room_in_common();
  }

  T& operator*() const noexcept { return *it_; }
  T* operator->() const noexcept { return &*it_; }

 private:
  detail::Shared<T> it_;
};

}  // namespace martlet
