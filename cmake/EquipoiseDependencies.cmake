# What equipoise's targets link. Used by the build and by the installed package alike.

include(CMakeFindDependencyMacro)
include("${CMAKE_CURRENT_LIST_DIR}/EquipoiseLibTorch.cmake")
find_dependency(Boost 1.78 REQUIRED)
find_dependency(range-v3 REQUIRED)
find_dependency(Eigen3 3.4 REQUIRED NO_MODULE)

if(NOT DEFINED EQUIPOISE_PSQA OR EQUIPOISE_PSQA)
  find_dependency(PNG REQUIRED)
  if(NOT TARGET equipoise_dcmtk)
    # DCMTK's own configuration drags in ICU, XML and network libraries; reading and writing files needs only these.
    find_path(EQUIPOISE_DCMTK_INCLUDE dcmtk/dcmdata/dctk.h)
    foreach(library dcmdata oflog ofstd)
      find_library(EQUIPOISE_DCMTK_${library} ${library})
      if(NOT EQUIPOISE_DCMTK_${library} OR NOT EQUIPOISE_DCMTK_INCLUDE)
        message(FATAL_ERROR "equipoise: DCMTK was not found; install libdcmtk-dev, or configure with -DEQUIPOISE_PSQA=OFF")
      endif()
    endforeach()
    add_library(equipoise_dcmtk INTERFACE IMPORTED)
    target_include_directories(equipoise_dcmtk SYSTEM INTERFACE "${EQUIPOISE_DCMTK_INCLUDE}")
    target_link_libraries(equipoise_dcmtk INTERFACE "${EQUIPOISE_DCMTK_dcmdata}" "${EQUIPOISE_DCMTK_oflog}" "${EQUIPOISE_DCMTK_ofstd}")
  endif()
endif()
