// martlet/message.h: messages, as they come in and to send often.
#pragma once

#include <martlet/config.h>
#include <martlet/json_forward.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace martlet {

struct MessageAccess;

namespace base {
struct Block;
}

// An encoded message to send often: it is built once and shared by all who send it. Copying copies a reference.
// Any thread.
class SharedFrame {
 public:
  SharedFrame() noexcept = default;
  SharedFrame(const SharedFrame& other) noexcept;
  SharedFrame(SharedFrame&& other) noexcept;
  SharedFrame& operator=(SharedFrame other) noexcept;
  ~SharedFrame();

  // Copies the payload. Empty (false) when memory is out.
  static SharedFrame text(std::string_view payload) noexcept;
  static SharedFrame text(const JsonText& json) noexcept;
  static SharedFrame binary(std::span<const std::byte> payload) noexcept;

  explicit operator bool() const noexcept { return block_ != nullptr; }
  // The payload without its frame header.
  std::span<const std::byte> payload() const noexcept;
  bool is_text() const noexcept;

 private:
  friend struct MessageAccess;
  base::Block* block_ = nullptr;
  uint32_t begin_ = 0;   // of the frame in the block
  uint64_t length_ = 0;  // of the frame, header included
};

// What a message is made of.
enum class MessageType : uint8_t { text = 1, binary = 2 };

// A piece of a message, as WebSocket::on_fragment tells it: a view that is valid until the handler returns.
class Fragment {
 public:
  Fragment(const Fragment&) = delete;  // it is valid until its handler returns: copy its bytes
  Fragment& operator=(const Fragment&) = delete;

  bool is_text() const noexcept { return is_text_; }
  bool is_first() const noexcept { return is_first_; }
  bool is_last() const noexcept { return is_last_; }
  size_t size() const noexcept { return size_; }
  // Of a text, UTF-8 that may begin and end inside of a character.
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  std::span<const std::byte> bytes() const noexcept { return {reinterpret_cast<const std::byte*>(data_), size_}; }

 private:
  friend struct MessageAccess;
  friend class KeptFragment;
  Fragment(const uint8_t* data, size_t size, bool is_text, bool is_first, bool is_last) noexcept
      : data_(data), size_(size), is_text_(is_text), is_first_(is_first), is_last_(is_last) {}
  const uint8_t* data_;
  size_t size_;
  bool is_text_, is_first_, is_last_;
};

// One whole message, as its handler sees it: a view that is valid until the handler returns. It cannot be copied, so
// keeping one by accident does not compile; share() makes a copy to keep.
class Message {
 public:
  Message(const Message&) = delete;  // it is valid until its handler returns: take a const Message&, keep what msg.share() gives
  Message& operator=(const Message&) = delete;

  bool is_text() const noexcept { return is_text_; }
  bool is_binary() const noexcept { return !is_text_; }
  size_t size() const noexcept { return size_; }
  // The payload as characters; UTF-8 when is_text().
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  std::span<const std::byte> bytes() const noexcept { return {reinterpret_cast<const std::byte*>(data_), size_}; }
  // The payload as JSON: a Json, or an own type with json<Move>() (json.h).
  template <typename T = Json>
  MARTLET_THUNK JsonResult<T> json() const {
    return JsonResult<T>::parse(text());
  }
  template <typename T = Json>
  MARTLET_THUNK JsonResult<T> json(const JsonOptions& options) const {
    return JsonResult<T>::parse(text(), options);
  }
  // The message as a frame to keep or to send often. Of a large message this copies nothing.
  SharedFrame share() const noexcept;

 private:
  friend struct MessageAccess;
  friend class KeptMessage;
  Message(uint8_t* data, size_t size, bool is_text, base::Block* block) noexcept
      : data_(data), size_(size), block_(block), is_text_(is_text) {}
  uint8_t* data_;
  size_t size_;
  base::Block* block_;  // that holds the payload, or null: it lies in the receive buffer
  bool is_text_;
};

}  // namespace martlet
