// martlet/error.h: what went wrong with the environment (a port that is taken, descriptors that ran out), as a value.
//
// The library throws nothing. Errors of a peer are not of this kind: they reach you as a status, a close code or a
// CloseCause. Errors of the program (run() inside a callback) abort with a message.
#pragma once

#include <martlet/config.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace martlet {

// Trivially copyable; owns nothing, allocates nothing. Any thread.
class [[nodiscard]] Error {
 public:
  // No error.
  constexpr Error() noexcept = default;
  // `what` must be a string literal (it is kept by address); `os_code` is an errno value, or 0.
  constexpr Error(const char* what, int os_code = 0) noexcept : what_(what), os_code_(os_code) {}
  // One that names what it is about: Error::of({"bind ", "127.0.0.1:3000"}, EADDRINUSE). The pieces are copied, one after
  // the other, control characters as '.'; of what is longer than kTextBytes the end is left out ("...").
  static Error of(std::initializer_list<std::string_view> pieces, int os_code = 0) noexcept;
  // How long such a text may be: an address or the path of a Unix socket, with some words around it.
  static constexpr size_t kTextBytes = 159;

  // True when there is an error.
  constexpr explicit operator bool() const noexcept { return what_ != nullptr || text_[0] != '\0'; }

  // What was being done, to what, in a few words; empty when there is no error. Valid as long as this Error.
  constexpr std::string_view what() const noexcept { return what_ ? std::string_view(what_) : std::string_view(text_); }
  // The operating system's error number, 0 when it was not the operating system.
  constexpr int os_code() const noexcept { return os_code_; }
  // A sentence for a person: "bind 127.0.0.1:3000: Address already in use". Allocates the string.
  std::string message() const;

 private:
  const char* what_ = nullptr;  // null also where the text is our own
  int os_code_ = 0;
  char text_[kTextBytes + 1] = {};
};

// A value or an Error. Asking for the value of an error aborts with the error's message.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) noexcept : ok_(true), value_(std::move(value)) {}
  Result(Error error) noexcept : ok_(false), error_(error) {}
  Result(Result&& other) noexcept : ok_(other.ok_) {
    if (ok_) new (&value_) T(std::move(other.value_));
    else new (&error_) Error(other.error_);
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  Result& operator=(Result&&) = delete;
  ~Result() {
    if (ok_) value_.~T();
  }

  bool ok() const noexcept { return ok_; }
  explicit operator bool() const noexcept { return ok_; }
  T& operator*() & noexcept { return expect_value(), value_; }
  const T& operator*() const& noexcept { return expect_value(), value_; }
  T&& operator*() && noexcept { return expect_value(), std::move(value_); }
  T* operator->() noexcept { return expect_value(), &value_; }
  const T* operator->() const noexcept { return expect_value(), &value_; }
  // No error (a false Error) when there is a value.
  Error error() const noexcept { return ok_ ? Error() : error_; }

 private:
  void expect_value() const noexcept;
  bool ok_;
  union {
    T value_;
    Error error_;
  };
};

// Prints the error to stderr and aborts; behind Result's access checks.
[[noreturn]] void fail_result_access(const Error& error) noexcept;

template <typename T>
void Result<T>::expect_value() const noexcept {
  if (!ok_) fail_result_access(error_);
}

// For main(): prints "martlet: <message>" to stderr and answers 1, so that `return report(error)` reads well.
int report(const Error& error) noexcept;

}  // namespace martlet
