// A body that is to be JSON: whether its type says so, and the answer when it is none. The worker's thread.
#pragma once

#include <martlet/json_forward.h>

#include <string_view>

#include "session/exchange.h"

namespace martlet::http {

inline constexpr std::string_view kNoJsonType = "application/json is wanted.";

bool has_json_type(const session::Exchange& e) noexcept;

// 400 with the place, or 422 when the text is good and only not what an own type wants.
void refuse_json(session::Exchange& e, const JsonError& error, bool own_type) noexcept;

}  // namespace martlet::http
