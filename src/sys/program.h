// The program that this process runs: what to start for a successor. One thread at a time.
#pragma once

#include <martlet/error.h>

#include <cstdint>
#include <string>
#include <vector>

namespace martlet::sys {

struct Program {
  std::string path;                    // absolute; what is there now, not what was there then
  std::vector<std::string> arguments;  // the first is the name it was started under
  uint64_t ignored_signals = 0;        // bit n - 1: signal n was ignored (nohup); such a signal stays ignored
};

// Notes path, arguments and ignored signals, the first time; call it before signals are watched and before the program
// may overwrite its arguments. A program that was started by a path with a slash is found by that path again, so
// that a symbolic link leads to the new release. An error where the system does not tell (all but Linux, macOS, FreeBSD).
Error remember_program() noexcept;

// Says what the program is, instead of what the system tells (tests; a wrapper that must be part of the start).
void remember_program_as(Program program) noexcept;

// What was remembered; null before. Valid until the next remember_program_as().
const Program* remembered_program() noexcept;

}  // namespace martlet::sys
