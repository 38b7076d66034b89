// martlet/kept_arguments.h: what the arguments of a WebSocket's handler are while a coroutine has them (task.h): views become copies
// that last as long as the task does. Nothing here is called by programs.
#pragma once

#include <martlet/config.h>
#include <martlet/message.h>
#include <martlet/middleware.h>
#include <martlet/request.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

// A message with its bytes: a large one is not copied.
class KeptMessage {
 public:
  explicit KeptMessage(const Message& message) noexcept;
  KeptMessage(KeptMessage&& other) noexcept : KeptMessage(std::move(other.frame_)) {}
  KeptMessage& operator=(KeptMessage&&) = delete;
  explicit operator bool() const noexcept { return static_cast<bool>(frame_); }
  size_t bytes() const noexcept { return message_.size(); }
  const Message& get() const noexcept { return message_; }

 private:
  explicit KeptMessage(SharedFrame&& frame) noexcept;
  SharedFrame frame_;
  Message message_;
};

class KeptFragment {
 public:
  explicit KeptFragment(const Fragment& fragment) noexcept;
  KeptFragment(KeptFragment&& other) noexcept
      : KeptFragment(std::move(other.frame_), other.fragment_.is_text(), other.fragment_.is_first(), other.fragment_.is_last()) {}
  KeptFragment& operator=(KeptFragment&&) = delete;
  explicit operator bool() const noexcept { return static_cast<bool>(frame_); }
  size_t bytes() const noexcept { return fragment_.size(); }
  const Fragment& get() const noexcept { return fragment_; }

 private:
  KeptFragment(SharedFrame&& frame, bool is_text, bool is_first, bool is_last) noexcept;
  SharedFrame frame_;
  Fragment fragment_;
};

namespace detail {

struct TaskRoot;

// What it holds that a peer has sent, and may make as large as messages may be.
template <typename Kept>
size_t bytes_of(const Kept& kept) noexcept {
  if constexpr (requires { kept.bytes(); }) return kept.bytes();
  return 0;
}

// The request of a connection's handler, which is kept.
class HeldRequest {
 public:
  explicit HeldRequest(Request& req) noexcept;
  HeldRequest(HeldRequest&& other) noexcept : request_(other.request_), root_(std::exchange(other.root_, nullptr)) {}
  HeldRequest(const HeldRequest&) = delete;
  HeldRequest& operator=(const HeldRequest&) = delete;
  ~HeldRequest();
  explicit operator bool() const noexcept { return root_ != nullptr; }
  Request& get() const noexcept { return *request_; }

 private:
  Request* request_;
  TaskRoot* root_;  // null when memory was out
};

// A struct with one text in it.
template <typename T, std::string_view T::*kText>
class MARTLET_LAYOUT KeptText {
 public:
  explicit KeptText(const T& what) : text_(what.*kText), what_(what) {}
  explicit operator bool() const noexcept { return true; }
  const T& get() noexcept {
    what_.*kText = text_;
    return what_;
  }

 private:
  std::string text_;
  T what_;
};

class MARTLET_LAYOUT KeptString {
 public:
  explicit KeptString(std::string_view text) : text_(text) {}
  explicit operator bool() const noexcept { return true; }
  size_t bytes() const noexcept { return text_.size(); }
  std::string_view get() const noexcept { return text_; }

 private:
  std::string text_;
};

// Of what is no view. (AckResult, which has one, is in events.h.)
template <typename T>
class KeptArgument {
  static_assert(!std::is_reference_v<T> && !std::is_pointer_v<T>, "a coroutine cannot be told this: it is a view that ends with the call");

 public:
  explicit KeptArgument(T value) : value_(std::move(value)) {}
  explicit operator bool() const noexcept { return true; }
  T get() noexcept { return std::move(value_); }

 private:
  T value_;
};
template <>
class KeptArgument<std::string_view> : public KeptString {
  using KeptString::KeptString;
};
template <>
class KeptArgument<const Message&> : public KeptMessage {
  using KeptMessage::KeptMessage;
};
template <>
class KeptArgument<const Fragment&> : public KeptFragment {
  using KeptFragment::KeptFragment;
};
template <>
class KeptArgument<Request&> : public HeldRequest {
  using HeldRequest::HeldRequest;
};
template <>
class KeptArgument<const CloseInfo&> : public KeptText<CloseInfo, &CloseInfo::reason> {
  using KeptText::KeptText;
};
template <>
class KeptArgument<const ErrorInfo&> : public KeptText<ErrorInfo, &ErrorInfo::message> {
  using KeptText::KeptText;
};

}  // namespace detail

}  // namespace martlet
