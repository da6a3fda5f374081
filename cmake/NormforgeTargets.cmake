# The compile rules that every folder shares. A folder is one target: normforge_<folder>.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(normforge_options INTERFACE)
target_include_directories(normforge_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_definitions(normforge_options INTERFACE _GLIBCXX_ASSERTIONS) # an index out of range ends the program, rather than spoils memory
target_compile_options(normforge_options INTERFACE -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers)
if(NORMFORGE_SANITIZE)
  # Kernels are called through pointers to code without clang's type prefix, which -fsanitize=function would read, before the start of their page.
  target_compile_options(normforge_options INTERFACE -fsanitize=address,undefined -fno-sanitize=function -fno-sanitize-recover=undefined
                         -fno-omit-frame-pointer)
  target_link_options(normforge_options INTERFACE -fsanitize=address,undefined)
endif()

# MLIR and LLVM as one shared library each; their headers are quiet.
add_library(normforge_mlir INTERFACE)
target_include_directories(normforge_mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_compile_definitions(normforge_mlir INTERFACE ${LLVM_DEFINITIONS_LIST})
target_link_libraries(normforge_mlir INTERFACE MLIR LLVM)

# normforge_folder(NAME [MLIR] SOURCES … [LINKS …]): a folder's library.
function(normforge_folder name)
  cmake_parse_arguments(FOLDER "MLIR" "" "SOURCES;LINKS" ${ARGN})
  add_library(normforge_${name} STATIC ${FOLDER_SOURCES})
  target_link_libraries(normforge_${name} PUBLIC normforge_options ${FOLDER_LINKS})
  if(FOLDER_MLIR)
    target_link_libraries(normforge_${name} PRIVATE normforge_mlir)
  endif()
endfunction()
