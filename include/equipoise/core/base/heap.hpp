// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The C library's heap, made fit for training on the CPU.

#include <limits>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace equipoise {

/// Keeps freed memory for what is asked for next, instead of giving large blocks back to the system: a training asks
/// for the same activations in every step, and the system hands each page out anew and zeroed. Call it once, at the
/// start of a program; a step of a small convolutional model then takes about a sixth less time. The process stays as
/// large as it ever was. Does nothing where the C library is not glibc.
inline void keep_freed_memory() {
#if defined(__GLIBC__)
  constexpr int largest_threshold = 32 << 20;  // glibc takes no larger one
  mallopt(M_MMAP_THRESHOLD, largest_threshold);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

}  // namespace equipoise
