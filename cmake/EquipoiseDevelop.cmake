# For work on equipoise itself; no user of the library sees any of it.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(CCACHE ccache)
if(CCACHE)
  set(cache)
  if(NOT DEFINED ENV{CCACHE_DIR})
    set(cache CCACHE_DIR=${CMAKE_SOURCE_DIR}/.deps/ccache) # nothing outside the checkout
  endif()
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env ${cache} CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Our warnings: errors for our own code, private to our own programs.
add_library(equipoise_develop INTERFACE)
target_compile_options(equipoise_develop INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fpch-preprocess)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Its collector walks through all of a precompiled header each time: a tenth of the build's time.
  target_compile_options(equipoise_develop INTERFACE --param=ggc-min-heapsize=2000000)
endif()

# The precompiled header: all that the core's headers include of others, and for tests the core itself. It is made twice: optimised for programs, and for tests, whose time goes into compiling them.
set(outside_headers)
foreach(header IN LISTS core_headers)
  file(STRINGS ${CMAKE_SOURCE_DIR}/${header} lines REGEX "^#include <")
  list(APPEND outside_headers ${lines})
endforeach()
list(FILTER outside_headers EXCLUDE REGEX "<equipoise/")
list(TRANSFORM outside_headers REPLACE "#include (<.*>).*" "\\1")
list(REMOVE_DUPLICATES outside_headers)
list(SORT outside_headers)
file(WRITE ${CMAKE_BINARY_DIR}/pch_main.cpp "")
foreach(kind programs tests)
  add_library(equipoise_pch_${kind} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/pch_main.cpp)
  target_link_libraries(equipoise_pch_${kind} PRIVATE equipoise::equipoise equipoise_develop)
  target_precompile_headers(equipoise_pch_${kind} PRIVATE ${outside_headers})
endforeach()
target_compile_options(equipoise_pch_tests PRIVATE -O0)
target_precompile_headers(equipoise_pch_tests PRIVATE <equipoise/equipoise.hpp>) # all tests include it

# equipoise_gamma_once(<target>): the exact gamma is compiled in one file of the target, not in each that uses it.
file(CONFIGURE OUTPUT gamma_instance.cpp CONTENT [[
#include <equipoise/psqa/gamma/gamma.hpp>
namespace equipoise::psqa {
template GammaResult gamma<ExactMinimum<>>(const DoseGrid&, const DoseGrid&, const GammaCriteria&, const ExactMinimum<>&, const GammaExecution&);
}
]] @ONLY)
function(equipoise_gamma_once target)
  target_compile_definitions(${target} PRIVATE EQUIPOISE_GAMMA_ELSEWHERE)
  target_sources(${target} PRIVATE ${CMAKE_BINARY_DIR}/gamma_instance.cpp)
  set_source_files_properties(${CMAKE_BINARY_DIR}/gamma_instance.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
endfunction()

# equipoise_program(<name> SOURCES … [LIBRARIES …] [TEST]): one of our programs on top of a precompiled header.
function(equipoise_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TEST" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE equipoise::equipoise equipoise_develop ${arg_LIBRARIES})
  if(arg_TEST)
    target_compile_options(${name} PRIVATE -O0)
    target_precompile_headers(${name} REUSE_FROM equipoise_pch_tests)
  else()
    target_precompile_headers(${name} REUSE_FROM equipoise_pch_programs)
  endif()
endfunction()
