// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The sizes of the PSQA models.

#include <equipoise/core/base/reflect.hpp>

#include <cstdint>
#include <string_view>
#include <vector>

namespace equipoise::psqa {

/// Sizes that every model of a comparison shares. The cohort decides `metrics`, `channels` and `machine`.
struct PsqaSizes {
  std::int64_t metrics = 44;  ///< columns of the table
  std::int64_t channels = 0;  ///< of the delivery maps
  std::int64_t machine = 0;   ///< columns of what is known of the machine
  std::int64_t pool = 2;      ///< pixels of the cohort's planes that make one of the model's, per side; > 0
  std::vector<std::int64_t> encoder = {16, 32, 64, 128};  ///< channels of the dose encoder's stages
  std::vector<std::int64_t> decoder = {64, 32, 16, 8};    ///< channels of the cascade's levels
  std::int64_t width = 64;                                ///< of the table's and the joint feature
  bool cascade = true;                                    ///< whether vectors join every level of the map's decoder
};

/// Whether the cohort, and no user, decides a size.
[[nodiscard]] inline bool is_of_cohort(std::string_view size) {
  return size == "metrics" || size == "channels" || size == "machine";
}

}  // namespace equipoise::psqa

EQUIPOISE_REFLECT(equipoise::psqa::PsqaSizes, metrics, channels, machine, pool, encoder, decoder, width, cascade);
