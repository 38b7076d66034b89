// A plain TCP (or Unix socket) client of the tests: blocking calls, each with a deadline, so that a test that waits for
// something that never comes fails instead of hanging. Nothing of the library is used here but the bytes it sends.
// One thread at a time.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::test {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How long the calls below wait when nothing else is said. Generous: a slow machine is no failure.
inline constexpr milliseconds kPatience{10'000};

// Milliseconds left until then, as poll() wants them; 0 when it is past.
inline int ms_until(Clock::time_point when) {
  const auto left = std::chrono::ceil<milliseconds>(when - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

// An HTTP response as it was read. status 0: there was none (what came is in `rest` of the client).
struct HttpResponse {
  int status = 0;
  std::string version;  // "HTTP/1.1"
  std::string phrase;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;

  explicit operator bool() const { return status != 0; }
  // The value of the first field of this name, whatever its case; "" when there is none.
  std::string field(std::string_view name) const {
    for (const auto& [key, value] : fields) {
      if (same_name(key, name)) return value;
    }
    return {};
  }
  size_t count(std::string_view name) const {
    size_t n = 0;
    for (const auto& [key, value] : fields) n += same_name(key, name);
    return n;
  }
  bool closes() const { return field("connection") == "close"; }

  static bool same_name(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); i++) {
      if ((a[i] | 0x20) != (b[i] | 0x20)) return false;
    }
    return true;
  }
};

// Cuts the head of a response, given without its empty line, into its parts. status 0 when it is malformed.
inline HttpResponse parse_response_head(std::string_view head) {
  HttpResponse response;
  bool first = true;
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    if (first) {
      if (line.size() < 13 || !line.starts_with("HTTP/1.") || line[8] != ' ' || line[12] != ' ') return {};
      response.version = line.substr(0, 8);
      response.status = std::atoi(std::string(line.substr(9, 3)).c_str());
      response.phrase = line.substr(13);
      first = false;
      continue;
    }
    const size_t colon = line.find(": ");
    if (colon == line.npos || colon == 0) return {};
    response.fields.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return response;
}

struct ConnectOptions {
  std::string host = "127.0.0.1";  // a numeric address, or "unix:/path"
  int receive_buffer_bytes = 0;    // SO_RCVBUF, 0: as the system likes
  int send_buffer_bytes = 0;       // SO_SNDBUF
};

class Client {
 public:
  enum class End : uint8_t { open, eof, reset };

  explicit Client(uint16_t port, const ConnectOptions& options = {}) { connect_to(port, options); }
  Client(Client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), end_(other.end_), in_(std::move(other.in_)) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  Client& operator=(Client&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(end_, other.end_);
    std::swap(in_, other.in_);
    return *this;
  }
  ~Client() { close(); }

  int fd() const { return fd_; }
  bool connected() const { return fd_ >= 0; }
  // What the server's side was last seen to be.
  End end() const { return end_; }

  // Sending ---------------------------------------------------------------------------------------------------------

  // Sends all of it. False when the peer closed, or did not take it in time.
  bool send(std::string_view bytes, milliseconds patience = kPatience) {
    return send_some(bytes, patience) == bytes.size();
  }
  // Sends as much as the peer takes before it has taken nothing for this long; how much that was.
  size_t send_some(std::string_view bytes, milliseconds patience) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) {
        sent += static_cast<size_t>(n);
      } else if (errno == EAGAIN) {
        pollfd wait{fd_, POLLOUT, 0};
        if (::poll(&wait, 1, static_cast<int>(patience.count())) <= 0) break;
      } else if (errno != EINTR) {
        break;
      }
    }
    return sent;
  }
  // In pieces of `step` bytes, each in a packet of its own as far as that can be asked for.
  bool send_split(std::string_view bytes, size_t step) {
    for (size_t at = 0; at < bytes.size(); at += step) {
      if (!send(bytes.substr(at, step))) return false;
    }
    return true;
  }
  // No more will be sent: the peer sees an EOF.
  void shutdown_sending() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // Closes with a TCP reset.
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

  // Reading ---------------------------------------------------------------------------------------------------------

  // What has been read and not been taken.
  std::string& in() { return in_; }
  // Takes the first n bytes of it.
  std::string take(size_t n) {
    std::string bytes = in_.substr(0, n);
    in_.erase(0, n);
    return bytes;
  }

  // Waits for more and reads it. False when there will be no more (see end()), or the time is over.
  bool read_more(Clock::time_point deadline) {
    while (end_ == End::open && fd_ >= 0) {
      char bytes[65536];
      const ssize_t n = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
      if (n > 0) {
        in_.append(bytes, static_cast<size_t>(n));
        return true;
      }
      if (n == 0) {
        end_ = End::eof;
      } else if (errno == EAGAIN) {
        pollfd wait{fd_, POLLIN, 0};
        if (::poll(&wait, 1, ms_until(deadline)) == 0) return false;
      } else if (errno != EINTR) {
        end_ = End::reset;
      }
    }
    return false;
  }
  // Reads until `ready()` is true of what in() holds.
  template <typename F>
  bool read_while_not(F ready, milliseconds patience = kPatience) {
    const auto deadline = Clock::now() + patience;
    while (!ready()) {
      if (!read_more(deadline)) return ready();
    }
    return true;
  }
  bool read_bytes(size_t n, milliseconds patience = kPatience) {
    return read_while_not([&] { return in_.size() >= n; }, patience);
  }
  bool read_until(std::string_view text, milliseconds patience = kPatience) {
    return read_while_not([&] { return in_.find(text) != in_.npos; }, patience);
  }
  // Reads all that comes until the peer ends the connection. False when it did not in time; see end() for how it did.
  bool read_to_end(milliseconds patience = kPatience) {
    const auto deadline = Clock::now() + patience;
    while (read_more(deadline)) {
    }
    return end_ != End::open;
  }
  // True when the peer ended the connection without sending anything more.
  bool closed_by_peer(milliseconds patience = kPatience) { return read_to_end(patience) && in_.empty(); }
  // True when nothing comes and the connection stays open for this long: for "the server must not answer". Costs the
  // whole time.
  bool stays_silent(milliseconds how_long) { return !read_more(Clock::now() + how_long) && end_ == End::open; }

  // HTTP ------------------------------------------------------------------------------------------------------------

  // Reads one response, by Content-Length or to the end of the connection. `no_body`: it answers HEAD.
  HttpResponse read_response(bool no_body = false, milliseconds patience = kPatience) {
    const auto deadline = Clock::now() + patience;
    size_t end;
    while ((end = in_.find("\r\n\r\n")) == in_.npos) {
      if (!read_more(deadline)) return {};
    }
    HttpResponse response = parse_response_head(std::string_view(in_).substr(0, end));
    if (!response) return {};
    in_.erase(0, end + 4);
    if (no_body || response.status < 200 || response.status == 204 || response.status == 304) return response;
    const std::string length = response.field("content-length");
    const size_t want = length.empty() ? SIZE_MAX : std::strtoull(length.c_str(), nullptr, 10);
    while (in_.size() < want) {
      if (read_more(deadline)) continue;
      if (length.empty() && end_ == End::eof) break;
      return {};
    }
    response.body = take(want);
    return response;
  }
  // Sends a request and reads its response.
  HttpResponse request(std::string_view bytes, milliseconds patience = kPatience) {
    if (!send(bytes)) return {};
    return read_response(bytes.starts_with("HEAD "), patience);
  }
  HttpResponse get(std::string_view target, std::string_view fields = {}) {
    return request("GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(fields) + "\r\n");
  }
  HttpResponse post(std::string_view target, std::string_view body, std::string_view fields = {}) {
    return request("POST " + std::string(target) + " HTTP/1.1\r\nHost: test\r\nContent-Length: " +
                   std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n" + std::string(body));
  }

 private:
  union Address {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un local;
  };

  static socklen_t fill_address(Address& address, const std::string& host, uint16_t port) {
    std::memset(&address, 0, sizeof address);
    if (host.starts_with("unix:")) {
      address.local.sun_family = AF_UNIX;
      std::strncpy(address.local.sun_path, host.c_str() + 5, sizeof address.local.sun_path - 1);
      return sizeof address.local;
    }
    if (::inet_pton(AF_INET, host.c_str(), &address.v4.sin_addr) == 1) {
      address.v4.sin_family = AF_INET;
      address.v4.sin_port = htons(port);
      return sizeof address.v4;
    }
    ::inet_pton(AF_INET6, host.c_str(), &address.v6.sin6_addr);
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(port);
    return sizeof address.v6;
  }

  void connect_to(uint16_t port, const ConnectOptions& options) {
    Address address;
    const socklen_t size = fill_address(address, options.host, port);
    fd_ = ::socket(address.any.sa_family, SOCK_STREAM, 0);
    if (fd_ < 0) return;
    ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
    const int on = 1;
    if (address.any.sa_family != AF_UNIX) ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (const int n = options.receive_buffer_bytes) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &n, sizeof n);
    if (const int n = options.send_buffer_bytes) ::setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &n, sizeof n);
    if (::connect(fd_, &address.any, size) != 0) close();
  }

  int fd_ = -1;
  End end_ = End::open;
  std::string in_;
};

}  // namespace martlet::test
