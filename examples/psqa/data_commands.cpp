// SPDX-License-Identifier: MIT
/// \file
/// Commands on plans and doses: simulate, import, complexity, gamma.

#include <cmath>
#include <equipoise/io/npy.hpp>
#include <equipoise/io/png.hpp>
#include <equipoise/psqa/cohort.hpp>
#include <equipoise/psqa/rtdose_reader.hpp>
#include <equipoise/psqa/rtplan_reader.hpp>
#include <equipoise/psqa/rtplan_writer.hpp>
#include <equipoise/report/svg.hpp>
#include <filesystem>
#include <fstream>
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

Json to_json(const psqa::MetricList& list) {
  Json out;
  for (const auto& [name, value] : list) out[name] = std::isfinite(value) ? Json(value) : Json(nullptr);
  return out;
}

// ---- complexity

void complexity(const std::vector<std::string>& files, bool json) {
  Json plans;
  for (const std::string& file : files) {
    const psqa::Plan plan = psqa::read_rtplan(file);
    const psqa::Complexity c = psqa::complexity(plan);
    for (const std::string& w : plan.warnings) std::cerr << "warning: " << file << ": " << w << "\n";
    Json beams = Json::array();
    for (const psqa::BeamComplexity& b : c.beams) {
      Json beam{{"number", b.number}};
      beam.update(to_json(b.metrics));
      beams.push_back(std::move(beam));
    }
    plans[fs::path(file).filename().string()] = {{"plan", to_json(c.plan)}, {"beams", std::move(beams)}};
    if (json) continue;
    std::cout << file << ": " << c.beams.size() << " beams\n";
    for (const auto& [name, value] : c.plan)
      std::cout << "  " << std::left << std::setw(16) << name << eq::report::number(value, 6) << "\n";
  }
  if (json) print_json({{"plans", plans}});
}

// ---- gamma

/// A plane from DICOM, NPY [H, W] or CSV.
psqa::DoseGrid read_plane(const std::string& file, double spacing) {
  const std::string extension = fs::path(file).extension().string();
  if (extension == ".npy") {
    const eq::io::NpyArray<float> array = eq::io::read_npy<float>(file);
    if (array.shape.size() != 2)
      throw eq::FileError(
          eq::message("file.435", file, "expected a plane [H, W], got ", array.shape.size(), " dimensions"));
    psqa::DoseGrid g = psqa::DoseGrid::plane(array.shape[0], array.shape[1], spacing);
    g.values.assign(array.values.begin(), array.values.end());
    return g;
  }
  if (extension != ".csv") return psqa::read_rtdose(file);
  std::ifstream in(file);
  if (!in) throw eq::FileError(eq::message("file.401", file, "expected a readable file"));
  std::vector<double> values;
  std::size_t rows = 0, columns = 0;
  for (std::string line; std::getline(in, line);) {
    std::size_t n = 0;
    const char* at = line.c_str();
    for (char* end = nullptr;; at = end + (*end != 0)) {
      const double v = std::strtod(at, &end);
      if (end == at) break;
      values.push_back(v), ++n;
    }
    if (n == 0) continue;
    if (rows++ > 0 && n != columns)
      throw eq::FileError(eq::message("file.433", file, "line ", rows, ": expected ", columns, " columns, got ", n));
    columns = n;
  }
  if (rows == 0) throw eq::FileError(eq::message("file.433", file, "expected a table of doses, got none"));
  psqa::DoseGrid g = psqa::DoseGrid::plane(rows, columns, spacing);
  g.values = std::move(values);
  return g;
}

struct GammaArguments {
  std::string reference, evaluated, map;
  psqa::GammaCriteria criteria;
  double spacing = 1, norm = 0;
  bool json = false;
};

void write_map(const fs::path& path, const psqa::DoseGrid& reference, const psqa::GammaResult& result, double top) {
  if (path.extension() == ".npy") {
    const std::size_t shape[] = {reference.shape[1], reference.shape[2]};
    eq::io::write_npy<float>(path, shape, result.map);
  } else {
    const auto colour = [&](double g) {
      return std::isnan(g) ? eq::io::Rgb{235, 235, 235} : eq::io::diverging_colour(std::min(g, top) - 1);
    };
    eq::io::write_bytes(path, eq::io::map_png<float>(result.map, reference.shape[2], reference.shape[1], colour, 3));
  }
}

void gamma(GammaArguments a) {
  const psqa::DoseGrid reference = read_plane(a.reference, a.spacing), evaluated = read_plane(a.evaluated, a.spacing);
  if (a.norm > 0) a.criteria.norm = a.norm;
  const psqa::GammaResult r = psqa::gamma(reference, evaluated, a.criteria);
  if (!a.map.empty()) write_map(a.map, reference, r, a.criteria.max_gamma);
  const auto number = [](double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); };
  if (a.json) {
    print_json({{"pass_rate", number(r.pass_rate)},
                {"mean", number(r.mean)},
                {"max", number(r.max)},
                {"evaluated", r.evaluated},
                {"points", r.points},
                {"criteria",
                 {{"dd_percent", a.criteria.dd_percent},
                  {"dta_mm", a.criteria.dta_mm},
                  {"normalisation", a.criteria.local ? "local" : "global"},
                  {"cutoff_percent", a.criteria.cutoff_percent},
                  {"max_gamma", a.criteria.max_gamma},
                  {"search", "exact minimum"}}}});
    return;
  }
  std::cout << "gamma " << a.criteria.dd_percent << " %/" << a.criteria.dta_mm << " mm, "
            << (a.criteria.local ? "local" : "global") << ", cut-off " << a.criteria.cutoff_percent
            << " %\n  pass rate  " << eq::report::fixed(r.pass_rate, 3) << " %\n  mean       "
            << eq::report::fixed(r.mean, 4) << "\n  max        " << eq::report::fixed(r.max, 4) << "\n  points     "
            << r.evaluated << " of " << r.points << " evaluated\n";
}

// ---- simulate

void write_dicom(const psqa::CohortSettings& settings, const fs::path& folder) {
  fs::create_directories(folder);
  psqa::Simulator simulator(settings);
  Progress progress("writing DICOM");
  for (std::int64_t i = 0; i < settings.plans; ++i) {
    if (interrupted()) throw Interrupted("interrupted while writing " + folder.string());
    const psqa::Record r = simulator.record(i);
    psqa::write_rtplan(r.plan, folder / (r.plan.id + ".dcm"));
    psqa::write_rtdose(r.planned, r.plan, "planned", folder / (r.plan.id + "_planned.dcm"));
    psqa::write_rtdose(r.measured, r.plan, "measured", folder / (r.plan.id + "_measured.dcm"));
    progress.show(i + 1, settings.plans);
  }
}

void simulate(const psqa::CohortSettings& settings, const std::string& out, bool dicom, bool json) {
  step("simulating " + std::to_string(settings.plans) + " plans into " + out);
  {
    Progress progress("simulated");
    psqa::simulate_cohort(settings, out, [&](std::int64_t done, std::int64_t all) {
      if (interrupted()) throw Interrupted("interrupted: nothing was written to " + out);
      progress.show(done, all);
    });
  }
  if (dicom) write_dicom(settings, fs::path(out) / "dicom");
  const psqa::Cohort cohort = psqa::read_cohort(out);
  Json summary{{"cohort", out}, {"records", cohort.records.size()}};
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0, squares = 0, failing = 0;
    const double n = static_cast<double>(cohort.records.size());
    for (const psqa::CohortRecord& r : cohort.records)
      sum += r.gpr[c], squares += r.gpr[c] * r.gpr[c], failing += r.gpr[c] < 90;
    summary[psqa::kCriteria[c].name] = {{"mean", sum / n},
                                        {"sd", std::sqrt(std::max(squares / n - sum / n * sum / n, 0.0))},
                                        {"below_90_percent", 100 * failing / n}};
  }
  if (json) return print_json(summary);
  for (const psqa::NamedCriteria& c : psqa::kCriteria)
    std::cout << c.name << "  mean " << eq::report::fixed(summary[c.name]["mean"], 2) << " %, SD "
              << eq::report::fixed(summary[c.name]["sd"], 2)
              << ", below 90 %: " << eq::report::fixed(summary[c.name]["below_90_percent"], 1) << " % of plans\n";
  std::cout << "cohort: " << out << "\n";
}

// ---- import

/// The plane on the cohort's grid, bilinear, zero outside.
psqa::DoseGrid resampled(const psqa::DoseGrid& g, std::size_t pixels, double spacing) {
  psqa::DoseGrid out = psqa::DoseGrid::plane(pixels, pixels, spacing);
  for (std::size_t y = 0; y < pixels; ++y)
    for (std::size_t x = 0; x < pixels; ++x) {
      const double px = (out.origin[2] + static_cast<double>(x) * spacing - g.origin[2]) / g.spacing[2];
      const double py = (out.origin[1] + static_cast<double>(y) * spacing - g.origin[1]) / g.spacing[1];
      if (px < -1e-6 || py < -1e-6 || px > static_cast<double>(g.shape[2] - 1) + 1e-6 ||
          py > static_cast<double>(g.shape[1] - 1) + 1e-6)
        continue;
      const auto i = std::min(static_cast<std::size_t>(std::max(px, 0.0)), g.shape[2] - 2),
                 j = std::min(static_cast<std::size_t>(std::max(py, 0.0)), g.shape[1] - 2);
      const double fx = px - static_cast<double>(i), fy = py - static_cast<double>(j);
      out.at(0, y, x) = (1 - fy) * ((1 - fx) * g.at(0, j, i) + fx * g.at(0, j, i + 1)) +
                        fy * ((1 - fx) * g.at(0, j + 1, i) + fx * g.at(0, j + 1, i + 1));
    }
  return out;
}

struct Imported {
  psqa::CohortRecord record;
  psqa::DoseGrid planned, measured;
};

Imported import_one(const fs::path& file, std::size_t pixels, double spacing) {
  const psqa::Plan plan = psqa::read_rtplan(file);
  const auto plane = [&](const char* kind) {
    return resampled(psqa::read_rtdose(file.parent_path() / (file.stem().string() + "_" + kind + ".dcm")), pixels,
                     spacing);
  };
  Imported out{{file.stem().string(),
                plan.patient.empty() ? file.stem().string() : plan.patient,
                "unknown",
                plan.beams[0].machine,
                "unknown",
                {},
                psqa::table_row(plan)},
               plane("planned"),
               plane("measured")};
  out.record.gpr = psqa::detail::passing_rates(out.measured, out.planned);
  return out;
}

void import(const std::vector<std::string>& files, const std::string& out) {
  constexpr std::size_t pixels = 120;
  constexpr double spacing = 2;
  std::vector<Imported> records;
  for (const std::string& file : files) try {
      records.push_back(import_one(file, pixels, spacing));
    } catch (const std::exception& e) {
      std::cerr << "skipped: " << e.what() << "\n";
    }
  if (records.empty())
    throw eq::ValueError("import: none of the " + std::to_string(files.size()) + " files could be imported");
  Json about{{"schema", psqa::kCohortSchema},
             {"provenance", "imported"},
             {"records", records.size()},
             {"planes", {{"height", pixels}, {"width", pixels}, {"spacing_mm", spacing}, {"unit", "Gy"}}}};
  psqa::CohortWriter writer(out, about, records.size(), pixels, pixels, psqa::table_metrics());
  for (const Imported& r : records) writer.append(r.record, r.planned, r.measured);
  writer.commit();
  std::cout << "imported " << records.size() << " of " << files.size() << " plans into " << out << "\n";
}

}  // namespace

void add_data_commands(CLI::App& app) {
  {
    auto settings = std::make_shared<psqa::CohortSettings>();
    auto out = std::make_shared<std::string>("cohort");
    auto dicom = std::make_shared<bool>(false), json = std::make_shared<bool>(false);
    CLI::App* c =
        app.add_subcommand("simulate", "Make a virtual cohort: plans, planned and measured planes, passing rates");
    c->add_option("--plans", settings->plans, "number of plans")->check(CLI::Range(1, 1000000))->capture_default_str();
    c->add_option("--seed", settings->seed, "of all random numbers")->capture_default_str();
    c->add_option("--machines", settings->machines, "number of linacs")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    c->add_option("--out", *out, "new folder")->capture_default_str();
    c->add_flag("--dicom", *dicom, "also write each plan as RTPLAN and its planes as RTDOSE");
    c->add_flag("--json", *json, "print the summary as JSON");
    c->callback([=] { simulate(*settings, *out, *dicom, *json); });
  }
  {
    auto files = std::make_shared<std::vector<std::string>>();
    auto out = std::make_shared<std::string>();
    CLI::App* c = app.add_subcommand(
        "import",
        "Make a cohort of RTPLAN files with <plan>_planned.dcm and <plan>_measured.dcm (RTDOSE planes) beside them");
    c->add_option("plans", *files, "RTPLAN files")->required();
    c->add_option("--out", *out, "new folder")->required();
    c->callback([=] { import(*files, *out); });
  }
  {
    auto files = std::make_shared<std::vector<std::string>>();
    auto json = std::make_shared<bool>(false);
    CLI::App* c = app.add_subcommand("complexity", "Complexity metrics of RTPLAN files, per plan and beam");
    c->add_option("plans", *files, "RTPLAN files")->required();
    c->add_flag("--json", *json, "print JSON, with the beams");
    c->callback([=] { complexity(*files, *json); });
  }
  {
    auto a = std::make_shared<GammaArguments>();
    CLI::App* c = app.add_subcommand("gamma", "Gamma index of two planes (DICOM RTDOSE, NPY float32, CSV)");
    c->add_option("reference", a->reference, "the distribution whose points are judged (the measurement)")->required();
    c->add_option("evaluated", a->evaluated, "the distribution that is interpolated (the plan)")->required();
    c->add_option("--dd", a->criteria.dd_percent, "dose difference, %")->capture_default_str();
    c->add_option("--dta", a->criteria.dta_mm, "distance to agreement, mm")->capture_default_str();
    c->add_flag("--local", a->criteria.local, "dose difference in % of the local dose");
    c->add_option("--cutoff", a->criteria.cutoff_percent, "leave out points below this % of the norm")
        ->capture_default_str();
    c->add_option("--norm", a->norm, "norm dose, Gy (default: maximum of the evaluated plane)");
    c->add_option("--max", a->criteria.max_gamma, "largest value that is told apart")->capture_default_str();
    c->add_option("--spacing", a->spacing, "pixel spacing of NPY and CSV planes, mm")->capture_default_str();
    c->add_option("--map", a->map, "write the map to a .png or .npy file");
    c->add_flag("--json", a->json, "print JSON");
    c->callback([=] { gamma(*a); });
  }
}

}  // namespace psqa_program
