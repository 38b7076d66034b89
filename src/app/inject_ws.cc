// App::inject_ws: the client's side of RFC 6455 over an injected connection. See martlet/inject.h.
#include <martlet/inject.h>

#include <deque>
#include <memory>
#include <utility>

#include "app/injected_peer.h"
#include "base/bytes.h"
#include "proto/ws_frame.h"

namespace martlet {

namespace detail {

class InjectedSocket {
 public:
  struct Message {
    std::string body;
    bool is_text;
  };

  explicit InjectedSocket(App& app) noexcept : peer(app) {}

  bool is_open() const noexcept { return !closing && close_code == 0 && !peer.ended(); }
  void put_frame(proto::Opcode opcode, std::string_view payload);
  // As the peer's; what has come are messages then.
  bool step(uint64_t until_ns);
  // Takes the frames that have come.
  void read_frames();
  // Gives the App turns until it has everything. False when it does not take it.
  bool flush();
  void close(CloseCode code, std::string_view why);

  InjectedPeer peer;
  std::deque<Message> messages;  // that nobody has asked for yet
  bool was_text = false;         // of the last one that was asked for
  bool closing = false;          // our Close has been written
  uint16_t close_code = 0;       // of the other's
  std::string close_reason;

 private:
  void take_frame(const proto::FrameHeader& header, std::string_view payload);
  void take_control(proto::Opcode opcode, std::string_view payload);

  Message coming_{};
};

namespace {

constexpr milliseconds kPatience{10'000};
constexpr uint8_t kMask[4] = {0x37, 0xfa, 0x21, 0x3d};  // of RFC 6455 §5.7's example: nobody is in between

}  // namespace

void InjectedSocket::put_frame(proto::Opcode opcode, std::string_view payload) {
  uint8_t header[proto::kMaxServerFrameHeader];
  const size_t bytes = proto::encode_frame_header(header, opcode, payload.size());
  header[1] |= 0x80;
  peer.out.append(reinterpret_cast<const char*>(header), bytes).append(reinterpret_cast<const char*>(kMask), sizeof kMask);
  for (size_t i = 0; i < payload.size(); i++) peer.out.push_back(static_cast<char>(payload[i] ^ kMask[i % 4]));
}

bool InjectedSocket::step(uint64_t until_ns) {
  const bool goes_on = peer.step(until_ns);
  read_frames();
  return goes_on;
}

bool InjectedSocket::flush() {
  const uint64_t until = until_ns(kPatience);
  while (!peer.out.empty()) {
    if (!step(until)) break;
  }
  return !peer.cut();
}

void InjectedSocket::take_control(proto::Opcode opcode, std::string_view payload) {
  if (opcode == proto::Opcode::ping) put_frame(proto::Opcode::pong, payload);
  if (opcode != proto::Opcode::close || close_code) return;
  const bool has_code = payload.size() >= 2;
  close_code = has_code ? base::load_be16(base::as_bytes(payload).data()) : proto::close_code::no_status;
  if (has_code) close_reason = payload.substr(2);
  if (!std::exchange(closing, true)) put_frame(proto::Opcode::close, payload.substr(0, has_code ? 2 : 0));
}

void InjectedSocket::take_frame(const proto::FrameHeader& header, std::string_view payload) {
  if (proto::is_control(header.opcode)) return take_control(header.opcode, payload);
  if (header.opcode != proto::Opcode::continuation) coming_.is_text = header.opcode == proto::Opcode::text;
  coming_.body.append(payload);
  if (header.fin) messages.push_back(std::exchange(coming_, {}));
}

void InjectedSocket::read_frames() {
  proto::FrameHeader header;
  proto::WsError error;
  const auto whole_header = [&] {
    return proto::parse_frame_header(base::as_bytes(peer.in), proto::Role::client, false, header, error) == proto::ParseStatus::done;
  };
  while (whole_header() && header.length <= peer.in.size() - header.header_bytes) {
    take_frame(header, std::string_view(peer.in).substr(header.header_bytes, static_cast<size_t>(header.length)));
    peer.in.erase(0, header.header_bytes + static_cast<size_t>(header.length));
  }
  if (peer.ended() && !close_code) close_code = proto::close_code::abnormal;
}

void InjectedSocket::close(CloseCode code, std::string_view why) {
  uint8_t payload[proto::kMaxControlPayload];
  const size_t bytes = proto::encode_close_payload(payload, static_cast<uint16_t>(code), why);
  put_frame(proto::Opcode::close, base::as_text({payload, bytes}));
  closing = true;
  for (const uint64_t until = until_ns(kPatience); step(until);) {  // it ends the connection when both have said it
  }
}

}  // namespace detail

InjectedWebSocket::InjectedWebSocket(InjectedWebSocket&& other) noexcept
    : socket_(std::exchange(other.socket_, nullptr)), answer_(std::move(other.answer_)) {}

InjectedWebSocket& InjectedWebSocket::operator=(InjectedWebSocket&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(answer_, other.answer_);
  return *this;
}

InjectedWebSocket::~InjectedWebSocket() { delete socket_; }

bool InjectedWebSocket::is_open() const noexcept { return socket_ && socket_->is_open(); }
bool InjectedWebSocket::was_text() const noexcept { return socket_ && socket_->was_text; }
int InjectedWebSocket::close_code() const noexcept { return socket_ ? socket_->close_code : 0; }
std::string_view InjectedWebSocket::close_reason() const noexcept {
  return socket_ ? std::string_view(socket_->close_reason) : std::string_view();
}

bool InjectedWebSocket::send(std::string_view text) {
  if (!is_open()) return false;
  socket_->put_frame(proto::Opcode::text, text);
  return socket_->flush();
}

bool InjectedWebSocket::send(std::span<const std::byte> bytes) {
  if (!is_open()) return false;
  socket_->put_frame(proto::Opcode::binary, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return socket_->flush();
}

std::optional<std::string> InjectedWebSocket::next_message(milliseconds deadline) {
  if (!socket_) return std::nullopt;
  const uint64_t until = detail::until_ns(deadline);
  for (bool goes_on = true; socket_->messages.empty() && !socket_->close_code && goes_on;) goes_on = socket_->step(until);
  if (socket_->messages.empty()) return socket_->flush(), std::nullopt;  // with the Close that answers the App's
  detail::InjectedSocket::Message message = std::move(socket_->messages.front());
  socket_->messages.pop_front();
  socket_->was_text = message.is_text;
  return std::move(message.body);
}

void InjectedWebSocket::close(CloseCode code, std::string_view reason) {
  if (is_open()) socket_->close(code, reason);
}

InjectedWebSocket App::inject_ws(const InjectedRequest& request) {
  std::string more;
  const auto line_unless_given = [&](std::string_view name, std::string_view value) {
    if (!detail::has_field(request, name)) more.append(name).append(": ").append(value).append("\r\n");
  };
  line_unless_given("Connection", "Upgrade");
  line_unless_given("Upgrade", "websocket");
  line_unless_given("Sec-WebSocket-Version", "13");
  line_unless_given("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");  // of RFC 6455 §1.3's example
  auto socket = std::make_unique<detail::InjectedSocket>(*this);
  Reply answer = detail::converse(socket->peer, request, more);
  const bool opened = answer.status == 101;
  if (opened) socket->read_frames();
  return {opened ? socket.release() : nullptr, std::move(answer)};
}

}  // namespace martlet
