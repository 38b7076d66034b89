// Memory that goes back to the system: whole pages, and nothing beside them.
#if defined(__linux__)

#include "sys/heap.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace martlet;

TEST_CASE("heap: whole pages are given back, what lies beside them stays") {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<char> memory(6 * page);
  const auto at = reinterpret_cast<std::uintptr_t>(memory.data());
  char* const first = memory.data() + (page - at % page) % page;  // of five pages, at least
  // Where it begins and ends, seen from the page, and how many pages that gives.
  struct Case { size_t from, to, pages_from, pages_to; } cases[] = {
      {0, 3 * page, 0, 3},        {1, 3 * page, 1, 3},         {page - 1, 3 * page - 1, 1, 2},
      {page, 2 * page, 1, 2},     {page + 1, 3 * page - 1, 0, 0},  // two pages in part
      {1, page - 1, 0, 0},        {page, page, 0, 0},
  };
  for (const Case& one : cases) {
    CAPTURE(one.from);
    CAPTURE(one.to);
    std::fill(memory.begin(), memory.end(), 'x');
    sys::give_pages_back(first + one.from, one.to - one.from);
    std::vector<char> wanted(5 * page, 'x');
    std::fill_n(wanted.begin() + static_cast<long>(one.pages_from * page), (one.pages_to - one.pages_from) * page, '\0');
    CHECK(std::equal(wanted.begin(), wanted.end(), first));
  }
}

#endif  // __linux__
