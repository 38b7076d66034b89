// What free() has kept, back to the system.
#pragma once

namespace martlet::sys {

// Gives free pages of the allocator's back, of all threads. glibc keeps what lies between blocks in use until somebody
// asks for it, macOS what was freed a moment ago; other allocators (musl's) do not keep it. Takes a lock on each of the
// allocator's arenas in turn, about a tenth of a millisecond for each MiB that is given back. Any thread.
void give_heap_back() noexcept;

}  // namespace martlet::sys
