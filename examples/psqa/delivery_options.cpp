// SPDX-License-Identifier: MIT
#include "delivery_options.hpp"

namespace psqa_program {

void add_delivery_options(CLI::App& command, DeliveryArguments& a) {
  psqa::CohortSettings& settings = a.settings;
  command.add_option("--seed", settings.seed, "of all random numbers")->check(not_negative())->capture_default_str();
  command.add_option("--machines", settings.machines, "number of linacs")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  add_choice(command, "--linac-model", settings.model, "the machines' collimator, with its limits");
  add_choice(command, "--plane", settings.plane.kind, "what planes are: dose in water, or a portal imager's image");
  command.add_option("--depth", settings.plane.depth_mm, "of the plane in water, 20 to 200 mm; 0: a general kernel")
      ->capture_default_str();
  add_choice(command, "--detector", settings.detector, "at whose points passing rates are taken");
  command.add_option("--mismatch", a.mismatches,
                     "between plan and delivery as key=value, e.g. shift_mm=0.3 (docs/simulator.md)");
}

void set_mismatches(DeliveryArguments& a) {
  set_options(a.settings.mismatch, a.mismatches, "--mismatch");
}

}  // namespace psqa_program
