// SPDX-License-Identifier: MIT
/// \file
/// The shortest program: two modalities, one label, one balancing policy, contributions.

#include <equipoise/equipoise.hpp>
#include <iostream>

namespace eq = equipoise;
using namespace eq::literals;

int main() {
  torch::manual_seed(1);
  const at::Tensor sound = torch::randn({200, 5}), video = torch::randn({200, 7});
  const at::Tensor label = (sound.select(1, 0) + 2 * video.select(1, 0)).gt(0).to(torch::kLong);
  const auto data =
      eq::batch(eq::input<"sound">(sound), eq::input<"video">(video), eq::target<"label">(eq::Labels{label}));

  auto model = eq::compose(eq::modality<"sound">(eq::Mlp{.in_features = 5, .widths = {16}}),
                           eq::modality<"video">(eq::Mlp{.in_features = 7, .widths = {16}}),
                           eq::task<"label">(eq::AttentionFusion{.width = 16}, eq::Classification{.classes = 2}));
  eq::Trainer trainer(model, eq::Ogm{}, {.epochs = 30});
  trainer.fit(data.slice(0, 150));

  const auto phi = eq::shapley(*model, data.slice(150, 200));
  std::cout << "sound contributes " << phi["sound"_n]["label"_n] << ", video " << phi["video"_n]["label"_n] << "\n";
}
