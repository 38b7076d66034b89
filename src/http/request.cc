// Request: a view of the exchange. What needs decoding is decoded when asked for, into the exchange's own memory.
#include <martlet/request.h>

#include <cstring>

#include "http/decoded.h"
#include "proto/field_lines.h"
#include "proto/http_parser.h"
#include "session/exchange.h"

namespace martlet {

std::string_view Request::method() const noexcept {
  const auto& head = exchange_->head;
  return head.slice(exchange_->base, head.method_at, head.method_length);
}

std::string_view Request::path() const noexcept { return exchange_->path(); }

std::string_view Request::query_string() const noexcept { return exchange_->head.query(exchange_->base); }

std::string_view Request::url() const noexcept {
  const std::string_view path = exchange_->head.path(exchange_->base);
  const std::string_view query = query_string();
  if (query.empty()) return path;
  // The query stands right behind the path, with the '?' between them, but where an absolute-form has no path.
  if (path.data() + path.size() + 1 == query.data()) return {path.data(), path.size() + 1 + query.size()};
  char* room = exchange_->text_room(path.size() + 1 + query.size());
  if (!room) return path;
  std::memcpy(room, path.data(), path.size());
  room[path.size()] = '?';
  std::memcpy(room + path.size() + 1, query.data(), query.size());
  return {room, path.size() + 1 + query.size()};
}

std::string_view Request::param(std::string_view name) const noexcept {
  for (uint8_t i = 0; i < exchange_->param_count; i++) {
    const session::Exchange::Param& p = exchange_->params[i];
    if (p.name != name) continue;
    const auto* path = reinterpret_cast<const uint8_t*>(exchange_->judged_path);
    const std::string_view raw =
        proto::RequestHead::slice(path ? path : exchange_->base, p.value_at, p.value_length);
    return http::decoded(*exchange_, raw);
  }
  return {};
}

std::optional<std::string_view> Request::query(std::string_view name) const noexcept {
  codec::QueryPairs pairs(query_string());
  std::string_view key;
  std::string_view value;
  while (pairs.next(key, value)) {
    if (proto::form_text_equals(key, name)) return http::decoded_form(*exchange_, value).value_or(value);
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::header(std::string_view name) const noexcept {
  const auto& head = exchange_->head;
  const proto::Field* first = head.find(exchange_->base, name);
  if (!first) return std::nullopt;
  const size_t size = proto::joined_size(head, exchange_->base, *first);
  if (size == first->value_length) [[likely]] return exchange_->field(first);
  char* room = exchange_->text_room(size);
  if (!room) return std::nullopt;  // what is not whole would be taken for it
  proto::join_lines(head, exchange_->base, *first, room);
  return std::string_view(room, size);
}

bool Request::header_at(size_t index, std::string_view& name, std::string_view& value) const noexcept {
  const auto& head = exchange_->head;
  if (index >= head.field_count) return false;
  name = head.name(exchange_->base, head.fields[index]);
  value = head.value(exchange_->base, head.fields[index]);
  return true;
}

std::string_view Request::body() const noexcept { return base::as_text(exchange_->body); }

bool Request::is_upgrade() const noexcept { return exchange_->flags.is_upgrade; }

int Request::http_minor_version() const noexcept { return exchange_->head.minor_version; }

}  // namespace martlet
