// martlet/admission.h: who may open a WebSocket, where a list does not say it: functions in WsOptions that are asked.
//
//   app.ws("/chat", {.verify = [](Request& req, Verify decide) {
//     if (req.header("authorization").empty()) return decide.refuse(401, "who are you?", {{"WWW-Authenticate", "Bearer"}});
//     ask_the_database(req, [decide](bool known) { known ? decide.accept() : decide.refuse(403); });   // later, on any thread
//   }}, handler);
#pragma once

#include <martlet/config.h>
#include <martlet/function.h>
#include <martlet/middleware.h>

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

class Request;
struct NamedText;

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
  CountedPointer& operator=(CountedPointer other) noexcept { return std::swap(to_, other.to_), *this; }
  ~CountedPointer() {
    if (to_ && to_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) to_->destroy(to_);
  }
  Counted* get() const noexcept { return to_; }

 private:
  Counted* to_ = nullptr;
};

template <typename Signature>
struct CountedFunction final : Counted {
  explicit CountedFunction(Function<Signature>&& f) noexcept
      : Counted([](Counted* self) noexcept { delete static_cast<CountedFunction*>(self); }), function(std::move(f)) {}
  Function<Signature> function;
};

struct VerifyParts;  // what it takes to verify: named by the constructor from a function alone
extern const VerifyParts verify_parts;

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
            [fn = std::decay_t<F>(std::forward<F>(fn))](Args... args, Answer& answer) mutable { answer = fn(std::forward<Args>(args)...); })) {}

  explicit operator bool() const noexcept { return kept_.get() != nullptr; }
  // False when it has thrown.
  bool operator()(Args... args, Answer& answer) const noexcept {
    return static_cast<detail::CountedFunction<void(Args..., Answer&)>*>(kept_.get())->function(std::forward<Args>(args)..., answer);
  }

 private:
  detail::CountedPointer kept_;
};

// What a function of WsOptions::verify decides by: once, at once or later, from any thread; it may be copied and kept. A
// second decision is ignored, counted (Stats::late_nexts) and logged; debug builds abort. Once the client has gone, or the
// time is over, it does nothing. The answer is not made before the call that decides has returned, nor while the
// function of verify runs.
//
// While none has decided, what the client sends waits: 64 KiB of it, then it is not read. Without a decision within
// AppOptions::handshake_timeout the client gets 408.
class Verify {
 public:
  // It may come in.
  void accept() const noexcept { next_(); }
  // It may not: an answer with this status (400 to 599, else it is a programmer's error and 403), this body, text/plain
  // unless a field says otherwise, and these fields. The connection is closed. Everything is copied.
  void refuse(int status = 403, std::string_view body = {}) const noexcept;
  void refuse(int status, std::string_view body, std::initializer_list<NamedText> fields) const noexcept;
  // It is sent elsewhere: 301, 302, 303, 307 or 308. Browsers do not follow it when they open a WebSocket; other clients may.
  void redirect(std::string_view location, int status = 307) const noexcept;

 private:
  friend class Verification;
  explicit Verify(const Next& next) noexcept : next_(next) {}
  void answer(int status, std::string_view body, const NamedText* fields, size_t count) const noexcept;

  Next next_;
};

// The option: a function that is called with (Request&, Verify) and decides by the Verify, or with (Request&) and answers
// bool (false: 401). It may be a coroutine that returns a Task<> (task.h). One that throws has refused: 500. The request is
// valid until it returns, as that of a middleware.
class Verification {
 public:
  Verification() noexcept = default;
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Verification>)
  MARTLET_THUNK Verification(F&& fn);  // router.h

  explicit operator bool() const noexcept { return parts_ != nullptr; }

 private:
  friend struct VerifyAccess;
  detail::CountedPointer step_;
  const detail::VerifyParts* parts_ = nullptr;
};

}  // namespace martlet
