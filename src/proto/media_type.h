// What a body is: the value of Content-Type (RFC 9110 §8.3.1).
//
//   text/html; charset="utf-8"        application/problem+json        multipart/form-data; boundary=X
//
// Strict, as Express is: what is no media type to the letter, or says a parameter twice, is none. A server that guesses
// reads another charset or boundary than the gateway before it. No allocation, views into the value; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "proto/type_parameters.h"

namespace martlet::proto {

struct MediaType {
  std::string_view essence;     // "text/html", in any case
  std::string_view parameters;  // what is behind, from the first ';' or blank on

  std::string_view type() const noexcept { return essence.substr(0, essence.find('/')); }
  std::string_view subtype() const noexcept { return essence.substr(essence.find('/') + 1); }
  // "json" of application/problem+json (RFC 6838 §4.2.8), in any case; empty where there is none.
  std::string_view suffix() const noexcept;
  // `lower` is type and subtype in lower case.
  bool is(std::string_view lower) const noexcept;
  // application/json, and whatever ends in +json (RFC 6839 §3.1).
  bool is_json() const noexcept;
  // The value of a parameter, such as "charset" or "boundary"; its name in lower case.
  std::optional<ParameterValue> find(std::string_view lower_name) const noexcept {
    return find_parameter(parameters, lower_name);
  }
};

std::optional<MediaType> parse_media_type(std::string_view value) noexcept;

}  // namespace martlet::proto
