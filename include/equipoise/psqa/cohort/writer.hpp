// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Writes a cohort record by record, so that memory does not grow with it. A cohort is written
/// completely or not at all.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/new_folder.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/dose_grid.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

[[nodiscard]] inline std::string csv_line(const CohortRecord& r) {
  TextWriter out;
  out.precision(10);
  out << r.id << ',' << r.patient << ',' << r.site << ',' << r.machine << ',' << r.fault;
  const auto cell = [&](double v) {
    out << ',';
    if (!std::isnan(v)) out << v;
  };
  for (const double g : r.gpr) cell(g);
  for (const double m : r.metrics) cell(m);
  out << '\n';
  return std::move(out).str();
}

}  // namespace detail

/// Writes a cohort record by record, so that memory does not grow with it. Nothing appears under `folder` before
/// `commit`.
class CohortWriter {
 public:
  /// \throws FileError when the folder exists or cannot be made.
  /// \param about its "records" is their number, set at the end
  CohortWriter(const std::filesystem::path& folder, nlohmann::ordered_json about, std::size_t height, std::size_t width,
               std::vector<std::string> metrics)
      : folder_((folder / "").parent_path()),  // the same with a slash at its end
        temporary_(folder_.string() + ".part"),
        about_(std::move(about)) {
    io::check_new_folder(folder_);
    std::error_code error;
    std::filesystem::remove_all(temporary_, error);
    if (!std::filesystem::create_directories(temporary_, error))
      throw FileError(message("file.403", folder_.string(), "cannot be created: ", error.message()));
    planned_.emplace(temporary_ / "planned.npy", std::vector{height, width});
    measured_.emplace(temporary_ / "measured.npy", std::vector{height, width});
    table_.emplace(temporary_ / "records.csv");
    std::string header = "id,patient,site,machine,fault";
    for (const NamedCriteria& c : kCriteria) header += std::string(",") + c.name;
    for (const std::string& m : metrics) header += "," + m;
    table_->write(header + "\n");
  }
  CohortWriter(const CohortWriter&) = delete;
  CohortWriter& operator=(const CohortWriter&) = delete;
  ~CohortWriter() {
    planned_.reset(), measured_.reset(), maps_.reset(), table_.reset();
    std::error_code error;
    std::filesystem::remove_all(temporary_, error);
  }

  /// \param planned, measured [H, W] Gy per fraction  \throws FileError when they cannot be written
  void append(const CohortRecord& record, const DoseGrid& planned, const DoseGrid& measured) {
    planned_->append(std::vector<float>(planned.values.begin(), planned.values.end()));
    measured_->append(std::vector<float>(measured.values.begin(), measured.values.end()));
    table_->write(detail::csv_line(record));
    ++records_;
  }

  /// From here on the cohort also holds maps, described in `cohort.json` under `key`; every record needs them.
  /// \param shape of a record's maps
  void keep_maps(const char* file, const std::vector<std::size_t>& shape, const char* key,
                 nlohmann::ordered_json description) {
    about_[key] = std::move(description);
    maps_.emplace(temporary_ / file, shape);
  }
  /// The maps of the record that was appended last. \throws FileError when they cannot be written
  void append_maps(std::span<const float> maps) { maps_->append(maps); }

  /// Adds a text file, described in `cohort.json` under `key`. \throws FileError when it cannot be written
  void add_file(const char* name, const std::string& text, const char* key, nlohmann::ordered_json description) {
    about_[key] = std::move(description);
    io::AtomicFile file(temporary_ / name);
    file.write(text);
    file.commit();
  }

  /// Gives the folder its name. \throws FileError
  void commit() {
    planned_->commit(), measured_->commit(), table_->commit();
    if (maps_) maps_->commit();
    about_["records"] = records_;
    io::AtomicFile json(temporary_ / "cohort.json");
    json.write(about_.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    json.commit();
    std::error_code error;
    std::filesystem::rename(temporary_, folder_, error);
    if (error) throw FileError(message("file.403", folder_.string(), "cannot be renamed: ", error.message()));
  }

 private:
  std::filesystem::path folder_, temporary_;
  nlohmann::ordered_json about_;
  std::optional<io::NpyWriter<float>> planned_, measured_, maps_;
  std::optional<io::AtomicFile> table_;
  std::size_t records_ = 0;
};

}  // namespace equipoise::psqa
