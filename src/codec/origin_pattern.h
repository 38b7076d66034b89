// Patterns of origins, as options hold them (WsOptions::origins, CorsOptions::origins). RFC 6454 §6.1 writes origins scheme "://"
// host [ ":" port ], and browsers send them so, in lower case and without the scheme's own port. No state; any thread.
#pragma once

#include <string_view>

namespace martlet::codec {

// Why this is no pattern of origins, or null. "*" is any origin, "null" that of pages that have none.
const char* wrong_origin(std::string_view pattern) noexcept;
// Whether an origin, as a client has sent it, is one of a pattern's. A pattern with a host takes nothing that has no host, and
// nothing that holds another byte than those of origins where its star stands.
bool is_origin(std::string_view pattern, std::string_view origin) noexcept;

}  // namespace martlet::codec
