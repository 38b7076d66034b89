// What program this is, as each system tells.
//
// The path is noted, not the file: after a deploy the same path holds the new binary. /proc/self/exe names the file that
// symbolic links led to, and with releases in folders of their own that would be the old release for ever; so the name in
// the first argument goes before, when it leads to the file we run.
#include "sys/program.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <crt_externs.h>
#include <mach-o/dyld.h>
#elif defined(__FreeBSD__)
#include <sys/types.h>

#include <sys/sysctl.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

Program* remembered = nullptr;  // never deleted at exit: a thread may still be starting a successor

}  // namespace

#if defined(__linux__) || defined(__FreeBSD__)

namespace {

// Each argument ends with a zero byte.
std::vector<std::string> split_arguments(std::string_view block) noexcept {
  std::vector<std::string> arguments;
  while (!block.empty()) {
    const size_t end = block.find('\0');
    arguments.emplace_back(block.substr(0, end));
    block.remove_prefix(end == block.npos ? block.size() : end + 1);
  }
  return arguments;
}

}  // namespace

#endif

#if defined(__linux__)

namespace {

Error find_path(std::string& out) noexcept {
  out.resize(256);
  for (;;) {
    const ssize_t size = ::readlink("/proc/self/exe", out.data(), out.size());
    if (size < 0) return Error("readlink /proc/self/exe", errno);
    if (static_cast<size_t>(size) < out.size()) {
      out.resize(static_cast<size_t>(size));
      break;
    }
    out.resize(out.size() * 2);
  }
  // What the kernel adds when the file we run has been replaced already.
  constexpr std::string_view kDeleted = " (deleted)";
  if (std::string_view(out).ends_with(kDeleted)) out.resize(out.size() - kDeleted.size());
  return {};
}

Error find_arguments(std::vector<std::string>& out) noexcept {
  const int fd = syscalls.open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error("/proc/self/cmdline", errno);
  std::string block;
  char bytes[2048];
  Error error;
  for (;;) {
    const ssize_t got = syscalls.read(fd, bytes, sizeof bytes);
    if (got > 0) {
      block.append(bytes, static_cast<size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      if (got < 0) error = Error("/proc/self/cmdline", errno);
      break;
    }
  }
  syscalls.close(fd);
  out = split_arguments(block);
  return error;
}

}  // namespace

#elif defined(__APPLE__)

namespace {

Error find_path(std::string& out) noexcept {
  uint32_t size = 0;
  (void)::_NSGetExecutablePath(nullptr, &size);
  std::string path(size, '\0');
  if (::_NSGetExecutablePath(path.data(), &size) != 0) return Error("path of the program", ENAMETOOLONG);
  path.resize(std::string_view(path).find('\0'));
  char real[PATH_MAX];
  out = ::realpath(path.c_str(), real) ? std::string(real) : path;
  return {};
}

Error find_arguments(std::vector<std::string>& out) noexcept {
  char** arguments = *::_NSGetArgv();
  out.assign(arguments, arguments + *::_NSGetArgc());
  return {};
}

}  // namespace

#elif defined(__FreeBSD__)

namespace {

Error ask(int what, std::string& out) noexcept {
  int name[] = {CTL_KERN, KERN_PROC, what, static_cast<int>(::getpid())};
  size_t size = 0;
  if (::sysctl(name, 4, nullptr, &size, nullptr, 0) != 0) return Error("sysctl kern.proc", errno);
  out.resize(size);
  if (::sysctl(name, 4, out.data(), &size, nullptr, 0) != 0) return Error("sysctl kern.proc", errno);
  out.resize(size);
  return {};
}

Error find_path(std::string& out) noexcept {
  const Error error = ask(KERN_PROC_PATHNAME, out);
  out.resize(std::min(out.find('\0'), out.size()));
  return error;
}

Error find_arguments(std::vector<std::string>& out) noexcept {
  std::string block;
  const Error error = ask(KERN_PROC_ARGS, block);
  out = split_arguments(block);
  return error;
}

}  // namespace

#else

namespace {

Error find_path(std::string&) noexcept { return Error("the path of a program is not to be had on this system", ENOTSUP); }

Error find_arguments(std::vector<std::string>&) noexcept {
  return Error("the arguments of a program are not to be had on this system", ENOTSUP);
}

}  // namespace

#endif

namespace {

bool same_file(const char* a, const char* b) noexcept {
  struct stat first, second;
  return ::stat(a, &first) == 0 && ::stat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// The name it was started under as an absolute path, when that is a path at all and leads to the file.
void prefer_name(const std::string& name, std::string& path) noexcept {
  if (name.find('/') == name.npos) return;
  std::string candidate = name;
  if (name.front() != '/') {
    char here[PATH_MAX];
    if (!::getcwd(here, sizeof here)) return;
    candidate = std::string(here) + "/" + name;
  }
  if (same_file(candidate.c_str(), path.c_str())) path = std::move(candidate);
}

uint64_t signals_ignored_now() noexcept {
  uint64_t ignored = 0;
  for (int number = 1; number <= 64; number++) {
    struct sigaction action;
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) ignored |= uint64_t{1} << (number - 1);
  }
  return ignored;
}

}  // namespace

Error remember_program() noexcept {
  if (remembered) return {};
  Program program;
  if (Error error = find_path(program.path)) return error;
  if (Error error = find_arguments(program.arguments)) return error;
  if (program.arguments.empty()) program.arguments.push_back(program.path);
  prefer_name(program.arguments.front(), program.path);
  program.ignored_signals = signals_ignored_now();
  remembered = new Program(std::move(program));
  return {};
}

void remember_program_as(Program program) noexcept {
  MARTLET_CHECK(!program.arguments.empty());
  delete remembered;
  remembered = new Program(std::move(program));
}

const Program* remembered_program() noexcept { return remembered; }

}  // namespace martlet::sys
