// What most files of the library include, compiled once for all of them. A file still includes what it uses: make PRELUDE=
// compiles it without this, as does zig.
// No #pragma once: meson compiles this file itself, and g++ warns of that.
#ifndef MARTLET_MK_PRELUDE_H
#define MARTLET_MK_PRELUDE_H

#include <martlet/martlet.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#endif
