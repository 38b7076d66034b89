// A pair of sockets: what one end says the other hears, and what fails leaves no descriptor behind.
#include "sys/socket_pair.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "sys/socket.h"
#include "sys/syscalls.h"

using namespace martlet;

TEST_CASE("socket_pair: each end hears the other, without waiting, and sees its end") {
  const auto pair = sys::make_socket_pair();
  REQUIRE(pair.ok());
  const int (&ends)[2] = pair->ends;
  char bytes[8];
  CHECK(sys::receive(ends[0], bytes, sizeof bytes).status == sys::IoStatus::would_block);
  CHECK(sys::transmit(ends[1], "there", 5).bytes == 5);
  CHECK(sys::transmit(ends[0], "back", 4).bytes == 4);
  CHECK(sys::receive(ends[0], bytes, sizeof bytes).bytes == 5);
  CHECK(std::string_view(bytes, 5) == "there");
  CHECK(sys::receive(ends[1], bytes, sizeof bytes).bytes == 4);
  sys::close_socket(ends[1]);
  CHECK(sys::receive(ends[0], bytes, sizeof bytes).end_of_stream());
  CHECK(sys::transmit(ends[0], "nobody", 6).status == sys::IoStatus::failed);
  sys::close_socket(ends[0]);
}

TEST_CASE("socket_pair: a failure is an Error, and both ends are closed") {
  const sys::Syscalls saved = sys::syscalls;
  sys::syscalls.socketpair = [](int, int, int, int*) { return errno = EMFILE, -1; };
  CHECK(sys::make_socket_pair().error().os_code() == EMFILE);
  static int closed;
  closed = 0;
  sys::syscalls = saved;
  sys::syscalls.set_flags = [](int) { return errno = EBADF, -1; };
  sys::syscalls.close = [](int fd) { return closed++, ::close(fd); };
  CHECK(!sys::make_socket_pair().ok());
  CHECK(closed == 2);
  sys::syscalls = saved;
}
