# normforge_add_library(NAME PROBLEMS FILE [TARGETS TARGET…] [LOCK FILE | NO_LOCK] [REQUIRE_COMPLETE] [DEVICE FINGERPRINT] [REQUIRE_CUBIN] [SAME_BITS])
#
# A static library of kernels as a step of the build: link NAME::NAME and include NAME.h. FILE holds a problem a line; it is built again when that file, a
# norm that it names, the lockfile or normforge itself changes. TARGETS are CPU levels, such as x86-64-v3, and GPU architectures, such as
# sm_90; left out: all CPU levels that normforge has. REQUIRE_CUBIN: an error where there is no assembler for GPUs. SAME_BITS: GPUs sum in the CPU's order.
# LOCK: the schedules that `normforge tune` chose, in place of those that come with normforge for common sizes; NO_LOCK: neither.
# REQUIRE_COMPLETE: an error where there is none for a problem. Schedules are used where the device that they were measured on is of the class of
# DEVICE, in the words of `normforge devices`; left out: with LOCK of the class of the machine that builds, else wherever they were measured.
cmake_policy(PUSH)
cmake_policy(VERSION 3.25)

function(normforge_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 LIBRARY "REQUIRE_COMPLETE;NO_LOCK;REQUIRE_CUBIN;SAME_BITS" "PROBLEMS;LOCK;DEVICE" "TARGETS")
  if(LIBRARY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "normforge_add_library(${name}): unknown arguments: ${LIBRARY_UNPARSED_ARGUMENTS}; there are PROBLEMS, TARGETS, LOCK, NO_LOCK, REQUIRE_COMPLETE, DEVICE, REQUIRE_CUBIN and SAME_BITS")
  endif()
  if(NOT LIBRARY_PROBLEMS)
    message(FATAL_ERROR "normforge_add_library(${name}): name a file of problems: PROBLEMS FILE")
  endif()
  find_package(Threads REQUIRED)
  get_filename_component(problems "${LIBRARY_PROBLEMS}" ABSOLUTE)
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  set(archive "${directory}/lib/lib${name}.a")
  set(targets)
  if(LIBRARY_TARGETS)
    list(JOIN LIBRARY_TARGETS "," targets)
    set(targets --target ${targets})
  endif()
  if(LIBRARY_NO_LOCK AND (LIBRARY_LOCK OR LIBRARY_REQUIRE_COMPLETE OR LIBRARY_DEVICE))
    message(FATAL_ERROR "normforge_add_library(${name}): NO_LOCK goes with none of LOCK, REQUIRE_COMPLETE and DEVICE")
  endif()
  set(choices)
  set(lockfile)
  if(LIBRARY_NO_LOCK)
    set(choices --no-lock)
  elseif(LIBRARY_LOCK)
    get_filename_component(lockfile "${LIBRARY_LOCK}" ABSOLUTE)
    set(choices --lock "${lockfile}")
  endif()
  if(LIBRARY_REQUIRE_COMPLETE)
    list(APPEND choices --require-complete)
  endif()
  if(LIBRARY_DEVICE)
    list(APPEND choices --device "${LIBRARY_DEVICE}")
  endif()
  if(LIBRARY_REQUIRE_CUBIN)
    list(APPEND choices --require cubin)
  endif()
  if(LIBRARY_SAME_BITS)
    list(APPEND choices --same-bits)
  endif()
  add_custom_command(
    OUTPUT "${archive}" "${directory}/include/${name}.h" "${directory}/share/${name}/manifest.json"
           "${directory}/lib/cmake/${name}/${name}Config.cmake"
    COMMAND normforge::normforge build "${problems}" -o "${directory}" --name ${name} ${targets} ${choices} --depfile "${directory}/${name}.d"
    DEPENDS "${problems}" ${lockfile} normforge::normforge
    DEPFILE "${directory}/${name}.d"
    COMMENT "Building kernels of ${name}"
    VERBATIM)
  add_custom_target(${name}_kernels DEPENDS "${archive}")

  file(MAKE_DIRECTORY "${directory}/include") # must be there when targets are defined
  add_library(${name}::${name} STATIC IMPORTED GLOBAL)
  set_target_properties(${name}::${name} PROPERTIES
    IMPORTED_LOCATION "${archive}"
    IMPORTED_LINK_INTERFACE_LANGUAGES C
    INTERFACE_INCLUDE_DIRECTORIES "${directory}/include"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS}")
  add_dependencies(${name}::${name} ${name}_kernels)
endfunction()

cmake_policy(POP)
