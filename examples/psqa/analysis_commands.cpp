// SPDX-License-Identifier: MIT
/// \file
/// Commands that judge plans and measurements: complexity, gamma, tg218.

#include <cmath>
#include <equipoise/io/npy.hpp>
#include <equipoise/io/png.hpp>
#include <equipoise/psqa/complexity.hpp>
#include <equipoise/psqa/gamma.hpp>
#include <equipoise/psqa/plane_reader.hpp>
#include <equipoise/psqa/rtplan_reader.hpp>
#include <equipoise/psqa/tg218.hpp>
#include <equipoise/report/svg.hpp>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>

#include "common.hpp"

namespace psqa_program {

namespace {

namespace eq = equipoise;
namespace psqa = equipoise::psqa;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json number_or_null(double v) {
  return std::isfinite(v) ? Json(v) : Json(nullptr);
}

Json to_json(const psqa::MetricList& list) {
  Json out;
  for (const auto& [name, value] : list) out[name] = number_or_null(value);
  return out;
}

// ---- complexity

struct ComplexityArguments {
  std::vector<std::string> files, choices;
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
    std::cout << indent << std::left << std::setw(18) << name << eq::report::number(value, 6) << "\n";
}

void complexity(const ComplexityArguments& a) {
  psqa::ComplexityChoices choices;
  for (const std::string& text : a.choices) {
    const std::size_t at = text.find('=');
    if (at == std::string::npos)
      throw eq::ValueError(eq::message("value.212", "--choice", "expected key=value, got \"", text, "\""));
    eq::set_option(choices, text.substr(0, at), text.substr(at + 1), "--choice");
  }
  Json plans;
  for (const std::string& file : a.files) {
    const psqa::Plan plan = psqa::read_rtplan(file);
    const psqa::Complexity c = psqa::complexity(plan, choices);
    for (const std::string& w : plan.warnings) std::cerr << "warning: " << file << ": " << w << "\n";
    Json beams = Json::array();
    for (const psqa::BeamComplexity& b : c.beams) beams.push_back(to_json(b, a.per_control_point));
    plans[fs::path(file).filename().string()] = {{"plan", to_json(c.plan)}, {"beams", std::move(beams)}};
    if (a.json) continue;
    std::cout << file << ": " << c.beams.size() << " beams\n";
    print(c.plan, "  ");
    for (const psqa::BeamComplexity& b : c.beams)
      if (a.per_beam) std::cout << "  beam " << b.number << "\n", print(b.metrics, "    ");
  }
  if (!a.json) return;
  Json chosen;
  for (const auto& [key, value] : eq::options(choices)) chosen[key] = value;
  print_json({{"choices", chosen}, {"plans", plans}});
}

// ---- gamma

struct GammaArguments {
  std::string reference, evaluated, map, search = "exact", space = "auto";
  psqa::GammaCriteria criteria;
  psqa::GammaExecution execution;
  double spacing = 1, norm = 0, pitch = 0;
  bool json = false;
};

/// Of a volume, the frame with the most points that fail.
std::size_t worst_frame(const psqa::DoseGrid& g, const std::vector<float>& map) {
  const std::size_t size = g.shape[1] * g.shape[2];
  std::size_t worst = 0;
  std::ptrdiff_t most = -1;
  for (std::size_t k = 0; k < g.shape[0]; ++k) {
    const auto first = map.begin() + static_cast<std::ptrdiff_t>(k * size);
    const auto failing = std::count_if(first, first + static_cast<std::ptrdiff_t>(size), [](float v) { return v > 1; });
    if (failing > most) most = failing, worst = k;
  }
  return worst;
}

void write_map(const fs::path& path, const psqa::DoseGrid& reference, const psqa::GammaResult& result, double top) {
  const std::vector<std::size_t> shape(reference.shape.begin() + (reference.shape[0] == 1 ? 1 : 0),
                                       reference.shape.end());
  if (path.extension() == ".npy") return eq::io::write_npy<float>(path, shape, result.map);
  const std::size_t size = reference.shape[1] * reference.shape[2], frame = worst_frame(reference, result.map);
  // Blue passes, white is the limit, red fails; grey was not evaluated.
  const auto colour = [&](double g) {
    return std::isnan(g) ? eq::io::Rgb{225, 225, 225}
                         : eq::io::diverging_colour(g <= 1 ? g - 1 : (g - 1) / std::max(top - 1, 0.1));
  };
  const std::size_t zoom = std::max<std::size_t>(1, 600 / std::max(reference.shape[1], reference.shape[2]));
  eq::io::write_bytes(path, eq::io::map_png<float>(std::span(result.map).subspan(frame * size, size),
                                                   reference.shape[2], reference.shape[1], colour, zoom));
}

psqa::GammaResult judge(const GammaArguments& a, const psqa::DoseGrid& reference, const psqa::DoseGrid& evaluated) {
  if (a.search == "wendling")
    return psqa::gamma(reference, evaluated, a.criteria, psqa::WendlingSearch{.pitch_mm = a.pitch}, a.execution);
  if (a.search == "classic") return psqa::gamma(reference, evaluated, a.criteria, psqa::ClassicSearch{}, a.execution);
  return psqa::gamma(reference, evaluated, a.criteria, psqa::ExactMinimum<>{}, a.execution);
}

void gamma(GammaArguments a) {
  // The evaluated distribution is interpolated: of a detector's file it is the plane between its elements.
  const psqa::DoseGrid reference = psqa::read_dose(a.reference, a.spacing),
                       evaluated = psqa::read_dose(a.evaluated, a.spacing, true);
  if (a.norm > 0) a.criteria.norm = a.norm;
  if (a.space == "slices") a.criteria.space = psqa::GammaSpace::slices;
  if (a.space == "volume") a.criteria.space = psqa::GammaSpace::volume;
  if (a.space == "plane") a.criteria.space = psqa::GammaSpace::plane;
  const psqa::GammaResult r = judge(a, reference, evaluated);
  if (!a.map.empty()) write_map(a.map, reference, r, a.criteria.max_gamma);
  if (a.json) {
    print_json({{"pass_rate", number_or_null(r.pass_rate)},
                {"mean", number_or_null(r.mean)},
                {"max", number_or_null(r.max)},
                {"min", number_or_null(r.least)},
                {"variance", number_or_null(r.variance)},
                {"evaluated", r.evaluated},
                {"out_of_reach", r.out_of_reach},
                {"points", r.points},
                {"criteria",
                 {{"dd_percent", a.criteria.dd_percent},
                  {"dta_mm", a.criteria.dta_mm},
                  {"normalisation", a.criteria.local ? "local" : "global"},
                  {"norm", a.norm > 0 ? Json(a.norm) : Json("maximum of evaluated")},
                  {"cutoff_percent", a.criteria.cutoff_percent},
                  {"max_gamma", a.criteria.max_gamma},
                  {"space", a.space},
                  {"search", a.search == "exact" ? "exact minimum" : a.search}}}});
    return;
  }
  const bool tg218 = a.criteria.dd_percent == 3 && a.criteria.dta_mm == 2 && !a.criteria.local;
  std::cout << "gamma " << a.criteria.dd_percent << " %/" << a.criteria.dta_mm << " mm, "
            << (a.criteria.local ? "local" : "global") << ", cut-off " << a.criteria.cutoff_percent
            << " %\n  pass rate  " << eq::report::fixed(r.pass_rate, 3) << " %\n  mean       "
            << eq::report::fixed(r.mean, 4) << "\n  max        " << eq::report::fixed(r.max, 4) << "\n  points     "
            << r.evaluated << " of " << r.points << " evaluated";
  if (r.out_of_reach > 0) std::cout << ", " << r.out_of_reach << " without evaluated dose in reach";
  std::cout << "\n";
  if (tg218)
    std::cout << "  TG-218     "
              << (r.pass_rate >= psqa::kUniversalTolerance ? "within tolerance (95 %)"
                  : r.pass_rate >= psqa::kUniversalAction  ? "below tolerance (95 %), above action (90 %)"
                                                           : "below the action limit (90 %)")
              << "\n";
}

// ---- tg218

void tg218(const std::string& file, const std::string& column, bool json) {
  const psqa::detail::TextFile text(file);
  std::vector<double> rates;
  std::optional<std::size_t> at;
  for (std::size_t i = 0; i < text.lines().size(); ++i) {
    const auto cells = psqa::detail::cells_of(psqa::detail::trimmed(text.lines()[i]), ',');
    if (cells.empty()) continue;
    if (!at) {
      for (std::size_t c = 0; c < cells.size(); ++c)
        if (psqa::detail::trimmed(cells[c]) == column) at = c;
      if (at) continue;
      if (!psqa::detail::to_number(cells[0]))
        text.fail(i, "expected a column \"" + column + "\" or rates, got neither");
      at = 0;
    }
    if (cells.size() <= *at)
      text.fail(i, "expected " + std::to_string(*at + 1) + " columns, got " + std::to_string(cells.size()));
    rates.push_back(text.number(i, cells[*at]));
  }
  const psqa::ControlChart c = psqa::control_chart(rates);
  if (json) {
    Json out = Json::array();
    for (const std::size_t i : c.out_of_control) out.push_back(i + 1);
    return print_json({{"results", c.results},
                       {"mean", c.mean},
                       {"sd", c.sd},
                       {"mean_moving_range", c.moving_range},
                       {"tolerance_limit", c.tolerance},
                       {"action_limit", c.action},
                       {"universal",
                        {{"tolerance", 95},
                         {"action", 90},
                         {"below_tolerance", c.below_universal_tolerance},
                         {"below_action", c.below_universal_action}}},
                       {"out_of_control", out}});
  }
  std::cout << "TG-218 limits of " << c.results << " results (mean " << eq::report::fixed(c.mean, 2) << " %, SD "
            << eq::report::fixed(c.sd, 2) << ", mean moving range " << eq::report::fixed(c.moving_range, 2)
            << ")\n  tolerance limit  " << eq::report::fixed(c.tolerance, 2)
            << " %   (universal 95 %: " << c.below_universal_tolerance << " below)\n  action limit     "
            << eq::report::fixed(c.action, 2) << " %   (universal 90 %: " << c.below_universal_action
            << " below)\n  out of control   " << c.out_of_control.size();
  for (const std::size_t i : c.out_of_control) std::cout << (i == c.out_of_control[0] ? ": no. " : ", ") << i + 1;
  std::cout << "\n";
  if (c.results < 20) std::cout << "  fewer than 20 results: limits are preliminary\n";
}

void add_gamma_command(CLI::App& app) {
  auto a = std::make_shared<GammaArguments>();
  CLI::App* c = app.add_subcommand(
      "gamma", "Gamma index of two planes or volumes (RTDOSE, NPY, CSV, MapCHECK, PTW mcc, IBA opg, XiO)");
  c->add_option("reference", a->reference, "the distribution whose points are judged (the measurement)")->required();
  c->add_option("evaluated", a->evaluated, "the distribution that is interpolated (the plan)")->required();
  c->add_option("--dd", a->criteria.dd_percent, "dose difference, %")->capture_default_str();
  c->add_option("--dta", a->criteria.dta_mm, "distance to agreement, mm")->capture_default_str();
  c->add_flag("--local", a->criteria.local, "dose difference in % of the local dose");
  c->add_option("--cutoff", a->criteria.cutoff_percent, "leave out points below this % of the norm")
      ->capture_default_str();
  c->add_option("--norm", a->norm,
                "norm dose in the files' unit; by default the maximum of the evaluated distribution");
  c->add_option("--max-gamma", a->criteria.max_gamma, "values are capped here")->capture_default_str();
  c->add_option("--spacing", a->spacing, "mm between the points of NPY and CSV files")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  c->add_option("--search", a->search, "exact minimum, or the searches that others use")
      ->check(CLI::IsMember({"exact", "wendling", "classic"}))
      ->capture_default_str();
  c->add_option("--pitch", a->pitch, "mm between the samples of the wendling search; by default dta / 10");
  c->add_option("--space", a->space, "where to search: the plane, the slice at each frame's height, or all around")
      ->check(CLI::IsMember({"auto", "plane", "slices", "volume"}))
      ->capture_default_str();
  c->add_option("--threads", a->execution.threads, "0: all; the result does not depend on it")->capture_default_str();
  c->add_option("--map", a->map, "write the map as PNG (of a volume, its worst frame) or NPY");
  c->add_flag("--json", a->json, "print JSON");
  c->callback([=] { gamma(*a); });
}

}  // namespace

void add_analysis_commands(CLI::App& app) {
  {
    auto a = std::make_shared<ComplexityArguments>();
    CLI::App* c =
        app.add_subcommand("complexity", "Complexity metrics of RTPLAN files, per plan, beam and control point");
    c->add_option("plans", a->files, "RTPLAN files")->required();
    c->add_flag("--json", a->json, "print JSON, with the beams and the choices made");
    c->add_flag("--per-beam", a->per_beam, "also print each beam's metrics");
    c->add_flag("--per-control-point", a->per_control_point, "with --json: also each aperture's");
    c->add_option("--choice", a->choices,
                  "a reading of a formula as key=value (docs/complexity.md), e.g. aav_maximum=largest_gap");
    c->callback([=] { complexity(*a); });
  }
  add_gamma_command(app);
  {
    auto file = std::make_shared<std::string>(), column = std::make_shared<std::string>("gpr_3_2");
    auto json = std::make_shared<bool>(false);
    CLI::App* c = app.add_subcommand("tg218", "Tolerance and action limits of a list of passing rates after TG-218");
    c->add_option("file", *file, "one rate a line in the order of measurement, or a CSV file")->required();
    c->add_option("--column", *column, "of a CSV file")->capture_default_str();
    c->add_flag("--json", *json, "print JSON");
    c->callback([=] { tg218(*file, *column, *json); });
  }
}

}  // namespace psqa_program
