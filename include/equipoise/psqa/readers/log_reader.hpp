// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Decoded Elekta delivery logs (CSV, a record every 40 ms) into two plans: what was prescribed and what was delivered.
/// Leaf positions in the log count outwards from the axis on both banks; bank Y1 is the model's bank 1 with its sign
/// turned. "Positional Error" is the prescribed position minus the actual one: the sum of actual
/// position and error stays constant while a segment is delivered.

#include <equipoise/core/base/ranges.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <equipoise/psqa/machine.hpp>
#include <equipoise/psqa/plan.hpp>
#include <equipoise/psqa/readers/reader.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise::psqa {

struct DeliveryLog {
  Plan prescribed, delivered;    ///< one beam each, a control point a record with radiation on
  std::vector<double> time_s;    ///< of each control point
  double leaf_rms_mm = 0;        ///< of delivered less prescribed, over leaves and records with radiation on
  double leaf_mean_mm = 0;       ///< their mean, positive outwards
  double leaf_max_mm = 0;        ///< the largest, either way
  std::string treatment, linac;  ///< as the log names them
};

namespace detail {

/// Columns of the log by what they hold.
class LogColumns {
 public:
  LogColumns(const TextFile& file, std::size_t header_line) : file_(file) {
    std::size_t i = 0;
    for (const std::string_view cell : cells_of(file.lines()[header_line], ','))
      index_[std::string(trimmed(cell))] = i++;
  }
  [[nodiscard]] std::size_t operator[](const std::string& name) const {
    const auto found = index_.find(name);
    if (found == index_.end())
      throw FileError(message("file.444", file_.where(), "expected a column \"", name, "\", got none"));
    return found->second;
  }
  [[nodiscard]] std::size_t actual(const std::string& item, const char* unit) const {
    return (*this)[item + "/Scaled Actual (" + unit + ")"];
  }
  [[nodiscard]] std::size_t error(const std::string& item, const char* unit) const {
    return (*this)[item + "/Positional Error (" + unit + ")"];
  }

 private:
  const TextFile& file_;
  std::map<std::string, std::size_t> index_;
};

/// Where an axis' actual value and its error stand.
struct LogItem {
  std::size_t actual, error;
};

[[nodiscard]] inline LogItem log_item(const LogColumns& columns, const std::string& name, const char* unit) {
  return {columns.actual(name, unit), columns.error(name, unit)};
}

class LogReader {
 public:
  LogReader(const TextFile& file, std::size_t header_line)
      : file_(file),
        columns_(file, header_line),
        state_(columns_["Linac State/Actual Value (None)"]),
        time_(columns_["Time (s)"]),
        dose_(columns_["Step Dose/Actual Value (Mu)"]),
        rate_(columns_["Actual Dose Rate/Actual Value (Mu/min)"]),
        gantry_(log_item(columns_, "Step Gantry", "deg")),
        collimator_(log_item(columns_, "Step Collimator", "deg")),
        couch_(log_item(columns_, "Table Isocentric", "deg")),
        jaws_{log_item(columns_, "X1 Diaphragm", "mm"), log_item(columns_, "X2 Diaphragm", "mm")} {
    for (int bank = 0; bank < 2; ++bank)
      for (int leaf = 1; leaf <= 80; ++leaf)
        leaves_[bank].push_back(log_item(columns_, (bank == 0 ? "Y1 Leaf " : "Y2 Leaf ") + std::to_string(leaf), "mm"));
    for (std::size_t i = header_line + 1; i < file.lines().size(); ++i) read_record(i);
  }

  DeliveryLog log;

 private:
  void read_record(std::size_t line) {
    if (trimmed(file_.lines()[line]).empty()) return;
    const std::vector<std::string_view> cells = cells_of(file_.lines()[line], ',');
    const auto cell = [&](std::size_t column) {
      if (column >= cells.size()) file_.fail(line, "expected a whole record");
      return cells[column];
    };
    if (trimmed(cell(state_)) != "Radiation On") return;
    const auto value = [&](std::size_t column) { return file_.number(line, cell(column)); };
    ControlPoint actual, planned;
    actual.weight = planned.weight = value(dose_);
    actual.dose_rate = planned.dose_rate = value(rate_);
    const auto both = [&](const LogItem& item, double& a, double& p, double sign) {
      const double at = value(item.actual);
      a = sign * at, p = sign * (at + value(item.error));
    };
    both(gantry_, actual.gantry, planned.gantry, 1), both(collimator_, actual.collimator, planned.collimator, 1);
    both(couch_, actual.couch, planned.couch, 1);
    // The diaphragms stand across the leaves' travel: they bound y.
    both(jaws_[0], actual.y1, planned.y1, -1), both(jaws_[1], actual.y2, planned.y2, 1);
    actual.leaves.resize(1), planned.leaves.resize(1);
    for (int bank = 0; bank < 2; ++bank) {
      std::vector<double>&a = bank == 0 ? actual.leaves[0].a : actual.leaves[0].b,
      &p = bank == 0 ? planned.leaves[0].a : planned.leaves[0].b;
      for (const LogItem& leaf : leaves_[bank]) {
        double at = 0, wanted = 0;
        both(leaf, at, wanted, bank == 0 ? -1 : 1);
        if (!(std::abs(at) <= kFarthest_mm && std::abs(wanted) <= kFarthest_mm))
          file_.fail(line, "expected leaves within ±2000 mm, got " + std::to_string(at));
        a.push_back(at), p.push_back(wanted);
        const double outwards = bank == 0 ? wanted - at : at - wanted;
        squares_ += outwards * outwards, sum_ += outwards, ++count_;
        log.leaf_max_mm = std::max(log.leaf_max_mm, std::abs(outwards));
      }
    }
    log.time_s.push_back(value(time_));
    add(log.delivered, std::move(actual)), add(log.prescribed, std::move(planned));
    log.leaf_rms_mm = std::sqrt(squares_ / count_), log.leaf_mean_mm = sum_ / count_;
  }

  static void add(Plan& plan, ControlPoint cp) {
    if (plan.beams.empty()) {
      Beam beam;
      beam.number = 1, beam.name = "log", beam.dynamic = true, beam.has_y_jaw = true;
      beam.layers = {Layer{LeafAxis::x, leaf_boundaries({{80, 5}}), "MLCX"}};  // an Agility
      plan.beams.push_back(std::move(beam));
    }
    plan.beams[0].control_points.push_back(std::move(cp));
  }

  const TextFile& file_;
  LogColumns columns_;
  std::size_t state_, time_, dose_, rate_;
  LogItem gantry_, collimator_, couch_, jaws_[2];
  std::vector<LogItem> leaves_[2];
  double squares_ = 0, sum_ = 0, count_ = 0;
};

/// What a log's MU counter may fall by: its own resolution.
inline constexpr double kMuJitter = 0.1;

/// MU as they accumulate become weights of the beam's MU. Where the counter falls by its resolution, it stands still; one
/// that jumps back is refused.
inline void weigh_log(Plan& plan, const TextFile& file) {
  std::vector<ControlPoint>& points = plan.beams[0].control_points;
  double most = points.front().weight;
  for (ControlPoint& cp : points) {
    if (cp.weight < most - kMuJitter - 1e-9)
      throw FileError(
          message("file.444", file.where(), "expected MU that never fall, got ", cp.weight, " after ", most));
    cp.weight = most = std::max(most, cp.weight);
  }
  const double first = points.front().weight, mu = points.back().weight - first;
  if (!(mu > 0)) throw FileError(message("file.444", file.where(), "expected MU > 0 with radiation on, got ", mu));
  for (ControlPoint& cp : points) cp.weight = (cp.weight - first) / mu;
  plan.beams[0].mu = mu;
}

}  // namespace detail

/// Reads a decoded Elekta log. Records without radiation are left out.
/// \throws FileError when a column is missing, a record is damaged, or nothing was delivered.
[[nodiscard]] inline DeliveryLog read_elekta_log(const std::filesystem::path& path) {
  const detail::TextFile file(path);
  std::size_t header = 0;
  while (header < file.lines().size() && !file.lines()[header].starts_with("Time (s)")) ++header;
  if (header == file.lines().size())
    throw FileError(
        message("file.444", file.where(), "expected a line of columns that begins with Time (s), got none"));
  detail::LogReader reader(file, header);
  if (reader.log.time_s.size() < 2)
    throw FileError(
        message("file.444", file.where(), "expected records with radiation on, got ", reader.log.time_s.size()));
  DeliveryLog log = std::move(reader.log);
  const auto header_value = [&](std::string_view key) {
    std::string_view text = file.text_of(key).value_or("");
    if (text.starts_with("=")) text.remove_prefix(1);
    return std::string(detail::trimmed(text));
  };
  log.treatment = header_value("Treatment Name"), log.linac = header_value("Linac Id");
  for (Plan* plan : {&log.prescribed, &log.delivered}) {
    detail::weigh_log(*plan, file);
    plan->id = path.filename().string(), plan->label = log.treatment, plan->vendor = "Elekta", plan->tps = "log",
    plan->logged = true;
    plan->beams[0].machine = log.linac, plan->beams[0].energy_MV = 0;
  }
  return log;
}

/// Decoded Elekta logs as a reader of the list.
struct ElektaLogReader {
  static constexpr std::string_view id = "log";
  static constexpr std::string_view name = "Elekta log";
  static constexpr std::array descriptions{
      FileDescription{"decoded Elekta log", "two plans", "the prescribed and the delivered plan"}};

  [[nodiscard]] static bool recognises(std::string_view head) {
    return head.find("Linac State/Actual Value") != std::string_view::npos;
  }
  [[nodiscard]] static DeliveryLog read_log(const std::filesystem::path& path) { return read_elekta_log(path); }
  /// A small file of this kind, for tests.
  [[nodiscard]] static std::string example() {
    std::string out =
        "Version = 1\nLinac Id = 1\nTreatment Name = x\n\nTime (s),Linac State/Actual Value (None),Actual Dose "
        "Rate/Actual Value (Mu/min),Step Dose/Actual Value (Mu)";
    std::string values;
    const auto add = [&](const std::string& item, const std::string& unit) {
      out += "," + item + "/Scaled Actual (" + unit + ")," + item + "/Positional Error (" + unit + ")";
      values += ",1.5,0.1";
    };
    for (const char* item : {"Step Gantry", "Step Collimator", "Table Isocentric"}) add(item, "deg");
    for (const char* item : {"X1 Diaphragm", "X2 Diaphragm"}) add(item, "mm");
    for (const char* bank : {"Y1 Leaf ", "Y2 Leaf "})
      for (int leaf = 1; leaf <= 80; ++leaf) add(bank + std::to_string(leaf), "mm");
    out += "\n";
    for (const char* time_and_dose : {"0,Radiation On,600,0", "0.04,Radiation On,600,1", "0.08,Radiation On,600,2"})
      out += time_and_dose + values + "\n";
    return out;
  }
};
static_assert(CheckReader<ElektaLogReader>::ok);

}  // namespace equipoise::psqa
