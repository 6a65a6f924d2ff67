include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/equipoise)
install(TARGETS equipoise EXPORT equipoise FILE_SET HEADERS)
if(EQUIPOISE_PSQA)
  install(TARGETS equipoise_psqa EXPORT equipoise FILE_SET HEADERS)
endif()
install(EXPORT equipoise NAMESPACE equipoise:: DESTINATION ${package_dir} FILE equipoiseTargets.cmake)
configure_package_config_file(cmake/equipoiseConfig.cmake.in equipoiseConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(equipoiseConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/equipoiseConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/equipoiseConfigVersion.cmake cmake/EquipoiseDependencies.cmake
              cmake/EquipoiseLibTorch.cmake DESTINATION ${package_dir})
