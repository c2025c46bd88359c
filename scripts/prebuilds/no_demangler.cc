// A tenth of the published binary would be the C++ runtime's demangler, for the type's name in the message about an
// exception that nobody caught. This definition comes first, so that the linker leaves the demangler out; the message
// then has the name as it is.
#include <cstddef>

extern "C" char* __cxa_demangle(const char* /*name*/, char* /*buffer*/, std::size_t* /*length*/, int* status) {
  if (status != nullptr) *status = -2;  // not a name that could be demangled
  return nullptr;
}
