// What the handler that threw last on this thread said: Function's thunk notes it, and whoever called the handler asks.
#include <martlet/function.h>

#include <cstdio>

namespace martlet {

namespace detail {

namespace {
thread_local char failure_text[256];
}

void note_failure(const char* what) noexcept { std::snprintf(failure_text, sizeof failure_text, "%s", what); }
const char* last_failure() noexcept { return failure_text; }

}  // namespace detail

}  // namespace martlet
