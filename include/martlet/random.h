// martlet/random.h: bytes that nobody can guess: for tokens, nonces, keys.
#pragma once

#include <martlet/config.h>

#include <cstddef>
#include <span>

namespace martlet {

// Fills `out` from the operating system's generator, of which each thread asks for some in advance: 16 bytes cost some 10 ns.
// Never waits but at the start of the machine. Any thread, and in children of fork() as well. A system that has none ends the
// program: nothing is safe there.
void random_bytes(std::span<std::byte> out) noexcept;

}  // namespace martlet
