// Media types by short names, which programs use in their place: what they send (Response::type), offer and expect
// (Request::accepts, Request::is). Names are taken in any case of letters. Fewer than there are extensions of files
// (file_types.h), as every program that answers with a type links them.
//
// No allocation; any thread.
#pragma once

#include <string_view>

namespace martlet::proto {

// "html" to "text/html; charset=utf-8": as it is sent. Empty for what is no short name. What is returned is static.
std::string_view content_type_of(std::string_view short_name) noexcept;

// "html" to "text/html".
std::string_view media_type_of(std::string_view short_name) noexcept;

}  // namespace martlet::proto
