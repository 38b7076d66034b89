// The addresses on the way of a request.
#include <martlet/request.h>

#include "session/exchange.h"
#include "session/origin.h"
#include "session/sessions.h"

namespace martlet {

std::vector<std::string> Request::ips() const {
  std::vector<std::string> all;
  const session::OriginFinder* finder = exchange_->sessions->origins;
  const session::Origin* origin = finder ? finder->find(finder->context, *exchange_) : nullptr;
  if (!origin) return all;
  all.reserve(origin->client.hop_count);
  for (size_t i = 0; i < origin->client.hop_count; i++) {
    char text[codec::kIpAddressText];
    all.emplace_back(text, codec::format_ip_address(origin->client.ip(i), text));
  }
  return all;
}

}  // namespace martlet
