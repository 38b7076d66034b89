// What a head means once its lines are known: the forms of the target, the host, the one framing decision, the
// persistence of the connection. Split from http_parser.cc, which knows bytes and lines and none of these rules.
//
// All functions answer true, or false with `error` filled. No allocation; any thread.
#pragma once

#include <string_view>

#include "proto/http_parser.h"

namespace martlet::proto {

// Sets status and cause; false, so that a rule can end with it.
[[gnu::cold]] bool refuse(HttpError& error, uint16_t status, const char* cause) noexcept;

// uri-host [":" port] (RFC 9110 §7.2) with a host that is not empty.
bool is_host(std::string_view text) noexcept;

// Splits the target of a head whose method and target are set into path and query (RFC 9112 §3.2), for every form but
// the plain origin-form, which the parser does itself.
bool split_target(const uint8_t* base, RequestHead& head, HttpError& error) noexcept;

// Judges the fields of a head whose lines are all read, and sets what follows from them: framing, content_length,
// keep_alive, connection_upgrade, expects_continue, host_field.
bool settle_head(const uint8_t* base, RequestHead& head, HttpError& error) noexcept;

}  // namespace martlet::proto
