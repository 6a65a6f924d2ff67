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

# The one precompiled header: everything heavy, Catch2 last. The others reuse it, so all share its flags.
file(WRITE ${CMAKE_BINARY_DIR}/pch_main.cpp "")
add_library(equipoise_pch OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/pch_main.cpp)
target_link_libraries(equipoise_pch PRIVATE equipoise::equipoise equipoise_develop)
target_precompile_headers(equipoise_pch PRIVATE <torch/torch.h>)

# equipoise_program(<name> SOURCES … [LIBRARIES …]): one of our programs on top of the precompiled header.
function(equipoise_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE equipoise::equipoise equipoise_develop ${arg_LIBRARIES})
  target_precompile_headers(${name} REUSE_FROM equipoise_pch)
endfunction()
