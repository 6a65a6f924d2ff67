// SPDX-License-Identifier: MIT
/// \file
/// The figures of a study: means with intervals, differences, shares, ranks; and what they say in sentences.

#include <algorithm>
#include <cmath>
#include <equipoise/evaluation/ranking.hpp>
#include <equipoise/io/csv.hpp>
#include <equipoise/psqa/files/text_file.hpp>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "study_results.hpp"

namespace psqa_program {

namespace {

using eq::report::fixed;
using Methods = std::vector<std::pair<std::string, eq::RecordFigures>>;

Json json_of(const eq::Interval& i) {
  return {{"value", i.value}, {"low", i.low}, {"high", i.high}};
}

/// A column of the table of floors by id. \throws FileError for another table
std::map<std::string, double> floor_column(const std::string& path, const std::string& column) {
  std::map<std::string, double> out;
  const eq::io::CsvFile file(path, ',');
  std::optional<std::size_t> id, floor;
  for (const eq::io::CsvRow& row : file.rows()) {
    if (&row == &file.rows().front()) {
      for (std::size_t c = 0; c < row.cells.size(); ++c) {
        if (row.cells[c] == "id") id = c;
        if (row.cells[c] == column) floor = c;
      }
      if (!id || !floor)
        throw eq::FileError(
            eq::message("file.432", path, "expected columns id and ", column, ", as psqa floor --csv writes them"));
    } else if (row.cells.size() > std::max(*id, *floor) && !row.cells[*floor].empty()) {
      const std::optional<double> value = psqa::parse_number(row.cells[*floor]);
      if (!value)
        throw eq::FileError(eq::message("file.433", path, "line ", row.line, ": column ", column,
                                        ": expected a number, got \"", row.cells[*floor], "\""));
      out.emplace(row.cells[*id], *value);
    }
  }
  return out;
}

/// The floors of records, of a predictor that knows the plan, or the plan and its machine.
std::map<std::string, double> floors_of(const std::string& path, std::string_view known) {
  return floor_column(path, std::string(known) + "_" + psqa::kCriteria[psqa::kStrictest].name + "_floor");
}

/// The share of the error at 2%/2 mm that each method has removed, of what can be removed where the plan and its machine
/// are known, and where the plan alone is.
void add_shares(const StudySettings& a, const Methods& methods, Json& table) {
  const eq::RecordFigures& constant = methods.back().second;
  for (const char* known : {"machine", "plan"}) {
    const std::map<std::string, double> floors = floors_of(a.floors, known);
    for (std::size_t k = 0; k < methods.size(); ++k)
      table[k][std::string("reachable_") + known] =
          json_of(methods[k].second.share_of_reachable(constant, strictest_metric(), floors));
  }
}

/// Every method against the first: differences with intervals, p-values over patients' means, corrected by Holm.
Json differences_of(const Methods& methods, const std::vector<std::string>& metrics) {
  Json out = Json::array();
  for (const eq::MethodDifference& found : eq::differences_from_first(methods, strictest_metric())) {
    Json d{{"method", found.method}, {"against", found.against}};
    const auto other =
        std::find_if(methods.begin(), methods.end(), [&](const auto& m) { return m.first == found.against; });
    for (const std::string& figure : metrics)
      d[figure] = json_of(methods.front().second.difference(other->second, figure));
    d["mae_2_2_p_holm"] = found.p_corrected;
    out.push_back(std::move(d));
  }
  return out;
}

Json table_of(const Methods& methods, const std::vector<std::string>& metrics) {
  Json out = Json::array();
  for (const auto& [method, figures] : methods) {
    Json row{{"method", method}};
    for (const std::string& metric : metrics) row[metric] = json_of(figures.mean(metric));
    out.push_back(std::move(row));
  }
  return out;
}

/// Average ranks over patients; null where there are too few or too many methods, or no patient with a rate at 2%/2 mm.
Json ranks_of(const Methods& methods) {
  if (methods.size() < 2 || methods.size() > 20) return nullptr;
  std::vector<std::vector<double>> figures;
  for (const auto& [method, of_method] : methods) figures.push_back(of_method.means_by_group(strictest_metric()));
  const auto known = [&](std::size_t patient) {
    return std::ranges::all_of(figures, [&](const auto& of_method) { return std::isfinite(of_method[patient]); });
  };
  std::size_t patients = 0;
  for (std::size_t i = 0; i < figures.front().size(); ++i) patients += known(i) ? 1 : 0;
  if (patients == 0) return nullptr;
  const eq::Ranking ranking = eq::rank_methods(figures);
  Json order = Json::array(), alike = Json::array();
  const std::vector<std::size_t> by_rank = ranking.order();
  for (const std::size_t m : by_rank) order.push_back({{"method", methods[m].first}, {"rank", ranking.average[m]}});
  for (const auto& [first, last] : ranking.cliques()) alike.push_back({first, last});
  return {{"over", "patients"},
          {"blocks", ranking.blocks},
          {"friedman_p", ranking.friedman_p},
          {"critical_difference", ranking.critical_difference},
          {"order", order},
          {"not_separated", alike}};
}

Json conditions_of(const StudyResults& results) {
  Json out = Json::array();
  for (const eq::ConditionFigures& c : results.conditions) {
    Json row{{"condition", c.condition}, {"methods", table_of(c.methods, condition_metrics())}};
    // The study's first method may not have the condition.
    row["differences"] = c.methods.front().first == results.methods.front().first
                             ? differences_of(c.methods, condition_metrics())
                             : Json::array();
    out.push_back(std::move(row));
  }
  return out;
}

double value_of(const Json& row, const std::string& metric) {
  return row[metric]["value"].get<double>();
}

/// The difference of the first method and another as a sentence has it: `0.13 [0.02, 0.25] points above that of …`.
std::string compared(const Json& difference) {
  const Json& d = difference[strictest_metric()];
  const double value = d["value"].get<double>(), low = d["low"].get<double>(), high = d["high"].get<double>();
  const double p = difference["mae_2_2_p_holm"].get<double>();
  const eq::Interval size = value < 0 ? eq::Interval{-value, -high, -low} : eq::Interval{value, low, high};
  const bool apart = low > 0 || high < 0;
  const std::string text = with_interval(size, 2) + " points " + (value < 0 ? "below" : "above") + " that of " +
                           difference["against"].get<std::string>() + ". ";
  if (std::isnan(low)) return text + "There are too few patients for an interval, so that the two are not separated.";
  return text + "The interval " + (apart ? "excludes" : "includes") + " 0; Wilcoxon's test over patients has p " +
         p_of(p, "= ") + " after Holm's correction, so that " +
         (apart && p < 0.05   ? "the two differ."
          : apart || p < 0.05 ? "one of the two statements separates them, the other does not."
                              : "the two are not separated.");
}

/// The conditions in which one modality is missing: all but one, or of two modalities each alone.
std::vector<Json> one_missing(const Json& conditions) {
  std::vector<Json> but_one, alone;
  for (const Json& c : conditions) {
    const std::string name = c["condition"];
    if (name.starts_with("all but ")) but_one.push_back(c);
    if (name.ends_with(" alone")) alone.push_back(c);
  }
  return but_one.empty() ? alone : but_one;
}

/// Of each method that has all of the conditions the mean of its errors, in the order of the table.
std::vector<std::pair<std::string, double>> mean_errors(const std::vector<Json>& conditions) {
  std::vector<std::pair<std::string, double>> out;
  if (conditions.empty()) return out;
  for (const Json& row : conditions.front()["methods"]) {
    const std::string method = row["method"];
    double sum = 0;
    std::size_t found = 0;
    for (const Json& c : conditions)
      for (const Json& other : c["methods"])
        if (other["method"] == method) sum += value_of(other, strictest_metric()), ++found;
    if (found == conditions.size()) out.emplace_back(method, sum / static_cast<double>(found));
  }
  return out;
}

void add_missing_sentence(const Json& summary, std::vector<std::string>& out) {
  if (!summary.contains("conditions")) return;
  const std::vector<std::pair<std::string, double>> errors = mean_errors(one_missing(summary["conditions"]));
  if (errors.empty()) return;
  const auto best =
      std::min_element(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  std::string text = "Where a trained model is shown all modalities but one, " + best->first +
                     " has the lowest error: " + fixed(best->second, 2) + " points, the mean over the modalities.";
  const std::string first = summary["methods"][0]["method"];
  const auto ours = std::find_if(errors.begin(), errors.end(), [&](const auto& e) { return e.first == first; });
  if (ours != errors.end() && ours != best) text += " " + first + " has " + fixed(ours->second, 2) + ".";
  const auto worst =
      std::max_element(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (worst != best && worst != ours) text += " The highest is " + fixed(worst->second, 2) + " (" + worst->first + ").";
  out.push_back(text);
}

}  // namespace

void check_floors(const std::string& path, const psqa::Cohort& cohort) {
  const auto& strictest = psqa::kCriteria[psqa::kStrictest];
  const std::map<std::string, double> rates = floor_column(path, std::string(strictest.name));
  std::size_t same = 0, known = 0;
  for (const psqa::CohortRecord& r : cohort.records) {
    if (std::isnan(r.gpr[psqa::kStrictest])) continue;
    ++known;
    const auto found = rates.find(r.id);
    if (found == rates.end()) continue;
    if (!(std::abs(found->second - r.gpr[psqa::kStrictest]) <= kSameRate))
      throw eq::FileError(eq::message("file.448", path, "expected floors of the cohort's records, got ", r.id, " with ",
                                      fixed(found->second, 2), " % at ", strictest.label, ", in the cohort ",
                                      fixed(r.gpr[psqa::kStrictest], 2), " %: is it the table of another cohort?"));
    ++same;
  }
  if (same == 0 && known > 0)
    throw eq::FileError(eq::message("file.448", path, "expected floors of the cohort's records, got none of them"));
}

std::string interval_of(const Json& interval, int decimals) {
  return with_interval({interval["value"], interval["low"], interval["high"]}, decimals);
}

std::string p_of(double p, const std::string& equals) {
  return p < 0.001 ? "< 0.001" : equals + fixed(p, 3);
}

int decimals_of(const std::string& metric) {
  return metric == "dd_ssim" ? 4 : metric == "dd_mae" ? 3 : 2;
}

std::string words_of_metric(const std::string& metric) {
  if (metric == "mae_2_2_failing") return "MAE of failing records, points";
  if (metric == "dd_mae") return "MAE of the maps, %";
  if (metric == "dd_ssim") return "SSIM of the maps";
  for (const psqa::NamedCriteria& c : psqa::kCriteria)
    if (metric == "mae" + std::string(c.name).substr(3)) return std::string("MAE at ") + c.label + ", points";
  return metric;
}

std::vector<std::vector<std::string>> condition_rows(const std::vector<std::string>& methods, const Json& conditions,
                                                     const std::string& part, const std::string& metric) {
  std::vector<std::vector<std::string>> rows = {{"shown to the trained model"}};
  rows[0].insert(rows[0].end(), methods.begin(), methods.end());
  const char* name = part == "methods" ? "method" : "against";
  for (const Json& condition : conditions) {
    std::vector<std::string>& row = rows.emplace_back(1, condition["condition"].get<std::string>());
    for (const std::string& method : methods) {
      const auto found = std::find_if(condition[part].begin(), condition[part].end(),
                                      [&](const Json& j) { return j[name] == method; });
      row.push_back(found == condition[part].end() ? "–" : interval_of((*found)[metric], decimals_of(metric)));
    }
  }
  return rows;
}

std::vector<FurtherTable> further_tables(const Json& summary, const char* part) {
  const Json& of_part = summary[part];
  const auto name = [&](const Json& row) {
    const std::string method = row["method"];
    return row.contains("against") ? method + " - " + row["against"].get<std::string>() : method;
  };
  std::vector<FurtherTable> out;
  for (const FurtherFigure& f : further_figures()) {
    if (out.empty() || out.back().title != f.table) {
      out.push_back({f.table, {{std::string_view(part) == "methods" ? "method" : "difference"}}});
      for (const Json& row : of_part) out.back().rows.push_back({name(row)});
    }
    std::vector<std::vector<std::string>>& rows = out.back().rows;
    rows[0].push_back(f.words);
    for (std::size_t k = 0; k < of_part.size(); ++k) rows[k + 1].push_back(interval_of(of_part[k][f.name], f.decimals));
  }
  return out;
}

std::string further_notes() {
  return "These figures are those of the records that a run tests, averaged over the runs. AUC: how well the predicted "
         "rate at 2%/2 mm tells the records with a true rate below the limit from the others. Sensitivity: the share "
         "of them whose predicted rate is below the limit, too. Specificity: the share of the others whose predicted "
         "rate is not below it. PSNR: for a range of 20 % of the norm. SSIM of the dose: the planned plane plus the "
         "predicted map, against the measured plane. The constant's map is zero, so its dose is the planned plane. "
         "Rates recomputed from the maps: gamma of the planned plane plus the predicted map, against the planned "
         "plane.";
}

namespace {

/// The further figures of each method, and the first method's differences to the others.
void add_further(const Methods& methods, Json& out) {
  for (const FurtherFigure& f : further_figures()) {
    std::vector<eq::RunFigure> of_methods;
    for (const auto& [method, figures] : methods) of_methods.push_back(figures.over_runs(f.x, f.y, f.statistic));
    for (std::size_t k = 0; k < methods.size(); ++k) out["methods"][k][f.name] = json_of(of_methods[k].interval());
    for (std::size_t k = 1; k < methods.size(); ++k)
      out["differences"][k - 1][f.name] = json_of(of_methods[0].minus(of_methods[k]));
  }
}

}  // namespace

Json summary_of(const StudySettings& a, const StudyResults& results) {
  Json out;
  if (results.records > 0) out["training_records"] = results.records;
  out["records_tested"] = results.methods.front().second.records();
  out["records_with_rate"] = results.methods.front().second.records(strictest_metric());
  out["methods"] = table_of(results.methods, compared_metrics());
  if (!a.floors.empty()) add_shares(a, results.methods, out["methods"]);
  out["differences"] = differences_of(results.methods, compared_metrics());
  add_further(results.methods, out);
  out["ranks"] = ranks_of(results.methods);
  if (a.conditions) out["conditions"] = conditions_of(results);
  return out;
}

namespace {

/// What a method has removed of the error that can be removed; where its interval says little, that it says little.
std::string sentence_on_share(const Json& method) {
  const Json& share = method["reachable_machine"];
  const std::string text = interval_of(share, 2),
                    what = " of the constant's error that can be removed where the plan and its machine are known";
  constexpr double says_little = 0.5;  // the interval's length
  if (!(share["high"].get<double>() - share["low"].get<double>() <= says_little))
    return "The share" + what + " is too uncertain to tell methods apart (" + text +
           "): the floors are of too few tested records.";
  return method["method"].get<std::string>() + " has removed a share of " + text + what + ".";
}

}  // namespace

std::vector<std::string> study_verdict(const StudySettings& a, const Json& summary) {
  const Json& methods = summary["methods"];
  const Json *best = nullptr, *best_other = nullptr;
  const auto smaller = [](const Json& row, const Json* than) {
    const double value = value_of(row, strictest_metric());
    return std::isfinite(value) && (!than || value < value_of(*than, strictest_metric()));
  };
  for (const Json& row : methods) {
    if (smaller(row, best)) best = &row;
    if (&row != &methods.front() && smaller(row, best_other)) best_other = &row;
  }
  if (!best) return {"No test record has a known passing rate at 2%/2 mm: the methods cannot be compared."};
  std::vector<std::string> out;
  out.push_back((*best)["method"].get<std::string>() +
                " has the lowest mean absolute error of passing rates at 2%/2 mm: " +
                interval_of((*best)[strictest_metric()], 2) + " points on " + summary["records_with_rate"].dump() +
                " tested records.");
  const std::string first = methods[0]["method"];
  if (best_other)
    for (const Json& d : summary["differences"])
      if (d["against"] == (*best_other)["method"])
        out.push_back(
            (best == &methods.front() ? "Its error is " : "The error of " + first + ", the first method, is ") +
            compared(d));
  if (best->contains("reachable_machine")) out.push_back(sentence_on_share(*best));
  add_missing_sentence(summary, out);
  out.push_back("The intervals are at 95 %, by bootstrap over patients. " + study_notes(a, summary));
  return out;
}

std::string study_notes(const StudySettings& a, const Json& summary) {
  return counted(static_cast<std::size_t>(a.seeds), "seed") + (a.seeds == 1 ? ", with " : ", each with ") +
         (a.machines    ? "every machine left out once"
          : a.folds > 0 ? std::to_string(a.folds) + " folds by patient"
                        : "its own split by patient") +
         (summary.contains("training_records") ? " and " + summary["training_records"].dump() + " training records"
                                               : std::string()) +
         "; " + summary["records_tested"].dump() + " records tested" +
         (a.trials > 1 ? "; each run is the best of " + std::to_string(a.trials) + " trials on validation records"
                       : "") +
         (a.start_from.empty() ? "" : "; each run starts from the weights of its method's run in " + a.start_from) +
         ".";
}

std::string noise_notes() {
  return "Noise is added to each entry of an input at test: to the dose plane 2 % of its maximum, as of a Monte Carlo "
         "dose; to each delivery map 10 % of its root mean square; to the metrics and to the figures of the machine "
         "half a standard deviation of the training records.";
}

}  // namespace psqa_program
