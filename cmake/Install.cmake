# cmake --install: the program, and the package that find_package(normforge) finds, wherever the prefix is moved to.
include(CMakePackageConfigHelpers)
set_target_properties(normforge PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON) # LLVM's directory may be on no other search path
install(TARGETS normforge RUNTIME DESTINATION bin)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/normforgeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/normforgeConfig.cmake cmake/normforge_add_library.cmake ${PROJECT_BINARY_DIR}/normforgeConfigVersion.cmake DESTINATION lib/cmake/normforge)
