// What most files of the library include, compiled once for all of them where the same library is built once more only to
// be tested (make PRELUDE=1).
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
