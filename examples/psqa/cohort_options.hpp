// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The options of every command that makes the plans of a cohort: how many, how delivered, from which files.

#include <string>
#include <vector>

#include "delivery_options.hpp"

namespace psqa_program {

/// A cohort as the command line asks for it.
struct CohortArguments : DeliveryArguments {
  std::string technique = "sliding_window", outlines;
  std::vector<std::string> rtplans;
};

/// Adds `--plans`, `--technique`, `--outlines`, `--rtplans`, `--records` and `--rates`, and what `add_delivery_options`
/// adds. \pre `a` outlives the parsing
void add_cohort_options(CLI::App& command, CohortArguments& a);

/// Reads outlines and plans of files into the settings. \throws ValueError for more files than plans
void read_plan_sources(CohortArguments& a);

/// Completes the settings of a parsed command line, and checks them.
void choose_cohort(CohortArguments& a);

}  // namespace psqa_program
