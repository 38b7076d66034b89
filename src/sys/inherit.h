// Listening sockets that come from whoever started this process: systemd's socket activation, and a predecessor that
// hands over to us (successor.h is its side). What is taken is taken once, and removed from the environment. Since that
// changes the environment: at start, from one thread, while no other reads it.
#pragma once

#include <vector>

namespace martlet::sys {

// The variable a predecessor speaks through: "PID:READY:FD,FD,...", the process it is meant for, the descriptor on which
// that one reports that it serves, the listening sockets in order. PID has kTakeOverPidDigits figures.
inline constexpr char kTakeOverVariable[] = "MARTLET_TAKE_OVER";
inline constexpr int kTakeOverPidDigits = 10;
// What report_ready() writes to READY.
inline constexpr unsigned char kReadyByte = 'R';

// The listening stream sockets of LISTEN_FDS (sd_listen_fds(3)), non-blocking and close-on-exec, in order; how many they
// are. LISTEN_PID must be this process. Descriptors of other kinds are made close-on-exec and stay open. Those
// beyond `max` are closed.
int inherited_listeners(int* out, int max) noexcept;

// The listening sockets of our predecessor, in the order in which it handed them over, non-blocking and close-on-exec;
// how many they are, 0 when we succeed nobody. All of them must be served: connections may wait in each. Those
// beyond `max` are closed, and what waits there is lost.
int take_over(int* listeners, int max) noexcept;

// The claims on their ports (port_claim.h) that came with them; once.
std::vector<int> take_claims() noexcept;

// Tells the predecessor that we serve, so that it drains. Nothing when there is none, and the second time. It
// having died meanwhile is no matter. From the thread that called take_over().
void report_ready() noexcept;

}  // namespace martlet::sys
