// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Every encoder of the library.

#include <equipoise/encoders/cnn.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/encoders/sized.hpp>

#include <tuple>

namespace equipoise {

using EveryEncoder = std::tuple<Mlp, Cnn>;

}  // namespace equipoise
