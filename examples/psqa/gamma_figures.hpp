// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The maps of a comparison as figures: gamma with its worst points, doses and their difference.

#include <equipoise/report/map_figure.hpp>

#include "gamma_comparison.hpp"

namespace psqa_program {

/// Blue passes, white is the limit, red fails, grey was not judged.
[[nodiscard]] eq::io::Rgb gamma_colour(double gamma, double top);

/// Of a volume, the worst frame. The worst points are marked by their place in `worst_points_of`.
[[nodiscard]] eq::report::MapFigure gamma_figure(const GammaComparison& c, const GammaOutcome& o);

/// Reference, evaluated dose at the reference's points, and their difference in % of the norm, of the same frame.
[[nodiscard]] std::vector<eq::report::MapFigure> dose_figures(const GammaComparison& c, const GammaOutcome& o);

}  // namespace psqa_program
