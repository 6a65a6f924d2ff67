// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Beams small enough to follow by hand, and what complexity says of them.

#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/machine.hpp>

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace small_beams {

namespace psqa = equipoise::psqa;

/// Both leaves (a, b) in mm at a control point of a pair.
using Tips = std::function<std::pair<double, double>(std::size_t point, std::size_t pair)>;

/// A layer of leaves along x.
inline psqa::Layer layer_of(double bottom, double width, std::size_t pairs) {
  psqa::Layer layer{psqa::LeafAxis::x, {}, "MLCX"};
  for (std::size_t l = 0; l <= pairs; ++l) layer.boundaries.push_back(bottom + width * static_cast<double>(l));
  return layer;
}

inline psqa::LeafPositions leaves_of(const Tips& tips, std::size_t point, std::size_t pairs) {
  psqa::LeafPositions out;
  for (std::size_t l = 0; l < pairs; ++l) {
    const auto [a, b] = tips(point, l);
    out.a.push_back(a), out.b.push_back(b);
  }
  return out;
}

/// A beam of 100 MU with pairs of 5 mm around the axis and without jaws: 20 pairs are y = -50 to 50.
inline psqa::Beam beam_of(const std::vector<double>& weights, const Tips& tips, std::size_t pairs = 20) {
  psqa::Beam beam;
  beam.number = 1, beam.mu = 100, beam.dynamic = true;
  beam.layers = {layer_of(-2.5 * static_cast<double>(pairs), 5, pairs)};
  for (std::size_t k = 0; k < weights.size(); ++k) {
    psqa::ControlPoint cp;
    cp.weight = weights[k], cp.dose_rate = 600;
    cp.leaves = {leaves_of(tips, k, pairs)};
    beam.control_points.push_back(cp);
  }
  return beam;
}

/// 100 MU through an opening of 40 by 100 mm, of jaws along y and a Millennium's leaves along x.
inline psqa::Beam open_beam() {
  psqa::Beam beam;
  beam.mu = 100;
  beam.layers = {psqa::Layer{psqa::LeafAxis::x, psqa::millennium_boundaries(), "MLCX"}};
  psqa::ControlPoint cp;
  cp.x1 = cp.y1 = -50, cp.x2 = cp.y2 = 50;
  cp.leaves = {{std::vector<double>(60, -20.0), std::vector<double>(60, 20.0)}};
  beam.control_points = {cp, cp};
  beam.control_points[1].weight = 1;
  return beam;
}

inline psqa::Plan plan_of(const std::vector<psqa::Beam>& beams) {
  psqa::Plan plan;
  plan.prescription_Gy = 2, plan.beams = beams;
  return plan;
}

inline psqa::MetricList metrics_of(const psqa::Beam& beam, const psqa::ComplexityChoices& choices = {}) {
  return psqa::complexity(plan_of({beam}), choices).plan;
}

/// The jaws of all control points.
inline psqa::Beam within(psqa::Beam beam, double x1, double x2, double y1, double y2) {
  for (psqa::ControlPoint& cp : beam.control_points) cp.x1 = x1, cp.x2 = x2, cp.y1 = y1, cp.y2 = y2;
  return beam;
}

using Chosen = std::vector<std::pair<const char*, const char*>>;

/// As `--choice key=value` sets them.
inline psqa::ComplexityChoices chosen(const Chosen& texts) {
  psqa::ComplexityChoices choices;
  for (const auto& [key, value] : texts) equipoise::set_option(choices, key, value);
  return choices;
}

/// A metric of the beam by itself.
inline double value(const psqa::Beam& beam, const char* name, const Chosen& texts = {}) {
  return psqa::metric(psqa::complexity(plan_of({beam}), chosen(texts)).beams[0].metrics, name);
}

/// Equal but for rounding.
inline Approx exactly(double x) {
  return Approx(x).epsilon(1e-12);
}

}  // namespace small_beams
