// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Monthly quality assurance of simulated machines: the real machine on one day, measured with
/// noise.

#include <equipoise/core/base/random_stream.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/machine_qa.hpp>
#include <equipoise/psqa/simulator/commissioning.hpp>
#include <equipoise/psqa/simulator/mismatch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace equipoise::psqa {

namespace detail {

/// Fills in what a picket fence shows of the leaves within 100 mm of the axis: how far each lies
/// from its place.
inline void measure_picket_fence(const Linac& linac, double noise_mm, RandomStream& draw, MachineQa& qa) {
  const std::vector<double> boundaries = design_of(linac.model).boundaries;
  double n = 0, sum = 0, squares = 0, farthest = 0;
  for (int bank = 0; bank < 2; ++bank)
    for (std::size_t l = 0; l + 1 < boundaries.size(); ++l) {
      if (std::abs(boundaries[l] + boundaries[l + 1]) > 200) continue;
      const double offset = linac.leaves.of(bank, l) + draw.normal(0, noise_mm);
      n += 1, sum += offset, squares += offset * offset, farthest = std::max(farthest, std::abs(offset));
    }
  const double mean = sum / n;
  qa.at(MachineFigure::picket_fence_mean_mm) = mean;
  qa.at(MachineFigure::picket_fence_sd_mm) = std::sqrt(std::max(0.0, squares - n * mean * mean) / (n - 1));
  qa.at(MachineFigure::picket_fence_max_mm) = farthest;
}

}  // namespace detail

/// What monthly quality assurance measures of a cohort's machine: leaf gap and output of a day of
/// its own, transmission, and the systematic offsets of the leaves. Deterministic by seed and
/// machine. \param m which of the cohort's machines
[[nodiscard]] inline MachineQa monthly_qa(const Linac& linac, std::uint64_t seed, std::uint64_t m, const Mismatch& mm,
                                          const MachineQaNoise& noise = {}) {
  RandomStream draw({seed, m}, "monthly QA");
  MachineQa out;
  out.machine = linac.name, out.clinic = "simulated";
  const double gap = linac.real.leaf_gap_mm + draw.normal(0, mm.gap_day_mm) + draw.normal(0, noise.leaf_gap_mm),
               transmission = 100 * linac.real.transmission + draw.normal(0, noise.transmission_percent);
  out.at(MachineFigure::leaf_gap_mm) = std::max(0.0, gap);
  out.at(MachineFigure::transmission_percent) = std::max(0.0, transmission);
  out.at(MachineFigure::output_percent) =
      100 * linac.real.output + draw.normal(0, mm.output_day_percent) + draw.normal(0, noise.output_percent);
  detail::measure_picket_fence(linac, noise.leaf_mm, draw, out);
  return out;
}

/// That of all machines.
[[nodiscard]] inline std::vector<MachineQa> monthly_qa(const std::vector<Linac>& linacs, std::uint64_t seed,
                                                       const Mismatch& mm, const MachineQaNoise& noise = {}) {
  std::vector<MachineQa> out;
  for (std::size_t m = 0; m < linacs.size(); ++m) out.push_back(monthly_qa(linacs[m], seed, m, mm, noise));
  return out;
}

}  // namespace equipoise::psqa
