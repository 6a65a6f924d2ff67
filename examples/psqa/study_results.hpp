// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What a study of `psqa compare` computes (study_runs.cpp), its figures (study_figures.cpp) with their summary
/// (study_summary.cpp), and a page of them (study_page.cpp).

#include <equipoise/evaluation/conditions.hpp>
#include <equipoise/evaluation/record_figures.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "study_settings.hpp"

namespace psqa_program {

/// What methods are compared by: means over records, each with its difference to the first method.
[[nodiscard]] const std::vector<std::string>& compared_metrics();
/// Those of them that methods are compared by where a modality is missing or noisy.
[[nodiscard]] const std::vector<std::string>& condition_metrics();
/// MAE at 2%/2 mm, by which methods are ranked.
[[nodiscard]] const std::string& strictest_metric();

/// The columns of a run's records.csv: the compared metrics, errors by stratum, the squared error of the map, and the
/// true and predicted rates.
[[nodiscard]] const std::vector<std::string>& record_columns();
/// What a method says of the records that a run tests, with these columns.
[[nodiscard]] std::vector<eq::TestedRecord> tested_records(const psqa::MethodPredictions& predictions,
                                                           const psqa::Cohort& cohort,
                                                           const std::vector<std::int64_t>& test);

/// A figure of whole runs that stands beside the compared ones (`RecordFigures::over_runs`).
struct FurtherFigure {
  std::string name;   ///< in JSON
  std::string words;  ///< the head of its column
  std::string table;  ///< the title of the table in which it stands
  int decimals = 2;
  std::string x, y;  ///< columns of records.csv
  std::function<double(const std::vector<double>&, const std::vector<double>&)> statistic;
};
/// RMSE, R² and rank correlation of each rate; errors by stratum; AUC, sensitivity and specificity for failing records;
/// PSNR of the maps. The figures of a table stand side by side.
[[nodiscard]] const std::vector<FurtherFigure>& further_figures();

/// The figures of methods that were trained on as many records.
struct StudyResults {
  std::int64_t records = 0;                                        ///< of training; 0: the whole training part
  std::vector<std::pair<std::string, eq::RecordFigures>> methods;  ///< those that were trained, then the baselines
  std::vector<eq::ConditionFigures> conditions;                    ///< of those that were trained
};

/// \throws FileError where a table of floors is not of this cohort
void check_floors(const std::string& path, const psqa::Cohort& cohort);

/// Computes what is not computed yet, in the folder of the study. One entry for each number of training records.
[[nodiscard]] std::vector<StudyResults> computed_study(const StudySettings& settings, const psqa::Cohort& cohort);

/// The results as JSON: methods and differences, shares of the reachable error, ranks over patients, conditions.
[[nodiscard]] Json summary_of(const StudySettings& settings, const StudyResults& results);

/// An interval of a summary as text; a dash where it has no value.
[[nodiscard]] std::string interval_of(const Json& interval, int decimals);
/// A p-value as text: `0.042`, with what stands before a number that is not below 0.001; `< 0.001`.
[[nodiscard]] std::string p_of(double p, const std::string& equals = {});
/// How many decimals a figure is printed with.
[[nodiscard]] int decimals_of(const std::string& metric);
/// A figure in words: `MAE at 2%/2 mm, points`.
[[nodiscard]] std::string words_of_metric(const std::string& metric);

/// In sentences: who has the lowest error, by how much, how sure that is, and what remains where a modality is missing.
/// \param summary of one number of training records
[[nodiscard]] std::vector<std::string> study_verdict(const StudySettings& settings, const Json& summary);

/// A figure of methods under each condition as rows of a table, the first its head; a dash where a method does not have
/// the condition. \param part of the summary: `methods`, or `differences` of the first method to these
[[nodiscard]] std::vector<std::vector<std::string>> condition_rows(const std::vector<std::string>& methods,
                                                                   const Json& conditions, const std::string& part,
                                                                   const std::string& metric);

/// Rows as text, the first the head.
struct FurtherTable {
  std::string title;
  std::vector<std::vector<std::string>> rows;
};
/// The further figures of a summary: those of its methods, or the differences of the first method to each other one.
/// \param part `methods` or `differences`
[[nodiscard]] std::vector<FurtherTable> further_tables(const Json& summary, const char* part);
/// What these figures are.
[[nodiscard]] std::string further_notes();

/// How the study was made, in a sentence: seeds, folds, trials and records.
[[nodiscard]] std::string study_notes(const StudySettings& settings, const Json& summary);
/// What the noise of the conditions is.
[[nodiscard]] std::string noise_notes();

/// Writes a page of a study to `settings.html`. \param summaries by number of training records
void write_study_page(const StudySettings& settings, const std::vector<Json>& summaries, const psqa::Cohort& cohort);

}  // namespace psqa_program
