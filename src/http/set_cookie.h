// From an encoded cookie to the answer. Any thread.
#pragma once

#include <martlet/response.h>

#include <string_view>

#include "proto/cookie.h"
#include "sys/log_line.h"

namespace martlet::http {

const Response& set_cookie(const Response& res, std::string_view name, const proto::SetCookie& cookie) noexcept;

}  // namespace martlet::http
