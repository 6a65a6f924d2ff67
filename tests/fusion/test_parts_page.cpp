// The blocks of docs/parts.md, word for word (gate.links_in_docs compares them).

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/rnn.h>

#include <equipoise/equipoise.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

/// A recurrent encoder: a feature for each step of a sequence [B, T, channels].
struct Steps : torch::nn::Module {
  explicit Steps(std::int64_t channels)
      : gru(register_module("gru", torch::nn::GRU(torch::nn::GRUOptions(channels, 12).batch_first(true)))) {}

  std::int64_t width() const { return 12; }  // D of the tokens [B, T, D]
  eq::TokenFeature forward(const at::Tensor& x) { return {std::get<0>(gru->forward(x))}; }

  torch::nn::GRU gru;
};

/// Words as numbers, int64 [B, T]: a vector for each word.
struct Words : torch::nn::Module {
  explicit Words(std::int64_t vocabulary) : table(register_module("table", torch::nn::Embedding(vocabulary, 6))) {}

  std::int64_t width() const { return 6; }
  eq::TokenFeature forward(const at::Tensor& words) { return {table->forward(words)}; }

  torch::nn::Embedding table;
};

/// The mean of the present modalities' projected features. Tokens have learned scores.
struct MeanModule : torch::nn::Module {
  MeanModule(std::span<const eq::FeatureSpec> features, std::int64_t joint_width) : size(joint_width) {
    for (const eq::FeatureSpec& f : features) {
      const std::string m = std::to_string(layers.size());
      layers.push_back(register_module("layer" + m, torch::nn::Linear(f.width, size)));
      scores.push_back(register_module("score" + m, torch::nn::Linear(f.width, 1)));
    }
  }

  std::int64_t width() const { return size; }
  std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> own = layers[m]->parameters(), more = scores[m]->parameters();
    own.insert(own.end(), more.begin(), more.end());
    return own;
  }

  /// First stage, once a modality: [B, size].
  at::Tensor project(std::size_t m, const eq::Feature& feature) {
    if (feature.kind != eq::FeatureKind::tokens) return layers[m]->forward(feature.vector());
    at::Tensor score = scores[m]->forward(feature.value);  // [B, T, 1]
    if (feature.padding.defined()) score = score.masked_fill(feature.padding.unsqueeze(2), -1e9);
    return layers[m]->forward((score.softmax(1) * feature.value).sum(1));
  }

  /// Second stage, for all coalitions at once: [C, B, size].
  at::Tensor combine(const std::vector<at::Tensor>& projected, const eq::Presence& presence) {
    at::Tensor sum, count;
    for (std::size_t m = 0; m < projected.size(); ++m) {
      if (!projected[m].defined()) continue;  // no record of the batch has the modality
      const at::Tensor seen = presence.tensor(projected[m]).narrow(2, static_cast<std::int64_t>(m), 1);  // [C, B, 1]
      const at::Tensor term = torch::where(seen, projected[m].unsqueeze(0), 0);
      sum = sum.defined() ? sum + term : term;
      count = count.defined() ? count + seen.to(term.dtype()) : seen.to(term.dtype());
    }
    return sum / count.clamp_min(1);
  }

  std::int64_t size;
  std::vector<torch::nn::Linear> layers, scores;
};

struct Mean {
  std::int64_t width = 16;
  std::shared_ptr<MeanModule> build(std::span<const eq::FeatureSpec> features) const {
    return std::make_shared<MeanModule>(features, width);
  }
};

}  // namespace

TEST_CASE("the encoders and the fusion of the page on parts make a model", "[fusion][docs]") {
  torch::manual_seed(1);
  auto model =
      eq::compose(eq::modality<"sound">(std::make_shared<Steps>(3)), eq::modality<"text">(std::make_shared<Words>(50)),
                  eq::modality<"table">(
                      eq::encoder(torch::nn::Sequential(torch::nn::Linear(4, 8), torch::nn::ReLU()), {.width = 8})),
                  eq::task<"label">(Mean{.width = 16}, eq::Classification{.classes = 2}));

  const at::Tensor frames = torch::randn({40, 5, 3}), words = torch::randint(50, {40, 4}, torch::kLong);
  std::vector<std::int64_t> lengths(40, 5);
  lengths[0] = 2;
  const at::Tensor table = torch::randn({40, 4}), y = table.select(1, 0).gt(0).to(torch::kLong);
  auto data = eq::batch(eq::input<"sound">(eq::Sequences::of_lengths(frames, lengths)), eq::input<"text">(words),
                        eq::input<"table">(table), eq::target<"label">(eq::Labels{y}));

  // What stands at padding does not matter, and all coalitions at once are the coalitions one by one.
  frames[0].narrow(0, 2, 3).fill_(std::nan(""));
  const auto coalitions = eq::all_coalitions(3);
  const at::Tensor fast = model->predict(data, coalitions)["label"_n];
  CHECK(fast.isfinite().all().item<bool>());
  for (std::size_t c = 0; c < coalitions.size(); ++c)
    CHECK(torch::allclose(fast[static_cast<std::int64_t>(c)],
                          model->predict(data, std::vector{coalitions[c]})["label"_n][0], 1e-5, 1e-6));

  eq::Trainer(model, eq::Ogm{}, {.epochs = 30, .learning_rate = 0.02, .progress = nullptr}).fit(data);
  const auto phi = eq::shapley(*model, data);
  CHECK(phi["table"_n]["label"_n] > phi["text"_n]["label"_n]);
}
