// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Sections of the report that are written from figures alone (report_figures.cpp).

#include <equipoise/report/html.hpp>
#include <equipoise/report/svg.hpp>
#include <vector>

#include "run.hpp"

namespace psqa_program {

/// Failing plans told from passing ones, at both limits of TG-218.
void failing_section(eq::report::Page& page, const std::vector<psqa::MethodMetrics>& metrics);
/// Conformal intervals and probabilities of failing against what came.
void intervals_section(eq::report::Page& page, const std::vector<psqa::MethodMetrics>& metrics);
/// Errors by site, machine and complexity.
void groups_section(eq::report::Page& page, const std::vector<psqa::MethodMetrics>& metrics);
void map_metrics_section(eq::report::Page& page, const std::vector<psqa::MethodMetrics>& metrics);
/// Errors of the trained models when they are shown one modality.
void missing_section(eq::report::Page& page, const std::vector<Run>& runs, const psqa::Cohort& cohort);

}  // namespace psqa_program
