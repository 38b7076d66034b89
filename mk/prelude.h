// What most files of the library include, compiled once for all of them. A file still includes what it uses: make PRELUDE=
// compiles it without this, as does zig.
#pragma once

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
