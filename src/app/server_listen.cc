// The listening sockets of a Server: bound by it, handed down by systemd, or taken over from a predecessor; and which
// worker accepts from which.
//
//   sockets ≥ workers   each worker has its own, some have more: the kernel's hash spreads connections over sockets
//   sockets < workers   the workers that have none are given connections by those that accept (Placing::least)
#include "app/server_impl.h"
#include "realtime/realtime.h"
#include "sys/inherit.h"
#include "sys/processors.h"
#include "sys/socket.h"
#include "sys/steering.h"

namespace martlet {

namespace {

constexpr int kMostInherited = 1024;

bool is_unix(std::string_view host) noexcept { return host.starts_with("unix:"); }

}  // namespace

Error Server::Impl::inherit(std::vector<int>& inherited) {
  inherited.resize(kMostInherited);
  int got = sys::take_over(inherited.data(), kMostInherited);
  if (got == 0 && options.use_systemd_sockets) got = sys::inherited_listeners(inherited.data(), kMostInherited);
  inherited.resize(static_cast<size_t>(got));
  if (inherited.empty()) return {};
  port = sys::local_port(inherited[0]);
  // More workers than before: where the port is shared already, they get sockets of their own.
  if (inherited.size() < count && sys::shares_port(inherited[0])) {
    return bind_sockets(inherited, count - static_cast<uint32_t>(inherited.size()));
  }
  return {};
}

Error Server::Impl::bind_sockets(std::vector<int>& bound, uint32_t more) {
  sys::ListenAddress address;
  address.host = options.host;
  address.backlog = options.backlog;
  address.only_ipv6 = options.only_ipv6;
  address.unix_mode = options.unix_mode;
  address.reuse_port = options.reuse_port || more > 1 || !bound.empty();
  for (uint32_t i = 0; i < more; i++) {
    address.port = bound.empty() ? options.port : sys::local_port(bound[0]);
    Result<int> fd = sys::listen_on(address);
    if (!fd) return fd.error();
    bound.push_back(*fd);
  }
  port = sys::local_port(bound[0]);
  return {};
}

Error Server::Impl::steer(const std::vector<int>& all) {
  if (options.balance != Balance::by_processor) return {};
  if (count > processors.size()) return Error("Balance::by_processor: more workers than processors");
  if (all.size() != count) return Error("Balance::by_processor needs a socket for each worker");
  return sys::steer_by_processor(all[0], processors.data(), static_cast<int>(count));
}

Error Server::Impl::place_listeners(const std::vector<int>& all) {
  for (size_t i = 0; i < all.size(); i++) members[i % count].listeners.push_back(all[i]);
  group->placing = all.size() < count                  ? worker::Placing::least
                   : options.balance == Balance::even ? worker::Placing::even
                                                      : worker::Placing::stay;
  return steer(all);
}

Error Server::Impl::make_listeners() {
  sockets.clear();
  Error error = inherit(sockets);
  if (!error && sockets.empty()) {
    const bool each = sys::reuse_port_balances() && !is_unix(options.host);
    error = bind_sockets(sockets, each ? count : 1);
  }
  if (!error) return place_listeners(sockets);
  for (const int fd : sockets) sys::close_socket(fd);
  return error;
}

// Those that no reactor has taken. The members' threads have ended.
void Server::Impl::close_listeners() noexcept {
  for (uint32_t i = 0; i < count; i++) {
    for (const int fd : members[i].listeners) sys::close_socket(fd);
    members[i].listeners.clear();
  }
}

}  // namespace martlet
