// martlet/random.h: random bytes that nobody can guess: for ids, tokens and nonces of programs and guards.
#pragma once

#include <martlet/config.h>

#include <cstddef>
#include <span>
#include <string>

namespace martlet {

// Fills it from the operating system's generator of random numbers. Where there is none the process aborts, as what is made of
// such bytes would be guessable. Any thread; costs a system call.
void random_bytes(std::span<std::byte> out) noexcept;

// So many random bytes as text that may stand in URLs, cookies and fields: base64url without padding, 4 characters for 3 bytes. The
// default, 16 bytes, cannot be guessed, nor do two ever come out the same. Allocates the string.
std::string random_text(size_t bytes = 16);

}  // namespace martlet
