// SPDX-License-Identifier: MIT
/// \file
/// A fusion of one's own: a module with `forward(features, presence)` and `width()`, and a spec that builds it from what
/// the encoders say. Coalitions and missing modalities come for free.

#include <equipoise/equipoise.hpp>
#include <iostream>

namespace eq = equipoise;
using namespace eq::literals;

/// The largest projected feature of the present modalities, channel by channel.
struct MaxModule : torch::nn::Module {
  MaxModule(std::span<const eq::FeatureSpec> features, std::int64_t joint_width) : size(joint_width) {
    for (const eq::FeatureSpec& f : features)
      layers.push_back(register_module("layer" + std::to_string(layers.size()), torch::nn::Linear(f.width, size)));
  }

  [[nodiscard]] std::int64_t width() const { return size; }
  /// A modality's own part of the fusion: policies that slow a modality down reach it too.
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const { return layers[m]->parameters(); }

  /// \param features [R, D_m] a modality, zero where absent  \param presence bool [R, M]
  [[nodiscard]] at::Tensor forward(const std::vector<at::Tensor>& features, const at::Tensor& presence) {
    std::vector<at::Tensor> all;
    for (std::size_t m = 0; m < features.size(); ++m) {
      const at::Tensor absent = presence.select(1, static_cast<std::int64_t>(m)).logical_not().unsqueeze(1);
      all.push_back(layers[m]->forward(features[m]).masked_fill(absent, -1e9));
    }
    return torch::stack(all).amax(0);
  }

  std::int64_t size;
  std::vector<torch::nn::Linear> layers;
};

struct Max {
  std::int64_t width = 16;
  [[nodiscard]] std::shared_ptr<MaxModule> build(std::span<const eq::FeatureSpec> features) const {
    return std::make_shared<MaxModule>(features, width);
  }
};

int main() {
  torch::manual_seed(1);
  auto model = eq::compose(eq::modality<"sound">(eq::Mlp{.in_features = 5, .widths = {8}}),
                           eq::modality<"video">(eq::Mlp{.in_features = 7, .widths = {12}}),
                           eq::task<"label">(Max{.width = 16}, eq::Classification{.classes = 3}));
  const auto data = eq::batch(eq::input<"sound">(torch::randn({4, 5})), eq::input<"video">(torch::randn({4, 7})));
  const auto coalitions = eq::all_coalitions(2);
  const at::Tensor fast = model->predict(data, coalitions)["label"_n];
  double worst = 0;
  for (std::size_t c = 0; c < coalitions.size(); ++c) {
    const at::Tensor alone = model->predict(data, {&coalitions[c], 1})["label"_n][0];
    worst = std::max(worst, (fast[static_cast<std::int64_t>(c)] - alone).abs().max().item<double>());
  }
  std::cout << "logits of all coalitions: " << fast.sizes() << "\n";
  std::cout << "the fast forward is one forward per coalition: " << (worst < 1e-6 ? "yes" : "no") << "\n";
  return worst < 1e-6 ? 0 : 1;
}
