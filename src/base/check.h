// Checks for mistakes that only the programmer can make (calling from the wrong thread, nested run()).
// Bytes from the network never reach a check: what a peer can cause is an error value, not an abort.
//
//   MARTLET_CHECK   also in release builds; keep the test to one compare
//   MARTLET_DCHECK  debug builds only (make debug, MARTLET_DEBUG=1); for what would cost time on the hot path, and for
//                   mistakes that a release build survives: it counts and logs them
//
// Debug builds also overwrite bytes that nobody may look at any more, with kSpoiled: a view kept for too long shows.
#pragma once

namespace martlet::base {

// Prints where and what to stderr and aborts. Out of line, so that a check costs a compare and a jump.
[[noreturn]] void check_failed(const char* file, int line, const char* what) noexcept;

inline constexpr unsigned char kSpoiled = 0xDD;

}  // namespace martlet::base

#define MARTLET_CHECK(condition)                                              \
  do {                                                                        \
    if (!(condition)) [[unlikely]]                                            \
      ::martlet::base::check_failed(__FILE__, __LINE__, #condition);          \
  } while (0)

#if defined(MARTLET_DEBUG) && MARTLET_DEBUG
namespace martlet::base {
inline constexpr bool kDebug = true;
}
#define MARTLET_DCHECK(condition) MARTLET_CHECK(condition)
#else
namespace martlet::base {
inline constexpr bool kDebug = false;
}
#define MARTLET_DCHECK(condition) \
  do {                            \
  } while (0)
#endif
