// martlet/config.h: the version, and what this build can do.
#pragma once

#define MARTLET_VERSION_MAJOR 0
#define MARTLET_VERSION_MINOR 1
#define MARTLET_VERSION_PATCH 0
#define MARTLET_VERSION "0.1.0"

// 1 where the compiler of this unit has exceptions on. The library itself throws nothing; with exceptions on, the
// thunk of Function catches what a handler throws, in the unit that made it.
#if defined(__cpp_exceptions)
#define MARTLET_HAS_EXCEPTIONS 1
#else
#define MARTLET_HAS_EXCEPTIONS 0
#endif
