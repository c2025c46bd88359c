// MOBILENETV2_AMX: the kernels for Intel's matrix unit are compiled. A process must ask Linux for it; elsewhere nobody
// has run them.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#define MOBILENETV2_AMX 1
#endif
