// SPDX-License-Identifier: MIT
/// \file
/// Maps and pictures of a comparison.

#include "gamma_figures.hpp"

#include <algorithm>
#include <cmath>
#include <equipoise/core/base/statistics.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/io/png.hpp>
#include <equipoise/psqa/interpolated_dose.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>
#include <equipoise/report/map_picture.hpp>
#include <equipoise/report/numbers.hpp>
#include <limits>
#include <span>

namespace psqa_program {

namespace {

/// The map with the rows of each frame the other way round.
std::vector<float> turned(const psqa::DoseGrid& g, const std::vector<float>& map) {
  std::vector<float> out;
  for (std::size_t k = 0; k < g.shape[0]; ++k)
    for (std::size_t j = g.shape[1]; j-- > 0;) {
      const auto row = map.begin() + static_cast<std::ptrdiff_t>((k * g.shape[1] + j) * g.shape[2]);
      out.insert(out.end(), row, row + static_cast<std::ptrdiff_t>(g.shape[2]));
    }
  return out;
}

/// A figure of a frame of the reference's lattice.
eq::report::MapFigure figure_of(const psqa::DoseGrid& g, std::vector<float> values) {
  eq::report::MapFigure f;
  f.values = std::move(values), f.width = g.shape[2], f.height = g.shape[1];
  f.first_x = g.origin[2], f.first_y = g.origin[1], f.spacing_x = g.spacing[2], f.spacing_y = g.spacing[1];
  return f;
}

/// Short, for a colour bar.
std::string unit_label(const psqa::DoseGrid& g) {
  if (g.units == psqa::DoseUnits::gray) return "Gy";
  return psqa::in_percent(g) ? "%" : "dose";
}

/// Of one frame: the reference's doses, the evaluated doses at its points, and reference less evaluated in % of the norm.
struct FrameDoses {
  std::vector<float> reference, evaluated, difference;
};

FrameDoses doses_of(const GammaComparison& c, const GammaOutcome& o, std::size_t frame) {
  const psqa::DoseGrid& g = c.reference;
  FrameDoses out;
  for (std::size_t j = 0; j < g.shape[1]; ++j)
    for (std::size_t i = 0; i < g.shape[2]; ++i) {
      const double r = g.at(frame, j, i),
                   e = psqa::interpolated_dose(c.evaluated, {g.origin[2] + g.spacing[2] * static_cast<double>(i),
                                                             g.origin[1] + g.spacing[1] * static_cast<double>(j),
                                                             g.origin[0] + g.spacing[0] * static_cast<double>(frame)});
      out.reference.push_back(static_cast<float>(r)), out.evaluated.push_back(static_cast<float>(e));
      out.difference.push_back(static_cast<float>(100 * (r - e) / *o.criteria.norm));
    }
  return out;
}

/// Round and at least as large as 95 % of the differences of the points that were judged.
double range_of(const std::vector<float>& difference, const std::vector<float>& map, std::size_t first) {
  std::vector<double> sizes;
  for (std::size_t i = 0; i < difference.size(); ++i)
    if (!std::isnan(map[first + i]) && !std::isnan(difference[i]))
      sizes.push_back(std::abs(static_cast<double>(difference[i])));
  const double high = sizes.empty() ? 0 : eq::quantile(std::move(sizes), 0.95);
  for (const double range : {2.0, 5.0, 10.0, 20.0, 50.0})
    if (high <= range) return range;
  return 100;
}

}  // namespace

eq::io::Rgb gamma_colour(double gamma, double top) {
  if (std::isnan(gamma)) return {225, 225, 225};
  return eq::io::diverging_colour(gamma <= 1 ? gamma - 1 : (gamma - 1) / std::max(top - 1, 0.1));
}

eq::report::MapFigure gamma_figure(const GammaComparison& c, const GammaOutcome& o) {
  const std::size_t size = c.reference.shape[1] * c.reference.shape[2],
                    frame = psqa::worst_frame(c.reference, o.result.map);
  const auto first = o.result.map.begin() + static_cast<std::ptrdiff_t>(frame * size);
  eq::report::MapFigure f =
      figure_of(c.reference, std::vector<float>(first, first + static_cast<std::ptrdiff_t>(size)));
  f.title = "gamma " + psqa::text_of(o.criterion) + ": " + eq::report::fixed(o.result.pass_rate, 2) + " % of " +
            std::to_string(o.result.evaluated) + " points pass";
  if (c.reference.shape[0] > 1)
    f.title +=
        ", z = " + eq::report::number(c.reference.origin[0] + c.reference.spacing[0] * static_cast<double>(frame), 5) +
        " mm";
  const double top = o.criteria.max_gamma;
  f.low = 0, f.high = top, f.unit = "gamma";
  f.colour = [top](double g) { return gamma_colour(g, top); };
  const std::vector<psqa::GammaPoint> worst = worst_points_of(c, o);
  for (std::size_t i = 0; i < worst.size(); ++i)
    f.marks.push_back({worst[i].place[2], worst[i].place[1], std::to_string(i + 1)});
  return f;
}

std::vector<eq::report::MapFigure> dose_figures(const GammaComparison& c, const GammaOutcome& o) {
  const std::size_t frame = psqa::worst_frame(c.reference, o.result.map);
  FrameDoses doses = doses_of(c, o, frame);
  const double range = range_of(doses.difference, o.result.map, frame * c.reference.shape[1] * c.reference.shape[2]);
  const double maximum = std::max(psqa::maximum_dose(c.reference), psqa::maximum_dose(c.evaluated));
  const auto dose_colour = [maximum](double v) {
    return std::isnan(v) ? eq::io::Rgb{225, 225, 225} : eq::io::sequential_colour(v / maximum);
  };
  std::vector<eq::report::MapFigure> out = {figure_of(c.reference, std::move(doses.reference)),
                                            figure_of(c.reference, std::move(doses.evaluated)),
                                            figure_of(c.reference, std::move(doses.difference))};
  out[0].title = "reference", out[1].title = "evaluated";
  for (std::size_t i = 0; i < 2; ++i) {
    out[i].low = 0, out[i].high = maximum, out[i].colour = dose_colour;
    out[i].unit = unit_label(i == 0 ? c.reference : c.evaluated);
  }
  out[2].title = "difference: reference less evaluated, % of the norm";
  out[2].low = -range, out[2].high = range, out[2].unit = "%";
  out[2].colour = [range](double v) {
    return std::isnan(v) ? eq::io::Rgb{225, 225, 225} : eq::io::diverging_colour(v / range);
  };
  return out;
}

void write_map(const fs::path& path, const GammaComparison& c, const GammaOutcome& o) {
  const psqa::DoseGrid& g = c.reference;
  const std::vector<std::size_t> shape(g.shape.begin() + (g.shape[0] == 1 ? 1 : 0), g.shape.end());
  // Rows of a grid go up in y, those of an image down.
  const std::vector<float> image = turned(g, o.result.map);
  // A file whose rows were read from the top has them the other way round than its grid: so has the array of its map.
  const bool from_top = c.arguments.rows_from == "top" && psqa::needs_spacing(psqa::file_kind(c.arguments.reference));
  if (path.extension() == ".npy") return eq::io::write_npy<float>(path, shape, from_top ? image : o.result.map);
  const std::size_t size = g.shape[1] * g.shape[2], frame = psqa::worst_frame(g, o.result.map);
  const std::size_t zoom = std::max<std::size_t>(1, 600 / std::max(g.shape[1], g.shape[2]));
  const double top = o.criteria.max_gamma;
  eq::io::write_bytes(path, eq::io::map_png<float>(
                                std::span(image).subspan(frame * size, size), g.shape[2], g.shape[1],
                                [top](double v) { return gamma_colour(v, top); }, zoom));
}

void write_picture(const fs::path& path, const GammaComparison& c, const GammaOutcome& o) {
  const psqa::GammaCriteria& k = o.criteria;
  std::vector<std::string> lines = {std::string(k.local ? "local" : "global") + ", norm " +
                                        eq::report::number(*k.norm, 5) +
                                        (dose_unit_of(c).empty() ? "" : " " + dose_unit_of(c)) + ", cut-off " +
                                        eq::report::number(k.cutoff_percent, 4) + " %, max " +
                                        (o.result.max >= k.max_gamma ? ">= " : "") + eq::report::fixed(o.result.max, 2),
                                    fs::path(c.arguments.reference).filename().string() + " against " +
                                        fs::path(c.arguments.evaluated).filename().string(),
                                    "red fails, grey was not judged; rings: the worst points"};
  eq::io::write_bytes(path, eq::report::map_picture(gamma_figure(c, o), lines));
}

}  // namespace psqa_program
