// What nearly every test includes, compiled once for all of them (mk/test.mk). A test still includes what it uses: CMake
// compiles it without this.
#pragma once

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>
