// The proof of "no allocation on the hot path after warm-up": after a few rounds that fill the pools, a worker reads,
// parses, unmasks, routes, calls handlers, encodes and writes without asking for memory.
//
// Server and clients share the test's thread, and only what is asked for within a turn counts:
//   - the allocator of the connection path, by its hooks;
//   - every malloc, and so every operator new: with glibc by standing in front of its malloc, under a sanitizer
//     (whose malloc must stay) by its own hooks, elsewhere not at all;
//   - what a turn adds to the address space, which is where an mmap would show; not under a sanitizer, which maps
//     memory of its own.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/alloc.h"
#include "support/stepped_server.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MARTLET_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MARTLET_TEST_SANITIZED 1
#endif
#endif

#if defined(MARTLET_TEST_SANITIZED)
#include <sanitizer/allocator_interface.h>
#endif

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Set while the server turns. Other threads of the test program never see it set.
thread_local constinit bool counting = false;

struct Taken {
  uint64_t by_hooks = 0;    // through base/alloc
  uint64_t by_malloc = 0;   // through malloc and its kin
  uint64_t bytes = 0;       // of those
  long mapped_pages = 0;    // that the address space has grown by

  bool nothing() const { return by_hooks == 0 && by_malloc == 0 && mapped_pages <= 0; }
};
thread_local constinit Taken taken;

void note_malloc(size_t bytes) {
  if (!counting) return;
  taken.by_malloc++;
  taken.bytes += bytes;
}

}  // namespace

#if defined(MARTLET_TEST_SANITIZED)

namespace {
constexpr bool kCountsMalloc = true;
constexpr bool kCountsPages = false;
void on_malloc(const volatile void*, size_t bytes) { note_malloc(bytes); }
void on_free(const volatile void*) {}
void watch_malloc() {
  static const int watching = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
  REQUIRE(watching > 0);
}
}  // namespace

#elif defined(__GLIBC__)

// glibc's own, under the names by which the dynamic loader does not find the ones below.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) {
  note_malloc(bytes);
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  note_malloc(count * bytes);
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) {
  note_malloc(bytes);
  return __libc_realloc(memory, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  note_malloc(bytes);
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  note_malloc(bytes);
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  note_malloc(bytes);
  *memory = __libc_memalign(alignment, bytes);
  return *memory ? 0 : ENOMEM;
}
}

namespace {
constexpr bool kCountsMalloc = true;
constexpr bool kCountsPages = true;
void watch_malloc() {}
}  // namespace

#else

namespace {
constexpr bool kCountsMalloc = false;
constexpr bool kCountsPages = false;
void watch_malloc() {}
}  // namespace

#endif

namespace {

void* counted_allocate(size_t bytes) {
  if (counting) taken.by_hooks++;
  return std::malloc(bytes);
}

// The size of the address space; read without a buffer of stdio's, so that asking does not change the answer.
long mapped_pages() {
  if (!kCountsPages) return 0;
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[64] = {};
  const ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  return size > 0 ? std::strtol(text, nullptr, 10) : 0;
}

// A server whose turns are watched from watch() on.
class WatchedServer {
 public:
  explicit WatchedServer(const std::function<void(App&)>& set_up) : hooks_(count_hooks()), server(set_up) {
    watch_malloc();
    server.before_turn = [this] {
      pages_before_ = mapped_pages();
      counting = true;
    };
    server.after_turn = [this] {
      counting = false;
      taken.mapped_pages += mapped_pages() - pages_before_;
      turns_++;
    };
  }

  // Does `round` so often that the pools hold what it needs, and then counts what more rounds take. A round is to
  // answer whether it went well.
  template <typename Round>
  void takes_nothing(Round round, int warm_up = 8, int rounds = 64) {
    for (int i = 0; i < warm_up; i++) REQUIRE(round());
    taken = {};
    turns_ = 0;
    bool good = true;
    for (int i = 0; i < rounds && good; i++) good = round();
    const Taken result = taken;
    CHECK(good);
    CHECK(turns_ >= rounds);
    if (!result.nothing()) {
      MESSAGE(result.by_hooks << " allocations, " << result.by_malloc << " mallocs of " << result.bytes
                              << " bytes, " << result.mapped_pages << " pages in " << turns_ << " turns");
    }
    CHECK(result.nothing());
  }

 private:
  struct Hooks {
    base::AllocHooks before = base::alloc_hooks;
    ~Hooks() { base::alloc_hooks = before; }
  };
  static Hooks count_hooks() {
    const Hooks hooks;
    base::alloc_hooks.allocate = counted_allocate;
    return hooks;
  }

  Hooks hooks_;

 public:
  SteppedServer server;

 private:
  long pages_before_ = 0;
  int turns_ = 0;
};

}  // namespace
