// Steering by a classic BPF program (socket(7), SO_ATTACH_REUSEPORT_CBPF): the kernel runs it once for each SYN and takes
// its answer as the index of the socket; an index that does not exist falls back to the hash. Classic, since it needs no
// privilege, unlike loading an extended one.
//
//   load     number of this processor
//   if equal processors[i], answer i        for each i
//   answer   that number modulo count
#include "sys/steering.h"

#if defined(__linux__)

#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "sys/syscalls.h"

namespace martlet::sys {

namespace {

constexpr uint32_t kLoadProcessor = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_CPU);

sock_filter statement(int code, uint32_t k) noexcept { return {static_cast<uint16_t>(code), 0, 0, k}; }
sock_filter skip_unless_equal(uint32_t k) noexcept { return {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, k}; }

bool are_distinct(const int* processors, int count) noexcept {
  for (int i = 0; i < count; i++) {
    if (processors[i] < 0) return false;
    for (int earlier = 0; earlier < i; earlier++) {
      if (processors[earlier] == processors[i]) return false;
    }
  }
  return true;
}

std::vector<sock_filter> program_for(const int* processors, int count) noexcept {
  std::vector<sock_filter> program;
  program.reserve(2 * static_cast<size_t>(count) + 3);
  program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, kLoadProcessor));
  for (int i = 0; i < count; i++) {
    program.push_back(skip_unless_equal(static_cast<uint32_t>(processors[i])));
    program.push_back(statement(BPF_RET | BPF_K, static_cast<uint32_t>(i)));
  }
  program.push_back(statement(BPF_ALU | BPF_MOD | BPF_K, static_cast<uint32_t>(count)));
  program.push_back(statement(BPF_RET | BPF_A, 0));
  return program;
}

}  // namespace

Error steer_by_processor(int listener, const int* processors, int count) noexcept {
  static_assert(2 * kMaxSteered + 3 <= BPF_MAXINSNS);
  if (count < 1 || count > kMaxSteered || !are_distinct(processors, count)) {
    return Error("steering wants one processor of its own for each listener", EINVAL);
  }
  std::vector<sock_filter> program = program_for(processors, count);
  sock_fprog attached;
  std::memset(&attached, 0, sizeof attached);  // the kernel is given the padding, too
  attached.len = static_cast<unsigned short>(program.size());
  attached.filter = program.data();
  if (syscalls.setsockopt(listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached, sizeof attached) != 0) {
    return Error("SO_ATTACH_REUSEPORT_CBPF", errno);
  }
  return {};
}

}  // namespace martlet::sys

#else

#include <cerrno>

namespace martlet::sys {

Error steer_by_processor(int, const int*, int) noexcept {
  return Error("steering by processor is not supported on this system", ENOTSUP);
}

}  // namespace martlet::sys

#endif
