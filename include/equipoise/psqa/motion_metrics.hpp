// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How a beam's leaves and gantry move: travel (Masi 2013), and the modulation indices of speed, acceleration and the
/// whole delivery (Park 2014, PMB 59:7315).

#include <equipoise/psqa/aperture.hpp>
#include <equipoise/psqa/complexity_choices.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace equipoise::psqa::detail {

/// Which pairs open at any control point.
[[nodiscard]] inline std::vector<bool> pairs_in_field(const std::vector<std::vector<Opening>>& at_points) {
  std::vector<bool> out(at_points.empty() ? 0 : at_points[0].size(), false);
  for (const auto& open : at_points)
    for (std::size_t l = 0; l < open.size(); ++l) out[l] = out[l] || open[l].open();
  return out;
}

/// Leaf travel: leaves whose pair opens at least once and which move.
struct Travel {
  double total = 0;        ///< mm
  std::size_t leaves = 0;  ///< that move
  std::size_t pairs = 0;   ///< all of the collimator
};

/// The ways of the in-field leaves: each leaf's places at the control points, one leaf after another.
struct LeafPaths {
  std::size_t points = 0;
  std::vector<double> places;  ///< mm

  LeafPaths(const Bank& bank, const std::vector<bool>& in_field) : points(bank.points.size()) {
    std::vector<std::size_t> pairs;
    for (std::size_t l = 0; l < in_field.size(); ++l)
      if (in_field[l]) pairs.push_back(l);
    places.resize(2 * pairs.size() * points);
    for (std::size_t k = 0; k < points; ++k)
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        places[2 * i * points + k] = bank.points[k].a[pairs[i]];
        places[(2 * i + 1) * points + k] = bank.points[k].b[pairs[i]];
      }
  }
  [[nodiscard]] std::size_t size() const { return points == 0 ? 0 : places.size() / points; }
  [[nodiscard]] const double* operator[](std::size_t leaf) const { return &places[leaf * points]; }
};

/// \param pairs of the bank
[[nodiscard]] inline Travel leaf_travel(const LeafPaths& leaves, std::size_t pairs) {
  Travel out{.pairs = pairs};
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const double* tip = leaves[i];
    double travel = 0;
    for (std::size_t k = 1; k < leaves.points; ++k) travel += std::abs(tip[k] - tip[k - 1]);
    if (travel > 1e-9) out.total += travel, ++out.leaves;
  }
  return out;
}

/// Travel of a beam's own leaves: each layer is a bank by itself, whatever the other one covers.
[[nodiscard]] inline Travel physical_travel(const Beam& beam, const ComplexityChoices& choices) {
  Travel out;
  for (std::size_t i = 0; i < beam.layers.size(); ++i) {
    Beam layer = beam;
    layer.layers = {beam.layers[i]};
    for (std::size_t k = 0; k < beam.control_points.size(); ++k)
      layer.control_points[k].leaves = {beam.control_points[k].leaves[i]};
    const Bank bank = merged_bank(layer);
    std::vector<std::vector<Opening>> open;
    for (const Bank::Point& p : bank.points) open.push_back(openings(bank, p, choices));
    const Travel travel = leaf_travel(LeafPaths(bank, pairs_in_field(open)), layer.layers[0].pairs());
    out.total += travel.total, out.leaves += travel.leaves, out.pairs += travel.pairs;
  }
  return out;
}

/// Degrees from control point k - 1 to k in the sense of rotation that the plan gives; the shorter way where it gives
/// none, and where an angle's last digit turned a step of less than a degree into nearly a full turn.
[[nodiscard]] inline double gantry_step(const Beam& beam, std::size_t k) {
  const ControlPoint &from = beam.control_points[k - 1], &to = beam.control_points[k];
  const double shortest = std::remainder(to.gantry - from.gantry, 360.0);
  const double wanted = from.rotation == Rotation::counter_clockwise ? -shortest : shortest;
  const bool turned = from.rotation != Rotation::none && wanted <= -1;
  return turned ? 360 + wanted : std::abs(shortest);
}

[[nodiscard]] inline double gantry_travel(const Beam& beam) {
  double sum = 0;
  for (std::size_t k = 1; k < beam.control_points.size(); ++k) sum += gantry_step(beam, k);
  return sum;
}

/// Seconds of each interval: its MU at the dose rate, or the gantry's way at full speed, whichever takes longer.
[[nodiscard]] inline std::vector<double> interval_times(const Beam& beam, const ComplexityChoices& choices) {
  std::vector<double> out;
  for (std::size_t k = 1; k < beam.control_points.size(); ++k) {
    const double planned = beam.control_points[k - 1].dose_rate,
                 rate = planned > 0 ? planned : choices.default_dose_rate;
    out.push_back(std::max(60 * beam.interval_mu(k) / rate, gantry_step(beam, k) / choices.gantry_speed_deg_per_s));
  }
  return out;
}

/// MIs, MIa, MIt: means over moving in-field leaves. NaN where nothing moves.
struct ModulationIndices {
  double speed = std::numeric_limits<double>::quiet_NaN(), acceleration = speed, total = speed;
  double fastest_leaf = 0;  ///< mm/s
};

/// Standard deviation of the sample; 0 for fewer than two.
[[nodiscard]] inline double deviation(const std::vector<double>& x) {
  if (x.size() < 2) return 0;
  double mean = 0, squares = 0;
  for (const double v : x) mean += v;
  mean /= static_cast<double>(x.size());
  for (const double v : x) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / static_cast<double>(x.size() - 1));
}

/// How often a number exceeds f standard deviations, integrated over f from 0 to k, is the sum of min(number / sd, k).
[[nodiscard]] inline ModulationIndices modulation_indices(const Beam& beam, const LeafPaths& leaves,
                                                          const ComplexityChoices& choices) {
  const std::vector<double> times = interval_times(beam, choices);
  std::vector<std::size_t> timed;  // intervals of no length (moves between segments) have no speed
  double mean_time = 0;
  for (std::size_t k = 0; k < times.size(); ++k)
    if (times[k] > 1e-9) timed.push_back(k), mean_time += times[k];
  ModulationIndices out;
  if (timed.size() < 3) return out;
  mean_time /= static_cast<double>(timed.size());
  const std::size_t n = timed.size();
  // Weights of gantry acceleration and of changes of the dose rate: 1 for none, towards 2 for large ones.
  const auto weight = [](double x) { return 2 / (1 + std::exp(-x / 2)); };
  std::vector<double> weights(n, 1.0), gantry(n), rate(n);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t k = timed[i];
    gantry[i] = gantry_step(beam, k + 1) / times[k], rate[i] = beam.interval_mu(k + 1) / times[k];
    if (i > 0)
      weights[i] = weight(std::abs(gantry[i] - gantry[i - 1]) / times[k]) * weight(std::abs(rate[i] - rate[i - 1]));
  }
  double sums[3] = {}, moving = 0;
  std::vector<double> v(n), a(n);
  const auto add = [&](const double* tip) {
    double travel = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t k = timed[i];
      const double step = std::abs(tip[k + 1] - tip[k]);
      v[i] = step / times[k], travel += step;
      a[i] = i == 0 ? 0 : std::abs(v[i] - v[i - 1]) / times[k];
      out.fastest_leaf = std::max(out.fastest_leaf, v[i]);
    }
    if (travel <= 1e-9) return;
    moving += 1;
    const double sv = deviation(v), sa = deviation(a) / mean_time;
    const auto share = [&](double x, double s) { return s > 0 ? std::min(x / s, choices.park_k) : 0; };
    const double per = 1 / static_cast<double>(n - 1);
    for (std::size_t i = 0; i < n; ++i) {
      const double speed = share(v[i], sv), either = std::max(speed, share(a[i], sa));
      sums[0] += per * speed, sums[1] += per * either, sums[2] += per * either * weights[i];
    }
  };
  for (std::size_t i = 0; i < leaves.size(); ++i) add(leaves[i]);
  if (moving > 0) out.speed = sums[0] / moving, out.acceleration = sums[1] / moving, out.total = sums[2] / moving;
  return out;
}

}  // namespace equipoise::psqa::detail
