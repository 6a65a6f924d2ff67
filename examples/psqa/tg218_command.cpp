// SPDX-License-Identifier: MIT
/// \file
/// The command tg218: limits of a list of passing rates.

#include <equipoise/psqa/gamma/tolerance.hpp>
#include <equipoise/psqa/readers/rate_list.hpp>
#include <equipoise/psqa/tg218.hpp>
#include <equipoise/report/numbers.hpp>
#include <iostream>
#include <memory>

#include "command_line.hpp"
#include "number_options.hpp"

namespace psqa_program {

namespace {

/// The limits that TG-218 gives for all clinics hold at 3 %/2 mm: they stand beside rates of that criterion, or where the
/// user says that a list is of it.
void tg218(const std::string& file, psqa::RateChoice choice, bool universal, bool json) {
  if (!choice.criterion.empty())
    choice.criterion =
        understood([&] { return psqa::text_of(psqa::parse_gamma_criterion(choice.criterion, "--criterion")); });
  const psqa::RateList list = psqa::read_rates(file, choice);
  const psqa::ControlChart c = psqa::control_chart(list.rates);
  universal = universal || list.universal || list.column == "gpr_3_2";
  if (json) {
    Json out = Json::array(), names = Json::array();
    for (const std::size_t i : c.out_of_control) {
      out.push_back(i + 1);
      if (i < list.names.size()) names.push_back(list.names[i]);
    }
    return print_json({{"results", c.results},
                       {"mean", c.mean},
                       {"sd", c.sd},
                       {"mean_moving_range", c.moving_range},
                       {"tolerance_limit", c.tolerance},
                       {"action_limit", c.action},
                       {"usable", c.usable()},
                       {"universal", universal ? Json{{"tolerance", psqa::kUniversalTolerance},
                                                      {"action", psqa::kUniversalAction},
                                                      {"below_tolerance", c.below_universal_tolerance},
                                                      {"below_action", c.below_universal_action}}
                                               : Json(nullptr)},
                       {"criterion", list.criterion.empty() ? Json(nullptr) : Json(list.criterion)},
                       {"left_out", list.left_out},
                       {"out_of_control", out},
                       {"out_of_control_names", names}});
  }
  const auto beside = [&](double limit, std::size_t below) {
    return universal ? "   (universal " + eq::report::fixed(limit, 0) + " %: " + std::to_string(below) + " below)" : "";
  };
  std::cout << "TG-218 limits of " << c.results << " results" << (list.criterion.empty() ? "" : " at " + list.criterion)
            << " (mean " << eq::report::fixed(c.mean, 2) << " %, SD " << eq::report::fixed(c.sd, 2)
            << ", mean moving range " << eq::report::fixed(c.moving_range, 2) << ")\n  tolerance limit  "
            << eq::report::fixed(c.tolerance, 2) << " %"
            << beside(psqa::kUniversalTolerance, c.below_universal_tolerance) << "\n  action limit     "
            << eq::report::fixed(c.action, 2) << " %" << beside(psqa::kUniversalAction, c.below_universal_action)
            << "\n  out of control   " << c.out_of_control.size();
  for (const std::size_t i : c.out_of_control)
    std::cout << (i == c.out_of_control[0] ? ": no. " : ", ") << i + 1
              << (i < list.names.size() ? " (" + list.names[i] + ")" : "");
  std::cout << "\n";
  if (list.left_out > 0) std::cout << "  left out         " << list.left_out << ", which could not be compared\n";
  if (!c.usable())
    std::cout
        << "  not usable: an action limit lies above 0 and below the tolerance limit; these results are too few or "
           "too far apart\n";
  if (c.results < 20) std::cout << "  fewer than 20 results: limits are preliminary\n";
}

}  // namespace

void add_tg218_command(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  auto choice = std::make_shared<psqa::RateChoice>();
  auto json = std::make_shared<bool>(false), universal = std::make_shared<bool>(false);
  CLI::App* c = app.add_subcommand("tg218", "Tolerance and action limits of a list of passing rates after TG-218");
  c->add_option("file", *file, "one rate (%) a line in the order of measurement, or a CSV file with a header")
      ->required()
      ->check(a_file());
  c->add_option("--column", choice->column,
                "of a CSV file; where it has no gpr_3_2, the pass_rate_percent that gamma writes")
      ->capture_default_str();
  c->add_option("--criterion", choice->criterion, "of a table of psqa gamma that holds several, as 3%/2mm");
  c->add_flag("--universal", *universal,
              "the rates are of 3 %/2 mm, as in a column gpr_3_2: print the universal limits too");
  c->add_flag("--json", *json, "print JSON");
  c->callback([=] { tg218(*file, *choice, *universal, *json); });
}

}  // namespace psqa_program
