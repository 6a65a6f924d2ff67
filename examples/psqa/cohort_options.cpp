// SPDX-License-Identifier: MIT
#include "cohort_options.hpp"

#include <equipoise/psqa/cohort/table_row.hpp>
#include <equipoise/psqa/readers/plan_reader.hpp>
#include <equipoise/psqa/simulator/outlines.hpp>
#include <equipoise/psqa/simulator/plane_system.hpp>
#include <iostream>
#include <set>
#include <utility>

namespace psqa_program {

namespace {

/// Plans of files as a cohort's own: named after their file, and with what records.csv can hold.
/// \param plans of the cohort, of which those that are made here are called plan0, plan1, …
std::vector<psqa::Plan> read_plans(const std::vector<std::string>& files, std::int64_t plans) {
  std::vector<psqa::Plan> out;
  std::set<std::string> ids;
  for (std::int64_t i = static_cast<std::int64_t>(files.size()); i < plans; ++i) ids.insert("plan" + std::to_string(i));
  for (const std::string& file : files) {
    psqa::Plan plan = psqa::read_plan(file);
    (void)psqa::table_row(plan);  // before anything is simulated
    const std::string name = psqa::table_text(fs::path(file).stem().string());
    plan.id = take_name(name, ids);
    plan.patient = psqa::table_text(plan.patient.empty() ? name : plan.patient);
    if (plan.site.empty()) plan.site = "unknown";
    out.push_back(std::move(plan));
  }
  return out;
}

/// What reading a plan said of it, and what its planes do not show.
void warn_of(const psqa::Plan& plan, psqa::RecordsOf records) {
  for (const std::string& w : plan.warnings) std::cerr << "warning: " << plan.file << ": " << w << "\n";
  if (const std::string w = psqa::couch_warning(plan); records == psqa::RecordsOf::plans && !w.empty())
    std::cerr << "warning: " << plan.file << ": " << w << "\n";
}

}  // namespace

void add_cohort_options(CLI::App& command, CohortArguments& a) {
  command.add_option("--plans", a.settings.plans, "number of plans")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  add_delivery_options(command, a);
  command.add_option("--technique", a.technique, "how plans are delivered")
      ->check(CLI::IsMember({"sliding_window", "step_and_shoot", "arc", "mixed"}))
      ->capture_default_str();
  command.add_option("--outlines", a.outlines,
                     "folder of OpenKBP patients whose targets the plans get, in turn, instead of random ones");
  command.add_option("--rtplans", a.rtplans,
                     "files of plans (" + listed(psqa::plan_file_names()) +
                         ") that are delivered as the first ones, before those made here");
  add_choice(command, "--records", a.settings.records, "what a record is: a plan, or each of a plan's fields");
  add_choice(
      command, "--rates", a.settings.rates,
      "of records that are plans: passing rates of the plane of all fields, or the mean of those field by field");
}

void read_plan_sources(CohortArguments& a) {
  a.settings.real_plans = read_plans(a.rtplans, a.settings.plans);
  for (const psqa::Plan& plan : a.settings.real_plans) warn_of(plan, a.settings.records);
  if (static_cast<std::int64_t>(a.settings.real_plans.size()) > a.settings.plans)
    throw eq::ValueError(eq::message("value.212", "--rtplans", "expected at most --plans ", a.settings.plans,
                                     " files, got ", a.settings.real_plans.size()));
  if (!a.outlines.empty()) a.settings.outlines = psqa::read_outlines(a.outlines);
}

void choose_cohort(CohortArguments& a) {
  if (a.technique == "mixed") {
    a.settings.techniques = {0.6, 0.15, 0.25};
  } else {
    const auto names = names_of(psqa::Technique{});
    a.settings.techniques = {0, 0, 0};
    a.settings
        .techniques[static_cast<std::size_t>(std::find(names.begin(), names.end(), a.technique) - names.begin())] = 1;
  }
  read_plan_sources(a);
  a.settings.mismatch = psqa::usual_mismatch(a.settings.records);
  set_mismatches(a);
  psqa::check(a.settings);
}

}  // namespace psqa_program
