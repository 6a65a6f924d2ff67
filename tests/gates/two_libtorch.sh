#!/usr/bin/env bash
# With another LibTorch on the system's paths (Debian's libtorch-dev, or decoys of its libraries where that is not installed), a program must still link one c10
# only: the one of the LibTorch that was chosen.
set -euo pipefail
source=$1 torch=$2 work=$3
mkdir -p "$work/system" && cd "$work"
found=$(find /usr/lib -name 'libc10.so' -print -quit 2>/dev/null)
if [ -n "$found" ]; then
  other="Debian's libtorch-dev"
else
  other="decoys of Debian's"
  printf 'int decoy() { return 0; }\n' > decoy.cpp
  for library in c10 torch torch_cpu; do "${CXX:-c++}" -shared -fPIC -Wl,-soname,lib$library.so decoy.cpp -o "system/lib$library.so"; done
fi
cat > CMakeLists.txt <<C
cmake_minimum_required(VERSION 3.24)
project(two LANGUAGES CXX)
list(PREPEND CMAKE_LIBRARY_PATH $work/system)
link_directories($work/system)
add_subdirectory($source equipoise)
add_executable(two two.cpp)
target_link_libraries(two PRIVATE equipoise::equipoise)
C
printf '#include <torch/types.h>\nint main() { return torch::ones({2}).sum().item<float>() == 2 ? 0 : 1; }\n' > two.cpp
cmake -S . -B build -DCMAKE_PREFIX_PATH="$torch" -DEQUIPOISE_PSQA=OFF > configure.log 2>&1 || { cat configure.log; exit 1; }
cmake --build build > build.log 2>&1 || { cat build.log; exit 1; }
./build/two
n=$(ldd build/two | grep -c 'libc10\.so')
[ "$n" = 1 ] && ldd build/two | grep 'libc10\.so' | grep -q "$torch" || { ldd build/two; echo "expected one c10, of $torch, got $n"; exit 1; }
echo "beside $other: one c10, the chosen one"
