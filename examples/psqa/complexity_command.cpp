// SPDX-License-Identifier: MIT
/// \file
/// The command complexity: metrics of plans.

#include <algorithm>
#include <cmath>
#include <equipoise/core/base/utf8.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/csv.hpp>
#include <equipoise/psqa/complexity/complexity.hpp>
#include <equipoise/psqa/readers/plan_reader.hpp>
#include <equipoise/report/numbers.hpp>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include "command_line.hpp"
#include "number_options.hpp"

namespace psqa_program {

namespace {

Json to_json(const psqa::MetricList& list) {
  Json out;
  for (const auto& [name, value] : list) out[name] = number_or_null(value);
  return out;
}

struct ComplexityArguments {
  std::vector<std::string> files, choices;
  std::string csv;
  std::size_t fraction_group = 0;
  bool json = false, per_beam = false, per_control_point = false;
};

Json to_json(const psqa::BeamComplexity& beam, bool apertures) {
  Json out{{"number", beam.number}};
  out.update(to_json(beam.metrics));
  if (!apertures) return out;
  out["apertures"] = Json::array();
  for (const psqa::ApertureComplexity& a : beam.apertures) {
    Json row{{"MU", a.mu}, {"gantry_deg", a.gantry}};
    for (std::size_t i = 0; i < a.values.size(); ++i)
      row[std::string(psqa::kApertureMetrics[i])] = number_or_null(a.values[i]);
    out["apertures"].push_back(std::move(row));
  }
  return out;
}

void print(const psqa::MetricList& list, const char* indent) {
  for (const auto& [name, value] : list)
    std::cout << indent << std::left << std::setw(22) << name << eq::report::number(value, 6) << "\n";
}

psqa::ComplexityChoices choices_of(const std::vector<std::string>& texts) {
  psqa::ComplexityChoices choices;
  set_options(choices, texts, "--choice");
  understood([&] { psqa::check(choices); });
  return choices;
}

/// A row an aperture, in the order of delivery.
void print_apertures(const psqa::BeamComplexity& beam) {
  const auto cell = [](const auto& text) { std::cout << std::right << std::setw(11) << text; };
  const auto number = [&](double v) { cell(std::isnan(v) ? "-" : eq::report::number(v, 5)); };
  cell("MU"), cell("gantry_deg");
  for (const std::string_view name : psqa::kApertureMetrics) cell(name);
  std::cout << "\n";
  for (const psqa::ApertureComplexity& a : beam.apertures) {
    number(a.mu), number(a.gantry);
    for (const double value : a.values) number(value);
    std::cout << "\n";
  }
}

/// A file's plan; of a decoded delivery log the delivered one, and what it says of the leaves.
struct Source {
  psqa::Plan plan;
  psqa::MetricList log;  ///< none for a plan
};

Source source_of(const std::string& file, const ComplexityArguments& a) {
  if (!psqa::is_log(psqa::file_kind(file))) return {psqa::read_plan(file, {.fraction_group = a.fraction_group}), {}};
  psqa::DeliveryLog log = psqa::read_log(file);
  return {std::move(log.delivered),
          {{"LEAFRMS_mm", log.leaf_rms_mm}, {"LEAFMEAN_mm", log.leaf_mean_mm}, {"LEAFMAX_mm", log.leaf_max_mm}}};
}

/// What a row of the CSV file is about.
struct RowHead {
  std::string plan;  ///< its name, as in JSON
  std::string label, file;
  std::size_t warnings = 0;  ///< of the plan
};

/// Rows of one CSV file: what plan it is, its beam where rows are beams, and metrics by name. A metric that a row lacks,
/// or that has no value, is an empty cell.
class CsvTable {
 public:
  void add(const RowHead& plan, std::optional<int> beam, const psqa::MetricList& metrics) {
    Row& row = rows_.emplace_back(Row{plan, beam, std::vector<std::string>(names_.size())});
    for (const auto& [name, value] : metrics) {
      const auto at = static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
      if (at == names_.size()) names_.push_back(name), row.cells.emplace_back();
      if (std::isfinite(value)) row.cells[at] = eq::option_text(value);
    }
  }
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  /// \param beams whether there is a column of beam numbers
  void write(const fs::path& path, bool beams) const {
    eq::io::AtomicFile file(path);
    std::string line = std::string("plan,") + (beams ? "beam," : "") + "label,file,warnings";
    for (const std::string& name : names_) line += "," + eq::io::csv_cell(name);
    file.write(line + "\n");
    for (const Row& row : rows_) {
      line = eq::io::csv_cell(row.head.plan) + ",";
      if (beams) line += (row.beam ? std::to_string(*row.beam) : std::string()) + ",";
      line += eq::io::csv_cell(row.head.label) + "," + eq::io::csv_cell(row.head.file) + "," +
              std::to_string(row.head.warnings);
      for (std::size_t i = 0; i < names_.size(); ++i) line += "," + (i < row.cells.size() ? row.cells[i] : "");
      file.write(line + "\n");
    }
    file.commit();
  }

 private:
  struct Row {
    RowHead head;
    std::optional<int> beam;
    std::vector<std::string> cells;  ///< of the first names
  };
  std::vector<std::string> names_;
  std::vector<Row> rows_;
};

/// What the command makes of its files.
struct Results {
  Json plans = Json::object();
  CsvTable table;
};

void print(const std::string& file, const psqa::Complexity& c, const psqa::MetricList& log,
           const ComplexityArguments& a) {
  std::cout << file << ": " << c.beams.size() << (c.beams.size() == 1 ? " beam" : " beams")
            << (log.empty() ? "\n" : ", as delivered\n");
  print(log, "  ");
  print(c.plan, "  ");
  for (const psqa::BeamComplexity& b : c.beams) {
    if (a.per_beam || a.per_control_point) std::cout << "  beam " << b.number << "\n";
    if (a.per_beam) print(b.metrics, "    ");
    if (a.per_control_point) print_apertures(b);
  }
}

/// A row for each beam with MU; one without apertures has its MU alone.
void add_beams(CsvTable& table, const RowHead& head, const psqa::Plan& plan, const psqa::Complexity& c) {
  auto next = c.beams.begin();
  for (const psqa::Beam& beam : plan.beams) {
    if (!(beam.mu > 0)) continue;
    if (next != c.beams.end() && next->number == beam.number)
      table.add(head, beam.number, (next++)->metrics);
    else
      table.add(head, beam.number, {{"MU", beam.mu}});
  }
}

/// \param key the plan's name in JSON and CSV
void add_plan(Results& results, const std::string& file, const std::string& key, const ComplexityArguments& a,
              const psqa::ComplexityChoices& choices) {
  const auto [plan, log] = source_of(file, a);
  const auto warn = [&](const std::string& w) { std::cerr << "warning: " << file << ": " << w << "\n"; };
  std::ranges::for_each(plan.warnings, warn);  // also of a plan that has no metrics
  const psqa::Complexity c = psqa::complexity(plan, choices);
  std::ranges::for_each(c.warnings, warn);
  std::vector<std::string> warnings = plan.warnings;
  warnings.insert(warnings.end(), c.warnings.begin(), c.warnings.end());
  if (!a.json && a.csv.empty()) print(file, c, log, a);
  Json beams = Json::array();
  for (const psqa::BeamComplexity& b : c.beams) beams.push_back(to_json(b, a.per_control_point));
  Json out{{"fraction_group", plan.fraction_group},
           {"plan", to_json(c.plan)},
           {"beams", std::move(beams)},
           {"warnings", warnings}};
  if (!log.empty()) out["log"] = to_json(log);
  results.plans[key] = std::move(out);
  const RowHead head{key, plan.label, eq::as_utf8(file), warnings.size()};
  if (a.per_beam) return add_beams(results.table, head, plan, c);
  psqa::MetricList metrics = c.plan;
  metrics.insert(metrics.end(), log.begin(), log.end());
  results.table.add(head, std::nullopt, metrics);
}

/// Every file is tried; one that cannot be read is reported, and fails the command at its end.
void complexity(const ComplexityArguments& a) {
  const psqa::ComplexityChoices choices = choices_of(a.choices);
  Results results;
  Json errors = Json::object();
  std::map<std::string, int> names;  // files of one name are told apart by their paths
  const auto name_of = [](const std::string& file) { return eq::as_utf8(fs::path(file).filename().string()); };
  for (const std::string& file : a.files) ++names[name_of(file)];
  for (const std::string& file : a.files) {
    const std::string key = names[name_of(file)] == 1 ? name_of(file) : eq::as_utf8(file);
    attempt(errors, key, [&] { add_plan(results, file, key, a, choices); });
  }
  if (!a.csv.empty() && !results.plans.empty()) {
    results.table.write(a.csv, a.per_beam);
    if (!a.json)
      std::cout << "csv: " << a.csv << ", " << results.plans.size() << " of " << a.files.size() << " plans, "
                << results.table.rows() << " rows\n";
  }
  if (a.json) {
    Json chosen;
    eq::for_each_member(choices, [&](std::string_view option, const auto& value) {
      if constexpr (std::is_same_v<decltype(value), const double&>)
        chosen[std::string(option)] = value;
      else
        chosen[std::string(option)] = eq::name_of(value);
    });
    Json out{{"choices", chosen}, {"plans", results.plans}};
    if (!errors.empty()) out["errors"] = errors;
    print_json(out);
  }
  if (!errors.empty()) throw Failed{};
}

}  // namespace

void add_complexity_command(CLI::App& app) {
  auto a = std::make_shared<ComplexityArguments>();
  CLI::App* c = app.add_subcommand("complexity",
                                   "Complexity metrics of plans and delivery logs, per plan, beam and control point");
  c->add_option("plans", a->files,
                "files of plans (" + listed(psqa::plan_file_names()) + "), and of delivery logs (" +
                    listed(psqa::log_file_names()) + "): their delivered plan and its leaf errors")
      ->required()
      ->check(a_file());
  c->add_flag("--json", a->json, "print JSON, with the beams and the choices made");
  CLI::Option* csv = c->add_option("--csv", a->csv,
                                   "write the metrics of all plans into this CSV file, a row for each plan with its "
                                   "name, label, file and number of warnings; instead of printing them");
  c->add_flag("--per-beam", a->per_beam, "also print each beam's metrics; with --csv a row for each beam");
  c->add_flag("--per-control-point", a->per_control_point, "also each aperture's")->excludes(csv);
  c->add_option("--fraction-group", a->fraction_group, "which of a plan's fraction groups, from 0")
      ->check(not_negative())
      ->capture_default_str();
  c->add_option("--choice", a->choices,
                "a reading of a formula as key=value (docs/complexity.md), e.g. aav_maximum=largest_gap; of logs "
                "log_band_mm=0.2 and log_band_deg=0.2: jitter of leaves and jaws, and of angles, up to this is no "
                "motion, 0 keeps it");
  c->callback([=] { complexity(*a); });
}

}  // namespace psqa_program
