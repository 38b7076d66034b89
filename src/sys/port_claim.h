// A port of a Server of several workers, whose sockets share it by SO_REUSEPORT, looks to the kernel like one that
// everybody may share. So on Linux such a Server holds a claim beside it, which those who want to share a port look for. It
// is a name in the abstract namespace of Unix sockets: of the same network namespace as the port, and gone with the last
// process that holds it. Who does not want to share needs none of it: a bind without SO_REUSEPORT fails by itself.
#pragma once

#include <string>

namespace martlet::sys {

// The claim on what this listening socket is bound to, as a descriptor; -1 where there is none to be had, which is no error.
int claim_port(int listener) noexcept;

// Whether somebody holds a claim on what this socket is bound to, or on all addresses with this port.
bool is_claimed(int listener) noexcept;
// The same of what is not bound yet, by its name ("127.0.0.1:3000").
bool is_claimed(const std::string& name) noexcept;

// Whether this descriptor, which a predecessor has handed over, is a claim.
bool is_claim(int fd) noexcept;

}  // namespace martlet::sys
