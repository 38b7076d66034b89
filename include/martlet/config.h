// martlet/config.h: the version, what this build can do, and what keeps units apart that were compiled so that they cannot
// work together. Every public header includes it first.
#pragma once

#if __cplusplus < 202002L
#error martlet needs C++20: compile with -std=c++20 or later (meson: cpp_std=c++20)
#include <martlet/needs C++20>  // there is no such file: compilers stop here, and do not list what follows from it
#endif

#include <version>

#define MARTLET_VERSION_MAJOR 0
#define MARTLET_VERSION_MINOR 1
#define MARTLET_VERSION_PATCH 0
#define MARTLET_VERSION "0.1.0"

// 1 where the compiler of this unit has exceptions on. The library itself throws nothing; with exceptions on, the
// thunk of Function catches what a handler throws, in the unit that made it. Units with and without may be mixed: the
// templates between a handler and that thunk have other names in a unit without, so that the linker, which keeps one body
// of each name, cannot give the handlers of one the thunks of the other. MARTLET_THUNK marks them.
#if defined(__cpp_exceptions)
#define MARTLET_HAS_EXCEPTIONS 1
#define MARTLET_THUNK
#else
#define MARTLET_HAS_EXCEPTIONS 0
#define MARTLET_THUNK [[gnu::abi_tag("no_exceptions")]]
#endif

// Containers of libstdc++ have another layout under _GLIBCXX_DEBUG, and strings without the ABI of C++11. A program and a
// library that disagree would read each other's structs wrongly. MARTLET_LAYOUT marks what holds or returns containers: it
// then has another name, and such a program does not link. The linker says
//   undefined reference to martlet::App::App(martlet::AppOptions[abi:needs_libmartlet_compiled_with_GLIBCXX_DEBUG])
#if defined(_GLIBCXX_DEBUG) && defined(_GLIBCXX_USE_CXX11_ABI) && !_GLIBCXX_USE_CXX11_ABI
#define MARTLET_LAYOUT [[gnu::abi_tag("needs_libmartlet_compiled_with_GLIBCXX_DEBUG_and_GLIBCXX_USE_CXX11_ABI_0")]]
#elif defined(_GLIBCXX_DEBUG)
#define MARTLET_LAYOUT [[gnu::abi_tag("needs_libmartlet_compiled_with_GLIBCXX_DEBUG")]]
#elif defined(_GLIBCXX_USE_CXX11_ABI) && !_GLIBCXX_USE_CXX11_ABI
#define MARTLET_LAYOUT [[gnu::abi_tag("needs_libmartlet_compiled_with_GLIBCXX_USE_CXX11_ABI_0")]]
#else
#define MARTLET_LAYOUT
#endif
