# Builds and runs the project of examples/own_project with its precompiled header.
include(${CMAKE_CURRENT_LIST_DIR}/installed.cmake)
run(${CMAKE_COMMAND} -S ${SOURCE}/examples/own_project -B ${WORK}/build -DCMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/first_model)
run(${WORK}/build/own_policy)
message("the project was built and run")
