// Options that cannot be meant. A guard is a step, and answers them by its mistake(), the Error of listen(); should it be called all
// the same, it refuses: 500, or 1011. What is used without an App has nobody to answer an Error to, and aborts with it. Set-up.
#pragma once

#include <martlet/error.h>

#include <cstdlib>
#include <string_view>

namespace martlet::guards {

// "rate_limit: max is 0"; no Error where nothing is wrong (null).
inline Error mistake_in(std::string_view who, const char* wrong) noexcept { return wrong ? Error::of({who, ": ", wrong}) : Error(); }

inline void abort_if(const Error& mistake) noexcept {
  if (!mistake) return;
  report(mistake);
  std::abort();
}

}  // namespace martlet::guards
