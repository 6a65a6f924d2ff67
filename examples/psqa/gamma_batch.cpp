// SPDX-License-Identifier: MIT
/// \file
/// Many comparisons: the pairs of a CSV file.

#include <algorithm>
#include <equipoise/core/base/utf8.hpp>
#include <equipoise/io/csv.hpp>
#include <equipoise/psqa/files/no_file.hpp>
#include <equipoise/report/numbers.hpp>
#include <fstream>
#include <iostream>

#include "gamma_comparison.hpp"

namespace psqa_program {

namespace {

/// One pair of the list.
struct Pair {
  std::size_t line = 0;
  std::string reference, evaluated;
  std::vector<std::string> labels;
  std::string wrong;  ///< why it cannot be compared; empty where it can
};

struct PairList {
  std::vector<std::string> labels;  ///< names of the other columns
  std::vector<Pair> pairs;
};

/// Comma, or semicolon where the first line has no comma: so do spreadsheets of some languages.
char delimiter_of(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line.find(',') == std::string::npos && line.find(';') != std::string::npos ? ';' : ',';
}

/// \throws FileError for a file without the columns reference and evaluated, or without pairs
PairList read_pairs(const fs::path& path) {
  if (!fs::is_regular_file(path)) throw psqa::no_file(path);
  const eq::io::CsvFile file(path, delimiter_of(path));
  const auto refuse = [&](const std::string& what) {
    throw eq::FileError(eq::message("file.433", path.string(), what));
  };
  if (file.rows().empty()) refuse("expected columns reference and evaluated, got an empty file");
  const std::vector<std::string> names(file.rows()[0].cells.begin(), file.rows()[0].cells.end());
  const auto column = [&](const char* name) {
    const auto at = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    if (at == names.size()) refuse("expected columns reference and evaluated, got " + listed(names));
    return at;
  };
  const std::size_t reference = column("reference"), evaluated = column("evaluated");
  PairList out;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (i != reference && i != evaluated) out.labels.push_back(names[i]);
  const auto absolute = [&](std::string_view cell) { return (path.parent_path() / fs::path(cell)).string(); };
  for (std::size_t r = 1; r < file.rows().size(); ++r) {
    const eq::io::CsvRow& row = file.rows()[r];
    Pair& pair = out.pairs.emplace_back();
    pair.line = row.line;
    if (row.cells.size() != names.size()) {
      pair.wrong = "expected " + std::to_string(names.size()) + " cells, got " + std::to_string(row.cells.size());
      continue;
    }
    if (row.cells[reference].empty() || row.cells[evaluated].empty())
      pair.wrong = "expected a reference and an evaluated file, got an empty cell";
    pair.reference = absolute(row.cells[reference]), pair.evaluated = absolute(row.cells[evaluated]);
    for (std::size_t i = 0; i < names.size(); ++i)
      if (i != reference && i != evaluated) pair.labels.emplace_back(row.cells[i]);
  }
  if (out.pairs.empty()) refuse("expected a line for each pair, got the names of the columns alone");
  return out;
}

/// \throws ValueError for a table that would take the place of the list or of a dose
void check_csv(const std::string& csv, const fs::path& list, const std::vector<Pair>& pairs) {
  std::error_code none;
  const auto same = [&](const fs::path& file) { return fs::equivalent(csv, file, none); };
  if (same(list) ||
      std::any_of(pairs.begin(), pairs.end(), [&](const Pair& p) { return same(p.reference) || same(p.evaluated); }))
    throw eq::ValueError(eq::message("value.212", "--csv", "expected a file of its own, got an input: ", csv));
}

/// How one pair was judged, on one line.
void print_pair(const Pair& pair, const GammaComparison& c) {
  std::cout << "line " << pair.line << ":";
  for (const GammaOutcome& o : c.outcomes)
    std::cout << (&o == &c.outcomes.front() ? " " : ", ") << psqa::text_of(o.criterion) << " "
              << eq::report::fixed(o.result.pass_rate, 2) << " %";
  std::cout << "  " << c.arguments.reference << "\n";
}

Json json_of(const Pair& pair, const std::vector<std::string>& names, const GammaComparison& c) {
  Json out{{"line", pair.line}};
  for (std::size_t i = 0; i < pair.labels.size(); ++i)
    out["labels"][eq::as_utf8(names[i])] = eq::as_utf8(pair.labels[i]);
  out.update(to_json(c));
  return out;
}

}  // namespace

void compare_batch(const GammaArguments& a, const fs::path& path, const std::string& csv, bool json) {
  catch_interrupts();
  const PairList list = read_pairs(path);
  if (!csv.empty()) check_csv(csv, path, list.pairs);
  GammaTable table(list.labels);
  Json errors = Json::object(), results = Json::array();
  for (const Pair& pair : list.pairs) {
    if (interrupted()) throw Interrupted("interrupted: no table is written");
    const std::string line = path.filename().string() + ", line " + std::to_string(pair.line);
    GammaArguments one = a;
    one.reference = pair.reference, one.evaluated = pair.evaluated;
    attempt(errors, line, [&] {
      try {
        if (!pair.wrong.empty()) throw std::runtime_error(pair.wrong);
        const GammaComparison c = compare_doses(one, line + ": ");
        table.add(c, pair.labels);
        json ? results.push_back(json_of(pair, list.labels, c)) : print_pair(pair, c);
      } catch (const std::exception& e) {
        table.add_failed(one, pair.labels, e.what());
        throw std::runtime_error(line + ": " + e.what());
      }
    });
  }
  if (!csv.empty()) table.write(csv);
  if (json) {
    Json out{{"pairs", results}};
    if (!errors.empty()) out["errors"] = errors;
    print_json(out);
  } else if (!csv.empty()) {
    std::cout << "csv: " << csv << ", " << list.pairs.size() - errors.size() << " of " << list.pairs.size()
              << " pairs, " << table.rows() << " rows\n";
  }
  if (!errors.empty()) throw Failed{};
}

}  // namespace psqa_program
