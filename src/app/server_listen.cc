// The listening sockets of a Server: bound by it, handed down by systemd, or taken over from a predecessor; and which
// worker accepts from which. Where the host stands for two addresses, the sockets of the first come first, as many as
// there are workers; then those of the second.
//
//   sockets ≥ workers   each worker has its own, some have more: the kernel's hash spreads connections over sockets
//   sockets < workers   the workers that have none are given connections by those that accept (Placing::least)
#include "app/server_impl.h"
#include "realtime/realtime.h"
#include "sys/inherit.h"
#include "sys/listeners.h"
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
  claims = sys::take_claims();
  port = sys::local_port(inherited[0]);
  return add_missing(inherited);
}

// More workers than before: where a port is shared already, they get sockets of their own.
Error Server::Impl::add_missing(std::vector<int>& inherited) {
  std::vector<int> all;
  for (size_t i = 0, end = 0; i < inherited.size(); i = end) {
    const std::string name = sys::local_name(inherited[i]);
    for (end = i + 1; end < inherited.size() && sys::local_name(inherited[end]) == name;) end++;
    all.insert(all.end(), inherited.begin() + static_cast<ptrdiff_t>(i), inherited.begin() + static_cast<ptrdiff_t>(end));
    const auto had = static_cast<uint32_t>(end - i);
    if (had >= count || !sys::shares_port(inherited[i])) continue;
    const size_t before = all.size();
    const Error error = sys::listen_beside(inherited[i], address(), count - had, all);
    if (!error) continue;
    for (size_t made = before; made < all.size(); made++) sys::close_socket(all[made]);
    return error;
  }
  inherited.swap(all);
  return {};
}

sys::ListenAddress Server::Impl::address() const noexcept {
  sys::ListenAddress address;
  address.host = options.host;
  address.port = options.port;
  address.backlog = options.backlog;
  address.only_ipv6 = options.only_ipv6;
  address.unix_mode = options.unix_mode;
  address.reuse_port = options.reuse_port;
  return address;
}

Error Server::Impl::bind_sockets(std::vector<int>& bound, uint32_t each) {
  Result<sys::HostSockets> made = sys::listen_on_host(address(), each);
  if (!made) return made.error();
  bound = std::move(made->listeners);
  claims = std::move(made->claims);
  port = sys::local_port(bound[0]);
  return {};
}

Error Server::Impl::steer(const std::vector<int>& all) {
  if (options.balance != Balance::by_processor) return {};
  if (count > processors.size()) return Error("Balance::by_processor: more workers than processors");
  const auto name = [&all](size_t i) { return sys::local_name(all[i]); };
  for (size_t i = 0; i < all.size(); i += count) {
    const bool whole = i + count <= all.size() && name(i) == name(i + count - 1) && (i == 0 || name(i) != name(i - 1));
    if (!whole) return Error("Balance::by_processor needs a socket for each worker");
    if (Error error = sys::steer_by_processor(all[i], processors.data(), static_cast<int>(count))) return error;
  }
  return {};
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
  let_claims_go();
  return error;
}

// Those that no reactor has taken. The members' threads have ended.
void Server::Impl::close_listeners() noexcept {
  for (uint32_t i = 0; i < count; i++) {
    for (const int fd : members[i].listeners) sys::close_socket(fd);
    members[i].listeners.clear();
  }
  let_claims_go();
}

// Nobody listens any more, or the successor does, which has its own.
void Server::Impl::let_claims_go() noexcept {
  for (const int fd : claims) sys::close_socket(fd);
  claims.clear();
}

}  // namespace martlet
