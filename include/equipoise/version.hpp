// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The version of the library, that of `CMakeLists.txt`.

#include <string_view>

#define EQUIPOISE_VERSION_MAJOR 0
#define EQUIPOISE_VERSION_MINOR 1
#define EQUIPOISE_VERSION_PATCH 0

namespace equipoise {

/// `major.minor.patch`
inline constexpr std::string_view version = "0.1.0";

}  // namespace equipoise
