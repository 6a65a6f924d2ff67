// SPDX-License-Identifier: MIT
/// \file
/// A first model: two modalities, a regression, and BMMQA's loss factors against plain training. Plain training leans on
/// one modality; the factors make each of them useful alone, which costs here a part of what they reach together.

// What the program uses; <equipoise/equipoise.hpp> has all of the library's parts and takes longer to compile.
#include <equipoise/balancing/shapley_loss_factors.hpp>
#include <equipoise/contribution/data_set.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/cnn.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/attention.hpp>
#include <equipoise/tasks/regression.hpp>
#include <equipoise/training/trainer.hpp>
#include <iostream>

namespace eq = equipoise;
using namespace eq::literals;

int main() {
  torch::manual_seed(1);
  // A table that shows half of the target plainly, and a small image whose brightness holds the other half under noise.
  const at::Tensor table = torch::randn({512, 4}), signal = torch::randn({512, 1, 1, 1});
  const at::Tensor image = signal + 2 * torch::randn({512, 1, 16, 16});
  const at::Tensor target = table.narrow(1, 0, 1) + signal.flatten(1);
  const auto data =
      eq::batch(eq::input<"table">(table), eq::input<"image">(image), eq::target<"y">(eq::Values{target}));
  // The best epoch is chosen on the validation records; the test records are looked at once.
  const auto train = data.slice(0, 320), validation = data.slice(320, 384), test = data.slice(384, 512);

  const auto fit = [&](eq::PolicyStack policies) {
    torch::manual_seed(2);
    auto model = eq::compose(eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {32}}),
                             eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                             eq::task<"y">(eq::AttentionFusion{.width = 32}, eq::Regression{.outputs = 1}));
    eq::Trainer trainer(model, std::move(policies), {.epochs = 15, .batch_size = 32, .seed = 7});
    (void)trainer.fit(train, validation);
    const auto phi = eq::shapley(*model, test);
    const std::vector<double>& loss = phi.tasks[0].losses;  // of no modality, the table, the image, both
    std::cout << "  loss: both " << loss[3] << ", table alone " << loss[1] << ", image alone " << loss[2]
              << ", neither " << loss[0] << "\n  contributions: table " << phi["table"_n]["y"_n] << ", image "
              << phi["image"_n]["y"_n] << "\n";
  };
  std::cout << "plain joint training\n";
  fit({});
  std::cout << "Shapley loss factors\n";
  fit(eq::stack(eq::ShapleyLossFactors{}));
}
