include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/equipoise)
install(TARGETS equipoise EXPORT equipoise FILE_SET HEADERS)
install(EXPORT equipoise NAMESPACE equipoise:: DESTINATION ${package_dir} FILE equipoiseTargets.cmake)
foreach(part IN LISTS EQUIPOISE_PARTS)
  install(TARGETS equipoise_${part} EXPORT equipoise_${part} FILE_SET HEADERS)
  install(EXPORT equipoise_${part} NAMESPACE equipoise:: DESTINATION ${package_dir} FILE equipoise_${part}Targets.cmake)
endforeach()
configure_package_config_file(cmake/equipoiseConfig.cmake.in equipoiseConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(equipoiseConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/equipoiseConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/equipoiseConfigVersion.cmake cmake/EquipoiseDependencies.cmake
              cmake/EquipoiseLibTorch.cmake DESTINATION ${package_dir})
