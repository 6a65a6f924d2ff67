/// \file
/// Delivery maps say by how much errors of the machine change the fluence.

#include <equipoise/psqa/complexity/delivery_maps.hpp>
#include <equipoise/psqa/simulator/delivery.hpp>
#include <equipoise/psqa/simulator/plan_generator.hpp>

#include <cmath>
#include <cstddef>

#include "support/catch.hpp"

using namespace equipoise::psqa;

TEST_CASE("the fluence changes by a channel of the delivery maps times the error", "[psqa][simulator][property]") {
  const Plan plan = generate_plan(3, 1, "linac", {}, Technique::sliding_window, {}, {}, LinacModel::millennium_120);
  const DeliveryMaps maps = delivery_maps(plan, {.pixels = 240, .spacing_mm = 1});
  MachineModel ideal;
  ideal.leaf_gap_mm = ideal.transmission = ideal.jaw_transmission = ideal.tongue_groove_mm = 0;
  const auto fluence = [&](const MachineModel& machine) { return plan_fluence(plan, machine, exact_leaves, 240, 1); };
  const DoseGrid exact = fluence(ideal);
  const auto sum = [&](DeliveryChannel c) {
    double out = 0;
    for (const float v : maps.channel(c)) out += v;
    return out;
  };
  const auto changed = [&](const MachineModel& machine) {
    DoseGrid out = fluence(machine);
    for (std::size_t p = 0; p < out.size(); ++p) out.values[p] -= exact.values[p];
    return out;
  };
  const auto total = [](const DoseGrid& g) {
    double out = 0;
    for (const double v : g.values) out += v;
    return out;
  };
  double farthest = 0;
  for (std::size_t p = 0; p < exact.size(); ++p)
    farthest = std::max(farthest, std::abs(exact.values[p] - maps.channel(DeliveryChannel::open)[p]));
  CHECK(farthest < 1e-3);  // of some 200 MU, in float32

  MachineModel m = ideal;
  m.transmission = 0.01;
  const DoseGrid through = changed(m);
  farthest = 0;
  for (std::size_t p = 0; p < exact.size(); ++p)
    farthest = std::max(farthest, std::abs(through.values[p] - 0.01 * maps.channel(DeliveryChannel::behind_leaves)[p]));
  CHECK(farthest < 1e-3);

  // Half of the gap at each end; a pair that is just closing or opening is not shifted at its closed point.
  m = ideal, m.leaf_gap_mm = 0.05;
  CHECK(total(changed(m)) == Approx(0.05 / 2 * sum(DeliveryChannel::leaf_ends)).epsilon(0.02));

  // Half of a groove's width on each side of a leaf's side.
  m = ideal, m.tongue_groove_mm = 0.5;
  CHECK(total(changed(m)) == Approx(-0.5 / 2 * sum(DeliveryChannel::leaf_sides)).epsilon(0.02));
}
