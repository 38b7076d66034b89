// Two sockets that are connected with each other: what one end says the other hears, without a network.
#pragma once

#include <martlet/error.h>

namespace martlet::sys {

struct SocketPair {
  int ends[2] = {-1, -1};
};

// Ready for use like those of socket.h: non-blocking, close-on-exec, no SIGPIPE. The caller closes both.
Result<SocketPair> make_socket_pair() noexcept;

}  // namespace martlet::sys
