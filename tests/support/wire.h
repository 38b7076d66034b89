// What a server may say: whole responses one after the other, and behind a 101 whole frames. For tests that do not know
// which bytes came, only that they must make sense. The end may be cut anywhere.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace martlet::test {

namespace wire {

// The size of the frame at the front with its header, 0 when it is not whole; `wrong` says what is against RFC 6455.
inline size_t frame_size(std::string_view in, const char*& wrong) {
  const auto at = [in](size_t i) { return static_cast<uint8_t>(in[i]); };
  if (in.size() < 2) return 0;
  const int opcode = at(0) & 15;
  if ((at(0) & 0xf0) != 0x80 || at(1) & 0x80) return wrong = "a frame with a mask, a reserved bit, or without FIN", 0;
  if (opcode != 1 && opcode != 2 && (opcode < 8 || opcode > 10)) return wrong = "an unknown opcode", 0;
  size_t length = at(1);
  const size_t header = length < 126 ? 2 : length == 126 ? 4 : 10;
  if (opcode >= 8 && length > 125) return wrong = "a long control frame", 0;
  if (in.size() < header) return 0;
  if (header > 2) length = 0;
  for (size_t i = 2; i < header; i++) length = length << 8 | at(i);
  if (header > 2 && length < (header == 4 ? 126u : 65536u)) return wrong = "a length that is too long", 0;
  if (opcode == 8 && length == 1) return wrong = "a Close of one byte", 0;
  return in.size() - header < length ? 0 : header + length;
}

inline const char* check_frames(std::string_view in) {
  const char* wrong = nullptr;
  bool closed = false;
  while (!in.empty() && !wrong) {
    if (closed) return "bytes behind a Close";
    closed = (in[0] & 15) == 8;
    const size_t size = frame_size(in, wrong);
    if (size == 0) return wrong;
    in.remove_prefix(size);
  }
  return wrong;
}

}  // namespace wire

// What is wrong with it; null: nothing. Answers to HEAD are not understood.
inline const char* check_wire(std::string_view in) {
  constexpr std::string_view kStart = "HTTP/1.1 ";
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  while (!in.empty()) {
    if (!in.starts_with(kStart.substr(0, in.size()))) return "no status line";
    const size_t end = in.find("\r\n\r\n");
    if (end == std::string_view::npos) return nullptr;
    const std::string_view head = in.substr(0, end + 2);
    in.remove_prefix(end + 4);
    const std::string_view status = head.substr(kStart.size(), 3);
    if (status == "101") return wire::check_frames(in);
    const size_t field = head.find(kLength);
    if (field == std::string_view::npos && status != "100" && status != "204") return "no length";
    if (field == std::string_view::npos) continue;
    const size_t length = std::strtoull(head.data() + field + kLength.size(), nullptr, 10);
    if (in.size() < length) return nullptr;
    in.remove_prefix(length);
    if (head.find("\r\nConnection: close\r\n") != std::string_view::npos && !in.empty()) return "bytes behind the last answer";
  }
  return nullptr;
}

}  // namespace martlet::test
