// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Sequence` encodes sequences of different lengths: by a gated recurrent unit (GRU), or by a
/// small Transformer.
///
/// - In: sequences [B, T, in_features], `eq::Sequences` where they are padded
/// - Out: tokens [B, T, width], one for each step, or [B, 1, width] with `pool`
///
/// A padded sequence has the tokens that it has alone. A GRU runs over each sequence's own steps,
/// as PyTorch does over packed sequences; in a Transformer no step attends to padding. What stands
/// at padding is not used and may be NaN.
///
/// The Transformer adds sine and cosine waves of the step to a linear layer of the input, and has
/// its norms first. From Cho et al., 2014, arXiv:1406.1078, and Vaswani et al., 2017,
/// arXiv:1706.03762.
///
/// - Names of weights of a GRU: `gru.` and then those of torch.nn.GRU, as `gru.weight_ih_l0` and
///   `gru.bias_hh_l0_reverse`
/// - Of a Transformer: `project.weight` and `project.bias`, the linear layer of the input; below
///   `layers.0.`, `layers.1.`, … those of torch.nn.TransformerEncoderLayer (`norm_first=True,
///   activation="gelu", dim_feedforward=4 * width`); `norm.weight` and `norm.bias`
/// - With `Pool::attention`: `pool.score.weight`
///
/// A file of a `gru = torch.nn.GRU(in_features, width)` in Python fits (`eq::Pretrained`) if `gru.`
/// is put before each name. In two directions its size is `width // 2`.
/// `safetensors.torch.save_file({f"gru.{k}": v for k, v in gru.state_dict().items()}, path)`.
///
/// When: The modality is a sequence of feature vectors: frames of sound, visits of a patient,
/// control points of a beam. Prefer the GRU for few records.
/// Cost: A GRU makes T steps, one after the other. A Transformer compares all pairs of T steps.
/// Limits: Words need an embedding first ([parts.md](../../parts.md) has an encoder of words). With
/// dropout between the layers of a GRU, a padded record in training draws other dropout than alone.
///
/// \code
/// auto encoder = eq::Sequence{.in_features = 3, .width = 8, .bidirectional = true}.build();
/// const auto padding = torch::tensor({{false, false, false}, {false, true, true}});
/// eq::TokenFeature feature = encoder->forward(torch::randn({2, 3, 3}), padding);
/// at::Tensor tokens = feature.tokens;  // [2, 3, 8]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/sequence.hpp>
#include <equipoise/core/model/transformer_layer.hpp>
#include <equipoise/encoders/pooling.hpp>

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace equipoise {

/// What reads a sequence.
enum class SequenceLayer : std::uint8_t {
  gru,          ///< a gated recurrent unit
  transformer,  ///< self-attention
};

[[nodiscard]] constexpr std::array<std::string_view, 2> names_of(SequenceLayer) {
  return {"gru", "transformer"};
}

namespace detail {

/// A GRU over each sequence's own steps. Its parameters are called as those of torch.nn.GRU.
class GruLayers : public torch::nn::Module {
 public:
  GruLayers(std::int64_t in, std::int64_t hidden, std::int64_t layers, bool bidirectional, double dropout)
      : torch::nn::Module("Gru"), hidden_(hidden), layers_(layers), bidirectional_(bidirectional), dropout_(dropout) {
    const double bound = 1 / std::sqrt(static_cast<double>(hidden));
    for (std::int64_t l = 0; l < layers; ++l)
      for (const char* direction : {"", "_reverse"}) {
        if (*direction != 0 && !bidirectional) continue;
        const std::int64_t from = l == 0 ? in : hidden * (bidirectional ? 2 : 1);
        const std::string end = "_l" + std::to_string(l) + direction;
        const auto add = [&](const std::string& name, at::IntArrayRef shape) {
          weights_.push_back(
              register_parameter(name + end, torch::nn::init::uniform_(at::empty(shape), -bound, bound)));
        };
        add("weight_ih", {3 * hidden, from}), add("weight_hh", {3 * hidden, hidden});
        add("bias_ih", {3 * hidden}), add("bias_hh", {3 * hidden});
      }
  }

  /// \param x [B, T, in]  \return [B, T, hidden], twice as wide in two directions
  [[nodiscard]] at::Tensor forward(const at::Tensor& x, const at::Tensor& padding) {
    const at::Tensor start = at::zeros({layers_ * (bidirectional_ ? 2 : 1), x.size(0), hidden_}, x.options());
    if (!padding.defined())
      return std::get<0>(
          at::gru(x, start, weights_, true, layers_, dropout_, is_training(), bidirectional_, /*batch_first=*/true));
    // Packed sequences begin with their steps, and the longest comes first.
    const at::Tensor order = padding.to(at::kLong).argsort(/*stable=*/true, 1);  // [B, T], padding last
    const at::Tensor lengths = padding.logical_not().sum(1).clamp_min(1);
    const at::Tensor by_length = lengths.argsort(/*stable=*/true, 0, /*descending=*/true);
    const auto [data, sizes] = at::_pack_padded_sequence(take(x, order).index_select(0, by_length),
                                                         lengths.index_select(0, by_length).cpu(), true);
    const at::Tensor out =
        std::get<0>(at::gru(data, sizes, start, weights_, true, layers_, dropout_, is_training(), bidirectional_));
    const at::Tensor padded = std::get<0>(at::_pad_packed_sequence(out, sizes, true, 0, x.size(1)));
    return take(padded.index_select(0, by_length.argsort()), order.argsort(std::int64_t{1}));
  }

 private:
  /// The steps of each sequence in another order: x [B, T, D], order [B, T].
  [[nodiscard]] static at::Tensor take(const at::Tensor& x, const at::Tensor& order) {
    return x.gather(1, order.unsqueeze(2).expand({-1, -1, x.size(2)}));
  }

  std::int64_t hidden_, layers_;
  bool bidirectional_;
  double dropout_;
  std::vector<at::Tensor> weights_;
};

/// Sine and cosine waves of a step, [T, width].
[[nodiscard]] inline at::Tensor step_waves(std::int64_t steps, std::int64_t width, const at::TensorOptions& options) {
  const at::Tensor step = at::arange(steps, options).unsqueeze(1);
  const at::Tensor rate = at::exp(at::arange(0, width, 2, options) * (-std::log(1e4) / static_cast<double>(width)));
  return at::stack({at::sin(step * rate), at::cos(step * rate)}, 2).flatten(1).narrow(1, 0, width);
}

}  // namespace detail

struct Sequence;

class SequenceModule : public torch::nn::Module {
 public:
  explicit SequenceModule(const Sequence& options);

  /// \param x [B, T, in_features]  \param padding bool [B, T], true at padding; undefined for none
  /// \throws ShapeError for another number of features, integers, or padding of another shape
  [[nodiscard]] TokenFeature forward(const at::Tensor& x, const at::Tensor& padding = {}) {
    if (x.dim() != 3 || x.size(1) < 1 || x.size(2) != in_features_ || !x.is_floating_point())
      throw ShapeError(message("shape.101", "Sequence", "expected [B, T, ", in_features_, "] of a floating type, got ",
                               x.sizes(), " of ", x.scalar_type()));
    Sequences{x, padding}.check();
    const at::Tensor given = detail::zero_padding(x, padding);
    TokenFeature out{gru_ ? gru_->forward(given, padding) : attended(given, padding), padding};
    if (pool_ == Pool::none) return out;
    out.tokens = pooling_->forward(out.tokens, padding).unsqueeze(1);
    if (padding.defined()) out.padding = padding.all(1, /*keepdim=*/true);
    return out;
  }

  [[nodiscard]] std::int64_t width() const { return width_; }

 private:
  [[nodiscard]] at::Tensor attended(const at::Tensor& x, const at::Tensor& padding) {
    at::Tensor h = project_->forward(x) + detail::step_waves(x.size(1), width_, x.options());
    if (dropout_ > 0) h = torch::dropout(h, dropout_, is_training());
    const at::Tensor seen = padding.defined() ? padding.logical_not().unsqueeze(1).unsqueeze(2) : padding;
    for (const auto& layer : *layers_) h = layer->as<detail::TransformerLayer>()->forward(h, seen);
    return norm_->forward(h);
  }

  std::int64_t in_features_, width_;
  double dropout_;
  Pool pool_;
  std::shared_ptr<detail::GruLayers> gru_;  // or, of a Transformer:
  torch::nn::Linear project_{nullptr};
  torch::nn::ModuleList layers_{nullptr};
  std::shared_ptr<detail::NormLayer> norm_;
  std::shared_ptr<detail::PoolModule> pooling_;
};

/// `Sequence{.in_features = 40, .width = 64}`.
struct Sequence {
  static constexpr std::string_view id = "sequence";

  std::int64_t in_features = 1;              ///< numbers of a step; > 0
  SequenceLayer layer = SequenceLayer::gru;  ///< what reads the sequence
  std::int64_t width = 64;                   ///< of a token; > 0
  std::int64_t layers = 1;                   ///< > 0
  bool bidirectional = false;                ///< GRU: half of the width reads backwards
  std::int64_t heads = 4;                    ///< Transformer: heads of attention; must divide the width
  double dropout = 0;                        ///< probability, in [0, 1); in a GRU between layers
  Pool pool = Pool::none;                    ///< what the tokens are reduced to

  /// A small encoder and an input for it, for tests.
  [[nodiscard]] static Sequence example() { return {.in_features = 3, .width = 6, .bidirectional = true}; }
  [[nodiscard]] static at::Tensor example_input(std::int64_t records) { return torch::randn({records, 5, 3}); }

  [[nodiscard]] std::shared_ptr<SequenceModule> build() const {
    check_option(in_features > 0, "Sequence.in_features", "> 0", in_features);
    check_option(width > 0, "Sequence.width", "> 0", width);
    check_option(layers > 0, "Sequence.layers", "> 0", layers);
    check_option(dropout >= 0 && dropout < 1, "Sequence.dropout", "in [0, 1)", dropout);
    if (layer == SequenceLayer::gru)
      check_option(!bidirectional || width % 2 == 0, "Sequence.width", "an even width in two directions", width);
    else
      check_option(heads > 0 && width % heads == 0, "Sequence.heads", "a divisor of the width", heads);
    return std::make_shared<SequenceModule>(*this);
  }
};

inline SequenceModule::SequenceModule(const Sequence& o)
    : torch::nn::Module("Sequence"), in_features_(o.in_features), width_(o.width), dropout_(o.dropout), pool_(o.pool) {
  if (o.layer == SequenceLayer::gru) {
    gru_ =
        register_module("gru", std::make_shared<detail::GruLayers>(o.in_features, o.width / (o.bidirectional ? 2 : 1),
                                                                   o.layers, o.bidirectional, o.dropout));
  } else {
    project_ = register_module("project", torch::nn::Linear(o.in_features, o.width));
    layers_ = register_module("layers", torch::nn::ModuleList());
    for (std::int64_t l = 0; l < o.layers; ++l)
      layers_->push_back(std::make_shared<detail::TransformerLayer>(detail::TransformerLayerOptions{
          .width = o.width, .heads = o.heads, .hidden = 4 * o.width, .dropout = o.dropout}));
    norm_ = register_module("norm", std::make_shared<detail::NormLayer>(o.width));
  }
  pooling_ = std::make_shared<detail::PoolModule>(o.pool, o.width);
  if (o.pool == Pool::attention) register_module("pool", pooling_);
}

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::Sequence, in_features, layer, width, layers, bidirectional, heads, dropout, pool);
