// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A study: many independent computations (method x inputs x seed x fold), each a cell with a folder of its own, computed
/// by several processes at once and resumed at any point.
/// \code
/// std::vector<eq::StudyCell> cells;
/// for (int seed = 1; seed <= 5; ++seed)
///   for (const std::string method : {"concat", "attention"})
///     cells.push_back({method + "/seed" + std::to_string(seed), {{"method", method}, {"seed", std::to_string(seed)}}});
/// const auto results = eq::run_study("study", cells, train_and_test, {.jobs = 2});
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/csv.hpp>
#include <equipoise/io/folder_lock.hpp>

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace equipoise {

/// One computation of a study. Its name is its folder below the study's, and may have `/` in it; its settings are all that
/// it depends on.
struct StudyCell {
  std::string name;
  OptionList settings;
};

enum class CellState : std::uint8_t { finished, failed, left };

/// What became of a cell.
struct CellResult {
  std::string name;
  CellState state = CellState::left;
  std::string error{};  ///< the message of a cell that failed
};

/// After each cell that ended.
struct StudyProgress {
  std::size_t finished = 0, failed = 0, cells = 0;
  const CellResult& last;
};

struct StudyOptions {
  std::size_t jobs = 1;                                 ///< processes at once
  std::function<void(const StudyProgress&)> on_cell{};  ///< called in this process
  std::function<bool()> should_stop = [] {
    return false;
  };  ///< asked several times a second; cells under way are ended
  /// Asked of each finished cell, with its folder: one that is not current is computed again, as where an earlier version
  /// wrote another table.
  std::function<bool(const StudyCell&, const std::filesystem::path&)> is_current = [](const auto&, const auto&) {
    return true;
  };
};

namespace detail {

/// A cell's folder, and the files that say how far it is: `settings.csv` from its beginning, `finished` at its end,
/// `error.txt` where its last try failed.
class CellFolder {
 public:
  CellFolder(const std::filesystem::path& study, const StudyCell& cell) : path_(study / cell.name) {}

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] bool finished() const { return std::filesystem::exists(path_ / "finished"); }
  [[nodiscard]] std::string error() const {
    std::ifstream in(path_ / "error.txt");
    std::string text{std::istreambuf_iterator<char>(in), {}};
    while (text.ends_with('\n')) text.pop_back();
    return text;
  }

  /// \throws FileError where the folder holds a cell of other settings, or what no study made
  void check(const StudyCell& cell) const {
    if (!std::filesystem::exists(path_)) return;
    if (!std::filesystem::exists(path_ / "settings.csv")) {
      if (std::filesystem::is_directory(path_) && std::filesystem::is_empty(path_)) return;
      throw FileError(message("file.448", path_.string(),
                              "expected a cell of this study, got a folder without settings.csv; "
                              "choose another folder for the study"));
    }
    std::map<std::string, std::string> before;
    const io::CsvFile file(path_ / "settings.csv", ',');
    for (const io::CsvRow& row : file.rows())
      if (row.cells.size() == 2 && &row != &file.rows().front()) before.emplace(row.cells[0], row.cells[1]);
    OptionList now = cell.settings;
    for (const auto& old : before)
      if (std::none_of(now.begin(), now.end(), [&](const auto& s) { return s.first == old.first; }))
        now.emplace_back(old.first, "none");
    for (const auto& [key, value] : now) {
      const auto found = before.find(key);
      const std::string old = found == before.end() ? "none" : found->second;
      if (old != value)
        throw FileError(message("file.448", path_.string(), "it was computed with ", key, " ", old, ", this study has ",
                                value, "; choose another folder for the study, or delete this one"));
    }
  }

  void begin(const StudyCell& cell) const {
    std::error_code error;
    std::filesystem::create_directories(path_, error);
    if (error) throw FileError(message("file.403", path_.string(), "cannot be created: ", error.message()));
    for (const char* file : {"error.txt", "finished"}) std::filesystem::remove(path_ / file, error);
    std::string text = "option,value\n";
    for (const auto& [key, value] : cell.settings) text += io::csv_cell(key) + "," + io::csv_cell(value) + "\n";
    write("settings.csv", text);
  }
  void write(const char* name, std::string_view text) const {
    io::AtomicFile file(path_ / name);
    file.write(text);
    file.commit();
  }

 private:
  std::filesystem::path path_;
};

/// Names are relative folders, none within another, none twice.
inline void check_cells(std::span<const StudyCell> cells) {
  std::vector<std::string> names;
  for (const StudyCell& cell : cells) {
    const std::filesystem::path path(cell.name);
    const bool leaves =
        std::any_of(path.begin(), path.end(), [](const auto& part) { return part == ".." || part == "."; });
    if (cell.name.empty() || path.is_absolute() || leaves || cell.name.ends_with('/'))
      throw ValueError(message("value.245", "study",
                               "expected a cell's name to be a folder's below the study's, got \"", cell.name, "\""));
    names.push_back(cell.name + "/");
  }
  std::sort(names.begin(), names.end());
  for (std::size_t i = 1; i < names.size(); ++i)
    if (names[i].starts_with(names[i - 1]))
      throw ValueError(message("value.245", "study", "expected cells in folders apart, got \"", names[i - 1],
                               "\" and \"", names[i], "\""));
}

/// What a cell's process does, from its beginning to its end; its status is 0 where the cell is finished.
template <class Compute>
[[noreturn]] void compute_cell(const StudyCell& cell, const CellFolder& folder, const Compute& compute) {
  std::signal(SIGINT, SIG_IGN);   // a terminal's interrupt reaches all processes: the parent decides
  std::signal(SIGTERM, SIG_DFL);  // and its handlers are not a cell's
  int status = 0;
  try {
    folder.begin(cell);
    compute(cell, folder.path());
    folder.write("finished", "");
  } catch (const std::exception& e) {
    status = 1;
    try {
      folder.write("error.txt", std::string(e.what()) + "\n");
    } catch (const std::exception&) {
      std::fprintf(stderr, "%s: %s\n", cell.name.c_str(), e.what());
    }
  }
  std::fflush(nullptr);
  ::_exit(status);  // the parent's objects are the parent's to destroy
}

/// How a process ended, where it did not say itself.
[[nodiscard]] inline std::string ending_of(int status) {
  if (WIFSIGNALED(status)) return "its process was ended by signal " + std::to_string(WTERMSIG(status));
  return "its process ended with status " + std::to_string(WEXITSTATUS(status));
}

/// The processes of a study that are under way.
class Workers {
 public:
  Workers() = default;
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() { stop(); }

  [[nodiscard]] std::size_t size() const { return running_.size(); }

  template <class Work>
  void start(std::size_t cell, const Work& work) {
    std::fflush(nullptr);  // or both processes would write what is not written yet
    const pid_t pid = ::fork();
    if (pid < 0) throw FileError(message("file.403", "study", "no process can be started for a cell"));
    if (pid == 0) work();
    running_.emplace_back(pid, cell);
  }

  /// Calls `ended(cell, status)` for each process that has ended.
  template <class Ended>
  void collect(const Ended& ended) {
    for (std::size_t i = 0; i < running_.size();) {
      int status = 0;
      const auto [pid, cell] = running_[i];
      const pid_t got = ::waitpid(pid, &status, WNOHANG);
      if (got != pid) {
        ++i;
        continue;
      }
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      ended(cell, status);
    }
  }

  void stop() {
    for (const auto& [pid, cell] : running_) ::kill(pid, SIGTERM);
    for (const auto& [pid, cell] : running_) ::waitpid(pid, nullptr, 0);
    running_.clear();
  }

 private:
  std::vector<std::pair<pid_t, std::size_t>> running_;
};

}  // namespace detail

/// Computes the cells that are not finished, in their order, and returns what became of each. A cell that is finished is not
/// computed again; one that failed is. `compute(cell, folder)` runs in a process of its own, a copy of this one without its
/// other threads: data that is loaded before is shared, and what it writes into its folder stays when it is stopped, so that
/// it can go on from there. LibTorch's threads do not survive the copy: call `at::set_num_threads(1)` before anything is
/// computed here, and set the threads of a cell within `compute`.
/// \throws ValueError for names that are no folders, or not apart; FileError, before anything is computed, where a cell's
/// folder holds one of other settings, or another process computes cells in `folder`
template <class Compute>
std::vector<CellResult> run_study(const std::filesystem::path& folder, std::span<const StudyCell> cells,
                                  const Compute& compute, const StudyOptions& options = {}) {
  check_option(options.jobs >= 1, "StudyOptions.jobs", ">= 1", options.jobs);
  detail::check_cells(cells);
  std::vector<CellResult> results;
  std::vector<std::size_t> left;
  std::size_t finished = 0, failed = 0;
  for (const StudyCell& cell : cells) {
    const detail::CellFolder of_cell(folder, cell);
    of_cell.check(cell);
    const bool done = of_cell.finished() && options.is_current(cell, of_cell.path());
    results.push_back({cell.name, done ? CellState::finished : CellState::left});
    if (done)
      ++finished;
    else
      left.push_back(results.size() - 1);
  }
  std::optional<io::FolderLock> lock;
  if (!left.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) throw FileError(message("file.403", folder.string(), "cannot be created: ", error.message()));
    lock.emplace(folder);
  }
  detail::Workers workers;
  const auto ended = [&](std::size_t cell, int status) {
    const detail::CellFolder of_cell(folder, cells[cell]);
    CellResult& result = results[cell];
    result.state = of_cell.finished() ? CellState::finished : CellState::failed;
    if (result.state == CellState::failed) {
      result.error = of_cell.error();
      if (result.error.empty()) result.error = detail::ending_of(status);
    }
    ++(result.state == CellState::finished ? finished : failed);
    if (options.on_cell) options.on_cell({finished, failed, cells.size(), result});
  };
  for (std::size_t next = 0; (next < left.size() || workers.size() > 0) && !options.should_stop();) {
    while (next < left.size() && workers.size() < options.jobs) {
      const std::size_t cell = left[next++];
      workers.start(cell, [&] { detail::compute_cell(cells[cell], detail::CellFolder(folder, cells[cell]), compute); });
    }
    workers.collect(ended);
    if (workers.size() == options.jobs || next == left.size())
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return results;
}

}  // namespace equipoise
