// SPDX-License-Identifier: MIT
/// \file
/// A comparison as text, JSON and rows of a table.

#include <algorithm>
#include <array>
#include <cmath>
#include <equipoise/core/base/utf8.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/csv.hpp>
#include <equipoise/report/numbers.hpp>
#include <iomanip>
#include <iostream>

#include "gamma_place.hpp"

namespace psqa_program {

namespace {

using eq::report::fixed;
using eq::report::number;

/// The norm dose with its unit.
std::string norm_text(const GammaComparison& c) {
  const std::string unit = dose_unit_of(c);
  return number(*c.outcomes.front().criteria.norm, 6) + " " + (unit.empty() ? "(no unit stated)" : unit);
}

std::string settings_of(const GammaComparison& c) {
  const psqa::GammaCriteria& k = c.outcomes.front().criteria;
  return std::string(k.local ? "local" : "global") + ", norm " + norm_text(c) + ", cut-off " +
         number(k.cutoff_percent, 6) + " %";
}

void print_histogram(const GammaOutcome& o) {
  const psqa::GammaDistribution& d = o.distribution;
  std::cout << "  histogram of gamma at " << psqa::text_of(o.criterion) << "\n";
  const std::size_t most = *std::max_element(d.counts.begin(), d.counts.end());
  for (std::size_t i = 0; i < d.counts.size(); ++i) {
    const double share = 100 * static_cast<double>(d.counts[i]) / static_cast<double>(o.result.evaluated);
    const bool last = i + 1 == d.counts.size();  // which holds what is capped
    std::cout << "    " << std::right << std::setw(4) << number(d.edges[i], 4) << (last ? " and more" : " - ")
              << std::left << std::setw(last ? 0 : 4) << (last ? "" : number(d.edges[i + 1], 4)) << std::right
              << std::setw(last ? 7 : 9) << d.counts[i] << std::setw(8) << fixed(share, 2) << " %  "
              << std::string(most ? 40 * d.counts[i] / most : 0, '#') << "\n";
  }
}

void print_one(const GammaComparison& c) {
  const GammaOutcome& o = c.outcomes.front();
  const psqa::GammaResult& r = o.result;
  std::cout << "gamma " << psqa::text_of(o.criterion) << ", " << settings_of(c) << "\n  pass rate  "
            << fixed(r.pass_rate, 3) << " %\n  mean       " << fixed(r.mean, 4) << "\n  median     "
            << gamma_text(o.distribution.median, o, 4) << "\n  95th, 99th " << gamma_text(o.distribution.p95, o, 4)
            << ", " << gamma_text(o.distribution.p99, o, 4) << "\n  max        " << gamma_text(r.max, o, 4)
            << "\n  points     " << r.evaluated << " of " << r.points << " evaluated";
  if (r.out_of_reach > 0) std::cout << ", " << r.out_of_reach << " without evaluated dose within the DTA";
  std::cout << "\n";
  if (!o.tg218.empty()) std::cout << "  TG-218     " << o.tg218 << "\n";
}

void print_table(const GammaComparison& c) {
  std::cout << "gamma of " << c.outcomes.size() << " criteria, " << settings_of(c) << ", "
            << c.outcomes.front().result.points << " points\n";
  std::size_t wide = 9;
  for (const GammaOutcome& o : c.outcomes) wide = std::max(wide, psqa::text_of(o.criterion).size());
  const auto line = [&](const std::string& name, const std::vector<std::string>& cells) {
    std::cout << "  " << std::left << std::setw(static_cast<int>(wide)) << name << std::right;
    for (const std::string& cell : cells) std::cout << std::setw(&cell == &cells.front() ? 11 : 9) << cell;
    std::cout << "\n";
  };
  line("criterion", {"pass rate", "mean", "median", "95th", "99th", "max", "judged", "no dose"});
  for (const GammaOutcome& o : c.outcomes)
    line(psqa::text_of(o.criterion),
         {fixed(o.result.pass_rate, 3) + " %", fixed(o.result.mean, 4), gamma_text(o.distribution.median, o, 4),
          gamma_text(o.distribution.p95, o, 4), gamma_text(o.distribution.p99, o, 4), gamma_text(o.result.max, o, 4),
          std::to_string(o.result.evaluated), std::to_string(o.result.out_of_reach)});
  for (const GammaOutcome& o : c.outcomes)
    if (!o.tg218.empty()) std::cout << "  TG-218 at " << psqa::text_of(o.criterion) << ": " << o.tg218 << "\n";
}

std::string space_of(const GammaComparison& c) {
  return c.arguments.space != "auto" ? c.arguments.space : c.reference.shape[0] == 1 ? "plane" : "volume";
}

Json criteria_json(const GammaComparison& c, const GammaOutcome& o) {
  const GammaArguments& a = c.arguments;
  const bool maximum = a.norm == "reference" || a.norm == "evaluated";
  return {{"dd_percent", o.criteria.dd_percent},
          {"dd_Gy", o.criterion.dd.gray ? Json(o.criterion.dd.value) : Json(nullptr)},
          {"dta_mm", o.criteria.dta_mm},
          {"dose_difference", o.criteria.local ? "local" : "global"},
          {"norm", maximum ? "maximum of " + a.norm : "given"},
          {"norm_dose", *o.criteria.norm},
          {"dose_unit", dose_unit_of(c).empty() ? Json(nullptr) : Json(eq::as_utf8(dose_unit_of(c)))},
          {"cutoff_percent", o.criteria.cutoff_percent},
          {"max_gamma", o.criteria.max_gamma},
          {"space", space_of(c)},
          {"search", a.search == "exact" ? "exact minimum" : a.search},
          {"pitch_mm", a.search != "wendling" ? Json(nullptr)
                       : a.pitch > 0          ? Json(a.pitch)
                                              : Json(o.criteria.dta_mm / 10)},
          {"rows_from", a.rows_from},
          {"flip_evaluated", a.flip.empty() ? Json(nullptr) : Json(a.flip)},
          {"shift_evaluated_mm", a.shift},
          {"centred", a.centre}};
}

Json outcome_json(const GammaComparison& c, const GammaOutcome& o) {
  const psqa::GammaResult& r = o.result;
  const psqa::GammaDistribution& d = o.distribution;
  Json worst = Json::array();
  for (const psqa::GammaPoint& p : worst_points_of(c, o))
    worst.push_back({{"x_mm", p.place[2]},
                     {"y_mm", p.place[1]},
                     {"z_mm", p.place[0]},
                     {"gamma", p.gamma},
                     {"reference", number_or_null(p.reference)},
                     {"evaluated", number_or_null(p.evaluated)}});
  return {{"pass_rate", number_or_null(r.pass_rate)},
          {"mean", number_or_null(r.mean)},
          {"median", number_or_null(d.median)},
          {"p95", number_or_null(d.p95)},
          {"p99", number_or_null(d.p99)},
          {"max", number_or_null(r.max)},
          {"min", number_or_null(r.min)},
          {"variance", number_or_null(r.variance)},
          {"evaluated", r.evaluated},
          {"out_of_reach", r.out_of_reach},
          {"points", r.points},
          {"tg218", o.tg218.empty() ? Json(nullptr) : Json(o.tg218)},
          {"histogram", {{"edges", d.edges}, {"counts", d.counts}}},
          {"worst_points", worst}};
}

Json texts(const std::vector<std::string>& lines) {
  Json out = Json::array();
  for (const std::string& line : lines) out.push_back(eq::as_utf8(line));
  return out;
}

Json pair_json(const GammaComparison& c) {
  const GammaArguments& a = c.arguments;
  return {{"files", {{"reference", eq::as_utf8(a.reference)}, {"evaluated", eq::as_utf8(a.evaluated)}}},
          {"spacing_mm", {{"reference", c.reference.spacing}, {"evaluated", c.evaluated.spacing}}},
          {"units", {{"reference", eq::name_of(c.reference.units)}, {"evaluated", eq::name_of(c.evaluated.units)}}},
          {"normalise", a.pair.normalise ? Json(eq::name_of(*a.pair.normalise)) : Json(nullptr)},
          {"notes", texts(c.notes)},
          {"warnings", texts(c.warnings)}};
}

}  // namespace

void print(const GammaComparison& c, bool histogram) {
  c.outcomes.size() == 1 ? print_one(c) : print_table(c);
  for (const std::string& line : c.notes) std::cout << "  note       " << line << "\n";
  if (const std::string moved = moved_text(c.arguments); !moved.empty()) std::cout << "  note       " << moved << "\n";
  if (!histogram) return;
  for (const GammaOutcome& o : c.outcomes) print_histogram(o);
}

Json to_json(const GammaComparison& c) {
  if (c.outcomes.size() == 1) {
    Json out = outcome_json(c, c.outcomes.front());
    out.update(pair_json(c));
    out["criteria"] = criteria_json(c, c.outcomes.front());
    return out;
  }
  Json out = pair_json(c);
  out["results"] = Json::array();
  for (const GammaOutcome& o : c.outcomes) {
    Json result = outcome_json(c, o);
    result["criteria"] = criteria_json(c, o);
    out["results"].push_back(std::move(result));
  }
  return out;
}

namespace {

/// Of the table, behind the files and the labels.
constexpr std::array kColumns = {"criterion",
                                 "dose_difference",
                                 "norm_dose",
                                 "dose_unit",
                                 "cutoff_percent",
                                 "max_gamma",
                                 "flip",
                                 "shift_x_mm",
                                 "shift_y_mm",
                                 "centred",
                                 "pass_rate_percent",
                                 "mean",
                                 "median",
                                 "p95",
                                 "p99",
                                 "max",
                                 "judged",
                                 "out_of_reach",
                                 "points",
                                 "tg218",
                                 "notes",
                                 "warnings",
                                 "error"};

}  // namespace

void GammaTable::add_row(const GammaArguments& a, const std::vector<std::string>& labels,
                         const psqa::GammaCriterion& criterion, const std::map<std::string, std::string>& figures) {
  std::map<std::string, std::string> known = {{"criterion", psqa::text_of(criterion)},
                                              {"dose_difference", a.shared.local ? "local" : "global"},
                                              {"cutoff_percent", eq::option_text(a.shared.cutoff_percent)},
                                              {"max_gamma", eq::option_text(a.shared.max_gamma)},
                                              {"flip", a.flip},
                                              {"shift_x_mm", eq::option_text(a.shift[0])},
                                              {"shift_y_mm", eq::option_text(a.shift[1])},
                                              {"centred", a.centre ? "yes" : "no"}};
  known.insert(figures.begin(), figures.end());
  std::string row = eq::io::csv_cell(a.reference) + "," + eq::io::csv_cell(a.evaluated);
  for (std::size_t i = 0; i < labels_.size(); ++i) row += "," + (i < labels.size() ? eq::io::csv_cell(labels[i]) : "");
  for (const std::string column : kColumns) row += "," + eq::io::csv_cell(known[column]);
  rows_.push_back(std::move(row));
}

void GammaTable::add(const GammaComparison& c, const std::vector<std::string>& labels) {
  const auto text = [](double v) { return std::isfinite(v) ? eq::option_text(v) : std::string(); };
  for (const GammaOutcome& o : c.outcomes) {
    const psqa::GammaResult& r = o.result;
    const psqa::GammaDistribution& d = o.distribution;
    add_row(c.arguments, labels, o.criterion,
            {{"norm_dose", text(*o.criteria.norm)},
             {"dose_unit", dose_unit_of(c)},
             {"pass_rate_percent", text(r.pass_rate)},
             {"mean", text(r.mean)},
             {"median", text(d.median)},
             {"p95", text(d.p95)},
             {"p99", text(d.p99)},
             {"max", text(r.max)},
             {"judged", std::to_string(r.evaluated)},
             {"out_of_reach", std::to_string(r.out_of_reach)},
             {"points", std::to_string(r.points)},
             {"tg218", o.tg218},
             {"notes", listed(c.notes, "; ", "; ")},
             {"warnings", listed(c.warnings, "; ", "; ")}});
  }
}

void GammaTable::add_failed(const GammaArguments& a, const std::vector<std::string>& labels, const std::string& why) {
  for (const psqa::GammaCriterion& criterion : a.criteria) add_row(a, labels, criterion, {{"error", why}});
}

std::string GammaTable::csv() const {
  std::string out = "reference,evaluated";
  for (const std::string& label : labels_) out += "," + eq::io::csv_cell(label);
  for (const std::string column : kColumns) out += "," + column;
  out += "\n";
  for (const std::string& row : rows_) out += row + "\n";
  return out;
}

void GammaTable::write(const fs::path& path) const {
  eq::io::AtomicFile file(path);
  file.write(csv());
  file.commit();
}

}  // namespace psqa_program
