# Cross compilation with zig. Wants ZIG (the executable), ZIG_TARGET, ZIG_SYSTEM, ZIG_PROCESSOR and, optionally, ZIG_CPU.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ZIG ZIG_TARGET ZIG_SYSTEM ZIG_PROCESSOR ZIG_CPU)
set(CMAKE_SYSTEM_NAME ${ZIG_SYSTEM})
set(CMAKE_SYSTEM_PROCESSOR ${ZIG_PROCESSOR})

set(CMAKE_CXX_COMPILER "${ZIG}" c++ -target ${ZIG_TARGET})
if(ZIG_CPU)
  list(APPEND CMAKE_CXX_COMPILER -mcpu=${ZIG_CPU})
endif()
# CMake wants one program without arguments here.
foreach(tool ar ranlib)
  string(TOUPPER ${tool} name)
  set(CMAKE_${name} "${CMAKE_BINARY_DIR}/zig-${tool}")
  if(NOT EXISTS "${CMAKE_${name}}")
    file(WRITE "${CMAKE_${name}}" "#!/bin/sh\nexec '${ZIG}' ${tool} \"$@\"\n")
    file(CHMOD "${CMAKE_${name}}" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endif()
endforeach()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)

# -s: no symbol table and no debugging information, left out at link so that a signature stays valid.
set(CMAKE_MODULE_LINKER_FLAGS_INIT "-s")
if(ZIG_SYSTEM STREQUAL "Linux")
  # Only the entry points of a Node addon: the C++ runtime inside must not meet another one in the process.
  string(APPEND CMAKE_MODULE_LINKER_FLAGS_INIT " -Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/exports.map")
elseif(ZIG_SYSTEM STREQUAL "Darwin")
  # zig links dylibs where CMake asks for a bundle; dlopen, which is how Node loads addons, takes both.
  string(APPEND CMAKE_MODULE_LINKER_FLAGS_INIT " -shared -Wl,-x") # -x: no local symbols, which -s leaves
  set(CMAKE_OSX_SYSROOT "" CACHE STRING "" FORCE)
  set(CMAKE_OSX_DEPLOYMENT_TARGET "" CACHE STRING "" FORCE) # the triple has it
endif()
