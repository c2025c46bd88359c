// Node-API on Windows without naming node.exe. A DLL imports by module name, but the process may be node.exe,
// electron.exe, a packaged application, or load Node as a DLL. So nothing is imported: calls go through the pointers
// that an import library would define (__imp_*), and this file fills them from the modules of the running process.
// MSVC builds get the same from the linker's delay loading.
#include <windows.h>

#include <cstdio>
#include <cstdlib>
#include <initializer_list>

namespace {

// What a function of a newer Node-API than this process has is replaced with. The module asks for no newer one.
[[noreturn]] void missing_function() {
  std::fputs("mobilenetv2: this process lacks a Node-API function that the addon needs\n", stderr);
  std::abort();
}

}  // namespace

// node_api_symbols.inc: NODE_API_SYMBOL(name) for each function of the Node-API version in use, from node-api-headers.
#define NODE_API_SYMBOL(name)    \
  extern "C" void* __imp_##name; \
  void* __imp_##name = reinterpret_cast<void*>(&missing_function);
#include "node_api_symbols.inc"
#undef NODE_API_SYMBOL

namespace {

void* find(const char* name) {
  // The executable; then Node or NW.js as a DLL. Null when none of them has it.
  for (const HMODULE module :
       {GetModuleHandleA(nullptr), GetModuleHandleA("libnode.dll"), GetModuleHandleA("node.dll")}) {
    if (module == nullptr) continue;
    if (const FARPROC found = GetProcAddress(module, name)) return reinterpret_cast<void*>(found);
  }
  return reinterpret_cast<void*>(&missing_function);
}

// Before any other code of the module runs.
__attribute__((constructor)) void resolve_node_api() {
#define NODE_API_SYMBOL(name) __imp_##name = find(#name);
#include "node_api_symbols.inc"
#undef NODE_API_SYMBOL
}

}  // namespace
