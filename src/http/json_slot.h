// Where the middleware json_body() leaves what it has read: in a slot of the request, a Json.
#pragma once

namespace martlet::http {

inline char json_body_key = 0;  // its address counts

}  // namespace martlet::http
