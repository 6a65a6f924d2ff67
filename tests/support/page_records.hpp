// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The records of the examples on the pages of policies: an image and a table, of which a label and two rates depend on
/// both.

#include <equipoise/equipoise.hpp>

namespace support {

inline auto page_records(std::int64_t n) {
  namespace eq = equipoise;
  const at::Tensor image = torch::randn({n, 1, 1, 1}) + 0.3 * torch::randn({n, 1, 8, 8}), table = torch::randn({n, 4});
  const at::Tensor sum = image.mean({1, 2, 3}) + table.select(1, 0);
  return eq::batch(eq::input<"image">(image), eq::input<"table">(table),
                   eq::target<"label">(eq::Labels{(sum > -0.5).to(torch::kLong) + (sum > 0.5).to(torch::kLong)}),
                   eq::target<"rate">(eq::Values{torch::stack({sum, -sum}, 1)}));
}

}  // namespace support
