// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How a beam's leaves and gantry move: travel (Masi 2013), and the modulation indices of speed, acceleration and the
/// whole delivery (Park 2014, PMB 59:7315).

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/psqa/complexity/aperture.hpp>
#include <equipoise/psqa/complexity/choices.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace equipoise::psqa::detail {

/// Which pairs open at any control point.
[[nodiscard]] inline std::vector<bool> pairs_in_field(const Openings& at_points) {
  std::vector<bool> out(at_points.pairs(), false);
  for (std::size_t k = 0; k < at_points.size(); ++k)
    for (std::size_t l = 0; l < out.size(); ++l) out[l] = out[l] || at_points[k][l].open();
  return out;
}

/// Which leaves move: those whose places differ by more than `same_place_mm`.
[[nodiscard]] inline Eigen::Array<bool, Eigen::Dynamic, 1> moving_leaves(const Eigen::ArrayXXd& paths,
                                                                         const ComplexityChoices& choices) {
  if (paths.size() == 0) return Eigen::Array<bool, Eigen::Dynamic, 1>::Constant(paths.rows(), false);
  Eigen::ArrayXd low = paths.col(0), high = low;
  for (Eigen::Index k = 1; k < paths.cols(); ++k) low = low.min(paths.col(k)), high = high.max(paths.col(k));
  return high - low > choices.same_place_mm;
}

/// Leaf travel: leaves whose pair opens at least once and which move.
struct Travel {
  double total = 0;        ///< mm
  std::size_t leaves = 0;  ///< that move
  std::size_t pairs = 0;   ///< all of the collimator
};

/// The ways of the in-field leaves: their places in mm [leaves, points].
[[nodiscard]] inline Eigen::ArrayXXd leaf_paths(const Bank& bank, const std::vector<bool>& in_field) {
  Eigen::ArrayXXd out(2 * std::count(in_field.begin(), in_field.end(), true),
                      static_cast<Eigen::Index>(bank.points.size()));
  Eigen::Index leaf = 0;
  for (std::size_t l = 0; l < in_field.size(); ++l) {
    if (!in_field[l]) continue;
    for (std::size_t k = 0; k < bank.points.size(); ++k)
      out.col(static_cast<Eigen::Index>(k)).segment<2>(leaf) << bank.points[k].a[l], bank.points[k].b[l];
    leaf += 2;
  }
  return out;
}

/// \param pairs of the bank
[[nodiscard]] inline Travel leaf_travel(const Eigen::ArrayXXd& paths, std::size_t pairs,
                                        const ComplexityChoices& choices) {
  Eigen::ArrayXd ways = Eigen::ArrayXd::Zero(paths.rows());
  for (Eigen::Index k = 1; k < paths.cols(); ++k) ways += (paths.col(k) - paths.col(k - 1)).abs();
  Travel out{.pairs = pairs};
  const auto moving = moving_leaves(paths, choices);
  for (Eigen::Index leaf = 0; leaf < ways.size(); ++leaf)
    if (moving[leaf]) out.total += ways[leaf], ++out.leaves;
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
    Openings open(layer.layers[0].pairs(), bank.points.size());
    for (const Bank::Point& p : bank.points) open.add(bank, p, choices);
    const Travel travel = leaf_travel(leaf_paths(bank, pairs_in_field(open)), layer.layers[0].pairs(), choices);
    out.total += travel.total, out.leaves += travel.leaves, out.pairs += travel.pairs;
  }
  return out;
}

/// Seconds from one control point to the next: the MU at the dose rate, or the gantry's way at full speed, whichever takes
/// longer. \param degrees of the gantry's way
[[nodiscard]] inline double interval_time(const Beam& beam, const ControlPoint& from, const ControlPoint& to,
                                          double degrees, const ComplexityChoices& choices) {
  const double rate = from.dose_rate > 0 ? from.dose_rate : choices.default_dose_rate;
  return std::max(60 * delivered_mu(beam, from, to) / rate, degrees / choices.gantry_speed_deg_per_s);
}

/// MIs, MIa, MIt: means over moving in-field leaves. NaN where nothing moves.
struct ModulationIndices {
  double speed = std::numeric_limits<double>::quiet_NaN(), acceleration = speed, total = speed;
  double fastest_leaf = 0;  ///< mm/s
};

/// Of each row the standard deviation of the sample.
[[nodiscard]] inline Eigen::ArrayXd deviations(const Eigen::ArrayXXd& x) {
  Eigen::ArrayXd mean = Eigen::ArrayXd::Zero(x.rows()), squares = mean;
  for (Eigen::Index i = 0; i < x.cols(); ++i) mean += x.col(i);
  mean /= static_cast<double>(x.cols());
  for (Eigen::Index i = 0; i < x.cols(); ++i) squares += (x.col(i) - mean).square();
  return (squares / static_cast<double>(x.cols() - 1)).sqrt();
}

/// Turns of the gantry by less than this many degrees are noise of its angle's last decimal.
inline constexpr double kAngleTolerance_deg = 1e-4;

/// The intervals of a beam that take time. Moves without MU between segments take none and have no
/// speed.
struct TimedIntervals {
  std::vector<std::size_t> ends;  ///< control points
  std::vector<double> seconds;
  std::vector<double> weights;  ///< of the gantry's acceleration and the dose rate's changes: from 1 for none to 4

  TimedIntervals(const Beam& beam, const ComplexityChoices& choices) {
    const auto weight = [](double x) { return 2 / (1 + std::exp(-x / 2)); };
    const std::vector<double> turns = gantry_steps(beam);
    double gantry = 0, rate = 0;
    std::size_t end = 0;
    for (const auto& [from, to] : views::adjacent(beam.control_points)) {
      const double degrees = turns[end++];
      if (!(delivered_mu(beam, from, to) > 0) && degrees <= kAngleTolerance_deg) continue;
      const double time = interval_time(beam, from, to, degrees, choices);
      const double gantry_before = std::exchange(gantry, degrees / time),
                   rate_before = std::exchange(rate, beam.interval_mu(from, to) / time);
      weights.push_back(
          ends.empty() ? 1 : weight(std::abs(gantry - gantry_before) / time) * weight(std::abs(rate - rate_before)));
      ends.push_back(end), seconds.push_back(time);
    }
  }
};

/// How often a number exceeds f standard deviations, integrated over f from 0 to k, is the sum of min(number / sd, k).
/// \param paths `leaf_paths`
[[nodiscard]] inline ModulationIndices modulation_indices(const Beam& beam, const Eigen::ArrayXXd& paths,
                                                          const ComplexityChoices& choices) {
  const TimedIntervals timed(beam, choices);
  const auto n = static_cast<Eigen::Index>(timed.ends.size());
  ModulationIndices out;
  if (n < 3) return out;
  Eigen::ArrayXXd speed(paths.rows(), n), change = Eigen::ArrayXXd::Zero(paths.rows(), n);
  Eigen::ArrayXd travel = Eigen::ArrayXd::Zero(paths.rows());
  double duration = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    const auto j = static_cast<std::size_t>(i);
    const auto k = static_cast<Eigen::Index>(timed.ends[j]);
    speed.col(i) = (paths.col(k) - paths.col(k - 1)).abs();
    travel += speed.col(i);
    speed.col(i) /= timed.seconds[j], duration += timed.seconds[j];
    if (i > 0) change.col(i) = (speed.col(i) - speed.col(i - 1)).abs() / timed.seconds[j];
  }
  const auto moving = (moving_leaves(paths, choices) && travel > kPlaceTolerance_mm).eval();
  if (!moving.any()) return out;
  // A leaf that stands still, or moves evenly but for noise of its places, has no share.
  const double per_second = static_cast<double>(n) / duration, noise = kPlaceTolerance_mm * per_second;
  const auto inverse = [&](const Eigen::ArrayXd& sd, double least) {
    return (moving && sd > least).select(1 / sd, 0.0).eval();
  };
  const Eigen::ArrayXd per_speed = inverse(deviations(speed), noise),
                       per_change = inverse(deviations(change) * per_second, noise * per_second * per_second);
  double sums[3] = {};
  for (Eigen::Index i = 0; i < n; ++i) {
    const Eigen::ArrayXd share = (speed.col(i) * per_speed).min(choices.park_k);
    const double either = share.max((change.col(i) * per_change).min(choices.park_k)).sum();
    sums[0] += share.sum(), sums[1] += either, sums[2] += either * timed.weights[static_cast<std::size_t>(i)];
  }
  const double per = 1 / (static_cast<double>(n - 1) * static_cast<double>(moving.count()));
  out.speed = per * sums[0], out.acceleration = per * sums[1], out.total = per * sums[2];
  out.fastest_leaf = speed.maxCoeff();
  return out;
}

}  // namespace equipoise::psqa::detail
