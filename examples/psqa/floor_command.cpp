// SPDX-License-Identifier: MIT
/// \file
/// The command floor: how well passing rates can be predicted at all, by what is known of a delivery.

#include <cmath>
#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/psqa/cohort/description.hpp>
#include <equipoise/psqa/cohort/floor_summary.hpp>
#include <equipoise/psqa/cohort/floors.hpp>
#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/report/numbers.hpp>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>

#include "cohort_options.hpp"
#include "command_line.hpp"
#include "interval_text.hpp"

namespace psqa_program {

namespace {

using eq::report::fixed;

struct FloorArguments : CohortArguments {
  std::string cohort, csv;
  psqa::FloorOptions options{.threads = 0};
  bool json = false, plans_given = false;
};

/// The settings of a simulated cohort. \returns its records, as they were simulated
std::vector<psqa::CohortRecord> choose_folder(FloorArguments& a) {
  psqa::Cohort cohort = psqa::read_cohort_table(a.cohort);
  if (a.plans_given) a.options.plans = a.settings.plans;
  a.settings = psqa::cohort_settings(cohort.about);
  read_plan_sources(a);
  const auto expect = [&](bool good, const char* option, const char* what) {
    if (!good)
      throw eq::ValueError(
          eq::message("value.212", option, "expected ", what, " from which ", a.cohort, " was simulated"));
  };
  const bool outlines = cohort.about.value("outlines", "random") == "real";
  expect(outlines == !a.settings.outlines.empty(), "--outlines", outlines ? "the patients" : "none, as");
  const auto files = cohort.about.value("plans_from_files", std::size_t{0});
  expect(files == a.settings.real_plans.size(), "--rtplans", files > 0 ? "the files" : "none, as those");
  psqa::check(a.settings);
  return std::move(cohort.records);
}

/// Checks that a cohort's record is simulated again as it was. \param before none: the cohort has fewer records
void check_same(const psqa::CohortRecord* before, const psqa::RecordFloors& now, const std::string& cohort) {
  const auto refuse = [&](const std::string& expected, const std::string& got) {
    throw eq::FileError(
        eq::message("file.437", cohort, "expected ", expected, ", as simulated now, got ", got, "; simulate it anew"));
  };
  if (before == nullptr || before->id != now.id) refuse("record " + now.id, before ? before->id : "none");
  for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c) {
    const double was = before->gpr[c], is = now.rates[0][c];
    if (std::isnan(was) != std::isnan(is) || std::abs(was - is) > kSameRate)
      refuse(now.id + " with " + psqa::kCriteria[c].name + " " + fixed(is, 3) + " %", fixed(was, 3) + " %");
  }
}

/// A table with one line for each record, written as records come.
class FloorTable {
 public:
  explicit FloorTable(const std::string& path) : file_(path) {
    std::string header = "id,patient,machine";
    for (const psqa::NamedCriteria& c : psqa::kCriteria) header += std::string(",") + c.name;
    for (const std::string_view known : names_of(psqa::FloorKnows{}))
      for (const psqa::NamedCriteria& c : psqa::kCriteria)
        for (const char* figure : {"_predicted", "_floor"}) header += "," + std::string(known) + "_" + c.name + figure;
    file_.write(header + "\n");
  }
  void add(const psqa::RecordFloors& r) {
    eq::TextWriter line;
    line << std::setprecision(8) << r.id << ',' << r.patient << ',' << r.machine;
    const auto cell = [&](double v) {
      line << ',';
      if (!std::isnan(v)) line << v;
    };
    for (const double g : r.rates[0]) cell(g);
    for (std::size_t k = 0; k < psqa::kKnown; ++k)
      for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c) cell(r.predicted[k][c]), cell(r.floors[k][c].floor);
    line << '\n';
    file_.write(line.str());
  }
  void commit() { file_.commit(); }

 private:
  eq::io::AtomicFile file_;
};

Json to_json(const eq::Interval& i) {
  return {{"value", number_or_null(i.value)}, {"low", number_or_null(i.low)}, {"high", number_or_null(i.high)}};
}

Json to_json(const psqa::RateFloors& f) {
  Json out{{"records", f.records}, {"constant", {{"rate", number_or_null(f.median)}, {"mae", to_json(f.constant)}}}};
  for (std::size_t k = 0; k < psqa::kKnown; ++k) {
    const psqa::FloorFigures& known = f.known[k];
    out[std::string(names_of(psqa::FloorKnows{})[k])] = {{"floor", to_json(known.floor)},
                                                         {"in_sample", number_or_null(known.in_sample)},
                                                         {"leave_one_out", number_or_null(known.leave_one_out)},
                                                         {"half_difference", number_or_null(known.half_difference)},
                                                         {"removable_share", to_json(known.removable)}};
  }
  return out;
}

void print_row(const std::string& name, const std::vector<std::string>& cells) {
  std::cout << "  " << std::left << std::setw(24) << name << std::right;
  for (const std::string& cell : cells) std::cout << std::setw(20) << cell;
  std::cout << "\n";
}

/// One row of a table: a text for each criterion.
template <class Text>
std::vector<std::string> cells_of(const std::vector<psqa::RateFloors>& rates, Text&& text) {
  std::vector<std::string> out;
  for (const psqa::RateFloors& r : rates) out.push_back(text(r));
  return out;
}

void print(const psqa::FloorSummary& summary, const std::vector<psqa::RateFloors>& rates, std::uint64_t deliveries) {
  constexpr const char* names[] = {"the plan", "and its machine", "and the day"};
  const auto percent = [](const eq::Interval& i) {
    return with_interval({100 * i.value, 100 * i.low, 100 * i.high}, 0);
  };
  std::vector<std::string> criteria;
  for (const psqa::NamedCriteria& c : psqa::kCriteria) criteria.emplace_back(c.label);
  std::cout << "smallest MAE of any predictor, " << summary.records() << " records of " << summary.patients()
            << " patients, each plan delivered " << deliveries << " times; points\n";
  print_row("known", criteria);
  print_row("nothing (a constant)", cells_of(rates, [&](const auto& r) { return with_interval(r.constant, 2); }));
  for (std::size_t k = 0; k < psqa::kKnown; ++k)
    print_row(names[k], cells_of(rates, [&](const auto& r) { return with_interval(r.known[k].floor, 2); }));
  std::cout << "share of the constant's error that can be removed, %\n";
  for (std::size_t k = 0; k < psqa::kKnown; ++k)
    print_row(names[k], cells_of(rates, [&](const auto& r) { return percent(r.known[k].removable); }));
  std::cout << "bounds of the floor at so many deliveries (in-sample, leave-one-out), points\n";
  for (std::size_t k = 0; k < psqa::kKnown; ++k)
    print_row(names[k], cells_of(rates, [&](const auto& r) {
                return fixed(r.known[k].in_sample, 2) + " to " + fixed(r.known[k].leave_one_out, 2);
              }));
}

void floor(FloorArguments a) {
  catch_interrupts();
  std::vector<psqa::CohortRecord> before;
  if (a.cohort.empty())
    choose_cohort(a);
  else
    before = choose_folder(a);
  std::optional<FloorTable> table;
  if (!a.csv.empty()) table.emplace(a.csv);
  psqa::FloorSummary summary;
  {
    Progress progress("plans delivered again");
    psqa::for_each_floor(
        a.settings, a.options,
        [&](std::int64_t plan, std::int64_t all, const psqa::RecordFloors& r) {
          const std::size_t i = summary.records();
          if (!a.cohort.empty()) check_same(i < before.size() ? &before[i] : nullptr, r, a.cohort);
          summary.add(r);
          if (table) table->add(r);
          progress.show(plan, all);
        },
        [&] {
          if (interrupted())
            throw Interrupted("interrupted" + (a.csv.empty() ? "" : ": nothing was written to " + a.csv));
        });
  }
  if (table) table->commit();
  std::vector<psqa::RateFloors> rates;
  for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c) rates.push_back(summary.of(c));
  if (a.json) {
    Json out{{"records", summary.records()}, {"patients", summary.patients()}, {"deliveries", a.options.deliveries}};
    for (std::size_t c = 0; c < rates.size(); ++c) out["floors"][psqa::kCriteria[c].name] = to_json(rates[c]);
    return print_json(out);
  }
  print(summary, rates, a.options.deliveries);
  if (table) std::cout << "csv: " << a.csv << ", " << summary.records() << " records\n";
}

}  // namespace

void add_floor_command(CLI::App& app) {
  auto a = std::make_shared<FloorArguments>();
  CLI::App* c = app.add_subcommand(
      "floor", "How well passing rates can be predicted at all: plans of a simulated cohort, delivered again");
  add_cohort_options(*c, *a);
  std::vector<CLI::Option*> settings = c->get_options();
  c->get_option("--plans")->description("number of plans; of a given cohort the first ones, by default all");
  CLI::Option* cohort = c->add_option("cohort", a->cohort,
                                      "folder that psqa simulate has made, instead of the options of a cohort; it "
                                      "still needs its --outlines and --rtplans");
  for (CLI::Option* o : settings)
    if (o != c->get_help_ptr() && o->get_name() != "--plans" && o->get_name() != "--outlines" &&
        o->get_name() != "--rtplans")
      cohort->excludes(o);
  c->add_option("--deliveries", a->options.deliveries, "of each plan by what is known, its own among them")
      ->check(CLI::Range(3, 1000))
      ->capture_default_str();
  c->add_option("--threads", a->options.threads, "0: all; the floors do not depend on it")->capture_default_str();
  c->add_option("--csv", a->csv, "write each record's floors, and the medians of its other deliveries");
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] {
    a->plans_given = c->get_option("--plans")->count() > 0;
    floor(*a);
  });
}

}  // namespace psqa_program
