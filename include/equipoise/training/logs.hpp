// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Logs of a run's history in files: `CsvLog`, a table, and `JsonlLog`, an object a line. Both hold the whole history, that
/// of the epochs before a resume too. `TensorBoardLog` is tensorboard_log.hpp.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/json_text.hpp>
#include <equipoise/training/callbacks.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

/// The shortest text that reads back as the same number, in any locale.
[[nodiscard]] inline std::string number_text(double value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

namespace detail {

/// A text file that is written line by line.
class LogFile {
 public:
  explicit LogFile(std::filesystem::path path) : path_(std::move(path)) {}

  /// \throws FileError when it cannot be opened.
  void open_anew() {
    if (path_.has_parent_path()) {
      std::error_code none;  // the stream says whether there is a folder
      std::filesystem::create_directories(path_.parent_path(), none);
    }
    if (out_.is_open()) out_.close();
    out_.open(path_, std::ios::binary | std::ios::trunc);
    check();
  }
  /// Writes and flushes. \throws FileError when the disk does not take it.
  void write(std::string_view text) {
    out_ << text << std::flush;
    check();
  }

 private:
  void check() const {
    if (!out_) throw FileError(message("file.450", path_.string(), "a log that cannot be written"));
  }
  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace detail

/// A table with a column for each figure: `epoch,train/gpr,val/gpr,rate`. A figure that appears later in a run adds a
/// column, for which the table is written again; a cell is empty where an epoch does not have the figure.
class CsvLog {
 public:
  explicit CsvLog(std::filesystem::path path) : file_(std::move(path)) {}

  void on_run_begin(const RunView& run) { write_all(run.history); }
  void on_epoch_end(const RunView& run, const EpochRecord& record) {
    if (add_columns(record)) return write_all(run.history);
    file_.write(row(record));
  }

 private:
  void write_all(const History& history) {
    columns_.clear();
    for (const EpochRecord& e : history.epochs) add_columns(e);
    std::string text = "epoch";
    for (const std::string& c : columns_) text += "," + quoted(c);
    text += '\n';
    for (const EpochRecord& e : history.epochs) text += row(e);
    file_.open_anew();
    file_.write(text);
  }
  /// \return whether there are new ones
  bool add_columns(const EpochRecord& record) {
    const std::size_t before = columns_.size();
    for (const auto& [name, value] : record.values)
      if (std::find(columns_.begin(), columns_.end(), name) == columns_.end()) columns_.push_back(name);
    return columns_.size() > before;
  }
  [[nodiscard]] std::string row(const EpochRecord& record) const {
    std::string text = std::to_string(record.epoch);
    for (const std::string& c : columns_) {
      const double* value = record.find(c);
      text += "," + (value ? number_text(*value) : "");
    }
    return text + '\n';
  }
  [[nodiscard]] static std::string quoted(const std::string& name) {
    if (name.find_first_of(",\"\n") == std::string::npos) return name;
    std::string out = "\"";
    for (const char c : name) out += c == '"' ? "\"\"" : std::string(1, c);
    return out + '"';
  }

  detail::LogFile file_;
  std::vector<std::string> columns_;
};

/// An object an epoch: `{"epoch":0,"train/gpr":0.5}`; null for what is not finite.
class JsonlLog {
 public:
  explicit JsonlLog(std::filesystem::path path) : file_(std::move(path)) {}

  void on_run_begin(const RunView& run) {
    file_.open_anew();
    for (const EpochRecord& e : run.history.epochs) file_.write(line(e));
  }
  void on_epoch_end(const RunView&, const EpochRecord& record) { file_.write(line(record)); }

 private:
  [[nodiscard]] static std::string line(const EpochRecord& record) {
    std::string text = "{\"epoch\":" + std::to_string(record.epoch);
    for (const auto& [name, value] : record.values)
      text += "," + json_text(name) + ":" + (std::isfinite(value) ? number_text(value) : "null");
    return text + "}\n";
  }

  detail::LogFile file_;
};

static_assert(CheckCallback<CsvLog>::ok && CheckCallback<JsonlLog>::ok);

}  // namespace equipoise
