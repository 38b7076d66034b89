// HeldPort: see martlet/cluster.h.
#include <martlet/cluster.h>

#include <utility>

#include "sys/listeners.h"
#include "sys/socket.h"

namespace martlet {

Result<HeldPort> HeldPort::take(std::string_view host, uint16_t port) {
  sys::ListenAddress address;
  address.host = host;
  address.port = port;
  address.reuse_port = true;
  address.listens = false;
  Result<int> fd = sys::join_others(address);
  if (!fd) return fd.error();
  HeldPort held;
  held.port_ = sys::local_port(*fd);
  if (sys::bound_socket_holds_port()) {
    held.fd_ = *fd;
  } else {
    sys::close_socket(*fd);
  }
  return held;
}

HeldPort::HeldPort(HeldPort&& other) noexcept : fd_(std::exchange(other.fd_, -1)), port_(std::exchange(other.port_, 0)) {}

HeldPort& HeldPort::operator=(HeldPort&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(port_, other.port_);
  return *this;
}

HeldPort::~HeldPort() {
  if (fd_ >= 0) sys::close_socket(fd_);
}

}  // namespace martlet
