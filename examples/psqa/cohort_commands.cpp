// SPDX-License-Identifier: MIT
/// \file
/// The command that makes virtual cohorts: simulate.

#include <cmath>
#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/io/new_folder.hpp>
#include <equipoise/psqa/cohort/acceptance.hpp>
#include <equipoise/psqa/cohort/extras.hpp>
#include <equipoise/psqa/cohort/reader.hpp>
#include <equipoise/psqa/cohort/simulate.hpp>
#include <equipoise/psqa/dicom/rtplan_writer.hpp>
#include <equipoise/psqa/simulator/noise_ceiling.hpp>
#include <equipoise/psqa/simulator/simulator.hpp>
#include <equipoise/report/numbers.hpp>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>

#include "cohort_options.hpp"
#include "command_line.hpp"
#include "maps_text.hpp"

namespace psqa_program {

namespace {

// ---- simulate

constexpr std::uint64_t kCeilingDeliveries = 5;

struct SimulateArguments : CohortArguments {
  std::string out = "cohort";
  unsigned threads = 0;
  std::int64_t ceiling = 12, volumes = 0;
  bool dicom = false, json = false;
  psqa::CohortExtras extras;
};

/// The folder appears when all of its files are written.
void write_dicom(const psqa::CohortSettings& settings, const fs::path& done) {
  const fs::path folder = done.string() + ".part";
  make_folder(folder);
  psqa::Simulator simulator(settings);
  Progress progress("writing DICOM");
  for (std::int64_t i = 0; i < settings.plans; ++i) {
    if (interrupted()) {
      fs::remove_all(folder);
      throw Interrupted("interrupted: the cohort is whole, but no DICOM files were written to " + done.string());
    }
    for (psqa::Record& r : simulator.records(i)) {
      for (psqa::DoseGrid* plane : {&r.planned, &r.measured}) {
        // All beams come from above, and the planes' middle is the isocentre. A field's plane lies along its leaves.
        const psqa::Beam& beam = r.plan.beams.at(0);
        plane->axes = settings.records == psqa::RecordsOf::fields
                          ? psqa::coronal_turned(psqa::mean_collimator_angle(beam))
                          : psqa::kCoronal;
        const std::array<double, 3> isocentre = psqa::along(*plane->axes, beam.isocentre);
        for (std::size_t axis = 0; axis < 3; ++axis) plane->origin[axis] += isocentre[axis];
      }
      psqa::write_rtplan(r.plan, folder / (r.plan.id + ".dcm"));
      psqa::write_rtdose(r.planned, r.plan, "planned", folder / (r.plan.id + "_planned.dcm"));
      psqa::write_rtdose(r.measured, r.plan, "measured", folder / (r.plan.id + "_measured.dcm"));
    }
    progress.show(i + 1, settings.plans);
  }
  fs::rename(folder, done);
}

/// The first plans in a water phantom: doses as NPY [N, 48, 64, 64], 3D passing rates as a table.
void write_volumes(const SimulateArguments& a) {
  const psqa::Phantom phantom;
  const auto n = static_cast<std::size_t>(std::min(a.volumes, a.settings.plans));
  const std::vector<std::size_t> shape(phantom.shape.begin(), phantom.shape.end());
  const fs::path out = a.out;
  eq::io::NpyWriter<float> planned(out / "planned_3d.npy", shape), measured(out / "measured_3d.npy", shape);
  eq::io::AtomicFile table(out / "volumes.csv");
  std::string header = "id";
  for (const psqa::NamedCriteria& c : psqa::kCriteria) header += ",gpr_3d" + std::string(c.name).substr(3);
  table.write(header + "\n");
  psqa::Simulator simulator(a.settings);
  Progress progress("volumes");
  for (std::size_t i = 0; i < n; ++i) {
    if (interrupted()) throw Interrupted("interrupted: no volumes were written to " + a.out);
    const psqa::VolumeRecord r = simulator.volume(static_cast<std::int64_t>(i), phantom);
    planned.append(std::vector<float>(r.planned.values.begin(), r.planned.values.end()));
    measured.append(std::vector<float>(r.measured.values.begin(), r.measured.values.end()));
    eq::TextWriter line;
    line << r.plan.id << std::setprecision(8);
    for (const double g : r.gpr) line << ',' << g;
    line << '\n';
    table.write(line.str());
    progress.show(static_cast<std::int64_t>(i) + 1, static_cast<std::int64_t>(n));
  }
  planned.commit(), measured.commit(), table.commit();
}

/// Whether it is known where a property should lie.
bool has_band(const psqa::AcceptanceRow& r) {
  return std::isfinite(r.low) || std::isfinite(r.high);
}

/// Where a property should lie; open bands as what they mean.
std::string band_of(const psqa::AcceptanceRow& r) {
  if (!has_band(r)) return "no published band";
  if (std::isinf(r.low)) return "below 0";
  if (std::isinf(r.high)) return "above 0";
  const bool open = r.low > 0 && r.low < 1e-6;
  if (open) return "(0, " + eq::report::number(r.high, 3) + "]";
  return "[" + eq::report::number(r.low, 3) + ", " + eq::report::number(r.high, 3) + "]";
}

void print_acceptance(const std::vector<psqa::AcceptanceRow>& rows) {
  for (const psqa::AcceptanceRow& r : rows)
    std::cout << std::left << std::setw(50) << r.name << std::right << std::setw(9) << eq::report::fixed(r.value, 2)
              << " " << std::left << std::setw(9) << r.unit << " " << band_of(r)
              << (!has_band(r)   ? "\n"
                  : r.accepted() ? "  yes\n"
                                 : "  NO\n");
}

void simulate(SimulateArguments a) {
  catch_interrupts();
  choose_cohort(a);
  eq::io::check_new_folder(a.out);
  step("simulating " + counted(static_cast<std::size_t>(a.settings.plans), "plan") + " into " + a.out);
  psqa::DoseDifferenceStatistics differences;
  std::ptrdiff_t of_files = 0;  // records of real plans; the bands are of what is made here
  {
    Progress progress("simulated");
    psqa::simulate_cohort(
        a.settings, a.out,
        [&](std::int64_t plan, std::int64_t all, const psqa::Record& r) {
          if (interrupted()) throw Interrupted("interrupted: nothing was written to " + a.out);
          if (plan > static_cast<std::int64_t>(a.settings.real_plans.size()))
            differences.add<double>(r.planned.values, r.measured.values, a.settings.pixels);
          else
            ++of_files;
          progress.show(plan, all);
        },
        a.threads, a.extras);
  }
  if (a.dicom) write_dicom(a.settings, fs::path(a.out) / "dicom");
  if (a.volumes > 0) write_volumes(a);
  psqa::Cohort made = psqa::read_cohort_table(a.out);
  const std::size_t records = made.records.size();
  made.records.erase(made.records.begin(), made.records.begin() + of_files);
  const std::vector<psqa::AcceptanceRow> rows =
      made.records.empty() ? std::vector<psqa::AcceptanceRow>() : psqa::acceptance(made, differences.result());
  psqa::RateNumbers ceiling{};
  if (a.ceiling > 0) ceiling = psqa::noise_ceiling(a.settings, a.ceiling, kCeilingDeliveries, a.threads);
  if (a.json) {
    Json table = Json::array(), summary{{"cohort", a.out}, {"records", records}};
    summary["delivery_maps"] = map_names(a.extras.delivery_maps);
    const auto bound = [](double v) { return std::isfinite(v) ? Json(v) : Json(); };
    for (const psqa::AcceptanceRow& r : rows)
      table.push_back({{"name", r.name},
                       {"unit", r.unit},
                       {"value", r.value},
                       {"low", bound(r.low)},
                       {"high", bound(r.high)},
                       {"accepted", r.accepted()}});
    summary["acceptance"] = table;
    if (a.ceiling > 0) summary["noise_ceiling_points"] = ceiling;
    return print_json(summary);
  }
  print_acceptance(rows);
  if (records < 300) std::cout << "the bands are meant for at least 300 records\n";
  if (a.ceiling > 0) {
    std::vector<std::string> points;
    for (std::size_t c = 0; c < ceiling.size(); ++c)
      points.push_back(eq::report::fixed(ceiling[c], 2) + " (" + psqa::kCriteria[c].label + ")");
    const auto plans = static_cast<std::size_t>(std::min(a.ceiling, a.settings.plans));
    std::cout << "noise ceiling, " << counted(plans, "plan") << " delivered " << kCeilingDeliveries
              << " times, points: " << listed(points) << "\n";
  }
  std::cout << "cohort: " << a.out << ", " << counted(records, "record") << maps_text(a.extras.delivery_maps) << "\n";
}

}  // namespace

void add_cohort_commands(CLI::App& app) {
  {
    auto a = std::make_shared<SimulateArguments>();
    CLI::App* c =
        app.add_subcommand("simulate", "Make a virtual cohort: plans, planned and measured planes, passing rates");
    add_cohort_options(*c, *a);
    c->add_option("--noise-ceiling", a->ceiling,
                  "deliver so many plans five times each and print how far rates differ; 0: do not")
        ->check(CLI::Range(0, 100000))
        ->capture_default_str();
    c->add_option("--volumes", a->volumes, "of so many plans also the dose in a water cylinder, with 3D passing rates")
        ->check(CLI::Range(0, 100000));
    c->add_option("--threads", a->threads, "0: all; the records do not depend on it")->capture_default_str();
    c->add_option("--out", a->out, "new folder")->capture_default_str();
    c->add_flag("--delivery-maps", a->extras.delivery_maps,
                "also write maps of what each plan asks of the machine (three times the size of the planes)");
    c->add_flag("--dicom", a->dicom, "also write each plan as RTPLAN and its planes as RTDOSE");
    c->add_flag("--json", a->json, "print the acceptance table as JSON");
    c->callback([=] { simulate(*a); });
  }
}

}  // namespace psqa_program
