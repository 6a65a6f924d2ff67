// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the files that add sub-commands share. Only they include CLI11, which takes long to compile.

#include <CLI/CLI.hpp>

#include "common.hpp"

namespace psqa_program {

/// Checks that an option's value is a finite number above zero.
[[nodiscard]] CLI::Validator above_zero();
/// Checks that the value of an option that counts is no negative number: CLI11 lets -1 become the largest one.
[[nodiscard]] CLI::Validator not_negative();

/// A commands file adds its sub-commands.
void add_complexity_command(CLI::App& app);
void add_gamma_command(CLI::App& app);
void add_tg218_command(CLI::App& app);
void add_cohort_commands(CLI::App& app);
void add_floor_command(CLI::App& app);
void add_import_command(CLI::App& app);
void add_train_command(CLI::App& app);
void add_learning_commands(CLI::App& app);
void add_compare_command(CLI::App& app);

}  // namespace psqa_program
