// Whether a request comes from a page of the server's own: what browsers say of that. See martlet/csrf.h.
//
// No allocation; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace martlet::guards {

// The scheme, host and port that a URL begins with; empty when it has none.
std::string_view origin_of_url(std::string_view url) noexcept;
// Whether a text is "scheme://host" or "scheme://host:port" of http or https, and nothing behind it.
bool is_origin_text(std::string_view text) noexcept;
// Whether an origin's host and port are those of a Host field; the scheme's own port may stand there or not.
bool is_of_host(std::string_view origin, std::string_view host) noexcept;

}  // namespace martlet::guards
