// SPDX-License-Identifier: MIT
/// \file
/// The command tg218: limits of a list of passing rates.

#include <equipoise/core/options.hpp>
#include <equipoise/psqa/text_file.hpp>
#include <equipoise/psqa/tg218.hpp>
#include <equipoise/report/svg.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "common.hpp"

namespace psqa_program {

namespace {

namespace eq = equipoise;
namespace psqa = equipoise::psqa;
using Json = nlohmann::ordered_json;

/// What to say of a table without the column: those that hold rates, or all of them.
std::string no_column(const std::string& where, const std::string& column, const std::vector<std::string_view>& cells) {
  std::vector<std::string> rates, all;
  for (const std::string_view cell : cells) {
    all.emplace_back(psqa::detail::trimmed(cell));
    if (all.back().find("gpr") != std::string::npos) rates.push_back(all.back());
  }
  return eq::message("name.310", where, "no column \"", column, "\"; ",
                     eq::nearest_name(column, rates.empty() ? all : rates));
}

void tg218(const std::string& file, const std::string& column, bool json) {
  const psqa::detail::TextFile text(file);
  std::vector<double> rates;
  std::optional<std::size_t> at;
  for (std::size_t i = 0; i < text.lines().size(); ++i) {
    const auto cells = psqa::detail::cells_of(psqa::detail::trimmed(text.lines()[i]), ',');
    if (cells.empty()) continue;
    if (!at) {
      for (std::size_t c = 0; c < cells.size(); ++c)
        if (psqa::detail::trimmed(cells[c]) == column) at = c;
      if (at) continue;
      if (!psqa::detail::to_number(cells[0])) throw eq::NameError(no_column(text.where(), column, cells));
      at = 0;
    }
    if (cells.size() <= *at)
      text.fail(i, "expected " + std::to_string(*at + 1) + " columns, got " + std::to_string(cells.size()));
    rates.push_back(text.number(i, cells[*at]));
  }
  const psqa::ControlChart c = psqa::control_chart(rates);
  if (json) {
    Json out = Json::array();
    for (const std::size_t i : c.out_of_control) out.push_back(i + 1);
    return print_json({{"results", c.results},
                       {"mean", c.mean},
                       {"sd", c.sd},
                       {"mean_moving_range", c.moving_range},
                       {"tolerance_limit", c.tolerance},
                       {"action_limit", c.action},
                       {"universal",
                        {{"tolerance", 95},
                         {"action", 90},
                         {"below_tolerance", c.below_universal_tolerance},
                         {"below_action", c.below_universal_action}}},
                       {"out_of_control", out}});
  }
  std::cout << "TG-218 limits of " << c.results << " results (mean " << eq::report::fixed(c.mean, 2) << " %, SD "
            << eq::report::fixed(c.sd, 2) << ", mean moving range " << eq::report::fixed(c.moving_range, 2)
            << ")\n  tolerance limit  " << eq::report::fixed(c.tolerance, 2)
            << " %   (universal 95 %: " << c.below_universal_tolerance << " below)\n  action limit     "
            << eq::report::fixed(c.action, 2) << " %   (universal 90 %: " << c.below_universal_action
            << " below)\n  out of control   " << c.out_of_control.size();
  for (const std::size_t i : c.out_of_control) std::cout << (i == c.out_of_control[0] ? ": no. " : ", ") << i + 1;
  std::cout << "\n";
  if (c.results < 20) std::cout << "  fewer than 20 results: limits are preliminary\n";
}

}  // namespace

void add_tg218_command(CLI::App& app) {
  auto file = std::make_shared<std::string>(), column = std::make_shared<std::string>("gpr_3_2");
  auto json = std::make_shared<bool>(false);
  CLI::App* c = app.add_subcommand("tg218", "Tolerance and action limits of a list of passing rates after TG-218");
  c->add_option("file", *file, "one rate a line in the order of measurement, or a CSV file")->required();
  c->add_option("--column", *column, "of a CSV file")->capture_default_str();
  c->add_flag("--json", *json, "print JSON");
  c->callback([=] { tg218(*file, *column, *json); });
}

}  // namespace psqa_program
