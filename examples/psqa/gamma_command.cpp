// SPDX-License-Identifier: MIT
/// \file
/// The command gamma: two dose distributions from any files that can hold one, or the pairs of a list.

#include <algorithm>
#include <array>
#include <equipoise/psqa/readers/plane_reader.hpp>
#include <iostream>
#include <memory>
#include <set>

#include "command_line.hpp"
#include "dose_pair_options.hpp"
#include "gamma_comparison.hpp"
#include "number_options.hpp"

namespace psqa_program {

namespace {

struct GammaCommand {
  GammaArguments comparison;
  std::string dd = "2", dta = "2", batch, csv, map, png, html;
  std::vector<std::string> criteria;
  std::string spacing, spacing_evaluated;
  bool json = false, histogram = false;
};

/// Files that stand behind the list of criteria, which takes all words that follow it.
void take_files_from_criteria(GammaCommand& c) {
  std::vector<std::string> files;
  const auto is_criterion = [](const std::string& word) {
    try {
      return psqa::parse_gamma_criterion(word, "").dta_mm > 0;
    } catch (const eq::ValueError&) {
      return false;
    }
  };
  const std::size_t missing = c.comparison.reference.empty() ? 2 : c.comparison.evaluated.empty() ? 1 : 0;
  while (files.size() < missing && !c.criteria.empty() && !is_criterion(c.criteria.back()))
    files.insert(files.begin(), c.criteria.back()), c.criteria.pop_back();
  for (std::string& file : files) {
    if (const std::string wrong = a_file()(file); !wrong.empty()) throw CLI::ValidationError("--criteria", wrong);
    (c.comparison.reference.empty() ? c.comparison.reference : c.comparison.evaluated) = file;
  }
}

/// \throws CLI::RequiredError without two files or a list of them, ValueError where there are both
void check_files(const GammaCommand& c) {
  const GammaArguments& a = c.comparison;
  if (c.batch.empty() && (a.reference.empty() || a.evaluated.empty()))
    throw CLI::RequiredError("expected reference and evaluated, which are required without --batch",
                             CLI::ExitCodes::RequiredError);
  if (c.batch.empty()) return;
  if (!a.reference.empty())
    throw eq::ValueError(eq::message("value.212", "--batch", "expected no further files, got ", a.reference));
  for (const auto& [name, value] : {std::pair{"--map", c.map}, {"--png", c.png}, {"--html", c.html}})
    if (!value.empty())
      throw eq::ValueError(eq::message("value.212", name, "expected one pair of files with it, got --batch"));
}

/// Each output is a file of its own, of a kind that its option writes. \throws ValueError
void check_outputs(const GammaCommand& c) {
  struct Output {
    const char *option, *kinds;
    std::string file;
    std::vector<std::string> endings;
  };
  std::set<fs::path> taken;
  for (const Output& o :
       {Output{"--map", "a .png or .npy", c.map, {".png", ".npy"}}, Output{"--png", "a .png", c.png, {".png"}},
        Output{"--html", "a .html", c.html, {".html", ".htm"}}, Output{"--csv", "a .csv", c.csv, {}}}) {
    if (o.file.empty()) continue;
    const fs::path path = o.file;
    if (!o.endings.empty() && std::find(o.endings.begin(), o.endings.end(), path.extension()) == o.endings.end())
      throw WrongUsage(eq::message("value.212", o.option, "expected ", o.kinds, " file, got ", o.file).text);
    if (!taken.insert(fs::weakly_canonical(path)).second)
      throw eq::ValueError(
          eq::message("value.212", o.option, "expected a file of its own, got that of another output: ", o.file));
    std::error_code none;
    for (const std::string& dose : {c.comparison.reference, c.comparison.evaluated, c.comparison.plan})
      if (!dose.empty() && fs::equivalent(path, dose, none))
        throw eq::ValueError(eq::message("value.212", o.option, "expected a file of its own, got an input: ", o.file));
  }
}

/// What the options' texts mean. \throws Error for a text that is malformed
void take_texts(GammaCommand& c) {
  GammaArguments& a = c.comparison;
  for (const std::string& text : c.criteria) a.criteria.push_back(psqa::parse_gamma_criterion(text, "--criteria"));
  if (a.criteria.empty())
    a.criteria = {{psqa::parse_dose_tolerance(c.dd, "--dd"), psqa::parse_distance(c.dta, "--dta")}};
  if (!c.spacing.empty()) a.spacing = psqa::parse_point_spacing(c.spacing, "--spacing");
  if (!c.spacing_evaluated.empty())
    a.spacing_evaluated = psqa::parse_point_spacing(c.spacing_evaluated, "--spacing-evaluated");
}

void gamma(GammaCommand c) {
  GammaArguments& a = c.comparison;
  take_files_from_criteria(c);
  check_files(c);
  if (a.pitch > 0 && a.search != "wendling")
    throw eq::ValueError(eq::message("value.212", "--pitch", "expected --search wendling with it, got ", a.search));
  check_outputs(c);
  understood([&] { take_texts(c); });
  if (!c.batch.empty()) return compare_batch(a, c.batch, c.csv, c.json);
  const GammaComparison comparison = compare_doses(a);
  const GammaOutcome& first = comparison.outcomes.front();
  if (!c.map.empty()) write_map(c.map, comparison, first);
  if (!c.png.empty()) write_picture(c.png, comparison, first);
  if (!c.html.empty()) write_page(c.html, comparison);
  if (!c.csv.empty()) {
    GammaTable table;
    table.add(comparison);
    table.write(c.csv);
  }
  if (c.json) return print_json(to_json(comparison));
  print(comparison, c.histogram);
}

/// Checks that a norm is a name or a dose.
CLI::Validator a_norm() {
  return {[](std::string& text) {
            const std::optional<double> dose = psqa::parse_number(text);
            return text == "reference" || text == "evaluated" || (dose && *dose > 0)
                       ? std::string()
                       : "expected reference, evaluated or a dose > 0 in the files' unit, got \"" + text + "\"";
          },
          ""};
}

/// Options that say what agrees.
void add_criteria_options(CLI::App& app, GammaCommand& c) {
  GammaArguments& a = c.comparison;
  CLI::Option* dd =
      app.add_option("--dd", c.dd, "dose difference in %, Gy or cGy: 3, 3%, 0.05Gy or 5cGy")->capture_default_str();
  CLI::Option* dta = app.add_option("--dta", c.dta, "distance to agreement in mm: 2 or 2mm")->capture_default_str();
  app.add_option("--criteria", c.criteria,
                 "several criteria in one run, as 3%/2mm 2%/2mm 0.05Gy/2mm; maps and pictures are of the first")
      ->delimiter(',')
      ->excludes(dd)
      ->excludes(dta);
  app.add_flag("--local", a.shared.local, "dose difference in % of the local dose");
  app.add_option("--cutoff", a.shared.cutoff_percent,
                 "leave out points below this % of the norm; points of exactly this % count")
      ->capture_default_str();
  app.add_option("--norm", a.norm, "norm dose: the maximum of reference or evaluated, or a number in the files' unit")
      ->check(a_norm())
      ->capture_default_str();
  app.add_option("--max-gamma", a.shared.max_gamma,
                 "values in the map, their mean and percentiles are capped here; moves neither the pass rate nor the "
                 "points that count")
      ->capture_default_str();
  add_dose_pair_options(app, a.pair, 3, "as x,y[,z]; by default the isocentre of --plan, else the origin");
  app.add_option(
      "--plan", a.plan,
      "RTPLAN of the doses: a dose of all its fractions is divided by their number beside one of one fraction, and the "
      "beam axis of a detector is put at its isocentre beside an RTDOSE; by default <plan>.dcm beside "
      "<plan>_planned.*");
}

/// Options that say where the points lie.
void add_place_options(CLI::App& app, GammaCommand& c) {
  GammaArguments& a = c.comparison;
  app.add_option(
      "--spacing", c.spacing,
      "mm between the points of " + listed(psqa::file_names_without_spacing(), " and ") +
          " files, by default 1: one number, or several along x (columns), y (rows) and z (frames), as 2x3 or "
          "2,3,5");
  app.add_option("--spacing-evaluated", c.spacing_evaluated, "the same of the evaluated file; by default --spacing");
  app.add_option("--rows-from", a.rows_from,
                 "whether the first row of " + listed(psqa::file_names_without_spacing(), " and ") +
                     " files has the lowest or the highest y")
      ->check(CLI::IsMember({"bottom", "top"}))
      ->capture_default_str();
  app.add_option("--flip", a.flip, "turn the evaluated doses round along x or y, within their place")
      ->check(CLI::IsMember({"x", "y"}));
  add_places(app, "--shift", a.shift, 2, "move the evaluated distribution by so many mm along x and y");
  app.add_flag("--centre", a.centre, "put the middles of both at one place, before the shift");
}

/// Options that say how the minimum is found.
void add_search_options(CLI::App& app, GammaCommand& c) {
  GammaArguments& a = c.comparison;
  app.add_option("--search", a.search, "exact minimum, or the searches that others use")
      ->check(CLI::IsMember({"exact", "wendling", "classic"}))
      ->capture_default_str();
  app.add_option("--pitch", a.pitch, "mm between the samples of the wendling search; by default dta / 10")
      ->check(above_zero());
  app.add_option("--space", a.space, "where to search: the plane, the slice at each frame's height, or all around")
      ->check(CLI::IsMember({"auto", "plane", "slices", "volume"}))
      ->capture_default_str();
  app.add_option("--threads", a.execution.threads, "0: all; the result does not depend on it")->capture_default_str();
}

void add_output_options(CLI::App& app, GammaCommand& c) {
  app.add_option(
      "--batch", c.batch,
      "compare the pairs of this CSV file, with columns reference and evaluated; its other columns go into the "
      "table as they are, and relative paths are relative to the file");
  app.add_option("--csv", c.csv, "write a row for each pair and criterion into this CSV file");
  app.add_option("--map", c.map, "write the map as PNG (+y at the top; of a volume, its worst frame) or NPY");
  app.add_option("--png", c.png, "write a picture of the map with axes in mm, colour bar and the worst points");
  app.add_option("--html", c.html, "write a page about the comparison, to file or to sign");
  app.add_flag("--histogram", c.histogram, "also print a histogram of gamma");
  app.add_flag("--json", c.json, "print JSON");
}

}  // namespace

void add_gamma_command(CLI::App& app) {
  auto c = std::make_shared<GammaCommand>();
  CLI::App* command =
      app.add_subcommand("gamma", "Gamma index of two planes or volumes (" + listed(psqa::dose_file_names()) + ")");
  command->footer(
      "Points that count: reference points at or above the cut-off that lie within the DTA of evaluated dose. A point\n"
      "up to one DTA beyond the edge of the evaluated grid is judged; one further away is not, and is counted apart.\n"
      "Which points count depends on the grids and the criterion, never on --max-gamma.");
  command
      ->add_option("reference", c->comparison.reference, "the distribution whose points are judged (the measurement)")
      ->check(a_file());
  command->add_option("evaluated", c->comparison.evaluated, "the distribution that is interpolated (the plan)")
      ->check(a_file());
  add_criteria_options(*command, *c);
  add_place_options(*command, *c);
  add_search_options(*command, *c);
  add_output_options(*command, *c);
  command->callback([=] { gamma(*c); });
}

}  // namespace psqa_program
