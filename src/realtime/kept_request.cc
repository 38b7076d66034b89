// See kept_request.h, and connection_request.h for what is asked of it.
#include "realtime/kept_request.h"

#include <martlet/connection_request.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/bytes.h"
#include "codec/percent.h"
#include "proto/form.h"
#include "realtime/commands.h"
#include "realtime/realtime.h"

namespace martlet {

namespace realtime {

namespace {

std::string_view field_of(const session::Exchange& e, proto::FieldName name) noexcept { return e.field(e.head.find(name)); }

// What is kept of the request besides, looked up once: decoding and joining take memory, and may fail.
struct Pieces {
  NamedText all[session::Exchange::kMaxParams + kMostKeptHeaders];
  uint16_t params = 0;
  uint16_t headers = 0;
  size_t bytes = 0;

  Pieces(session::Exchange& e, const std::vector<std::string>& names) noexcept {
    for (; params < e.param_count; params++) add(e.params[params].name, e.request.param(e.params[params].name));
    for (const std::string& name : names) {
      const auto value = e.request.header(name);
      if (!value || headers == kMostKeptHeaders) continue;
      add(name, *value);
      headers++;
    }
  }
  size_t count() const noexcept { return size_t{params} + headers; }

 private:
  void add(std::string_view name, std::string_view value) noexcept {
    all[count()] = {name, value};
    bytes += value.size();
  }
};

}  // namespace

KeptRequest::KeptRequest(session::Exchange& e, const std::vector<std::string>& names) noexcept {
  const std::string_view url = e.request.url();
  const std::string_view path = e.path();
  const std::string_view origin = field_of(e, proto::FieldName::origin);
  const std::string_view agent = field_of(e, proto::FieldName::user_agent);
  const Pieces pieces(e, names);
  const bool apart = !url.starts_with(path);  // the path is not as it was sent
  block_ = base::allocate(pieces.count() * sizeof(NamedText) + url.size() + origin.size() + agent.size() +
                          (apart ? path.size() : 0) + pieces.bytes + 1);
  if (!block_) return;
  params_ = pieces.params;
  headers_ = pieces.headers;
  char* to = text();
  auto put = [&to](std::string_view piece) {
    if (!piece.empty()) std::memcpy(to, piece.data(), piece.size());
    return std::string_view(std::exchange(to, to + piece.size()), piece.size());
  };
  url_bytes_ = static_cast<uint32_t>(put(url).size());
  origin_bytes_ = static_cast<uint32_t>(put(origin).size());
  agent_bytes_ = static_cast<uint32_t>(put(agent).size());
  path_at_ = apart ? static_cast<uint32_t>(to - text()) : 0;
  path_bytes_ = static_cast<uint32_t>(apart ? put(path).size() : path.size());
  for (size_t i = 0; i < pieces.count(); i++) new (entries() + i) NamedText{pieces.all[i].name, put(pieces.all[i].value)};
}

KeptRequest::~KeptRequest() { base::deallocate(block_); }

namespace {

// Null when it was not kept, or the connection is gone.
const KeptRequest* kept(const WebSocket& ws, const char* what) noexcept {
  net::Connection* c = query(ws, what);
  const session::WsExtras* extras = c ? c->state<session::WsState>().extras : nullptr;
  return extras ? extras->slots.find<KeptRequest>() : nullptr;
}

template <auto kGet>
auto get(const WebSocket& ws, const char* what) noexcept -> decltype((std::declval<const KeptRequest&>().*kGet)()) {
  const KeptRequest* request = kept(ws, what);
  return request ? (request->*kGet)() : decltype((request->*kGet)())();
}

bool same_name(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return base::ascii_lower(x) == base::ascii_lower(y); });
}

// As Request::query(): escapes that are none stay as they are.
std::string decoded(std::string_view text) {
  std::string value(text);
  value.resize(proto::decode_form_text(value, value.data()));
  return value;
}

}  // namespace

}  // namespace realtime

using realtime::KeptRequest;
using realtime::get;

std::string_view WebSocket::url() const noexcept { return get<&KeptRequest::url>(*this, "WebSocket::url"); }
std::string_view WebSocket::origin() const noexcept { return get<&KeptRequest::origin>(*this, "WebSocket::origin"); }
std::string_view WebSocket::user_agent() const noexcept { return get<&KeptRequest::user_agent>(*this, "WebSocket::user_agent"); }

std::string_view WebSocket::protocol() const noexcept {
  net::Connection* c = realtime::query(*this, "WebSocket::protocol");
  const session::WsExtras* extras = c ? c->state<session::WsState>().extras : nullptr;
  const auto* chosen = extras ? extras->slots.find<realtime::ChosenProtocol>() : nullptr;
  return chosen ? chosen->name.text() : std::string_view();
}

ConnectionRequest WebSocket::request() const noexcept { return ConnectionRequest(*this); }

ConnectionRequest::operator bool() const noexcept { return realtime::kept(ws_, "ConnectionRequest") != nullptr; }
std::string_view ConnectionRequest::url() const noexcept { return ws_.url(); }
std::string_view ConnectionRequest::path() const noexcept { return get<&KeptRequest::path>(ws_, "ConnectionRequest::path"); }
std::string_view ConnectionRequest::origin() const noexcept { return ws_.origin(); }
std::string_view ConnectionRequest::user_agent() const noexcept { return ws_.user_agent(); }
std::span<const NamedText> ConnectionRequest::params() const noexcept {
  return get<&KeptRequest::params>(ws_, "ConnectionRequest::params");
}
std::span<const NamedText> ConnectionRequest::headers() const noexcept {
  return get<&KeptRequest::headers>(ws_, "ConnectionRequest::headers");
}

std::string_view ConnectionRequest::query_string() const noexcept {
  const std::string_view target = url();
  const size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

std::string_view ConnectionRequest::param(std::string_view name) const noexcept {
  for (const NamedText& param : params()) {
    if (param.name == name) return param.value;
  }
  return {};
}

std::optional<std::string_view> ConnectionRequest::header(std::string_view name) const noexcept {
  for (const NamedText& field : headers()) {
    if (realtime::same_name(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::optional<std::string> ConnectionRequest::query(std::string_view name) const {
  codec::QueryPairs pairs(query_string());
  std::string_view key;
  std::string_view value;
  while (pairs.next(key, value)) {
    if (key == name || realtime::decoded(key) == name) return realtime::decoded(value);
  }
  return std::nullopt;
}

}  // namespace martlet
