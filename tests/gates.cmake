# Gates: formatting, header hygiene, tiers and arrows, wrong composition, consumption, self-contained sources.

set(compile_flags -std=c++20 -fsyntax-only -I${CMAKE_SOURCE_DIR}/include -isystem ${EQUIPOISE_LIBTORCH_ROOT}/include
                  -isystem ${EQUIPOISE_LIBTORCH_ROOT}/include/torch/csrc/api/include -isystem /usr/include/eigen3)

find_program(CLANG_FORMAT NAMES clang-format-14 clang-format)
if(CLANG_FORMAT)
  file(GLOB_RECURSE own_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/include/*.hpp ${CMAKE_SOURCE_DIR}/tests/*.cpp ${CMAKE_SOURCE_DIR}/tests/*.hpp
       ${CMAKE_SOURCE_DIR}/examples/*.cpp ${CMAKE_SOURCE_DIR}/examples/*.hpp ${CMAKE_SOURCE_DIR}/bench/*.cpp ${CMAKE_SOURCE_DIR}/bench/*.hpp)
  add_test(NAME gate.format COMMAND ${CLANG_FORMAT} --dry-run --Werror ${own_sources})
endif()

find_program(EQUIPOISE_PYTHON NAMES python3)
add_test(NAME gate.headers COMMAND ${EQUIPOISE_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/gates/headers.py --source ${CMAKE_SOURCE_DIR} --work ${CMAKE_CURRENT_BINARY_DIR}/headers
                                   --compiler ${CMAKE_CXX_COMPILER} --parts "${EQUIPOISE_PARTS}" -- ${compile_flags})
add_test(NAME gate.sources COMMAND ${EQUIPOISE_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/gates/sources.py ${CMAKE_SOURCE_DIR})
set_tests_properties(gate.headers PROPERTIES TIMEOUT 1200 LABELS slow)
add_test(NAME gate.arrows COMMAND ${EQUIPOISE_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/gates/arrows.py ${CMAKE_SOURCE_DIR})

# Two translation units that include everything link.
equipoise_program(gate_links TEST SOURCES gates/links_a.cpp gates/links_b.cpp)
foreach(part IN LISTS EQUIPOISE_PARTS)
  target_link_libraries(gate_links PRIVATE equipoise::${part})
  string(TOUPPER ${part} option)
  target_compile_definitions(gate_links PRIVATE EQUIPOISE_${option})
endforeach()
add_test(NAME gate.links COMMAND gate_links)

# A project of somebody else's, from the installed package in an odd prefix.
add_test(NAME gate.consumer COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DBUILD=${CMAKE_BINARY_DIR} -DWORK=${CMAKE_CURRENT_BINARY_DIR}/consumer
                                    -DTORCH=${EQUIPOISE_LIBTORCH_ROOT} "-DPARTS=${EQUIPOISE_PARTS}" -P ${CMAKE_CURRENT_SOURCE_DIR}/consumer/run.cmake)
set_tests_properties(gate.consumer PROPERTIES TIMEOUT 600)
add_test(NAME gate.own_project COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DBUILD=${CMAKE_BINARY_DIR} -DWORK=${CMAKE_CURRENT_BINARY_DIR}/own_project
                                       -DTORCH=${EQUIPOISE_LIBTORCH_ROOT} -P ${CMAKE_CURRENT_SOURCE_DIR}/consumer/own_project.cmake)
set_tests_properties(gate.own_project PROPERTIES TIMEOUT 1200 LABELS slow ENVIRONMENT OMP_NUM_THREADS=1)

# Wrong composition: one file, one mistake, one sentence, which is the first error; each also compiles with the mistake left out. They share the tests' precompiled header.
get_target_property(pch_folder equipoise_pch_tests BINARY_DIR)
string(TOUPPER ${CMAKE_BUILD_TYPE} configuration)
separate_arguments(fail_flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${configuration}}") # else the compiler does not take it
list(APPEND fail_flags -O0 -std=gnu++20 -include ${pch_folder}/CMakeFiles/equipoise_pch_tests.dir/cmake_pch.hxx)
file(GLOB compile_fails CONFIGURE_DEPENDS compile_fail/*.cpp)
foreach(source IN LISTS compile_fails)
  get_filename_component(name ${source} NAME_WE)
  file(STRINGS ${source} first LIMIT_COUNT 1)
  string(REGEX REPLACE "^// error: " "" sentence "${first}")
  add_test(NAME compile_ok.${name} COMMAND ${CMAKE_CXX_COMPILER} ${compile_flags} ${fail_flags} ${source} COMMAND_EXPAND_LISTS)
  add_test(NAME compile_fail.${name} COMMAND ${CMAKE_CXX_COMPILER} ${compile_flags} ${fail_flags} -DMUST_FAIL -Wfatal-errors ${source} COMMAND_EXPAND_LISTS)
  string(REGEX REPLACE "([][+.*()^$?\\\\])" "\\\\\\1" pattern "${sentence}")
  set_tests_properties(compile_ok.${name} PROPERTIES LABELS slow)
  set_tests_properties(compile_fail.${name} PROPERTIES PASS_REGULAR_EXPRESSION "${pattern}" LABELS compile_fail ENVIRONMENT LC_ALL=C)
endforeach()

# Flags under which NaN is no longer told apart are refused.
foreach(flag fast-math finite-math-only)
  add_test(NAME compile_fail.${flag} COMMAND ${CMAKE_CXX_COMPILER} ${compile_flags} -std=gnu++20 -f${flag} -fsyntax-only ${CMAKE_SOURCE_DIR}/include/equipoise/core/base/errors.hpp COMMAND_EXPAND_LISTS)
  set_tests_properties(compile_fail.${flag} PROPERTIES PASS_REGULAR_EXPRESSION "-ffast-math and -ffinite-math-only break NaN" LABELS compile_fail ENVIRONMENT LC_ALL=C)
endforeach()

# The examples and scripts say and do what they promise.
add_test(NAME gate.two_libtorch COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/gates/two_libtorch.sh ${CMAKE_SOURCE_DIR} ${EQUIPOISE_LIBTORCH_ROOT} ${CMAKE_CURRENT_BINARY_DIR}/two_libtorch)
set_tests_properties(gate.two_libtorch PROPERTIES TIMEOUT 300)

add_test(NAME gate.docs COMMAND ${EQUIPOISE_PYTHON} ${CMAKE_SOURCE_DIR}/docs/make_pages.py --check)
add_test(NAME gate.links_in_docs COMMAND ${EQUIPOISE_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/gates/doc_links.py ${CMAKE_SOURCE_DIR})
