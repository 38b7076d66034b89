// The answers to a body that is not the JSON that a handler wants.
#include <martlet/json.h>
#include <martlet/request.h>

#include <cstdio>

#include "http/failures.h"
#include "http/json_refusal.h"
#include "proto/accept.h"
#include "session/exchange.h"

namespace martlet {

namespace http {

namespace {

constexpr std::string_view kNoMemory = "memory is out";  // of the parser

// A member of an own type is wrong, where it is no fault of the text.
bool is_of_shape(const session::Exchange& e, const JsonError& error) noexcept {
  return error.path[0] != '\0' || Json::parse(base::as_text(e.body)).ok();
}

}  // namespace

bool has_json_type(const session::Exchange& e) noexcept {
  static constexpr std::string_view kTypes[] = {"json"};
  return proto::is_media_type(e.field(e.head.find(proto::FieldName::content_type)), kTypes).has_value();
}

void refuse_json(session::Exchange& e, const JsonError& error, bool own_type) noexcept {
  if (std::string_view(error.what) == kNoMemory) return give_up(e, {503});
  char text[256];
  int size = 0;
  const bool shape = own_type && is_of_shape(e, error);
  if (shape) {
    size = std::snprintf(text, sizeof text, "%s%s%s", error.path, error.path[0] ? ": " : "", error.what);
  } else {
    size = std::snprintf(text, sizeof text, "line %u, column %u: %s", error.line, error.column, error.what);
  }
  give_up(e, {shape ? 422 : 400, {text, static_cast<size_t>(size) < sizeof text ? static_cast<size_t>(size) : sizeof text - 1}});
}

}  // namespace http

const JsonError* Request::refuse_json_type(Response&) const noexcept {
  static const JsonError kNoJson{.what = "the Content-Type is not JSON"};
  if (http::has_json_type(*exchange_)) return nullptr;
  http::give_up(*exchange_, {415, http::kNoJsonType});
  return &kNoJson;
}

void Request::refuse_json(Response&, const JsonError& error, bool own_type) const noexcept {
  http::refuse_json(*exchange_, error, own_type);
}

}  // namespace martlet
