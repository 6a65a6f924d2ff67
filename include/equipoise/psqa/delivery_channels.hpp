// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The channels of delivery maps: what a plan asks of the machine, where in the plane. Each is what
/// an error of one kind acts on, so that the fluence changes by the channel times the error.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace equipoise::psqa {

/// What a delivery map shows at a point of the plane; docs/delivery_maps.md defines each.
enum class DeliveryChannel : std::uint8_t {
  open,          ///< MU for which the point lies open
  over_gap,      ///< the same, each MU divided by the gap of the leaf pair
  leaf_ends,     ///< MU for which leaf ends lie there, per mm
  leaf_sides,    ///< MU for which a leaf's side lies there, one of the neighbours open and the other not, per mm
  leaf_speed,    ///< mean speed by MU of the leaf ends that pass there; 0 where none does
  behind_leaves  ///< MU for which the point lies behind leaves, and not behind a jaw
};
inline constexpr std::size_t kDeliveryChannels = 6;
[[nodiscard]] constexpr std::array<std::string_view, kDeliveryChannels> names_of(DeliveryChannel) {
  return {"open", "over_gap", "leaf_ends", "leaf_sides", "leaf_speed", "behind_leaves"};
}

/// The unit of each channel; MU are those of one fraction.
inline constexpr std::array<std::string_view, kDeliveryChannels> kDeliveryUnits = {"MU",    "MU/mm", "MU/mm",
                                                                                   "MU/mm", "mm/s",  "MU"};

}  // namespace equipoise::psqa
