// SPDX-License-Identifier: MIT
/// \file
/// Accuracy over the share of missing modalities, for three fusions that are chosen at run time. Records for training and
/// for the test lack each modality with the same probability; a record without any gets the most frequent class.

#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/any_fusion.hpp>
#include <equipoise/fusion/attention.hpp>
#include <equipoise/fusion/bilinear.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/classification.hpp>
#include <equipoise/training/trainer.hpp>
#include <iomanip>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace eq = equipoise;
using namespace eq::literals;

int main() {
  torch::manual_seed(1);
  // Four classes. Each of three modalities shows the class under noise of its own.
  const at::Tensor label = torch::randint(4, {1000});
  const auto view = [&](std::int64_t columns) {
    return torch::randn({4, columns}).index_select(0, label) + 1.2 * torch::randn({1000, columns});
  };
  const auto data = eq::batch(eq::input<"sound">(view(5)), eq::input<"video">(view(7)), eq::input<"text">(view(6)),
                              eq::target<"kind">(eq::Labels{label}));
  const std::vector<std::pair<std::string, eq::AnyFusion>> fusions = {{"concat", eq::Concat{.width = 32}},
                                                                      {"attention", eq::AttentionFusion{.width = 32}},
                                                                      {"bilinear", eq::Bilinear{.width = 32}}};

  std::cout << "missing    " << std::fixed << std::setprecision(2);
  for (const double rate : {0.0, 0.2, 0.4, 0.6, 0.8}) std::cout << "  " << rate;
  std::cout << "\n";
  for (const auto& [name, fusion] : fusions) {
    std::cout << std::left << std::setw(11) << name;
    for (const double rate : {0.0, 0.2, 0.4, 0.6, 0.8}) {
      torch::manual_seed(2);
      const auto holes = data.with_presence(torch::rand({1000, 3}).ge(rate));
      auto model = eq::compose(eq::modality<"sound">(eq::Mlp{.in_features = 5, .widths = {32}}),
                               eq::modality<"video">(eq::Mlp{.in_features = 7, .widths = {32}}),
                               eq::modality<"text">(eq::Mlp{.in_features = 6, .widths = {32}}),
                               eq::task<"kind">(fusion, eq::Classification{.classes = 4}));
      eq::Trainer trainer(model, {}, {.epochs = 12, .batch_size = 32, .seed = 3, .progress = nullptr});
      (void)trainer.fit(holes.slice(0, 700));
      const at::Tensor guess = model->predict(holes.slice(700, 1000))["kind"_n].argmax(1);
      std::cout << "  " << guess.eq(label.slice(0, 700)).to(torch::kFloat).mean().item<double>();
    }
    std::cout << "\n";
  }
}
