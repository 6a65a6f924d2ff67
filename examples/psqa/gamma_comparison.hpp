// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// One comparison of two doses at one or several gamma criteria, as the command gamma makes it.

#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/gamma/criteria.hpp>
#include <equipoise/psqa/gamma/distribution.hpp>
#include <equipoise/psqa/gamma/tolerance.hpp>
#include <equipoise/psqa/gamma/worst_points.hpp>
#include <equipoise/psqa/readers/point_spacing.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common.hpp"
#include "dose_pair.hpp"

namespace psqa_program {

/// What the user asks of a comparison.
struct GammaArguments {
  std::string reference, evaluated;            ///< files
  std::vector<psqa::GammaCriterion> criteria;  ///< at least one
  psqa::GammaCriteria shared;                  ///< all but dose difference, distance and norm
  std::string norm = "evaluated", search = "exact", space = "auto", rows_from = "bottom";
  psqa::GammaExecution execution;
  double pitch = 0;
  std::optional<psqa::PointSpacing> spacing, spacing_evaluated;  ///< mm; by default 1, and `spacing`
  std::string flip;                    ///< axis along which the evaluated doses are turned round
  std::vector<double> shift = {0, 0};  ///< of the evaluated distribution along x and y, mm
  bool centre = false;
  DosePairOptions pair;  ///< how the doses come to one unit
  std::string plan;      ///< for fractions, prescription and isocentre
};

/// The result at one criterion.
struct GammaOutcome {
  psqa::GammaCriterion criterion;
  psqa::GammaCriteria criteria;  ///< as they were used, the dose difference in % of the norm
  psqa::GammaResult result;
  psqa::GammaDistribution distribution;
  std::string
      tg218;  ///< how TG-218's universal limits see the rate; "not judged: …" where too many points had no dose near
              ///< them; empty where the limits do not hold
};

/// A profile or single row of points, as a picture or page shows by lines.
[[nodiscard]] inline bool is_row(const psqa::DoseGrid& g) {
  return g.shape[0] == 1 && g.shape[1] == 1;
}

struct GammaComparison {
  GammaArguments arguments;
  psqa::DoseGrid reference, evaluated;
  std::vector<GammaOutcome> outcomes;  ///< in the order of the criteria
  std::vector<std::string> notes;      ///< what was done to bring the doses together
  std::vector<std::string> warnings;
};

/// Reads and compares two doses. Warnings go to standard error as they arise.
/// \param prefix of the warnings there, such as `pairs.csv, line 3: `
/// \throws ValueError, ShapeError, FileError for doses that cannot be compared
[[nodiscard]] GammaComparison compare_doses(const GammaArguments& a, const std::string& prefix = "");

/// The unit of both doses as they are compared: "Gy", "%", "normalised"; empty where no file states it.
[[nodiscard]] std::string dose_unit_of(const GammaComparison& c);

/// A value of gamma; one at the cap is at least that: ">= 2".
[[nodiscard]] std::string gamma_text(double gamma, const GammaOutcome& o, int decimals);

/// The points to look at of an outcome: the worst of the worst frame.
[[nodiscard]] std::vector<psqa::GammaPoint> worst_points_of(const GammaComparison& c, const GammaOutcome& o);

/// Prints a comparison: one criterion in lines, several as a table. \param histogram also print the histograms
void print(const GammaComparison& c, bool histogram);
[[nodiscard]] Json to_json(const GammaComparison& c);

/// A table of comparisons, a row for each pair and criterion; of a pair that could not be compared, with the reason.
class GammaTable {
 public:
  /// \param labels names of columns that the user gives each pair
  explicit GammaTable(std::vector<std::string> labels = {}) : labels_(std::move(labels)) {}
  /// \param labels of this pair, as many as names
  void add(const GammaComparison& c, const std::vector<std::string>& labels = {});
  /// Of a pair that was not compared. \param why
  void add_failed(const GammaArguments& a, const std::vector<std::string>& labels, const std::string& why);
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  [[nodiscard]] std::string csv() const;
  /// The file appears whole or not at all. \throws FileError
  void write(const fs::path& path) const;

 private:
  /// \param figures by the names of `columns`; those that it lacks are empty
  void add_row(const GammaArguments& a, const std::vector<std::string>& labels, const psqa::GammaCriterion& criterion,
               const std::map<std::string, std::string>& figures);

  std::vector<std::string> labels_;
  std::vector<std::string> rows_;
};

/// The map of an outcome: raw as NPY or PNG by the name's end.
void write_map(const fs::path& path, const GammaComparison& c, const GammaOutcome& o);
/// A picture with axes, colour bar and the worst points.
void write_picture(const fs::path& path, const GammaComparison& c, const GammaOutcome& o);
/// A page about one comparison, to file or to sign.
void write_page(const fs::path& path, const GammaComparison& c);

/// Compares the pairs of a CSV file with one set of options. \param csv where the table goes; empty: to standard output
/// \throws Failed at the end where a pair could not be compared; it has been reported with its line, and has the reason in
/// its rows of the table. Interrupted: no table is written
void compare_batch(const GammaArguments& a, const fs::path& pairs, const std::string& csv, bool json);

}  // namespace psqa_program
