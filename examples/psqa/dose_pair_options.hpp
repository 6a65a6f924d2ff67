// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Options of the commands that compare two doses.

#include <cstddef>
#include <string>

#include "dose_pair.hpp"
#include "number_options.hpp"

namespace psqa_program {

/// \param places how many numbers `--at` takes at most
inline void add_dose_pair_options(CLI::App& c, DosePairOptions& options, std::size_t places,
                                  const std::string& origin) {
  c.add_option_function<std::string>(
       "--normalise",
       [&options](const std::string& name) {
         for (std::size_t i = 0; i < names_of(psqa::Normalise{}).size(); ++i)
           if (names_of(psqa::Normalise{})[i] == name) options.normalise = static_cast<psqa::Normalise>(i);
       },
       "compare doses without a common unit. max: each divided by its own maximum; point: by its own dose at --at; "
       "prescription: 100 % are the prescription dose of one fraction; none: the numbers as they stand. Without this "
       "option such doses are refused")
      ->check(CLI::IsMember({"max", "point", "prescription", "none"}));
  add_places(c, "--at", options.at, places, "where --normalise point takes the dose: mm " + origin);
  c.add_option("--prescription", options.prescription,
               "Gy of one fraction for --normalise prescription; by default the plan's")
      ->check(above_zero());
}

}  // namespace psqa_program
