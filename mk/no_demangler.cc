// Compiled into the links of `make static` with zig: libc++abi's demangler makes readable the type in the message
// "terminating due to uncaught exception", and weighs 80 kB. With one here the linker leaves it out, and that message has
// the type's mangled name. A source file in the link also makes zig optimise its C libraries at link time.
#include <cstddef>

extern "C" char* __cxa_demangle(const char* /*name*/, char* /*out*/, std::size_t* /*length*/, int* status);

extern "C" char* __cxa_demangle(const char* /*name*/, char* /*out*/, std::size_t* /*length*/, int* status) {
  if (status != nullptr) *status = -1;
  return nullptr;
}
