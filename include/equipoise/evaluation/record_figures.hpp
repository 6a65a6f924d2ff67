// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Figures of methods by record, over several runs: a record's figure is the mean over the runs that test it, an interval
/// is the bootstrap's over groups, and two methods are compared on the records that both were tested on.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/statistics.hpp>
#include <equipoise/data/groups.hpp>
#include <equipoise/evaluation/bootstrap.hpp>
#include <equipoise/evaluation/paired_tests.hpp>
#include <equipoise/evaluation/reachable.hpp>
#include <equipoise/evaluation/run_figure.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/io/csv.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace equipoise {

/// What one run says of the records that it tests. A figure is NaN for a record that it does not count.
struct TestedRecord {
  std::string id, group;        ///< group: records that belong together, as those of one patient
  std::vector<double> figures;  ///< [F]
};

/// Figures by record of one method, over its runs.
class RecordFigures {
 public:
  explicit RecordFigures(std::vector<std::string> names) : names_(std::move(names)) {}

  /// Adds the records that one run tests.
  /// \throws ShapeError for another number of figures; ValueError for a record that comes twice, or in two groups
  void add(std::span<const TestedRecord> run) {
    std::map<std::string_view, int> seen;
    for (const TestedRecord& r : run) {
      check_same_length(r.figures.size(), names_.size(), "RecordFigures::add");
      Sums& s = records_.try_emplace(r.id, Sums{r.group, std::vector<double>(names_.size(), 0.0), 0}).first->second;
      if (++seen[r.id] > 1 || s.group != r.group)
        throw ValueError(message("value.215", "RecordFigures", "record ", r.id,
                                 s.group == r.group ? " is tested twice by one run" : " is in two groups"));
      for (std::size_t f = 0; f < names_.size(); ++f) s.sums[f] += r.figures[f];
      s.runs += 1;
    }
    runs_.emplace_back(run.begin(), run.end());
  }

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] std::size_t records() const { return records_.size(); }
  /// How many of them have a figure that is no NaN. \throws NameError for a figure that there is not
  [[nodiscard]] std::size_t records(std::string_view figure) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(column(figure, nullptr).values, [](double v) { return !std::isnan(v); }));
  }

  /// The mean over records with its 95 % interval by bootstrap over groups; records with NaN do not count. Records of fewer
  /// than five groups have no interval (NaN).
  /// \throws NameError for a figure that there is not
  [[nodiscard]] Interval mean(std::string_view figure) const { return interval_of(column(figure, nullptr)); }

  /// The mean of this method's figure less the other's. \throws ValueError where they were tested on other records
  [[nodiscard]] Interval difference(const RecordFigures& other, std::string_view figure) const {
    return interval_of(column(figure, &other));
  }

  /// Wilcoxon's p-value of that difference over the groups' means.
  [[nodiscard]] double p_value(const RecordFigures& other, std::string_view figure) const {
    return wilcoxon_signed_rank(group_means(column(figure, &other)));
  }

  /// A figure of a run as a whole, such as a rank correlation or an area under a curve: computed from
  /// two figures of the records of each run, then averaged over the runs. A record with NaN in one of
  /// the two, and a run in which the statistic is not finite, does not count.
  /// \param statistic called with the lists x and y, for example `equipoise::spearman`
  /// \throws NameError for a figure that there is not
  template <class Statistic>
  [[nodiscard]] RunFigure over_runs(std::string_view x, std::string_view y, Statistic&& statistic) const {
    const std::vector<std::vector<Pair>> runs = pairs_of(index_of(x), index_of(y));
    std::vector<RunFigure::Record> records;
    for (const auto& [id, s] : records_) records.push_back({id, s.group});
    std::set<std::string> counted;  // groups
    for (std::size_t i = 0; i < records.size(); ++i)
      if (std::ranges::any_of(runs, [&](const auto& run) { return counts(run[i]); })) counted.insert(records[i].group);
    return RunFigure(std::move(records), counted.size(), [&](const std::vector<std::size_t>& rows) {
      double sum = 0, n = 0;
      for (const std::vector<Pair>& run : runs) {
        std::vector<double> of_x, of_y;
        for (const std::size_t i : rows)
          if (counts(run[i])) of_x.push_back(run[i].first), of_y.push_back(run[i].second);
        if (of_x.empty()) continue;
        if (const double value = statistic(of_x, of_y); std::isfinite(value)) sum += value, n += 1;
      }
      return sum / n;
    });
  }

  /// How much of an error that can be removed at all this method has removed: (constant - method) / (constant - floor),
  /// with its interval (`share_of_reachable_error`). \param floors of records by id; one without does not count
  /// \throws ValueError where the two were tested on other records
  [[nodiscard]] Interval share_of_reachable(const RecordFigures& constant, std::string_view figure,
                                            const std::map<std::string, double>& floors) const {
    (void)column(figure, &constant);  // the same records
    const Column of_method = column(figure, nullptr), of_constant = constant.column(figure, nullptr);
    std::vector<double> floor;
    for (const auto& [id, s] : records_) {
      const auto found = floors.find(id);
      floor.push_back(found == floors.end() ? detail::kNotANumber : found->second);
    }
    const Interval out =
        share_of_reachable_error(group_numbers(of_method.groups), of_constant.values, of_method.values, floor);
    return of_enough_groups(out, of_method.groups, [&](std::size_t i) {
      return !std::isnan(floor[i] + of_method.values[i] + of_constant.values[i]);
    });
  }

  /// The figure of each group, in the order of their names; NaN where none of its records counts.
  [[nodiscard]] std::vector<double> means_by_group(std::string_view figure) const {
    return group_means(column(figure, nullptr), true);
  }

 private:
  struct Sums {
    std::string group;
    std::vector<double> sums;
    double runs;
  };
  struct Column {
    std::vector<std::string> groups;
    std::vector<double> values;
  };

  using Pair = std::pair<double, double>;
  [[nodiscard]] static bool counts(const Pair& p) { return !std::isnan(p.first) && !std::isnan(p.second); }

  /// Two figures of every record in each run, in the order of `records_`; NaN where the run does not test a record.
  [[nodiscard]] std::vector<std::vector<Pair>> pairs_of(std::size_t x, std::size_t y) const {
    std::map<std::string_view, std::size_t> place;
    for (const auto& [id, s] : records_) place.emplace(id, place.size());
    std::vector<std::vector<Pair>> out;
    for (const std::vector<TestedRecord>& run : runs_) {
      std::vector<Pair>& pairs = out.emplace_back(records_.size(), Pair{detail::kNotANumber, detail::kNotANumber});
      for (const TestedRecord& r : run) pairs[place.at(r.id)] = {r.figures[x], r.figures[y]};
    }
    return out;
  }

  [[nodiscard]] Column column(std::string_view figure, const RecordFigures* minus) const {
    const std::size_t f = index_of(figure), g = minus ? minus->index_of(figure) : 0;
    if (minus && minus->records() != records()) differ(*minus);
    Column out;
    for (const auto& [id, s] : records_) {
      double value = s.sums[f] / s.runs;
      if (minus) {
        const auto found = minus->records_.find(id);
        if (found == minus->records_.end()) differ(*minus);
        value -= found->second.sums[g] / found->second.runs;
      }
      out.groups.push_back(s.group), out.values.push_back(value);
    }
    return out;
  }

  /// The interval; none (NaN) where fewer than `kFewestForInterval` groups have a record that counts.
  template <class Counts>
  [[nodiscard]] static Interval of_enough_groups(Interval out, const std::vector<std::string>& groups,
                                                 Counts&& counts) {
    std::set<std::string_view> counted;
    for (std::size_t i = 0; i < groups.size(); ++i)
      if (counts(i)) counted.insert(groups[i]);
    if (counted.size() < kFewestForInterval) out.low = out.high = detail::kNotANumber;
    return out;
  }

  [[nodiscard]] static Interval interval_of(const Column& c) {
    return of_enough_groups(bootstrap(group_numbers(c.groups), mean_over_records(c.values)), c.groups,
                            [&](std::size_t i) { return !std::isnan(c.values[i]); });
  }

  [[nodiscard]] static std::vector<double> group_means(const Column& c, bool with_nan = false) {
    std::map<std::string_view, std::vector<double>> groups;
    for (std::size_t i = 0; i < c.values.size(); ++i) {
      std::vector<double>& values = groups[c.groups[i]];
      if (!std::isnan(c.values[i])) values.push_back(c.values[i]);
    }
    std::vector<double> out;
    for (const auto& [group, values] : groups)
      if (!values.empty() || with_nan) out.push_back(values.empty() ? detail::kNotANumber : equipoise::mean(values));
    return out;
  }

  [[nodiscard]] std::size_t index_of(std::string_view figure) const {
    for (std::size_t f = 0; f < names_.size(); ++f)
      if (names_[f] == figure) return f;
    throw NameError(message("name.313", "RecordFigures", "no figure \"", figure, "\"; ", nearest_name(figure, names_)));
  }
  [[noreturn]] void differ(const RecordFigures& other) const {
    throw ValueError(message("value.215", "RecordFigures",
                             "expected methods that were tested on the same records, got ", records(), " and ",
                             other.records(), " records"));
  }

  std::vector<std::string> names_;
  std::map<std::string, Sums> records_;
  std::vector<std::vector<TestedRecord>> runs_;
};

/// Methods against the first one: its figure less theirs, with p-values that are corrected for their number (Holm).
struct MethodDifference {
  std::string method, against;
  Interval difference;
  double p = 1, p_corrected = 1;
};
[[nodiscard]] inline std::vector<MethodDifference> differences_from_first(
    const std::vector<std::pair<std::string, RecordFigures>>& methods, std::string_view figure) {
  std::vector<MethodDifference> out;
  std::vector<double> p;
  for (std::size_t k = 1; k < methods.size(); ++k) {
    const auto& [name, first] = methods.front();
    out.push_back({name, methods[k].first, first.difference(methods[k].second, figure),
                   first.p_value(methods[k].second, figure)});
    p.push_back(out.back().p);
  }
  const std::vector<double> corrected = holm(p);
  for (std::size_t k = 0; k < out.size(); ++k) out[k].p_corrected = corrected[k];
  return out;
}

namespace detail {

/// The first line of a table of tested records.
[[nodiscard]] inline std::string head_of_records(const std::vector<std::string>& names) {
  std::string text = "id,group";
  for (const std::string& name : names) text += "," + io::csv_cell(name);
  return text;
}

}  // namespace detail

/// Writes what a run says of its records as CSV: `id,group,<figures>`, a cell empty where a figure is NaN. The file
/// appears whole or not at all. \throws FileError when it cannot be written
inline void write_tested_records(const std::filesystem::path& path, const std::vector<std::string>& names,
                                 std::span<const TestedRecord> records) {
  std::string text = detail::head_of_records(names);
  for (const TestedRecord& r : records) {
    check_same_length(r.figures.size(), names.size(), "write_tested_records");
    text += "\n" + io::csv_cell(r.id) + "," + io::csv_cell(r.group);
    for (const double v : r.figures) text += "," + (std::isnan(v) ? std::string() : option_text(v));
  }
  io::AtomicFile file(path);
  file.write(text + "\n");
  file.commit();
}

/// Whether a file is there that `write_tested_records` wrote with these figures; only its first line is read.
[[nodiscard]] inline bool has_figures(const std::filesystem::path& path, const std::vector<std::string>& names) {
  std::ifstream in(path);
  std::string line;
  return std::getline(in, line) && line == detail::head_of_records(names);
}

/// Reads what `write_tested_records` wrote. \throws FileError that names line and column
[[nodiscard]] inline std::vector<TestedRecord> read_tested_records(const std::filesystem::path& path,
                                                                   const std::vector<std::string>& names) {
  const io::CsvFile file(path, ',');
  std::vector<std::string> head = {"id", "group"};
  head.insert(head.end(), names.begin(), names.end());
  const auto fail = [&](std::size_t line, const auto&... what) {
    throw FileError(message("file.433", file.where(), "line ", line, ": ", what...));
  };
  std::vector<TestedRecord> out;
  for (const io::CsvRow& row : file.rows()) {
    if (row.cells.size() != head.size()) fail(row.line, "expected ", head.size(), " cells, got ", row.cells.size());
    if (&row == &file.rows().front()) {
      for (std::size_t c = 0; c < head.size(); ++c)
        if (row.cells[c] != head[c]) fail(row.line, "expected column \"", head[c], "\", got \"", row.cells[c], "\"");
      continue;
    }
    TestedRecord& r = out.emplace_back(TestedRecord{std::string(row.cells[0]), std::string(row.cells[1]), {}});
    for (std::size_t c = 2; c < head.size(); ++c) {
      const std::string_view cell = row.cells[c];
      double value = detail::kNotANumber;
      const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
      if (!cell.empty() && (error != std::errc() || end != cell.data() + cell.size()))
        fail(row.line, "column \"", head[c], "\": expected a number, got \"", cell, "\"");
      r.figures.push_back(value);
    }
  }
  if (file.rows().empty()) fail(1, "expected a line of column names, got none");
  return out;
}

}  // namespace equipoise
