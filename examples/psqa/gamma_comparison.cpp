// SPDX-License-Identifier: MIT
/// \file
/// Reads two doses, brings them together and judges them at each criterion.

#include "gamma_comparison.hpp"

#include <algorithm>
#include <cmath>
#include <equipoise/psqa/dicom/dose_description.hpp>
#include <equipoise/psqa/gamma/gamma.hpp>
#include <equipoise/psqa/readers/plane_reader.hpp>
#include <equipoise/psqa/tg218.hpp>
#include <equipoise/report/numbers.hpp>
#include <iostream>

#include "gamma_place.hpp"

namespace psqa_program {

namespace {

using eq::report::number;

/// Says warnings as they arise, and keeps them.
class Warnings {
 public:
  Warnings(std::string prefix, std::vector<std::string>& kept) : prefix_(std::move(prefix)), kept_(kept) {}
  void operator()(const std::string& text) const {
    std::cerr << "warning: " << prefix_ << text << "\n";
    kept_.push_back(text);
  }

 private:
  std::string prefix_;
  std::vector<std::string>& kept_;
};

psqa::DoseGrid read(const GammaArguments& a, const std::string& file, const std::optional<psqa::PointSpacing>& spacing,
                    bool interpolated, const Warnings& warn) {
  psqa::DoseGrid g = psqa::read_dose(
      file, psqa::DoseFileOptions{.spacing_mm = spacing.value_or(psqa::PointSpacing{}),
                                  .interpolated = interpolated,
                                  .rows_from = a.rows_from == "top" ? psqa::RowsFrom::top : psqa::RowsFrom::bottom,
                                  .profiles = true});
  if (!spacing && g.spacing_assumed)
    warn(file + " does not say how far apart its points are: 1 mm is taken (--spacing)");
  for (const std::string& w : g.warnings) warn(file + ": " + w);
  return g;
}

/// A plane beside a volume needs a space to search in. \throws ShapeError that names both files without one
void check_frames(const GammaComparison& c) {
  const std::size_t r = c.reference.shape[0], e = c.evaluated.shape[0];
  const auto what = [](std::size_t frames) {
    return frames == 1 ? std::string("a plane") : "a volume of " + std::to_string(frames) + " frames";
  };
  if (c.arguments.space == "auto" && (r == 1) != (e == 1))
    throw eq::ShapeError(eq::message("shape.109", c.arguments.reference, "expected two planes or two volumes, got ",
                                     what(r), ", and ", what(e), " in ", c.arguments.evaluated,
                                     ": --space slices or volume searches a volume"));
}

/// A profile may be judged within a plane, but has no dose for the points of a plane. \throws ValueError for that
void check_profiles(const GammaComparison& c) {
  if (c.evaluated.shape[0] == 1 && c.evaluated.shape[1] == 1 && c.reference.shape[1] > 1)
    throw eq::ValueError(eq::message("value.308", c.arguments.evaluated, "expected a plane for the points of a plane (",
                                     c.arguments.reference, "), got a single row or profile"));
}

/// The norm dose: the maximum of one of the distributions, or a number.
double norm_of(const std::string& norm, const psqa::DoseGrid& reference, const psqa::DoseGrid& evaluated) {
  if (norm == "reference") return psqa::maximum_dose(reference);
  if (norm == "evaluated") return psqa::maximum_dose(evaluated);
  return psqa::parse_number(norm).value();  // as the option is checked
}

/// Whether a dose difference in Gy means something for these doses. \throws ValueError where it does not
void check_tolerances(const GammaComparison& c, const Warnings& warn) {
  const auto relative = [](const psqa::DoseGrid& g) {
    return g.units == psqa::DoseUnits::relative || g.units == psqa::DoseUnits::other;
  };
  const auto unknown = [](const psqa::DoseGrid& g) { return g.units == psqa::DoseUnits::unknown; };
  for (const psqa::GammaCriterion& k : c.arguments.criteria) {
    if (!k.dd.gray) continue;
    if (c.arguments.shared.local)
      throw eq::ValueError(
          eq::message("value.212", "--local", "expected dose differences in %, got ", psqa::text_of(k.dd)));
    for (const psqa::DoseGrid* g : {&c.reference, &c.evaluated})
      if (relative(*g))
        throw eq::ValueError(eq::message("value.307", g == &c.reference ? c.arguments.reference : c.arguments.evaluated,
                                         "expected doses in Gy for a tolerance of ", psqa::text_of(k.dd), ", got ",
                                         psqa::unit_of(*g)));
    if (unknown(c.reference) && unknown(c.evaluated)) {
      warn("neither file states the unit of its doses: they are taken to be in Gy, as the tolerance is");
      return;
    }
  }
}

/// Warns where the doses are of different magnitude, as cGy and Gy are.
void warn_of_units(const GammaComparison& c, const Warnings& warn) {
  const double m = psqa::maximum_dose(c.reference), p = psqa::maximum_dose(c.evaluated);
  if (m > 10 * p || p > 10 * m)
    warn("the largest doses are " + number(m, 4) + " (reference) and " + number(p, 4) +
         " (evaluated): are both in one unit?");
}

/// TG-218 tolerates 5 % of the points: more that are not judged can turn a verdict.
bool too_few_judged(const psqa::GammaResult& r) {
  return 20 * r.out_of_reach > r.evaluated + r.out_of_reach;
}

/// Says what makes a rate doubtful. \throws ValueError when no point was judged
void check_points(const GammaComparison& c, const GammaOutcome& o, const Warnings& warn) {
  const psqa::GammaResult& r = o.result;
  const std::string& file = c.arguments.reference;
  const std::string unit = (dose_unit_of(c).empty() ? "" : " ") + dose_unit_of(c);
  if (r.evaluated == 0 && r.out_of_reach == 0)
    throw eq::ValueError(eq::message("value.308", file, "expected points above the cut-off of ",
                                     o.criteria.cutoff_percent, " % of ", *o.criteria.norm, unit, ", got ",
                                     psqa::maximum_dose(c.reference), unit, " at most"));
  if (r.evaluated == 0)
    throw eq::ValueError(eq::message("value.308", file, "expected points to judge, got none: ", r.out_of_reach,
                                     " above the cut-off without evaluated dose within ", o.criteria.reach_mm(),
                                     " mm (the DTA)"));
  if (too_few_judged(r))
    warn("only " + std::to_string(r.evaluated) + " of " + std::to_string(r.evaluated + r.out_of_reach) +
         " points above the cut-off have evaluated dose within " + number(o.criteria.reach_mm(), 4) +
         " mm (the DTA): the others are not judged");
}

/// How TG-218's universal limits see a rate; empty where they do not hold: for other criteria, relative doses or profiles.
std::string tg218_verdict(const GammaOutcome& o, const psqa::DoseGrid& reference) {
  const psqa::GammaCriteria& c = o.criteria;
  const psqa::DoseUnits units = reference.units;
  if (is_row(reference)) return {};
  if (o.criterion != psqa::GammaCriterion{{3, false}, 2} || c.local || c.cutoff_percent != 10 ||
      units == psqa::DoseUnits::relative || units == psqa::DoseUnits::other)
    return {};
  if (too_few_judged(o.result))
    return "not judged: " + std::to_string(o.result.out_of_reach) + " of " +
           std::to_string(o.result.evaluated + o.result.out_of_reach) + " points without dose";
  const double rate = o.result.pass_rate;
  const std::string limits = rate >= psqa::kUniversalTolerance ? "within tolerance (95 %)"
                             : rate >= psqa::kUniversalAction  ? "below tolerance (95 %), above action (90 %)"
                                                               : "below the action limit (90 %)";
  return limits + (units == psqa::DoseUnits::unknown ? ", if these are absolute doses" : "");
}

psqa::GammaResult gamma_of(const GammaArguments& a, const psqa::DoseGrid& reference, const psqa::DoseGrid& evaluated,
                           const psqa::GammaCriteria& criteria) {
  if (a.search == "wendling")
    return psqa::gamma(reference, evaluated, criteria, psqa::WendlingSearch<>{.pitch_mm = a.pitch}, a.execution);
  if (a.search == "classic") return psqa::gamma(reference, evaluated, criteria, psqa::ClassicSearch{}, a.execution);
  return psqa::gamma(reference, evaluated, criteria, psqa::ExactMinimum<>{}, a.execution);
}

GammaOutcome judge(const GammaComparison& c, const psqa::GammaCriterion& criterion, double norm) {
  GammaOutcome o{.criterion = criterion, .criteria = c.arguments.shared, .result = {}, .distribution = {}, .tg218 = {}};
  o.criteria.dd_percent = criterion.dd.percent_of(norm), o.criteria.dta_mm = criterion.dta_mm, o.criteria.norm = norm;
  const std::string& space = c.arguments.space;
  if (space == "slices") o.criteria.space = psqa::GammaSpace::slices;
  if (space == "volume") o.criteria.space = psqa::GammaSpace::volume;
  if (space == "plane") o.criteria.space = psqa::GammaSpace::plane;
  o.result = gamma_of(c.arguments, c.reference, c.evaluated, o.criteria);
  o.distribution = psqa::gamma_distribution(o.result.map, o.criteria.max_gamma);
  o.tg218 = tg218_verdict(o, c.reference);
  return o;
}

}  // namespace

GammaComparison compare_doses(const GammaArguments& a, const std::string& prefix) {
  GammaComparison c;
  c.arguments = a;
  const Warnings warn(prefix, c.warnings);
  // The evaluated distribution is interpolated: of a detector's file it is the plane between its elements.
  c.reference = read(a, a.reference, a.spacing, false, warn);
  c.evaluated = read(a, a.evaluated, a.spacing_evaluated ? a.spacing_evaluated : a.spacing, true, warn);
  check_profiles(c);
  check_frames(c);
  check_dose_pair_options(a.pair);
  warn_of_roles(a, warn);
  for (const std::string& line : psqa::differences(psqa::describe_dose(a.reference), psqa::describe_dose(a.evaluated)))
    warn("the files differ in " + line);
  const std::optional<psqa::Plan> plan = plan_of(a.plan, {a.reference, a.evaluated}, needs_isocentre(a), warn);
  const std::string aligned = needs_isocentre(a) ? align_axes(a, plan, c.reference, c.evaluated, warn) : std::string();
  place(a, c.reference, c.evaluated, warn);
  c.notes = bring_together(a.pair, plan, a.centre, !aligned.empty(), c.reference, a.reference, c.evaluated, a.evaluated,
                           warn);
  if (!aligned.empty()) c.notes.push_back(aligned);
  check_tolerances(c, warn);
  const double norm = norm_of(a.norm, c.reference, c.evaluated);
  for (const psqa::GammaCriterion& criterion : a.criteria) c.outcomes.push_back(judge(c, criterion, norm));
  warn_of_units(c, warn);
  for (const GammaOutcome& o : c.outcomes) check_points(c, o, warn);
  return c;
}

std::string dose_unit_of(const GammaComparison& c) {
  using psqa::DoseUnits;
  if (c.reference.units == DoseUnits::gray || c.evaluated.units == DoseUnits::gray) return "Gy";
  if (c.reference.units == DoseUnits::unknown) return {};
  return c.reference.unit.empty() ? psqa::unit_of(c.reference) : c.reference.unit;
}

std::string gamma_text(double gamma, const GammaOutcome& o, int decimals) {
  return gamma >= o.criteria.max_gamma ? ">= " + number(o.criteria.max_gamma, 4) : eq::report::fixed(gamma, decimals);
}

std::vector<psqa::GammaPoint> worst_points_of(const GammaComparison& c, const GammaOutcome& o) {
  constexpr std::size_t kCount = 5;
  double extent = 0;
  for (const std::size_t axis : {1, 2})
    extent = std::max(extent, c.reference.spacing[axis] * static_cast<double>(c.reference.shape[axis] - 1));
  return psqa::worst_points(c.reference, c.evaluated, o.result.map, psqa::worst_frame(c.reference, o.result.map),
                            kCount, std::max(o.criteria.dta_mm, extent / 20));
}

}  // namespace psqa_program
