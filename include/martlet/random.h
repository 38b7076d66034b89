// martlet/random.h: bytes that nobody can guess: for ids, tokens, nonces and keys of programs and guards.
#pragma once

#include <martlet/config.h>

#include <cstddef>
#include <span>
#include <string>

namespace martlet {

// Fills `out` from the operating system's generator, of which each thread asks for some in advance: 16 bytes cost some 60 ns.
// Never waits but at the start of the machine. Any thread, and in children of fork() as well. A system that has none ends the
// program: nothing is safe there.
void random_bytes(std::span<std::byte> out) noexcept;

// So many random bytes as text that may stand in URLs, cookies and fields: base64url without padding, 4 characters for 3 bytes. The
// default, 16 bytes, cannot be guessed, nor do two ever come out the same. Allocates the string.
std::string random_text(size_t bytes = 16);

}  // namespace martlet
