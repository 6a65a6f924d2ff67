// SPDX-License-Identifier: MIT
/// \file
/// Gamma, complexity and the simulator on one thread. Prints JSON, a list of numbers a key: ratios of the exact minimum's
/// time to that of the search on a pitch, how far the values of the two differ, milliseconds, plans a second.

#include <algorithm>
#include <cmath>
#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "timing.hpp"

namespace psqa = equipoise::psqa;

namespace {

/// A modulated field with 6 mm penumbra. \param shift_mm, gain, noise of a measurement of it
psqa::DoseGrid field(std::array<std::size_t, 3> shape, double spacing, double shift_mm, double gain, double noise) {
  psqa::DoseGrid g;
  g.shape = shape, g.spacing = {spacing, spacing, spacing};
  for (std::size_t k = 0; k < 3; ++k) g.origin[k] = -0.5 * spacing * static_cast<double>(shape[k] - 1);
  const auto edge = [](double d) { return 1 / (1 + std::exp(-d / 3)); };
  std::uint64_t count = 0;
  for (std::size_t k = 0; k < shape[0]; ++k)
    for (std::size_t j = 0; j < shape[1]; ++j)
      for (std::size_t i = 0; i < shape[2]; ++i) {
        const double x = g.origin[2] + spacing * static_cast<double>(i) - shift_mm,
                     y = g.origin[1] + spacing * static_cast<double>(j) - 0.3 * shift_mm,
                     z = g.origin[0] + spacing * static_cast<double>(k) + 0.2 * shift_mm;
        double normal = -6;
        for (int n = 0; n < 12; ++n) normal += equipoise::to_uniform(equipoise::hash_of({7, ++count}));
        const double inside = edge(140 - std::hypot(x, y)) * edge(150 - std::abs(z));
        const double dose = 2 * inside *
                                (0.75 + 0.18 * std::sin(x / 17) * std::cos(y / 13) + 0.08 * std::sin((x + y) / 5.5) +
                                 0.05 * std::cos(z / 9)) +
                            0.02;
        g.values.push_back(gain * dose * (1 + noise * normal));
      }
  return g;
}

/// How far a search's values lie from the exact minimum's, over the points that have both.
void differences_of(const std::string& key, const std::vector<float>& exact, const std::vector<float>& searched,
                    nlohmann::ordered_json& out) {
  std::vector<double> size;
  double above = 0, below = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    if (std::isnan(exact[i]) || std::isnan(searched[i])) continue;
    const double d = static_cast<double>(searched[i]) - static_cast<double>(exact[i]);
    above = std::max(above, d), below = std::max(below, -d), size.push_back(std::abs(d));
  }
  std::sort(size.begin(), size.end());
  const auto beyond = size.end() - std::upper_bound(size.begin(), size.end(), 0.02);
  const auto n = static_cast<double>(size.size());
  out[key + "_max"] = {std::max(above, below)}, out[key + "_below_max"] = {below};
  out[key + "_p999"] = {size.at(static_cast<std::size_t>(0.999 * (n - 1)))};
  out[key + "_over_0.02_percent"] = {100 * static_cast<double>(beyond) / n};
}

/// A plane's bilinear interpolant on a grid that is finer so many times: there, triangles give nearly the same.
psqa::DoseGrid finer(const psqa::DoseGrid& g, std::size_t times) {
  psqa::DoseGrid out = psqa::DoseGrid::plane((g.shape[1] - 1) * times + 1, (g.shape[2] - 1) * times + 1,
                                             g.spacing[1] / static_cast<double>(times));
  out.origin = g.origin;
  for (std::size_t j = 0; j < out.shape[1]; ++j)
    for (std::size_t i = 0; i < out.shape[2]; ++i)
      out.at(0, j, i) = g.sample(g.origin[2] + static_cast<double>(i) * out.spacing[2],
                                 g.origin[1] + static_cast<double>(j) * out.spacing[1]);
  return out;
}

/// Passing rates of about 99.7 %, as yagit's published race has.
/// \param parts of the distance to agreement, each the pitch of a search whose values are compared
void gamma_of(const char* name, std::array<std::size_t, 3> shape, double spacing, int repeats,
              const std::vector<int>& parts, nlohmann::ordered_json& out) {
  const psqa::DoseGrid plan = field(shape, spacing, 0, 1, 0), measured = field(shape, spacing, 1, 1.01, 0.006);
  const psqa::GammaCriteria c{.dd_percent = 2, .dta_mm = 2};
  const auto exact = [&] { (void)psqa::gamma(measured, plan, c); };
  const auto pitched = [&] { (void)psqa::gamma(measured, plan, c, psqa::WendlingSearch<>{}); };
  const std::string key = std::string("gamma.") + name;
  out[key + "_vs_wendling"] = bench::ratios(exact, pitched, repeats);
  std::vector<double> ms, pitched_ms, rates;
  for (int r = 0; r < repeats; ++r)
    ms.push_back(1e3 * bench::seconds(exact)), pitched_ms.push_back(1e3 * bench::seconds(pitched));
  out[key + "_ms"] = ms, out[key + "_wendling_ms"] = pitched_ms;
  out[key + "_pass_rate_vs_wendling"] =
      bench::ratios([&] { (void)psqa::gamma_pass_rate(measured, plan, c); },
                    [&] { (void)psqa::gamma_pass_rate(measured, plan, c, psqa::WendlingSearch<>{}); }, repeats);
  const std::vector<float> values = psqa::gamma(measured, plan, c).map;
  const psqa::GammaCriteria same_norm{.dd_percent = 2, .dta_mm = 2, .norm = psqa::maximum_dose(plan)};
  const std::vector<float> bilinear =
      shape[0] == 1 ? psqa::gamma(measured, finer(plan, 8), same_norm).map : std::vector<float>();
  for (const int n : parts) {
    const std::string pitch = "_pitch_" + std::to_string(n);
    std::vector<float> searched;
    out[key + pitch + "_ms"] = {
        1e3 * bench::seconds([&] {
          searched = psqa::gamma(measured, plan, c, psqa::WendlingSearch<>{.pitch_mm = c.dta_mm / n}).map;
        })};
    differences_of(key + pitch + "_difference", values, searched, out);
    if (!bilinear.empty()) differences_of(key + pitch + "_bilinear_difference", bilinear, searched, out);
  }
}

}  // namespace

int main() {
  nlohmann::ordered_json out;
  std::cerr << "gamma\n";
  gamma_of("plane_384", {1, 384, 384}, 1, 15, {10, 20, 40, 80}, out);
  gamma_of("volume_128", {128, 128, 128}, 2.5, 3, {10, 20}, out);
  std::cerr << "complexity, simulator\n";
  psqa::Simulator simulator{psqa::CohortSettings{}};
  std::vector<psqa::Plan> plans;
  for (std::int64_t i = 0; i < 20; ++i) plans.push_back(simulator.record(i).plan);
  std::vector<double> metrics, records;
  for (int r = 0; r < 5; ++r) {
    metrics.push_back(20 / bench::seconds([&] {
                        for (const psqa::Plan& p : plans) (void)psqa::complexity(p);
                      }));
    records.push_back(20 / bench::seconds([&] {
                        for (std::int64_t i = 0; i < 20; ++i) (void)simulator.record(i);
                      }));
  }
  out["complexity.plans_per_s"] = metrics, out["simulate.plans_per_s"] = records;
  std::cout << out.dump() << "\n";
}
