// src/sys/program.h: what this process was started as. Links to it and a binary that is replaced: successor_test.cc.
#include "sys/program.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "support/in_child.h"

using namespace martlet::sys;
using martlet::test::in_child;

#if defined(__linux__) || defined(__APPLE__) || defined(__FreeBSD__)

namespace {

#if defined(__linux__)
std::string zero_terminated(const std::vector<std::string>& arguments) {
  std::string text;
  for (const std::string& argument : arguments) text += argument + '\0';
  return text;
}
#endif

}  // namespace

TEST_CASE("program: path, arguments and ignored signals, once") {
  CHECK(in_child([] {
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGUSR1, SIG_DFL);
    MARTLET_EXPECT(remembered_program() == nullptr);
    MARTLET_EXPECT(!remember_program());
    const Program* program = remembered_program();
    MARTLET_EXPECT(program != nullptr);
    MARTLET_EXPECT(program->path.front() == '/');
    MARTLET_EXPECT(!program->arguments.empty());
    MARTLET_EXPECT(program->ignored_signals >> (SIGHUP - 1) & 1);
    MARTLET_EXPECT(!(program->ignored_signals >> (SIGUSR1 - 1) & 1));
#if defined(__linux__)
    struct stat ours, found;
    MARTLET_EXPECT(::stat(std::filesystem::read_symlink("/proc/self/exe").c_str(), &ours) == 0 &&
                   ::stat(program->path.c_str(), &found) == 0);
    MARTLET_EXPECT(ours.st_ino == found.st_ino && ours.st_dev == found.st_dev);
    std::ostringstream line;
    line << std::ifstream("/proc/self/cmdline", std::ios::binary).rdbuf();
    MARTLET_EXPECT(zero_terminated(program->arguments) == line.str());
#endif
    ::signal(SIGUSR1, SIG_IGN);
    MARTLET_EXPECT(!remember_program());
    MARTLET_EXPECT(remembered_program() == program);
    MARTLET_EXPECT(!(program->ignored_signals >> (SIGUSR1 - 1) & 1));
    return 0;
  }) == 0);
}

#endif

TEST_CASE("program: what is said goes before what the system tells") {
  CHECK(in_child([] {
    remember_program_as({.path = "/bin/first", .arguments = {"first"}});
    MARTLET_EXPECT(!remember_program());
    MARTLET_EXPECT(remembered_program()->path == "/bin/first");
    remember_program_as({.path = "/bin/second", .arguments = {"second", "", "x"}});
    MARTLET_EXPECT(remembered_program()->path == "/bin/second");
    MARTLET_EXPECT(remembered_program()->arguments.size() == 3);
    return 0;
  }) == 0);
}
