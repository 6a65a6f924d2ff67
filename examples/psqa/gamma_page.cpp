// SPDX-License-Identifier: MIT
/// \file
/// A page about one comparison, to file or to sign.

#include <equipoise/core/base/utf8.hpp>
#include <equipoise/io/sha256.hpp>
#include <equipoise/psqa/dicom/dose_description.hpp>
#include <equipoise/psqa/readers/plan_reader.hpp>
#include <equipoise/report/html.hpp>
#include <equipoise/report/numbers.hpp>
#include <equipoise/version.hpp>

#include <algorithm>
#include <cmath>

#include "gamma_figures.hpp"
#include "gamma_place.hpp"

namespace psqa_program {

namespace {

using eq::report::fixed;
using eq::report::number;

std::string size_text(const std::array<std::size_t, 3>& shape, const std::array<double, 3>& spacing) {
  std::string points, mm;
  for (std::size_t axis = 3; axis-- > (shape[0] > 1 ? 0U : 1U);) {
    points += (points.empty() ? "" : " x ") + std::to_string(shape[axis]);
    mm += (mm.empty() ? "" : " x ") + number(spacing[axis], 4);
  }
  return points + " points (x, y" + (shape[0] > 1 ? ", z" : "") + "), " + mm + " mm apart";
}

/// The unit of the doses behind a sign, where the files state it.
std::string with_unit(const GammaComparison& c, const std::string& sign) {
  const std::string unit = eq::as_utf8(dose_unit_of(c));
  return unit.empty() ? "" : sign + unit;
}

/// Name, size and hash of a file, its grid and the unit of its doses.
void add_file(std::vector<std::pair<std::string, std::string>>& facts, const std::string& role, const std::string& file,
              const psqa::DoseGrid& g) {
  facts.emplace_back(role, eq::as_utf8(file));
  facts.emplace_back("SHA-256, size",
                     eq::io::sha256_of_file(file) + ", " + std::to_string(fs::file_size(file)) + " bytes");
  const std::string unit = psqa::unit_of(g);
  facts.emplace_back(
      "Grid, unit", size_text(g.shape, g.spacing) + "; " +
                        (g.units == psqa::DoseUnits::unknown ? "the file does not state the unit of its doses" : unit));
}

/// What one file says of its patient or plan, or what both say where they differ.
std::string said_by(const std::string& reference, const std::string& evaluated) {
  if (reference.empty() && evaluated.empty()) return "not stated by the files";
  if (reference.empty() || evaluated.empty() || reference == evaluated)
    return eq::as_utf8(reference.empty() ? evaluated : reference);
  return eq::as_utf8(reference) + " (reference), " + eq::as_utf8(evaluated) + " (evaluated)";
}

/// Patient and plan, as the dose files and the plan state them.
void add_patient(std::vector<std::pair<std::string, std::string>>& facts, const GammaArguments& a) {
  const psqa::DoseDescription r = psqa::describe_dose(a.reference), e = psqa::describe_dose(a.evaluated);
  const auto patient = [](const psqa::DoseDescription& d) {
    if (d.patient.empty() || d.patient_name.empty() || d.patient == d.patient_name)
      return d.patient.empty() ? d.patient_name : d.patient;
    return d.patient + ", " + d.patient_name;
  };
  facts.emplace_back("Patient", said_by(patient(r), patient(e)));
  if (!a.plan.empty()) {
    const psqa::Plan plan = psqa::read_plan(a.plan);
    facts.emplace_back("Plan", eq::as_utf8((plan.label.empty() ? "" : plan.label + ", ") + a.plan));
  }
  if (a.plan.empty() || !r.plan.empty() || !e.plan.empty())
    facts.emplace_back(a.plan.empty() ? "Plan (UID)" : "Plan's UID", said_by(r.plan, e.plan));
}

std::vector<std::pair<std::string, std::string>> head(const GammaComparison& c) {
  const GammaArguments& a = c.arguments;
  const psqa::GammaCriteria& k = c.outcomes.front().criteria;
  std::vector<std::pair<std::string, std::string>> out;
  add_patient(out, a);
  add_file(out, "Reference (judged)", a.reference, c.reference);
  add_file(out, "Evaluated (searched)", a.evaluated, c.evaluated);
  const bool maximum = a.norm == "reference" || a.norm == "evaluated";
  out.emplace_back("Gamma", std::string(k.local ? "local" : "global") + ", norm dose " + number(*k.norm, 6) +
                                with_unit(c, " ") +
                                (maximum ? " (maximum of the " + a.norm + " dose)" : " (as given)") + ", cut-off " +
                                number(k.cutoff_percent, 6) + " % of it, values capped at " + number(k.max_gamma, 4));
  out.emplace_back("Place", moved_text(a).empty() ? "as the files say" : moved_text(a));
  for (const std::string& note : c.notes) out.emplace_back("Note", eq::as_utf8(note));
  out.emplace_back("Date", date_now());
  out.emplace_back("Version", "psqa " + std::string(eq::version) + ", research software, not a medical device");
  out.emplace_back("Command", eq::as_utf8(command_line()));
  return out;
}

/// What came out at one criterion, in a sentence.
std::string sentence_of(const GammaOutcome& o) {
  const psqa::GammaResult& r = o.result;
  const auto failing = std::count_if(r.map.begin(), r.map.end(), [](float v) { return v > 1; });
  std::string out = "At " + psqa::text_of(o.criterion) + ", " + fixed(r.pass_rate, 2) + " % of the " +
                    std::to_string(r.evaluated) + " judged points agree";
  if (o.criteria.max_gamma > 1)
    out += ", " + std::to_string(failing) + (failing == 1 ? " point does" : " points do") + " not";
  return out + ".";
}

void verdict(eq::report::Page& page, const GammaComparison& c) {
  page.heading("Verdict");
  bool known = false;
  for (const GammaOutcome& o : c.outcomes) {
    if (o.tg218.empty()) continue;
    known = true;
    const std::string open = "not judged: ";
    page.paragraph(o.tg218.starts_with(open)
                       ? "TG-218's universal limits give no verdict: " + o.tg218.substr(open.size()) +
                             " within the DTA; TG-218 tolerates 5 %."
                       : "By the universal limits of TG-218 at 3 %/2 mm this comparison is " + o.tg218 + ".");
  }
  for (const GammaOutcome& o : c.outcomes) page.paragraph(sentence_of(o));
  if (!known)
    page.paragraph(
        "TG-218's universal limits (95 % and 90 %) hold at 3 %/2 mm, global, with a cut-off of 10 % and absolute "
        "doses of planes or volumes, which was not asked for here: this page gives no verdict by them.");
}

void criteria_table(eq::report::Page& page, const GammaComparison& c) {
  page.heading("Criteria");
  std::vector<std::vector<std::string>> rows;
  for (const GammaOutcome& o : c.outcomes)
    rows.push_back({psqa::text_of(o.criterion), fixed(o.result.pass_rate, 3) + " %", fixed(o.result.mean, 3),
                    gamma_text(o.distribution.median, o, 3), gamma_text(o.distribution.p95, o, 3),
                    gamma_text(o.distribution.p99, o, 3), gamma_text(o.result.max, o, 3),
                    std::to_string(o.result.evaluated), std::to_string(o.result.out_of_reach)});
  page.table({"criterion", "pass rate", "mean", "median", "95th", "99th", "max", "judged", "no dose near"}, rows);
  page.paragraph("Mean, percentiles and maximum are of gamma over the judged points of " +
                 std::to_string(c.outcomes.front().result.points) +
                 ". \"No dose near\": points above the cut-off without evaluated dose within the DTA, not judged.");
}

void histogram(eq::report::Page& page, const GammaComparison& c) {
  page.heading("Histogram of gamma");
  eq::report::Chart chart{.title = "share of the judged points in each tenth of gamma (the last: and more)",
                          .x_label = "gamma",
                          .y_label = "points, %",
                          .series = {},
                          .from_zero = true};
  for (const GammaOutcome& o : c.outcomes) {
    const psqa::GammaDistribution& d = o.distribution;
    eq::report::Series s{.name = psqa::text_of(o.criterion), .x = {}, .y = {}, .low = {}, .high = {}};
    for (std::size_t i = 0; i < d.counts.size(); ++i)  // a step for each bin
      for (const double edge : {d.edges[i], d.edges[i + 1]})
        s.x.push_back(edge),
            s.y.push_back(100 * static_cast<double>(d.counts[i]) / static_cast<double>(o.result.evaluated));
    chart.series.push_back(std::move(s));
  }
  page.chart(chart);
}

void worst(eq::report::Page& page, const GammaComparison& c, const GammaOutcome& o) {
  const std::vector<psqa::GammaPoint> points = worst_points_of(c, o);
  if (points.empty()) return;
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const psqa::GammaPoint& p = points[i];
    rows.push_back({std::to_string(i + 1), number(p.place[2], 5), number(p.place[1], 5), number(p.place[0], 5),
                    gamma_text(p.gamma, o, 3), number(p.reference, 5), number(p.evaluated, 5),
                    fixed(100 * (p.reference - p.evaluated) / *o.criteria.norm, 2)});
  }
  page.table({"worst point", "x, mm", "y, mm", "z, mm", "gamma", "reference" + with_unit(c, ", "),
              "evaluated" + with_unit(c, ", "), "difference, % of norm"},
             rows);
}

/// Of a profile: both doses, and gamma at each criterion, along x.
void profiles(eq::report::Page& page, const GammaComparison& c) {
  page.heading("Profiles");
  const psqa::DoseGrid& g = c.reference;
  const auto x = [&](std::size_t i) { return g.origin[2] + g.spacing[2] * static_cast<double>(i); };
  const auto line = [&](const std::string& name, const auto& value) {
    eq::report::Series s{.name = name, .x = {}, .y = {}, .low = {}, .high = {}};
    for (std::size_t i = 0; i < g.shape[2]; ++i)
      if (const double y = value(i); !std::isnan(y)) s.x.push_back(x(i)), s.y.push_back(y);
    return s;
  };
  const std::string unit = g.units == psqa::DoseUnits::unknown ? "" : ", " + psqa::unit_of(g);
  page.chart({.title = "doses",
              .x_label = "x, mm",
              .y_label = "dose" + unit,
              .series = {line("reference", [&](std::size_t i) { return g.values[i]; }),
                         line("evaluated",
                              [&](std::size_t i) {
                                return psqa::interpolated_dose(c.evaluated, {x(i), g.origin[1], g.origin[0]});
                              })},
              .from_zero = true});
  eq::report::Chart gamma{
      .title = "gamma; up to 1 passes", .x_label = "x, mm", .y_label = "gamma", .series = {}, .from_zero = true};
  for (const GammaOutcome& o : c.outcomes)
    gamma.series.push_back(
        line(psqa::text_of(o.criterion), [&](std::size_t i) { return static_cast<double>(o.result.map[i]); }));
  page.chart(gamma);
  worst(page, c, c.outcomes.front());
}

void maps(eq::report::Page& page, const GammaComparison& c) {
  const GammaOutcome& first = c.outcomes.front();
  page.heading("Maps at " + psqa::text_of(first.criterion));
  std::vector<eq::report::MapFigure> doses = dose_figures(c, first);
  eq::report::MapFigure difference = std::move(doses.back());
  doses.pop_back();
  page.row(std::vector{gamma_figure(c, first), std::move(difference)});
  page.row(doses);
  page.paragraph(
      std::string("Gamma: blue passes, red fails, grey was not judged; rings mark the worst points. ") +
      "Difference: red where the reference is higher. The evaluated dose is shown at the reference's points." +
      (c.reference.shape[0] > 1 ? " Of the volume the frame with the most failing points is shown." : ""));
  worst(page, c, first);
}

}  // namespace

void write_page(const fs::path& path, const GammaComparison& c) {
  eq::report::Page page("Gamma comparison");
  page.facts(head(c));
  verdict(page, c);
  page.heading("Warnings");
  std::vector<std::string> warnings;
  for (const std::string& w : c.warnings) warnings.push_back(eq::as_utf8(w));
  warnings.empty() ? page.paragraph("None.") : page.list(warnings);
  criteria_table(page, c);
  is_row(c.reference) ? profiles(page, c) : maps(page, c);
  histogram(page, c);
  page.heading("Reviewed");
  page.signature({"Name", "Date", "Signature"});
  page.write(path);
}

}  // namespace psqa_program
