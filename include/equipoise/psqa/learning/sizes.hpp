// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The sizes of the PSQA models.

#include <boost/hana/adapt_struct.hpp>
#include <cstdint>
#include <vector>

namespace equipoise::psqa {

/// Sizes that every model of a comparison shares.
struct PsqaSizes {
  std::int64_t metrics = 44;  ///< columns of the table
  std::int64_t pool = 2;      ///< pixels of the cohort's planes that make one of the model's, per side; > 0
  std::vector<std::int64_t> encoder = {16, 32, 64, 128};  ///< channels of the dose encoder's stages
  std::vector<std::int64_t> decoder = {64, 32, 16, 8};    ///< channels of the cascade's levels
  std::int64_t width = 64;                                ///< of the table's and the joint feature
};

}  // namespace equipoise::psqa

BOOST_HANA_ADAPT_STRUCT(equipoise::psqa::PsqaSizes, metrics, pool, encoder, decoder, width);
