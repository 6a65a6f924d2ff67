# Finds LibTorch and gives the imported target `equipoise_libtorch`, or says in `_equipoise_libtorch_problem` why not.
#
# Order: CMAKE_PREFIX_PATH or Torch_DIR; the `torch` of the active Python; a private copy in <checkout>/.deps/python.
# The target is made by hand from LibTorch's own folder. TorchConfig.cmake would look for c10 and torch on system paths first, which links two c10 libraries on a
# machine that also has Debian's libtorch-dev, and it refuses a CUDA build on a machine without the CUDA toolkit, which is not needed to train.

if(TARGET equipoise_libtorch)
  return()
endif()

function(_equipoise_torch_root out)
  set(candidates)
  foreach(given IN ITEMS "${Torch_DIR}" "$ENV{Torch_DIR}")
    if(given)
      get_filename_component(root "${given}/../../.." ABSOLUTE)
      list(APPEND candidates "${root}")
    endif()
  endforeach()
  string(REPLACE ":" ";" from_environment "$ENV{CMAKE_PREFIX_PATH}")
  foreach(prefix IN LISTS CMAKE_PREFIX_PATH from_environment)
    list(APPEND candidates "${prefix}" "${prefix}/torch")
    get_filename_component(root "${prefix}/../.." ABSOLUTE) # …/torch/share/cmake
    list(APPEND candidates "${root}")
  endforeach()
  find_program(EQUIPOISE_PYTHON NAMES python3 python DOC "Python whose torch is used")
  mark_as_advanced(EQUIPOISE_PYTHON)
  if(EQUIPOISE_PYTHON)
    execute_process(
      COMMAND ${EQUIPOISE_PYTHON} -c "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
      OUTPUT_VARIABLE python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(python_torch)
      list(APPEND candidates "${python_torch}")
    endif()
  endif()
  list(APPEND candidates "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../.deps/python/torch")
  foreach(candidate IN LISTS candidates)
    if(EXISTS "${candidate}/include/torch/csrc/api/include/torch/torch.h" AND EXISTS "${candidate}/lib/libtorch_cpu.so")
      get_filename_component(candidate "${candidate}" ABSOLUTE)
      set(${out} "${candidate}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${out} "" PARENT_SCOPE)
endfunction()

_equipoise_torch_root(EQUIPOISE_LIBTORCH_ROOT)
if(NOT EQUIPOISE_LIBTORCH_ROOT)
  string(CONCAT _equipoise_libtorch_problem "LibTorch was not found. Run cmake/install-deps, or install it with `pip install torch==2.13.0`, or give its folder: "
                "-DCMAKE_PREFIX_PATH=<…>/torch (the folder that holds include/ and lib/)")
  return()
endif()

find_package(Threads QUIET)
add_library(equipoise_libtorch INTERFACE IMPORTED)
# Not libtorch.so: it has no code, and that of a CUDA build needs every library of CUDA.
set(_torch_libraries "${EQUIPOISE_LIBTORCH_ROOT}/lib/libtorch_cpu.so" "${EQUIPOISE_LIBTORCH_ROOT}/lib/libc10.so")
set(EQUIPOISE_LIBTORCH_CUDA OFF)
if(EXISTS "${EQUIPOISE_LIBTORCH_ROOT}/lib/libtorch_cuda.so")
  # On a machine without NVIDIA's driver cmake/install-deps leaves out what only a GPU needs.
  execute_process(COMMAND ldd "${EQUIPOISE_LIBTORCH_ROOT}/lib/libtorch_cuda.so" OUTPUT_VARIABLE _torch_cuda_needs ERROR_QUIET)
  if(NOT _torch_cuda_needs MATCHES "not found")
    # Nothing refers to these by symbol: without --no-as-needed the linker drops them, and with them the CUDA kernels.
    list(APPEND _torch_libraries "-Wl,--no-as-needed" "${EQUIPOISE_LIBTORCH_ROOT}/lib/libtorch_cuda.so" "${EQUIPOISE_LIBTORCH_ROOT}/lib/libc10_cuda.so" "-Wl,--as-needed")
    set(EQUIPOISE_LIBTORCH_CUDA ON)
  endif()
endif()
set_target_properties(equipoise_libtorch PROPERTIES
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${EQUIPOISE_LIBTORCH_ROOT}/include;${EQUIPOISE_LIBTORCH_ROOT}/include/torch/csrc/api/include"
  INTERFACE_INCLUDE_DIRECTORIES "${EQUIPOISE_LIBTORCH_ROOT}/include;${EQUIPOISE_LIBTORCH_ROOT}/include/torch/csrc/api/include"
  INTERFACE_LINK_LIBRARIES "${_torch_libraries};Threads::Threads"
  # A CUDA build's own libraries lie in the nvidia packages beside it.
  INTERFACE_LINK_OPTIONS "-Wl,-rpath,${EQUIPOISE_LIBTORCH_ROOT}/lib;-Wl,--allow-shlib-undefined")

if(NOT DEFINED EQUIPOISE_LIBTORCH_ABI_CHECKED)
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_LIBRARIES equipoise_libtorch)
  check_cxx_source_compiles("#include <c10/util/Exception.h>\n#include <string>\nint main() { try { TORCH_CHECK(false, std::string(\"x\")); } catch (const c10::Error&) {} }"
                            EQUIPOISE_LIBTORCH_ABI_CHECKED)
  if(NOT EQUIPOISE_LIBTORCH_ABI_CHECKED)
    unset(EQUIPOISE_LIBTORCH_ABI_CHECKED CACHE)
    string(CONCAT _equipoise_libtorch_problem "a program does not link with the LibTorch in ${EQUIPOISE_LIBTORCH_ROOT}: it may be built for the old C++ ABI "
                  "(before 2.6) or another architecture. Take 2.13.0: pip install torch==2.13.0")
    return()
  endif()
endif()
if(NOT _equipoise_libtorch_told)
  message(STATUS "equipoise: LibTorch in ${EQUIPOISE_LIBTORCH_ROOT} (CUDA: ${EQUIPOISE_LIBTORCH_CUDA})")
  set(_equipoise_libtorch_told TRUE CACHE INTERNAL "")
endif()
