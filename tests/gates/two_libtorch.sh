#!/usr/bin/env bash
# With Debian's libtorch-dev also installed, a program must still link one c10 only: the one of the LibTorch that was chosen.
set -euo pipefail
source=$1 torch=$2 work=$3
[ -n "$(find /usr/lib -name 'libc10.so' -print -quit 2>/dev/null)" ] || { echo "skipped: Debian's libtorch-dev is not installed"; exit 77; }
mkdir -p "$work" && cd "$work"
cat > CMakeLists.txt <<C
cmake_minimum_required(VERSION 3.24)
project(two LANGUAGES CXX)
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
echo "one c10, the chosen one"
