// SPDX-License-Identifier: MIT
/// \file
/// The models that are shown delivery maps and the machine, compiled by themselves: a model for each fusion.

#include <equipoise/psqa/learning/methods.hpp>

#include "run.hpp"

namespace psqa_program {

std::unique_ptr<psqa::Learner> delivery_learner(const std::string& fusion, const psqa::PsqaSizes& sizes,
                                                const eq::OptionList& options) {
  return psqa::make_delivery_learner(fusion, sizes, options);
}

}  // namespace psqa_program
