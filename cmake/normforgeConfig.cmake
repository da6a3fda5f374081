# What find_package(normforge) gives: the program as normforge::normforge, and normforge_add_library().
if(NOT TARGET normforge::normforge)
  get_filename_component(normforge_program "${CMAKE_CURRENT_LIST_DIR}/../../../bin/normforge" ABSOLUTE)
  add_executable(normforge::normforge IMPORTED GLOBAL)
  set_target_properties(normforge::normforge PROPERTIES IMPORTED_LOCATION "${normforge_program}")
  unset(normforge_program)
endif()
include("${CMAKE_CURRENT_LIST_DIR}/normforge_add_library.cmake")
