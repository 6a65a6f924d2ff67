# Configures, builds and runs a project that knows nothing but find_package.
include(${CMAKE_CURRENT_LIST_DIR}/installed.cmake)
# The core alone, whatever else is installed.
run(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer -B ${WORK}/core -DCMAKE_BUILD_TYPE=Release)
if(PARTS)
  run(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer -B ${WORK}/build -DCMAKE_BUILD_TYPE=Release "-DPARTS=${PARTS}")
else()
  set(build_folder core)
endif()
if(NOT build_folder)
  set(build_folder build)
endif()
run(${CMAKE_COMMAND} --build ${WORK}/${build_folder})
run(${WORK}/${build_folder}/consumer)
# A package that lacks something is not found where it is optional, and says what it lacks.
file(WRITE ${WORK}/optional/CMakeLists.txt "cmake_minimum_required(VERSION 3.24)\nproject(optional LANGUAGES CXX)\nfind_package(equipoise QUIET COMPONENTS psqb)\n"
                                           "if(equipoise_FOUND OR NOT equipoise_NOT_FOUND_MESSAGE MATCHES psqb)\nmessage(FATAL_ERROR found)\nendif()\n")
run(${CMAKE_COMMAND} -S ${WORK}/optional -B ${WORK}/optional/build)
message("a consumer found, built and ran")
