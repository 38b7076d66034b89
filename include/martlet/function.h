// martlet/function.h: the callable that handlers are kept in, and the one that options hold.
#pragma once

#include <martlet/config.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

namespace martlet {

namespace detail {
// Keeps `what` (cut to a few hundred bytes) as the text of the last failure on this thread.
void note_failure(const char* what) noexcept;
// What note_failure() kept last.
const char* last_failure() noexcept;

template <typename T>
inline constexpr bool is_task = requires { typename T::is_martlet_task; };  // task.h
}  // namespace detail

template <typename Signature>
class Function;

// A move-only callable returning nothing, with room for 32 bytes of captures inside (larger ones are allocated once,
// when the Function is made). What the callee returns is ignored, but for a Task (task.h), which is begun.
//
// Calling it answers true, or false when the callee threw: the exception is caught here, in code that is compiled in
// the unit of the one who made the Function (the library itself is built without exceptions). The library turns false
// into a 500 or a close with 1011 and reports it to App::on_error. Calling an empty Function does nothing.
template <typename... Args>
class Function<void(Args...)> {
 public:
  static constexpr size_t kInline = 32;

  Function() noexcept = default;
  Function(std::nullptr_t) noexcept {}

  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Function> && std::is_invocable_v<std::decay_t<F>&, Args...>)
  MARTLET_THUNK Function(F&& callee) {
    using Result = std::invoke_result_t<std::decay_t<F>&, Args...>;
    if constexpr (detail::is_task<Result>) {
      store(Result::template of_socket<Args...>(std::forward<F>(callee)));
    } else {
      store(std::forward<F>(callee));
    }
  }

  Function(Function&& other) noexcept : call_(other.call_), move_(other.move_) {
    if (move_) move_(other.storage_, storage_);
    other.call_ = nullptr;
    other.move_ = nullptr;
  }
  Function& operator=(Function&& other) noexcept {
    if (this != &other) {
      this->~Function();
      new (this) Function(std::move(other));
    }
    return *this;
  }
  Function(const Function&) = delete;  // a Function is used once: std::move() it, or make each from the lambda
  Function& operator=(const Function&) = delete;
  ~Function() {
    if (move_) move_(storage_, nullptr);
  }

  explicit operator bool() const noexcept { return call_ != nullptr; }

  // True when the callee returned, false when it threw.
  bool operator()(Args... args) noexcept { return call_ ? call_(storage_, std::forward<Args>(args)...) : true; }

 private:
  template <typename F>
  MARTLET_THUNK void store(F&& callee) {
    using Stored = std::decay_t<F>;
    if constexpr (fits<Stored>()) {
      new (storage_) Stored(std::forward<F>(callee));
    } else {
      new (storage_) Stored*(new Stored(std::forward<F>(callee)));
    }
    call_ = &call<Stored>;
    move_ = &relocate<Stored>;
  }

  template <typename Stored>
  static constexpr bool fits() noexcept {
    return sizeof(Stored) <= kInline && alignof(Stored) <= alignof(void*) && std::is_nothrow_move_constructible_v<Stored>;
  }

  template <typename Stored>
  static Stored& stored(void* storage) noexcept {
    if constexpr (fits<Stored>()) {
      return *std::launder(static_cast<Stored*>(storage));
    } else {
      return **std::launder(static_cast<Stored**>(storage));
    }
  }

  template <typename Stored>
  MARTLET_THUNK static bool call(void* storage, Args... args) {
#if MARTLET_HAS_EXCEPTIONS
    try {
      stored<Stored>(storage)(std::forward<Args>(args)...);
      return true;
    } catch (const std::exception& e) {
      detail::note_failure(e.what());
    } catch (...) {
      detail::note_failure("unknown exception");
    }
    return false;
#else
    stored<Stored>(storage)(std::forward<Args>(args)...);
    return true;
#endif
  }

  // Moves the callee to `to`, or destroys it when `to` is null.
  template <typename Stored>
  static void relocate(void* from, void* to) {
    if constexpr (fits<Stored>()) {
      Stored& callee = stored<Stored>(from);
      if (to) new (to) Stored(std::move(callee));
      callee.~Stored();
    } else {
      if (to) {
        new (to) Stored*(&stored<Stored>(from));
      } else {
        delete &stored<Stored>(from);
      }
    }
  }

  alignas(void*) unsigned char storage_[kInline];
  bool (*call_)(void*, Args...) = nullptr;
  void (*move_)(void*, void*) = nullptr;
};

namespace detail {

// What copies share; the last one destroys it.
struct Counted {
  explicit Counted(void (*d)(Counted*) noexcept) noexcept : destroy(d) {}
  std::atomic<uint32_t> references{1};
  void (*destroy)(Counted*) noexcept;
};

class CountedPointer {
 public:
  CountedPointer() noexcept = default;
  explicit CountedPointer(Counted* taken) noexcept : to_(taken) {}
  CountedPointer(const CountedPointer& other) noexcept : to_(other.to_) {
    if (to_) to_->references.fetch_add(1, std::memory_order_relaxed);
  }
  CountedPointer(CountedPointer&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
  CountedPointer& operator=(CountedPointer other) noexcept {
    std::swap(to_, other.to_);
    return *this;
  }
  ~CountedPointer() {
    if (to_ && to_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) to_->destroy(to_);
  }
  Counted* get() const noexcept { return to_; }

 private:
  Counted* to_ = nullptr;
};

// A value that several own, of whatever type; one that is empty owns nothing.
template <typename T>
class Shared {
 public:
  Shared() noexcept = default;
  template <typename... Args>
  MARTLET_THUNK static Shared make(Args&&... args) {
    Shared made;
    made.to_ = CountedPointer(new Holder(std::forward<Args>(args)...));
    return made;
  }
  // Of one whose counted() it was.
  static Shared of(CountedPointer counted) noexcept {
    Shared made;
    made.to_ = std::move(counted);
    return made;
  }
  const CountedPointer& counted() const noexcept { return to_; }
  explicit operator bool() const noexcept { return to_.get() != nullptr; }
  T& operator*() const noexcept { return static_cast<Holder*>(to_.get())->value; }
  T* operator->() const noexcept { return &**this; }

 private:
  struct Holder final : Counted {
    template <typename... Args>
    MARTLET_THUNK explicit Holder(Args&&... args)
        : Counted([](Counted* self) noexcept { delete static_cast<Holder*>(self); }), value(std::forward<Args>(args)...) {}
    T value;
  };
  CountedPointer to_ = {};
};

template <typename Signature>
struct CountedFunction final : Counted {
  explicit CountedFunction(Function<Signature>&& f) noexcept
      : Counted([](Counted* self) noexcept { delete static_cast<CountedFunction*>(self); }), function(std::move(f)) {}
  Function<Signature> function;
};

}  // namespace detail

template <typename Signature>
class Decision;

// A function of the program's that is asked, and answers. Options that hold one may be copied: the copies share it, so one
// that is given to several workers must bear to be called by all of them at once.
template <typename Answer, typename... Args>
class Decision<Answer(Args...)> {
 public:
  Decision() noexcept = default;
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Decision> && std::is_invocable_r_v<Answer, std::decay_t<F>&, Args...>)
  MARTLET_THUNK Decision(F&& fn)
      : kept_(new detail::CountedFunction<void(Args..., Answer&)>(
            [fn = std::decay_t<F>(std::forward<F>(fn))](Args... args, Answer& answer) mutable { answer = fn(std::forward<Args>(args)...); })) {
    using Result = std::invoke_result_t<std::decay_t<F>&, Args...>;
    static_assert(!std::is_trivially_destructible_v<Answer> || std::is_trivially_destructible_v<std::remove_cvref_t<Result>>,
                  "the answer would be a view of something that is gone: return a view of what stays, as a std::string_view");
  }

  explicit operator bool() const noexcept { return kept_.get() != nullptr; }
  // False when it has thrown.
  bool operator()(Args... args, Answer& answer) const noexcept {
    return static_cast<detail::CountedFunction<void(Args..., Answer&)>*>(kept_.get())->function(std::forward<Args>(args)..., answer);
  }

 private:
  detail::CountedPointer kept_ = {};
};

}  // namespace martlet
