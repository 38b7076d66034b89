// What a service manager wants to hear (sd_notify(3), the protocol, without libsystemd), and what its watchdog expects.
// Any thread, as long as nobody changes the environment meanwhile. Nothing blocks and nothing raises SIGPIPE.
#pragma once

#include <cstdint>
#include <string_view>

namespace martlet::sys {

inline constexpr std::string_view kNotifyReady = "READY=1";        // started, or a reload is done
inline constexpr std::string_view kNotifyStopping = "STOPPING=1";  // a drain has begun
inline constexpr std::string_view kNotifyWatchdog = "WATCHDOG=1";  // alive

// Sends lines of NAME=VALUE as one datagram to $NOTIFY_SOCKET: a path, or '@' and an abstract name (Linux). True when it
// was sent; false when there is no manager, or it does not take it now.
bool notify_service_manager(std::string_view state) noexcept;

// RELOADING=1 with the time, as Type=notify-reload wants it; READY=1 must follow.
bool notify_reloading() noexcept;
// The main process is another one now (a successor); from the old one.
bool notify_main_pid(int pid) noexcept;
// A line for people, in `systemctl status`. What follows the first line break is left out.
bool notify_status(std::string_view text) noexcept;

// How long the manager's watchdog waits for kNotifyWatchdog of this process before it acts; send it twice as often. 0:
// there is no watchdog, or it looks at another process.
uint64_t service_watchdog_us() noexcept;

}  // namespace martlet::sys
