// How many processors, from the affinity mask and from the quotas of the cgroups; and which.
//
// A quota is CPU time per period, which may be spent on more processors at once; but more workers than it pays for
// only means that all of them stand still together once it is spent. Where the cgroups are is read from
// /proc/self/mountinfo, ours from /proc/self/cgroup: version 1 has cpu.cfs_quota_us and cpu.cfs_period_us in the hierarchy
// of the controller cpu, version 2 has cpu.max in the only one, and systems with both have either. A file that is
// missing or makes no sense limits nothing.
//
// Contents: masks of Linux, FreeBSD, others · quotas of Linux, others · usable_processors
#include "sys/processors.h"

#include <fcntl.h>
#include <unistd.h>

#if defined(__FreeBSD__)
#include <sys/param.h>

#include <pthread_np.h>
#include <sys/cpuset.h>
#endif

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdint>
#include <string>
#include <string_view>

#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

// Numbers from 0 on, for systems that have no masks or do not tell.
int list_online(int* out, int max) noexcept {
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  const int count = std::min(online < 1 ? 1 : static_cast<int>(online), max);
  for (int i = 0; i < count; i++) out[i] = i;
  return count;
}

}  // namespace

#if defined(__linux__)

namespace {

// A mask of 16384 processors: cpu_set_t ends at 1024, and the kernel answers EINVAL when a mask is smaller than its own.
struct Mask {
  static constexpr int kWordBits = sizeof(unsigned long) * CHAR_BIT;
  static constexpr int kProcessors = 16384;
  unsigned long words[kProcessors / kWordBits];

  Mask() noexcept { std::fill(std::begin(words), std::end(words), 0); }
  bool has(int n) const noexcept { return words[n / kWordBits] >> (n % kWordBits) & 1; }
  void set(int n) noexcept { words[n / kWordBits] |= 1ul << (n % kWordBits); }
  cpu_set_t* raw() noexcept { return reinterpret_cast<cpu_set_t*>(words); }
};

bool read_mask(Mask& mask) noexcept { return syscalls.sched_getaffinity(0, sizeof mask.words, mask.raw()) == 0; }

int count_allowed() noexcept {
  Mask mask;
  if (!read_mask(mask)) {
    const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : static_cast<int>(online);
  }
  int count = 0;
  for (const unsigned long word : mask.words) count += __builtin_popcountl(word);
  return count;
}

}  // namespace

int allowed_processors(int* out, int max) noexcept {
  Mask mask;
  if (!read_mask(mask)) return list_online(out, max);
  int count = 0;
  for (int n = 0; n < Mask::kProcessors && count < max; n++) {
    if (mask.has(n)) out[count++] = n;
  }
  return count;
}

bool pin_thread(pthread_t thread, int processor) noexcept {
  if (processor < 0 || processor >= Mask::kProcessors) return false;
  Mask mask;
  mask.set(processor);
  return ::pthread_setaffinity_np(thread, sizeof mask.words, mask.raw()) == 0;
}

#elif defined(__FreeBSD__)

namespace {

bool read_mask(cpuset_t& mask) noexcept {
  return ::cpuset_getaffinity(CPU_LEVEL_WHICH, CPU_WHICH_TID, -1, sizeof mask, &mask) == 0;
}

int count_allowed() noexcept {
  cpuset_t mask;
  if (read_mask(mask)) return CPU_COUNT(&mask);
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  return online < 1 ? 1 : static_cast<int>(online);
}

}  // namespace

int allowed_processors(int* out, int max) noexcept {
  cpuset_t mask;
  if (!read_mask(mask)) return list_online(out, max);
  int count = 0;
  for (int n = 0; n < CPU_SETSIZE && count < max; n++) {
    if (CPU_ISSET(static_cast<size_t>(n), &mask)) out[count++] = n;
  }
  return count;
}

bool pin_thread(pthread_t thread, int processor) noexcept {
  if (processor < 0 || processor >= CPU_SETSIZE) return false;
  cpuset_t mask;
  CPU_ZERO(&mask);
  CPU_SET(static_cast<size_t>(processor), &mask);
  return ::pthread_setaffinity_np(thread, sizeof mask, &mask) == 0;
}

#else

namespace {

int count_allowed() noexcept {
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  return online < 1 ? 1 : static_cast<int>(online);
}

}  // namespace

int allowed_processors(int* out, int max) noexcept { return list_online(out, max); }

bool pin_thread(pthread_t, int) noexcept { return false; }

#endif

#if defined(__linux__)

namespace {

std::string read_file(const std::string& path) noexcept {
  std::string text;
  const int fd = syscalls.open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char bytes[2048];
  for (;;) {
    const ssize_t got = syscalls.read(fd, bytes, sizeof bytes);
    if (got > 0) text.append(bytes, static_cast<size_t>(got));
    else if (got == 0 || errno != EINTR) break;
  }
  syscalls.close(fd);
  return text;
}

// Cuts what stands before `end` off the front; all of it when there is no `end`.
std::string_view cut(std::string_view& text, std::string_view end) noexcept {
  const size_t at = text.find(end);
  const std::string_view piece = text.substr(0, at);
  text.remove_prefix(at == text.npos ? text.size() : at + end.size());
  return piece;
}

bool lists(std::string_view comma_list, std::string_view wanted) noexcept {
  while (!comma_list.empty()) {
    if (cut(comma_list, ",") == wanted) return true;
  }
  return false;
}

bool parse_number(std::string_view text, int64_t& out) noexcept {
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, out);
  return failure == std::errc() && stop == end && !text.empty();
}

// Processors that this much time per period pays for; 0 when the figures are no limit ("max", -1) or nonsense.
int processors_for(std::string_view quota, std::string_view period) noexcept {
  int64_t per_period = 0;
  int64_t whole = 0;
  if (!parse_number(quota, per_period) || !parse_number(period, whole) || per_period <= 0 || whole <= 0) return 0;
  return static_cast<int>(std::min<int64_t>(per_period / whole + (per_period % whole != 0), INT_MAX));
}

int limit_in_v2(const std::string& directory) noexcept {
  const std::string text = read_file(directory + "/cpu.max");
  std::string_view line = text;
  line = cut(line, "\n");
  const std::string_view quota = cut(line, " ");
  return processors_for(quota, line);
}

int limit_in_v1(const std::string& directory) noexcept {
  const std::string quota = read_file(directory + "/cpu.cfs_quota_us");
  const std::string period = read_file(directory + "/cpu.cfs_period_us");
  std::string_view quota_line = quota;
  std::string_view period_line = period;
  return processors_for(cut(quota_line, "\n"), cut(period_line, "\n"));
}

// One of the two versions of cgroups, as far as they differ.
struct Version {
  int (*limit_in)(const std::string& directory) noexcept;
  bool (*is_our_group)(std::string_view hierarchy, std::string_view controllers) noexcept;
  bool (*is_mount)(std::string_view type, std::string_view options) noexcept;
};

constexpr Version kVersions[] = {
    {limit_in_v2,
     [](std::string_view hierarchy, std::string_view controllers) noexcept {
       return hierarchy == "0" && controllers.empty();
     },
     [](std::string_view type, std::string_view) noexcept { return type == "cgroup2"; }},
    {limit_in_v1,
     [](std::string_view, std::string_view controllers) noexcept { return lists(controllers, "cpu"); },
     [](std::string_view type, std::string_view options) noexcept { return type == "cgroup" && lists(options, "cpu"); }},
};

// Lines of /proc/self/cgroup: "4:cpu,cpuacct:/path", "0::/path". Empty when we are in no cgroup of that version.
std::string_view find_group(std::string_view lines, const Version& version) noexcept {
  while (!lines.empty()) {
    std::string_view line = cut(lines, "\n");
    const std::string_view hierarchy = cut(line, ":");
    const std::string_view controllers = cut(line, ":");
    if (version.is_our_group(hierarchy, controllers)) return line;
  }
  return {};
}

struct Mount {
  std::string root;   // the cgroup that is seen at `point`
  std::string point;
};

// mountinfo writes blanks and backslashes in paths as \ and three octal figures.
std::string decode_path(std::string_view text) noexcept {
  std::string path;
  for (size_t i = 0; i < text.size(); i++) {
    const auto figure = [&](size_t at) { return i + at < text.size() && text[i + at] >= '0' && text[i + at] <= '7'; };
    if (text[i] == '\\' && figure(1) && figure(2) && figure(3)) {
      path += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      path += text[i];
    }
  }
  return path;
}

// The path of `group` below `root`: "/b" for "/a/b" in "/a". False when it does not lie there.
bool below(std::string_view group, std::string_view root, std::string_view& rest) noexcept {
  if (root == "/") root = "";
  if (group.substr(0, root.size()) != root) return false;
  rest = group.substr(root.size());
  return rest.empty() || rest.front() == '/';
}

// A line of mountinfo: "31 23 0:28 ROOT POINT options [tags] - TYPE source OPTIONS". Of several mounts the first in which
// our group lies; else the first at all (a namespace hides where we are, and its top is what we can see).
bool find_mount(std::string_view lines, std::string_view group, const Version& version, Mount& out) noexcept {
  bool found = false;
  while (!lines.empty()) {
    std::string_view line = cut(lines, "\n");
    std::string_view places = cut(line, " - ");
    const std::string_view type = cut(line, " ");
    (void)cut(line, " ");
    if (!version.is_mount(type, line)) continue;
    for (int field = 0; field < 3; field++) (void)cut(places, " ");
    const std::string root = decode_path(cut(places, " "));
    const std::string point = decode_path(cut(places, " "));
    std::string_view rest;
    const bool ours = below(group, root, rest);
    if (ours || !found) out = {root, point};
    found = true;
    if (ours) break;
  }
  return found;
}

int smaller_limit(int a, int b) noexcept { return a == 0 || b == 0 ? a + b : std::min(a, b); }

int limit_of(const Version& version, std::string_view root, std::string_view groups, std::string_view mounts) noexcept {
  const std::string_view group = find_group(groups, version);
  Mount mount;
  if (group.empty() || !find_mount(mounts, group, version, mount)) return 0;
  std::string_view rest;
  if (!below(group, mount.root, rest) || rest.find("/..") != rest.npos) rest = {};
  while (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  const std::string top = std::string(root) + mount.point;
  int limit = 0;
  for (;;) {
    limit = smaller_limit(limit, version.limit_in(top + std::string(rest)));
    if (rest.empty()) return limit;
    rest = rest.substr(0, rest.rfind('/'));
  }
}

}  // namespace

int cgroup_processors(const char* root) noexcept {
  const std::string groups = read_file(std::string(root) + "/proc/self/cgroup");
  const std::string mounts = read_file(std::string(root) + "/proc/self/mountinfo");
  int limit = 0;
  for (const Version& version : kVersions) limit = smaller_limit(limit, limit_of(version, root, groups, mounts));
  return limit;
}

#else

int cgroup_processors(const char*) noexcept { return 0; }

#endif

int usable_processors() noexcept {
  const int allowed = std::max(count_allowed(), 1);
  const int paid = cgroup_processors("");
  return paid == 0 ? allowed : std::min(allowed, paid);
}

}  // namespace martlet::sys
