// SPDX-License-Identifier: MIT
/// \file
/// The command import: a cohort of plans, planes, logs and patients that there are.

#include <algorithm>
#include <equipoise/core/base/utf8.hpp>
#include <equipoise/io/new_folder.hpp>
#include <equipoise/psqa/cohort/description.hpp>
#include <equipoise/psqa/cohort/extras.hpp>
#include <equipoise/psqa/cohort/import.hpp>
#include <equipoise/psqa/cohort/writer.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "command_line.hpp"
#include "delivery_options.hpp"
#include "dose_pair_options.hpp"
#include "maps_text.hpp"
#include "number_options.hpp"

namespace psqa_program {

namespace {

struct ImportArguments : DeliveryArguments {
  std::vector<std::string> paths;
  std::string out;
  psqa::ImportOptions options;
  DosePairOptions pair;
  std::string rows_from = "bottom", machine_qa;
  bool json = false, delivery_maps = false;
};

/// The reason without the file's name, which is said before it.
std::string without_path(std::string reason, const fs::path& path) {
  const std::string prefix = path.string() + ": ";
  if (const std::size_t at = reason.find(prefix); at != std::string::npos) reason.erase(at, prefix.size());
  return reason;
}

/// An import under way: records, and what was skipped and why.
class Importing {
 public:
  explicit Importing(const ImportArguments& a) : a_(a), simulator_(a.settings) {}

  void run() {
    catch_interrupts();
    eq::io::check_new_folder(a_.out);
    if (!a_.machine_qa.empty()) read_machines();
    for (const psqa::ImportItem& item : items()) {
      if (interrupted()) throw Interrupted("interrupted: nothing was written to " + a_.out);
      try {
        take(item);
      } catch (const std::exception& e) {
        skip(item.path, e.what());
        for (const fs::path& plane : {item.planned, item.measured})
          if (!plane.empty()) skip(plane, "its plan " + item.path.filename().string() + " is skipped");
      }
    }
    if (records_.empty())
      throw eq::ValueError(eq::message("value.212", "import", "none of what was given could be imported"));
    warn_of_machines();
    warn_of_patients();
    write();
    if (a_.json)
      return print_json({{"cohort", a_.out},
                         {"records", records_.size()},
                         {"measured", count_of("measured")},
                         {"logged", count_of("logged")},
                         {"simulated", count_of("simulated")},
                         {"normalise", a_.options.normalise ? Json(eq::name_of(*a_.options.normalise)) : Json(nullptr)},
                         {"delivery_maps", map_names(a_.delivery_maps)},
                         {"machines", machines_.machines.size()},
                         {"sources", sources_},
                         {"skipped", skipped_}});
    std::cout << "imported " << counted(records_.size(), "record") << " into " << a_.out << ": " << count_of("measured")
              << " measured, " << count_of("logged") << " logged, " << count_of("simulated") << " simulated; skipped "
              << skipped_.size() << maps_text(a_.delivery_maps) << "\n";
  }

 private:
  /// How many records are of a source; "simulated" are also the simulated deliveries of real plans.
  [[nodiscard]] std::size_t count_of(std::string_view source) const {
    return static_cast<std::size_t>(
        std::count_if(records_.begin(), records_.end(), [&](const auto& r) { return r.source.starts_with(source); }));
  }

  void skip(const fs::path& path, const std::string& why) {
    const std::string reason = without_path(why, path);
    std::cerr << "skipped " << path.string() << ": " << reason << "\n";
    skipped_.push_back({{"file", eq::as_utf8(path.string())}, {"reason", eq::as_utf8(reason)}});
  }

  /// What can become a record, each file once; all else is skipped.
  std::vector<psqa::ImportItem> items() {
    std::vector<psqa::ImportItem> all, out;
    std::set<fs::path> seen, planes;
    for (const std::string& path : a_.paths) try {
        const std::vector<psqa::ImportItem> found = psqa::find_imports(path);
        if (found.empty()) skip(path, "an empty folder");
        for (const psqa::ImportItem& item : found) {
          if (!seen.insert(fs::weakly_canonical(item.path)).second) continue;
          all.push_back(item);
          for (const fs::path& plane : {item.planned, item.measured})
            if (!plane.empty()) planes.insert(fs::weakly_canonical(plane));
        }
      } catch (const std::exception& e) {
        skip(path, e.what());
      }
    for (const psqa::ImportItem& item : all)
      if (item.kind != psqa::ImportKind::none)
        out.push_back(item);
      else if (!planes.count(fs::weakly_canonical(item.path)))
        skip(item.path, item.reason);
    return out;
  }

  void take(const psqa::ImportItem& item) {
    psqa::ImportedRecord r = psqa::import_record(item, simulator_, records_.size(), a_.options);
    for (const std::string& w : r.warnings) std::cerr << "warning: " << w << "\n";
    for (const std::string& note : r.notes) std::cerr << "note: " << note << "\n";
    r.record.id = take_name(r.record.id, ids_);
    Json source{{"id", r.record.id}, {"source", r.source}, {"file", eq::as_utf8(item.path.string())}};
    if (item.kind == psqa::ImportKind::rtplan) source["fraction_group"] = a_.options.plan.fraction_group;
    if (!item.planned.empty())
      source["planes"] = {eq::as_utf8(item.planned.string()), eq::as_utf8(item.measured.string())};
    if (!r.notes.empty()) {
      source["notes"] = Json::array();
      for (const std::string& note : r.notes) source["notes"].push_back(eq::as_utf8(note));
    }
    sources_.push_back(std::move(source));
    if (a_.delivery_maps) maps_.push_back(psqa::delivery_maps(r.plan, psqa::maps_plane(a_.settings)));
    if (r.plan.patient.empty()) ++without_patient_;
    r.plan = {};  // its metrics are in the record, and all records are kept until they are written
    records_.push_back(std::move(r));
  }

  /// The machines of the user's file, named as `records.csv` names them.
  void read_machines() {
    machines_ = psqa::read_machines(a_.machine_qa);
    for (const std::string& w : machines_.warnings) std::cerr << "warning: " << a_.machine_qa << ": " << w << "\n";
    for (psqa::MachineQa& m : machines_.machines)
      m.machine = psqa::table_text(m.machine), m.clinic = psqa::table_text(m.clinic);
  }

  /// Names the machines that the user's file lacks.
  void warn_of_machines() const {
    std::map<std::string, std::size_t> missing;
    for (const psqa::ImportedRecord& r : records_)
      if (!a_.machine_qa.empty() && machines_.find(r.record.machine) == nullptr) ++missing[r.record.machine];
    for (const auto& [machine, n] : missing)
      std::cerr << "warning: " << a_.machine_qa << ": no machine \"" << machine << "\", on which " << n
                << (n == 1 ? " record was delivered\n" : " records were delivered\n");
  }

  /// Splits and intervals take records of one patient together, and can only do that where the files name the patient.
  void warn_of_patients() const {
    if (without_patient_ == 0) return;
    std::cerr << "warning: " << counted(without_patient_, "record")
              << (without_patient_ == 1 ? " has no patient ID and counts as a patient of its own"
                                        : " have no patient ID and count as patients of their own")
              << ". Where some are of one patient, write the same name into the column patient of "
              << (fs::path(a_.out) / "records.csv").string()
              << ": else a model is tested on patients that it was trained on\n";
  }

  void write() const {
    const std::size_t n = a_.settings.pixels;
    Json simulated = psqa::delivery_description(a_.settings), planes = simulated["planes"];
    simulated.erase("planes"), planes.erase("geometry"), planes["unit"] = "Gy";
    if (a_.options.normalise) planes["normalise"] = eq::name_of(*a_.options.normalise);
    psqa::CohortWriter writer(a_.out,
                              {{"schema", psqa::kCohortSchema},
                               {"provenance", "imported"},
                               {"records", 0},
                               {"records_of", eq::name_of(a_.settings.records)},
                               {"planes", planes},
                               {psqa::kSimulatedDeliveries, simulated},
                               {"sources", sources_},
                               {"skipped", skipped_}},
                              n, n, psqa::table_metrics());
    if (a_.delivery_maps) psqa::keep_delivery_maps(writer, a_.settings);
    for (std::size_t i = 0; i < records_.size(); ++i) {
      writer.append(records_[i].record, records_[i].planned, records_[i].measured);
      if (a_.delivery_maps) writer.append_maps(maps_[i].values);
    }
    if (!a_.machine_qa.empty()) psqa::add_machines(writer, machines_.machines, std::nullopt);
    writer.commit();
  }

  const ImportArguments& a_;
  psqa::Simulator simulator_;
  std::vector<psqa::ImportedRecord> records_;
  std::vector<psqa::DeliveryMaps> maps_;  ///< of each record, where they are asked for
  psqa::MachineTable machines_;
  std::set<std::string> ids_;
  std::size_t without_patient_ = 0;
  Json skipped_ = Json::array(), sources_ = Json::array();
};

}  // namespace

void add_import_command(CLI::App& app) {
  auto a = std::make_shared<ImportArguments>();
  CLI::App* c = app.add_subcommand(
      "import",
      "Make a cohort of plans (" + listed(psqa::plan_file_names()) +
          ", with <plan>_planned.* and <plan>_measured.* beside them, or delivered in simulation), delivery logs (" +
          listed(psqa::log_file_names()) + "), OpenKBP patients, and folders of these");
  c->add_option("paths", a->paths, "files and folders; folders with all that is below them")
      ->required()
      ->check(a_file());
  c->add_option("--out", a->out, "new folder")->required();
  c->add_option("--spacing", a->options.spacing_mm,
                "mm between the points of " + listed(psqa::file_names_without_spacing(), " and ") + " planes")
      ->check(above_zero());
  c->add_option("--rows-from", a->rows_from,
                "whether the first row of " + listed(psqa::file_names_without_spacing(), " and ") +
                    " planes has the lowest or the highest y")
      ->check(CLI::IsMember({"bottom", "top"}))
      ->capture_default_str();
  c->add_option("--fraction-group", a->options.plan.fraction_group, "which of a plan's fraction groups, from 0")
      ->check(not_negative())
      ->capture_default_str();
  add_dose_pair_options(*c, a->pair, 2, "from the beam axis as x,y; by default 0,0");
  add_delivery_options(*c, *a);
  add_choice(*c, "--records", a->settings.records,
             "what a record is: a plan, whose beams planes and maps show turned by the collimator's angle; or a single "
             "field, with planes and maps along its leaves");
  c->add_flag("--delivery-maps", a->delivery_maps, "also write maps of what each plan asks of the machine");
  c->add_option("--machine-qa", a->machine_qa, "table of what monthly QA measured of the machines (machines.csv)");
  c->add_flag("--json", a->json, "print what was imported and skipped as JSON");
  c->callback([=] {
    if (a->rows_from == "top") a->options.rows_from = psqa::RowsFrom::top;
    a->settings.mismatch = psqa::usual_mismatch(a->settings.records);
    set_mismatches(*a);
    check_dose_pair_options(a->pair);
    a->options.normalise = a->pair.normalise, a->options.prescription_Gy = a->pair.prescription;
    if (a->pair.at.size() > 1) a->options.at = {a->pair.at[0], a->pair.at[1]};
    Importing(*a).run();
  });
}

}  // namespace psqa_program
