// Whether this build has kernels for Intel's matrix unit (AMX). A process must ask Linux for it; elsewhere nobody has
// run them. Older assemblers do not know its instructions.
#pragma once

#if defined(__x86_64__) && defined(__linux__)
#if defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11
#define MOBILENETV2_AMX 1
#endif
#endif
