// SPDX-License-Identifier: MIT
/// \file
/// The command gamma: two dose distributions from any files that can hold one.

#include <cmath>
#include <equipoise/core/base/utf8.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/io/png.hpp>
#include <equipoise/psqa/dicom/dose_description.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>
#include <equipoise/psqa/tg218.hpp>
#include <equipoise/report/numbers.hpp>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "common.hpp"
#include "dose_pair.hpp"

namespace psqa_program {

namespace {

struct GammaArguments {
  std::string reference, evaluated, map, norm = "evaluated", search = "exact", space = "auto", rows_from = "bottom";
  psqa::GammaCriteria criteria;
  psqa::GammaExecution execution;
  double pitch = 0;
  std::optional<double> spacing, spacing_evaluated;  ///< mm; by default 1, and `spacing`
  std::string flip;                                  ///< axis along which the evaluated doses are turned round
  std::vector<double> shift = {0, 0};                ///< of the evaluated distribution along x and y, mm
  bool centre = false, json = false;
  DosePairOptions pair;            ///< how the doses come to one unit
  std::string plan;                ///< for fractions, prescription and isocentre
  std::vector<std::string> notes;  ///< what was done to bring the doses together
};

/// Of a volume, the frame with the most points that fail.
std::size_t worst_frame(const psqa::DoseGrid& g, const std::vector<float>& map) {
  const std::size_t size = g.shape[1] * g.shape[2];
  std::size_t worst = 0;
  std::ptrdiff_t max_failing = -1;
  for (std::size_t k = 0; k < g.shape[0]; ++k) {
    const auto first = map.begin() + static_cast<std::ptrdiff_t>(k * size);
    const auto failing = std::count_if(first, first + static_cast<std::ptrdiff_t>(size), [](float v) { return v > 1; });
    if (failing > max_failing) max_failing = failing, worst = k;
  }
  return worst;
}

/// The map with the rows of each frame the other way round.
std::vector<float> turned(const psqa::DoseGrid& g, const std::vector<float>& map) {
  std::vector<float> out;
  for (std::size_t k = 0; k < g.shape[0]; ++k)
    for (std::size_t j = g.shape[1]; j-- > 0;) {
      const auto row = map.begin() + static_cast<std::ptrdiff_t>((k * g.shape[1] + j) * g.shape[2]);
      out.insert(out.end(), row, row + static_cast<std::ptrdiff_t>(g.shape[2]));
    }
  return out;
}

/// \param from_top the reference's file has its rows the other way round than its grid: so has the array of its map
void write_map(const fs::path& path, const psqa::DoseGrid& reference, const psqa::GammaResult& result, double top,
               bool from_top) {
  const std::vector<std::size_t> shape(reference.shape.begin() + (reference.shape[0] == 1 ? 1 : 0),
                                       reference.shape.end());
  // Rows of a grid go up in y, those of an image down.
  const std::vector<float> image = turned(reference, result.map);
  if (path.extension() == ".npy") return eq::io::write_npy<float>(path, shape, from_top ? image : result.map);
  const std::size_t size = reference.shape[1] * reference.shape[2], frame = worst_frame(reference, result.map);
  // Blue passes, white is the limit, red fails; grey was not evaluated.
  const auto colour = [&](double g) {
    return std::isnan(g) ? eq::io::Rgb{225, 225, 225}
                         : eq::io::diverging_colour(g <= 1 ? g - 1 : (g - 1) / std::max(top - 1, 0.1));
  };
  const std::size_t zoom = std::max<std::size_t>(1, 600 / std::max(reference.shape[1], reference.shape[2]));
  eq::io::write_bytes(path, eq::io::map_png<float>(std::span(image).subspan(frame * size, size), reference.shape[2],
                                                   reference.shape[1], colour, zoom));
}

psqa::GammaResult gamma_of(const GammaArguments& a, const psqa::DoseGrid& reference, const psqa::DoseGrid& evaluated) {
  if (a.search == "wendling")
    return psqa::gamma(reference, evaluated, a.criteria, psqa::WendlingSearch<>{.pitch_mm = a.pitch}, a.execution);
  if (a.search == "classic") return psqa::gamma(reference, evaluated, a.criteria, psqa::ClassicSearch{}, a.execution);
  return psqa::gamma(reference, evaluated, a.criteria, psqa::ExactMinimum<>{}, a.execution);
}

/// The norm dose: the maximum of one of the distributions, or a number.
double norm_of(const std::string& norm, const psqa::DoseGrid& reference, const psqa::DoseGrid& evaluated) {
  if (norm == "reference") return psqa::maximum_dose(reference);
  if (norm == "evaluated") return psqa::maximum_dose(evaluated);
  const std::optional<double> number = psqa::parse_number(norm);
  if (!number || *number <= 0)
    throw eq::ValueError(
        eq::message("value.301", "--norm", "expected reference, evaluated or a dose > 0, got \"", norm, "\""));
  return *number;
}

/// Says on standard error what makes a rate doubtful. \throws ValueError when no point was judged
void warn(const GammaArguments& a, const psqa::DoseGrid& reference, const psqa::DoseGrid& evaluated,
          const psqa::GammaResult& r) {
  const double m = psqa::maximum_dose(reference), p = psqa::maximum_dose(evaluated);
  if (m > 10 * p || p > 10 * m)
    std::cerr << "warning: the largest doses are " << eq::report::number(m, 4) << " (reference) and "
              << eq::report::number(p, 4) << " (evaluated): are both in one unit?\n";
  if (r.evaluated == 0 && r.out_of_reach == 0)
    throw eq::ValueError(eq::message("value.308", a.reference, "expected points above the cut-off of ",
                                     a.criteria.cutoff_percent, " % of ", *a.criteria.norm, ", got ", m, " at most"));
  if (r.evaluated == 0)
    throw eq::ValueError(eq::message("value.308", a.reference, "expected points to judge, got none: ", r.out_of_reach,
                                     " above the cut-off without evaluated dose within ", a.criteria.reach_mm(),
                                     " mm (the DTA)"));
  // TG-218 tolerates 5 % of the points: as many that are not judged can turn a verdict.
  if (20 * r.out_of_reach > r.evaluated + r.out_of_reach)
    std::cerr << "warning: only " << r.evaluated << " of " << r.evaluated + r.out_of_reach
              << " points above the cut-off have evaluated dose within " << eq::report::number(a.criteria.reach_mm(), 4)
              << " mm (the DTA): the others are not judged\n";
}

/// How TG-218's universal limits see a rate; empty where they do not hold: for other criteria, or relative doses.
std::string tg218_verdict(const GammaArguments& a, const psqa::DoseGrid& reference, const psqa::GammaResult& r) {
  const psqa::GammaCriteria& c = a.criteria;
  if (c.dd_percent != 3 || c.dta_mm != 2 || c.local || c.cutoff_percent != 10 ||
      reference.units == psqa::DoseUnits::relative || reference.units == psqa::DoseUnits::other)
    return {};
  const std::string limits = r.pass_rate >= psqa::kUniversalTolerance ? "within tolerance (95 %)"
                             : r.pass_rate >= psqa::kUniversalAction  ? "below tolerance (95 %), above action (90 %)"
                                                                      : "below the action limit (90 %)";
  return limits + (reference.units == psqa::DoseUnits::unknown ? ", if these are absolute doses" : "");
}

Json to_json(const GammaArguments& a, const psqa::DoseGrid& reference, const psqa::DoseGrid& evaluated,
             const psqa::GammaResult& r) {
  const std::string verdict = tg218_verdict(a, reference, r);
  const std::string space = a.space != "auto" ? a.space : reference.shape[0] == 1 ? "plane" : "volume";
  const bool maximum = a.norm == "reference" || a.norm == "evaluated";
  Json notes = Json::array();
  for (const std::string& line : a.notes) notes.push_back(eq::as_utf8(line));
  return {{"pass_rate", number_or_null(r.pass_rate)},
          {"mean", number_or_null(r.mean)},
          {"max", number_or_null(r.max)},
          {"min", number_or_null(r.min)},
          {"variance", number_or_null(r.variance)},
          {"evaluated", r.evaluated},
          {"out_of_reach", r.out_of_reach},
          {"points", r.points},
          {"tg218", verdict.empty() ? Json(nullptr) : Json(verdict)},
          {"files", {{"reference", a.reference}, {"evaluated", a.evaluated}}},
          {"spacing_mm", {{"reference", reference.spacing}, {"evaluated", evaluated.spacing}}},
          {"units", {{"reference", eq::name_of(reference.units)}, {"evaluated", eq::name_of(evaluated.units)}}},
          {"normalise", a.pair.normalise ? Json(eq::name_of(*a.pair.normalise)) : Json(nullptr)},
          {"notes", notes},
          {"criteria",
           {{"dd_percent", a.criteria.dd_percent},
            {"dta_mm", a.criteria.dta_mm},
            {"normalisation", a.criteria.local ? "local" : "global"},
            {"norm", maximum ? "maximum of " + a.norm : "given"},
            {"norm_dose", *a.criteria.norm},
            {"cutoff_percent", a.criteria.cutoff_percent},
            {"max_gamma", a.criteria.max_gamma},
            {"space", space},
            {"search", a.search == "exact" ? "exact minimum" : a.search},
            {"pitch_mm", a.search != "wendling" ? Json(nullptr)
                         : a.pitch > 0          ? Json(a.pitch)
                                                : Json(a.criteria.dta_mm / 10)},
            {"rows_from", a.rows_from},
            {"flip_evaluated", a.flip.empty() ? Json(nullptr) : Json(a.flip)},
            {"shift_evaluated_mm", a.shift},
            {"centred", a.centre}}}};
}

void print(const GammaArguments& a, const psqa::DoseGrid& reference, const psqa::GammaResult& r) {
  std::cout << "gamma " << a.criteria.dd_percent << " %/" << a.criteria.dta_mm << " mm, "
            << (a.criteria.local ? "local" : "global") << ", norm " << eq::report::number(*a.criteria.norm, 6)
            << ", cut-off " << a.criteria.cutoff_percent << " %\n  pass rate  " << eq::report::fixed(r.pass_rate, 3)
            << " %\n  mean       " << eq::report::fixed(r.mean, 4) << "\n  max        " << eq::report::fixed(r.max, 4)
            << "\n  points     " << r.evaluated << " of " << r.points << " evaluated";
  if (r.out_of_reach > 0) std::cout << ", " << r.out_of_reach << " without evaluated dose within the DTA";
  std::cout << "\n";
  if (const std::string verdict = tg218_verdict(a, reference, r); !verdict.empty())
    std::cout << "  TG-218     " << verdict << "\n";
  for (const std::string& line : a.notes) std::cout << "  note       " << line << "\n";
}

/// \throws ValueError for a map that would be no picture or array, or would take the place of a dose
void check_map(const GammaArguments& a) {
  const fs::path map = a.map;
  std::error_code none;
  if (map.extension() != ".png" && map.extension() != ".npy")
    throw eq::ValueError(eq::message("value.212", "--map", "expected a .png or .npy file, got ", a.map));
  for (const std::string& file : {a.reference, a.evaluated})
    if (fs::equivalent(map, file, none))
      throw eq::ValueError(eq::message("value.212", "--map", "expected a file of its own, got a dose: ", a.map));
}

psqa::DoseGrid read(const GammaArguments& a, const std::string& file, std::optional<double> spacing,
                    bool interpolated) {
  psqa::DoseGrid g = psqa::read_dose(file, spacing.value_or(1), interpolated,
                                     a.rows_from == "top" ? psqa::RowsFrom::top : psqa::RowsFrom::bottom);
  // A spacing other than 1 mm is one that a table's places say.
  if (!spacing && psqa::needs_spacing(psqa::file_kind(file)) && g.spacing[1] == 1 && g.spacing[2] == 1)
    std::cerr << "warning: " << file << " does not say how far apart its points are: 1 mm is taken (--spacing)\n";
  for (const std::string& w : g.warnings) std::cerr << "warning: " << file << ": " << w << "\n";
  return g;
}

/// Brings the evaluated distribution to the reference: flipped within its place, both middles together, shifted.
void place(const GammaArguments& a, psqa::DoseGrid& reference, psqa::DoseGrid& evaluated) {
  if (!a.flip.empty()) evaluated.mirror(a.flip == "x" ? 2 : 1);
  if (a.centre) reference.centre(), evaluated.centre();
  evaluated.origin[2] += a.shift[0], evaluated.origin[1] += a.shift[1];
  if (a.centre || !reference.axes || !evaluated.axes || reference.shape[0] > 1 || evaluated.shape[0] > 1) return;
  const double apart = std::abs(reference.origin[0] - evaluated.origin[0]);
  if (apart > 0.5)
    std::cerr << "warning: the planes are " << eq::report::number(apart, 4)
              << " mm apart along their normal, which does not count within a plane\n";
}

/// Says on standard error in which kind of dose, patient, plan or frame of reference two DICOM files differ.
void warn_of_differences(const GammaArguments& a) {
  for (const std::string& line : psqa::differences(psqa::describe_dose(a.reference), psqa::describe_dose(a.evaluated)))
    std::cerr << "warning: the files differ in " << line << "\n";
}

void gamma(GammaArguments a) {
  if (a.pitch > 0 && a.search != "wendling")
    throw eq::ValueError(eq::message("value.212", "--pitch", "expected --search wendling with it, got ", a.search));
  if (!a.map.empty()) check_map(a);
  // The evaluated distribution is interpolated: of a detector's file it is the plane between its elements.
  psqa::DoseGrid reference = read(a, a.reference, a.spacing, false),
                 evaluated = read(a, a.evaluated, a.spacing_evaluated ? a.spacing_evaluated : a.spacing, true);
  warn_of_differences(a);
  place(a, reference, evaluated);
  a.notes = bring_together(a.pair, a.plan, a.centre, reference, a.reference, evaluated, a.evaluated);
  a.criteria.norm = norm_of(a.norm, reference, evaluated);
  if (a.space == "slices") a.criteria.space = psqa::GammaSpace::slices;
  if (a.space == "volume") a.criteria.space = psqa::GammaSpace::volume;
  if (a.space == "plane") a.criteria.space = psqa::GammaSpace::plane;
  const psqa::GammaResult r = gamma_of(a, reference, evaluated);
  warn(a, reference, evaluated, r);
  if (!a.map.empty())
    write_map(a.map, reference, r, a.criteria.max_gamma,
              a.rows_from == "top" && psqa::needs_spacing(psqa::file_kind(a.reference)));
  if (a.json) return print_json(to_json(a, reference, evaluated, r));
  print(a, reference, r);
}

}  // namespace

void add_gamma_command(CLI::App& app) {
  auto a = std::make_shared<GammaArguments>();
  CLI::App* c =
      app.add_subcommand("gamma", "Gamma index of two planes or volumes (" + listed(psqa::dose_file_names()) + ")");
  c->footer(
      "Points that count: reference points at or above the cut-off that lie within the DTA of evaluated dose. A point\n"
      "up to one DTA beyond the edge of the evaluated grid is judged; one further away is not, and is counted apart.");
  c->add_option("reference", a->reference, "the distribution whose points are judged (the measurement)")->required();
  c->add_option("evaluated", a->evaluated, "the distribution that is interpolated (the plan)")->required();
  c->add_option("--dd", a->criteria.dd_percent, "dose difference, %")->capture_default_str();
  c->add_option("--dta", a->criteria.dta_mm, "distance to agreement, mm")->capture_default_str();
  c->add_flag("--local", a->criteria.local, "dose difference in % of the local dose");
  c->add_option("--cutoff", a->criteria.cutoff_percent,
                "leave out points below this % of the norm; points of exactly this % count")
      ->capture_default_str();
  c->add_option("--norm", a->norm, "norm dose: the maximum of reference or evaluated, or a number in the files' unit")
      ->capture_default_str();
  c->add_option(
       "--max-gamma", a->criteria.max_gamma,
       "values in the map and their mean are capped here; moves neither the pass rate nor the points that count")
      ->capture_default_str();
  c->add_option(
       "--spacing", a->spacing,
       "mm between the points of " + listed(psqa::file_names_without_spacing(), " and ") + " files, by default 1")
      ->check(above_zero());
  c->add_option("--spacing-evaluated", a->spacing_evaluated, "the same of the evaluated file; by default --spacing")
      ->check(above_zero());
  c->add_option("--rows-from", a->rows_from,
                "whether the first row of " + listed(psqa::file_names_without_spacing(), " and ") +
                    " files has the lowest or the highest y")
      ->check(CLI::IsMember({"bottom", "top"}))
      ->capture_default_str();
  c->add_option("--flip", a->flip, "turn the evaluated doses round along x or y, within their place")
      ->check(CLI::IsMember({"x", "y"}));
  c->add_option("--shift", a->shift, "move the evaluated distribution by so many mm along x and y")->expected(2);
  add_dose_pair_options(*c, a->pair, 3, "as x,y[,z]; by default the isocentre of --plan, else the origin");
  c->add_option(
      "--plan", a->plan,
      "RTPLAN of the doses: a dose of all its fractions is divided by their number beside one of one fraction");
  c->add_flag("--centre", a->centre, "put the middles of both at one place, before the shift");
  c->add_option("--search", a->search, "exact minimum, or the searches that others use")
      ->check(CLI::IsMember({"exact", "wendling", "classic"}))
      ->capture_default_str();
  c->add_option("--pitch", a->pitch, "mm between the samples of the wendling search; by default dta / 10")
      ->check(above_zero());
  c->add_option("--space", a->space, "where to search: the plane, the slice at each frame's height, or all around")
      ->check(CLI::IsMember({"auto", "plane", "slices", "volume"}))
      ->capture_default_str();
  c->add_option("--threads", a->execution.threads, "0: all; the result does not depend on it")->capture_default_str();
  c->add_option("--map", a->map, "write the map as PNG (+y at the top; of a volume, its worst frame) or NPY");
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] { gamma(*a); });
}

}  // namespace psqa_program
