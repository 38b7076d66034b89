// src/sys/processors.h: affinity masks, real and made up; quotas in made-up trees of cgroups.
#include "sys/processors.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <vector>

#include "support/environment.h"
#include "sys/syscalls.h"
#include "sys/thread.h"

using namespace martlet::sys;
using martlet::test::TemporaryFolder;

namespace {

std::vector<int> allowed() {
  std::vector<int> numbers(20000);
  numbers.resize(static_cast<size_t>(allowed_processors(numbers.data(), 20000)));
  return numbers;
}

}  // namespace

TEST_CASE("processors: there is one, no more than the system has, and no more than the quota pays for") {
  const std::vector<int> numbers = allowed();
  REQUIRE(!numbers.empty());
  CHECK(static_cast<long>(numbers.size()) <= ::sysconf(_SC_NPROCESSORS_CONF));
  CHECK(std::is_sorted(numbers.begin(), numbers.end()));
  CHECK(std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end());
  const int quota = cgroup_processors("");
  const int want = quota == 0 ? static_cast<int>(numbers.size()) : std::min(static_cast<int>(numbers.size()), quota);
  CHECK(usable_processors() == want);
}

TEST_CASE("processors: no more numbers than there is room for") {
  int out[2] = {-7, -7};
  CHECK(allowed_processors(out, 0) == 0);
  CHECK(out[0] == -7);
  CHECK(allowed_processors(out, 1) == 1);
  CHECK(out[0] >= 0);
  CHECK(out[1] == -7);
}

#if defined(__linux__)

namespace {

struct RestoreSyscalls {
  Syscalls saved = syscalls;
  ~RestoreSyscalls() { syscalls = saved; }
};

constexpr int kFew[] = {0, 63, 64, 1023, 1024, 2047, 8191};

}  // namespace

TEST_CASE("processors: masks of more than 1024") {
  RestoreSyscalls restore;
  syscalls.sched_getaffinity = [](pid_t, size_t size, cpu_set_t* mask) {
    if (size < 8192 / CHAR_BIT) {
      errno = EINVAL;
      return -1;
    }
    for (const int n : kFew) CPU_SET_S(static_cast<size_t>(n), size, mask);
    return 0;
  };
  CHECK(allowed() == std::vector<int>(std::begin(kFew), std::end(kFew)));
  const int quota = cgroup_processors("");
  CHECK(usable_processors() == (quota == 0 ? 7 : std::min(7, quota)));
}

TEST_CASE("processors: without a mask, those that are online") {
  RestoreSyscalls restore;
  syscalls.sched_getaffinity = [](pid_t, size_t, cpu_set_t*) {
    errno = EINVAL;
    return -1;
  };
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  const std::vector<int> numbers = allowed();
  CHECK(static_cast<long>(numbers.size()) == online);
  CHECK(numbers.front() == 0);
  CHECK(numbers.back() == online - 1);
  CHECK(usable_processors() >= 1);
  CHECK(usable_processors() <= online);
}

TEST_CASE("processors: a mask without any is still one worker") {
  RestoreSyscalls restore;
  syscalls.sched_getaffinity = [](pid_t, size_t, cpu_set_t*) { return 0; };
  CHECK(usable_processors() == 1);
}

TEST_CASE("processors: a pinned thread has one") {
  const int processor = allowed().back();
  int usable = 0;
  Thread thread;
  REQUIRE(!thread.start([](void* out) { *static_cast<int*>(out) = usable_processors(); }, &usable, 0, processor));
  thread.join();
  CHECK(usable == 1);
}

namespace {

constexpr char kMountV2[] = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr char kOtherMounts[] =
    "23 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "24 23 0:5 / /proc rw - proc proc rw\n"
    "30 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "odd line\n\n";

// A system of version 2 whose process is in this cgroup; files as {path below the mount, content of cpu.max}.
int quota_v2(const std::string& group, const std::vector<std::pair<std::string, std::string>>& files,
             const std::string& mounts = kMountV2) {
  const TemporaryFolder root;
  root.write("proc/self/cgroup", "0::" + group + "\n");
  root.write("proc/self/mountinfo", kOtherMounts + mounts);
  for (const auto& [path, text] : files) root.write("sys/fs/cgroup" + path + "/cpu.max", text);
  return cgroup_processors(root.path().c_str());
}

}  // namespace

TEST_CASE("cgroup: version 2, rounded up") {
  CHECK(quota_v2("/a", {{"/a", "200000 100000\n"}}) == 2);
  CHECK(quota_v2("/a", {{"/a", "200001 100000\n"}}) == 3);
  CHECK(quota_v2("/a", {{"/a", "1000 100000\n"}}) == 1);
  CHECK(quota_v2("/a", {{"/a", "50000 20000\n"}}) == 3);
  CHECK(quota_v2("/a", {{"/a", "400000 100000"}}) == 4);
  CHECK(quota_v2("/", {{"", "300000 100000\n"}}) == 3);  // a container's own namespace
  CHECK(quota_v2("/a", {{"/a", "9000000000000000000 1\n"}}) == INT_MAX);
}

TEST_CASE("cgroup: version 2, no limit and nonsense") {
  CHECK(quota_v2("/a", {{"/a", "max 100000\n"}}) == 0);
  CHECK(quota_v2("/a", {}) == 0);
  for (const char* text : {"", "\n", "max", "100000", "100000 ", "100000 0\n", "0 100000\n", "-1 100000\n",
                           "100000 -100000\n", "many few\n", "1e5 1e5\n", "100000 100000 100000\n", " 100000 100000\n",
                           "99999999999999999999 100000\n"}) {
    CAPTURE(text);
    CHECK(quota_v2("/a", {{"/a", text}}) == 0);
    CHECK(quota_v2("/a/b", {{"/a", "500000 100000\n"}, {"/a/b", text}}) == 5);  // limits nothing, hides nothing
  }
}

TEST_CASE("cgroup: version 2, the smallest on the way up counts") {
  const std::string two = "200000 100000\n", three = "300000 100000\n", four = "400000 100000\n", none = "max 100000\n";
  CHECK(quota_v2("/a/b/c", {{"/a", four}, {"/a/b", two}, {"/a/b/c", three}}) == 2);
  CHECK(quota_v2("/a/b/c", {{"/a", two}, {"/a/b", none}, {"/a/b/c", none}}) == 2);
  CHECK(quota_v2("/a/b/c", {{"/a", four}, {"/a/b/c", three}}) == 3);
  CHECK(quota_v2("/a/b/c", {{"", two}, {"/a/b/c", three}}) == 2);
  CHECK(quota_v2("/a/b", {{"/a", four}, {"/a/b", three}, {"/a/b/c", two}, {"/x", two}}) == 3);  // only our way up
}

TEST_CASE("cgroup: version 2, the mount shows a part of the tree") {
  // The mount's root is our group or above it: what is left of the path counts from there.
  const std::string part = "31 23 0:28 /pod /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  CHECK(quota_v2("/pod/box", {{"/box", "200000 100000\n"}, {"/pod/box", "100000 100000\n"}}, part) == 2);
  CHECK(quota_v2("/pod", {{"", "200000 100000\n"}}, part) == 2);
  // It is another part ("/podium" does not lie in "/pod"), or a namespace hides the way: the top is all that is seen.
  CHECK(quota_v2("/podium", {{"", "200000 100000\n"}, {"/ium", "100000 100000\n"}}, part) == 2);
  CHECK(quota_v2("/../box", {{"", "200000 100000\n"}, {"/../box", "100000 100000\n"}}) == 2);
  // Of several mounts the one with our group.
  CHECK(quota_v2("/a", {{"/a", "200000 100000\n"}},
                 "40 23 0:28 /other /sys/fs/cgroup/other rw - cgroup2 cgroup2 rw\n" + std::string(kMountV2)) == 2);
  CHECK(quota_v2("/a", {{"/a", "200000 100000\n"}}, "") == 0);
}

namespace {

struct QuotaV1 {
  std::string path;
  std::string quota;
  std::string period;
};

int quota_v1(const std::string& groups, const std::vector<QuotaV1>& files,
             const std::string& mount = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
             const std::string& folder = "sys/fs/cgroup/cpu,cpuacct") {
  const TemporaryFolder root;
  root.write("proc/self/cgroup", groups);
  root.write("proc/self/mountinfo", kOtherMounts + mount);
  for (const QuotaV1& file : files) {
    root.write(folder + file.path + "/cpu.cfs_quota_us", file.quota);
    root.write(folder + file.path + "/cpu.cfs_period_us", file.period);
  }
  return cgroup_processors(root.path().c_str());
}

}  // namespace

TEST_CASE("cgroup: version 1") {
  const std::string in_a = "9:cpuset:/elsewhere\n4:cpu,cpuacct:/a\n1:name=systemd:/user\n";
  CHECK(quota_v1(in_a, {{"/a", "250000\n", "100000\n"}}) == 3);
  CHECK(quota_v1(in_a, {{"/a", "-1\n", "100000\n"}}) == 0);
  CHECK(quota_v1(in_a, {{"/a", "-1\n", "100000\n"}, {"", "200000\n", "100000\n"}}) == 2);
  CHECK(quota_v1(in_a, {{"/a", "250000\n", ""}}) == 0);
  CHECK(quota_v1(in_a, {{"/a", "", "100000\n"}}) == 0);
  CHECK(quota_v1(in_a, {{"/a", "x\n", "y\n"}}) == 0);
  CHECK(quota_v1(in_a, {}) == 0);
  CHECK(quota_v1("4:cpuacct,cpu:/a/b\n", {{"/a", "100000\n", "100000\n"}, {"/a/b", "800000\n", "100000\n"}}) == 1);
  CHECK(quota_v1("4:cpuacct:/a\n", {{"/a", "100000\n", "100000\n"}}) == 0);  // another controller with a similar name
  CHECK(quota_v1("4:cpu:/a:b\n", {{"/a:b", "100000\n", "100000\n"}}) == 1);
}

TEST_CASE("cgroup: version 1 in a container without a namespace of its own") {
  CHECK(quota_v1("4:cpu,cpuacct:/docker/12ab\n", {{"", "150000\n", "100000\n"}},
                 "32 31 0:29 /docker/12ab /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n") == 2);
}

TEST_CASE("cgroup: blanks and backslashes in the mount point") {
  CHECK(quota_v1("4:cpu:/a\n", {{"/a", "200000\n", "100000\n"}},
                 "32 31 0:29 / /odd\\040name\\134here rw - cgroup cgroup rw,cpu\n", "odd name\\here") == 2);
}

TEST_CASE("cgroup: both versions at once") {
  const TemporaryFolder root;
  root.write("proc/self/cgroup", "4:cpu:/a\n0::/b\n");
  root.write("proc/self/mountinfo", std::string("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n") +
                                        "38 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  root.write("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "400000\n");
  root.write("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  CHECK(cgroup_processors(root.path().c_str()) == 4);
  root.write("sys/fs/cgroup/unified/b/cpu.max", "300000 100000\n");
  CHECK(cgroup_processors(root.path().c_str()) == 3);
}

TEST_CASE("cgroup: a system without any") {
  const TemporaryFolder root;
  CHECK(cgroup_processors(root.path().c_str()) == 0);
  root.write("proc/self/cgroup", "");
  root.write("proc/self/mountinfo", "");
  CHECK(cgroup_processors(root.path().c_str()) == 0);
  root.write("proc/self/cgroup", "::\n:\nnonsense\n0:\n4:cpu\n");
  root.write("proc/self/mountinfo", kMountV2);
  CHECK(cgroup_processors(root.path().c_str()) == 0);
}

#endif
