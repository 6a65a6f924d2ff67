// SPDX-License-Identifier: MIT
/// \file
/// Gamma, complexity and the simulator on one thread. Prints JSON, a list of numbers a key: ratios of the exact minimum's
/// time to that of the search on a pitch, milliseconds, plans a second.

#include <equipoise/psqa/cohort.hpp>
#include <equipoise/psqa/gamma.hpp>
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

/// Passing rates of about 99.7 %, as yagit's published race has.
void gamma_of(const char* name, std::array<std::size_t, 3> shape, double spacing, int repeats,
              nlohmann::ordered_json& out) {
  const psqa::DoseGrid plan = field(shape, spacing, 0, 1, 0), measured = field(shape, spacing, 1, 1.01, 0.006);
  const psqa::GammaCriteria c{.dd_percent = 2, .dta_mm = 2};
  const auto exact = [&] { (void)psqa::gamma(measured, plan, c); };
  const auto pitched = [&] { (void)psqa::gamma(measured, plan, c, psqa::WendlingSearch{}); };
  const std::string key = std::string("gamma.") + name;
  out[key + "_vs_wendling"] = bench::ratios(exact, pitched, repeats);
  std::vector<double> ms, pitched_ms, rates;
  for (int r = 0; r < repeats; ++r)
    ms.push_back(1e3 * bench::seconds(exact)), pitched_ms.push_back(1e3 * bench::seconds(pitched));
  out[key + "_ms"] = ms, out[key + "_wendling_ms"] = pitched_ms;
  out[key + "_pass_rate_vs_wendling"] =
      bench::ratios([&] { (void)psqa::gamma_pass_rate(measured, plan, c); },
                    [&] { (void)psqa::gamma_pass_rate(measured, plan, c, psqa::WendlingSearch{}); }, repeats);
}

}  // namespace

int main() {
  nlohmann::ordered_json out;
  std::cerr << "gamma\n";
  gamma_of("plane_384", {1, 384, 384}, 1, 15, out);
  gamma_of("volume_128", {128, 128, 128}, 2.5, 3, out);
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
