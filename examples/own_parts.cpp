// SPDX-License-Identifier: MIT
/// \file
/// An encoder and a task of one's own, three modalities of which records miss some, and labels that are missing.

#include <torch/nn/modules/rnn.h>

#include <equipoise/equipoise.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <iostream>

namespace eq = equipoise;
using namespace eq::literals;

/// An encoder is a module that says how wide its feature is: here a recurrent one, over a series [B, T, channels].
struct Series : torch::nn::Module {
  explicit Series(std::int64_t channels) : gru(register_module("gru", torch::nn::GRU(channels, 12))) {}
  [[nodiscard]] std::int64_t width() const { return 12; }
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) {
    return std::get<1>(gru->forward(x.transpose(0, 1))).squeeze(0);
  }
  torch::nn::GRU gru;
};

/// A task is a module with a prediction and a loss for each record: here counts, by Poisson.
struct CountsModule : torch::nn::Module {
  using Target = eq::Values;
  explicit CountsModule(std::int64_t joint_width)
      : linear(register_module("linear", torch::nn::Linear(joint_width, 1))) {}
  at::Tensor forward(const at::Tensor& joint) { return linear->forward(joint); }  // log of the rate
  /// \param prediction [C, B, 1]  \param target [B, 1], NaN where missing  \return [C, B]
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor each = prediction.exp() - target.nan_to_num() * prediction;
    return each.masked_fill(target.isnan(), 0).squeeze(2);
  }
  torch::nn::Linear linear;
};
struct Counts {
  std::shared_ptr<CountsModule> build(std::int64_t joint_width) const {
    return std::make_shared<CountsModule>(joint_width);
  }
};

int main() {
  torch::manual_seed(1);
  const at::Tensor series = torch::randn({256, 10, 2}), table = torch::randn({256, 3}),
                   image = torch::randn({256, 1, 8, 8});
  at::Tensor counts = torch::poisson((0.7 * table.narrow(1, 0, 1) + series.mean({1, 2}).unsqueeze(1)).exp());
  counts.narrow(0, 0, 20).fill_(std::nan(""));   // labels that nobody knows
  at::Tensor has = torch::rand({256, 3}) > 0.3;  // columns in the order of the inputs; what is absent is never read
  const auto data = eq::batch(eq::input<"series">(series), eq::input<"table">(table), eq::input<"image">(image),
                              eq::target<"count">(eq::Values{counts}))
                        .with_presence(has);
  auto model = eq::compose(eq::modality<"series">(std::make_shared<Series>(2)),
                           eq::modality<"table">(eq::Mlp{.in_features = 3, .widths = {16}}),
                           eq::modality<"image">(eq::Cnn{.widths = {4, 8}}),
                           eq::task<"count">(eq::AttentionFusion{.width = 16}, Counts{}));
  eq::Trainer(model, eq::Opm{}, {.epochs = 20, .learning_rate = 5e-3}).fit(data);
  const auto phi = eq::shapley(*model, data);
  std::cout << "rates: " << eq::infer(*model, data)["count"_n].exp().sizes() << "\n";
  const bool table_leads = phi["table"_n]["count"_n] > phi["image"_n]["count"_n];
  std::cout << "the table says more than an image of noise: " << (table_leads ? "yes" : "no") << "\n";
  return table_leads ? 0 : 1;
}
