// SPDX-License-Identifier: MIT
/// \file
/// A fusion of one's own: any module with `forward(features, presence)` and `width()`. Coalitions and missing
/// modalities come for free.

#include <equipoise/equipoise.hpp>
#include <iostream>

namespace eq = equipoise;
using namespace eq::literals;

/// The largest projected feature of the present modalities, channel by channel.
struct MaxFusion : torch::nn::Module {
  explicit MaxFusion(const std::vector<std::int64_t>& widths) {
    for (const std::int64_t w : widths)
      layers.push_back(register_module("layer" + std::to_string(layers.size()), torch::nn::Linear(w, width())));
  }

  [[nodiscard]] std::int64_t width() const { return 16; }

  /// \param features [R, D_m] a modality, zero where absent  \param presence bool [R, M]
  [[nodiscard]] at::Tensor forward(const std::vector<at::Tensor>& features, const at::Tensor& presence) {
    std::vector<at::Tensor> all;
    for (std::size_t m = 0; m < features.size(); ++m)
      all.push_back(
          layers[m]
              ->forward(features[m])
              .masked_fill(presence.select(1, static_cast<std::int64_t>(m)).logical_not().unsqueeze(1), -1e9));
    return torch::stack(all).amax(0);
  }

  std::vector<torch::nn::Linear> layers;
};

int main() {
  torch::manual_seed(1);
  auto model = eq::compose(eq::modality<"sound">(eq::Mlp{.in_features = 5, .widths = {8}}),
                           eq::modality<"video">(eq::Mlp{.in_features = 7, .widths = {8}}),
                           eq::task<"label">(std::make_shared<MaxFusion>(std::vector<std::int64_t>{8, 8}),
                                             eq::Classification{.classes = 3}));
  const auto data = eq::batch(eq::input<"sound">(torch::randn({4, 5})), eq::input<"video">(torch::randn({4, 7})));
  const auto coalitions = eq::all_coalitions(2);
  const at::Tensor fast = model->predict(data, coalitions)["label"_n];
  double worst = 0;
  for (std::size_t c = 0; c < coalitions.size(); ++c)
    worst =
        std::max(worst, (fast[static_cast<std::int64_t>(c)] - model->predict(data, {&coalitions[c], 1})["label"_n][0])
                            .abs()
                            .max()
                            .item<double>());
  std::cout << "logits of all coalitions: " << fast.sizes() << "\n";
  std::cout << "the fast forward is one forward per coalition: " << (worst < 1e-6 ? "yes" : "no") << "\n";
  return worst < 1e-6 ? 0 : 1;
}
