// What free() has kept, back to the system.
#pragma once

#include <cstddef>

namespace martlet::sys {

// Gives the whole pages of a piece of the heap back to the system, before it is freed: what is in them is lost. Needed
// where the allocator does not do so later, however it is asked: of a thread that is not the first one, glibc keeps up to
// 64 MiB at the end of its heap once the program has freed something large. Any thread.
void give_pages_back(void* memory, size_t bytes) noexcept;

// Gives free pages of the allocator's back, of all threads. glibc keeps what lies between blocks in use until somebody
// asks for it, macOS what was freed a moment ago; other allocators (musl's) do not keep it. Takes a lock on each of the
// allocator's arenas in turn, about a tenth of a millisecond for each MiB that is given back. Any thread.
void give_heap_back() noexcept;

}  // namespace martlet::sys
