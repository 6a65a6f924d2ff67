// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The layer that encoders and fusions with attention share: self-attention, then a perceptron, each
/// after a layer norm and added to its input (Vaswani et al., "Attention Is All You Need", 2017,
/// arXiv:1706.03762; norms first as in Xiong et al., 2020, arXiv:2002.04745).

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

namespace equipoise::detail {

/// A layer norm with a choice of epsilon.
class NormLayer : public torch::nn::Module {
 public:
  explicit NormLayer(std::int64_t width, double epsilon = 1e-5) : torch::nn::Module("LayerNorm"), epsilon_(epsilon) {
    weight_ = register_parameter("weight", at::ones({width}));
    bias_ = register_parameter("bias", at::zeros({width}));
  }
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) const {
    return at::layer_norm(x, weight_.sizes(), weight_, bias_, epsilon_);
  }

 private:
  double epsilon_;
  at::Tensor weight_, bias_;
};

/// A module whose parts the module that it belongs to registers, for the sake of their names.
struct NamedParts : torch::nn::Module {
  NamedParts() : torch::nn::Module("Parts") {}
  at::Tensor add(const std::string& name, at::Tensor parameter) {
    return register_parameter(name, std::move(parameter));
  }
  template <class M>
  M add(const std::string& name, M module) {
    register_module(name, module);
    return module;
  }
};

/// What the parts of a layer are called: as in torch.nn.TransformerEncoderLayer, as in the vision
/// transformer of torchvision, or as in `Bottleneck`, whose first weights are those of linear layers.
enum class LayerNames { torch, torchvision, bottleneck };

struct TransformerLayerOptions {
  std::int64_t width = 0, heads = 1;
  std::int64_t head_width = 0;  ///< size of a head's queries, keys and values; 0: width / heads
  std::int64_t hidden = 0;      ///< size of the perceptron's hidden layer
  double dropout = 0;
  double epsilon = 1e-5;   ///< of the layer norms
  bool gated = false;      ///< ReGLU in place of GELU: half of twice the hidden layer gates the other half
  bool first_norm = true;  ///< whether a layer norm precedes the attention
  LayerNames names = LayerNames::torch;
};

class TransformerLayer : public torch::nn::Module {
 public:
  explicit TransformerLayer(const TransformerLayerOptions& o)
      : torch::nn::Module("TransformerLayer"),
        options_(o),
        head_width_(o.head_width > 0 ? o.head_width : o.width / o.heads) {
    const bool vision = o.names == LayerNames::torchvision;
    if (o.first_norm)
      norm1_ = register_module(vision ? "ln_1" : "norm1", std::make_shared<NormLayer>(o.width, o.epsilon));
    add_attention();
    norm2_ = register_module(vision ? "ln_2" : "norm2", std::make_shared<NormLayer>(o.width, o.epsilon));
    add_perceptron();
  }

  /// Queries, keys and values of tokens, each [B, heads, T, d].
  struct Heads {
    at::Tensor query, key, value;
  };

  /// \param x [B, T, width]
  /// \param seen bool [B, 1, 1, T], true at the tokens that are attended to; undefined for all
  [[nodiscard]] at::Tensor forward(const at::Tensor& x, const at::Tensor& seen = {}) {
    return forward(x, heads_of(x), seen);
  }

  /// \param x [B, T, width]
  [[nodiscard]] Heads heads_of(const at::Tensor& x) const {
    const at::Tensor all = at::linear(norm1_ ? norm1_->forward(x) : x, in_weight_, in_bias_)
                               .view({x.size(0), x.size(1), 3, options_.heads, head_width_})
                               .permute({2, 0, 3, 1, 4});
    return {all[0], all[1], all[2]};
  }

  /// \param heads queries of x, keys and values of all tokens that it attends to
  [[nodiscard]] at::Tensor forward(const at::Tensor& x, const Heads& heads, const at::Tensor& seen) {
    const at::Tensor y = x + drop(attend(heads, seen));
    at::Tensor h = linear1_->forward(norm2_->forward(y));
    if (options_.gated) {
      const std::vector<at::Tensor> halves = h.chunk(2, -1);
      h = halves[0] * torch::relu(halves[1]);
    } else {
      h = torch::gelu(h);
    }
    return y + drop(linear2_->forward(drop(h)));
  }

 private:
  void add_attention() {
    const std::int64_t width = options_.width, inside = options_.heads * head_width_;
    if (options_.names == LayerNames::bottleneck) {
      const auto all = register_module("qkv", torch::nn::Linear(width, 3 * inside));
      in_weight_ = all->weight, in_bias_ = all->bias;
      out_ = register_module("out", torch::nn::Linear(inside, width));
      return;
    }
    const bool vision = options_.names == LayerNames::torchvision;
    const auto attention = register_module(vision ? "self_attention" : "self_attn", std::make_shared<NamedParts>());
    in_weight_ = attention->add("in_proj_weight", torch::nn::init::xavier_uniform_(at::empty({3 * inside, width})));
    in_bias_ = attention->add("in_proj_bias", at::zeros({3 * inside}));
    out_ = attention->add("out_proj", torch::nn::Linear(inside, width));
  }

  void add_perceptron() {
    linear1_ = torch::nn::Linear(options_.width, options_.gated ? 2 * options_.hidden : options_.hidden);
    linear2_ = torch::nn::Linear(options_.hidden, options_.width);
    if (options_.names == LayerNames::torchvision) {
      const auto perceptron = register_module("mlp", std::make_shared<NamedParts>());
      perceptron->add("0", linear1_), perceptron->add("3", linear2_);
    } else {
      const bool torch_names = options_.names == LayerNames::torch;
      register_module(torch_names ? "linear1" : "hidden", linear1_);
      register_module(torch_names ? "linear2" : "last", linear2_);
    }
  }

  [[nodiscard]] at::Tensor drop(const at::Tensor& x) const {
    return options_.dropout > 0 ? torch::dropout(x, options_.dropout, is_training()) : x;
  }
  [[nodiscard]] at::Tensor attend(const Heads& h, const at::Tensor& seen) {
    at::Tensor weights = at::matmul(h.query, h.key.transpose(2, 3)) / std::sqrt(static_cast<double>(head_width_));
    if (seen.defined()) weights = weights.masked_fill(seen.logical_not(), -1e30);
    const at::Tensor mixed = at::matmul(drop(weights.softmax(-1)), h.value);  // [B, heads, T, d]
    return out_->forward(mixed.transpose(1, 2).flatten(2));
  }

  TransformerLayerOptions options_;
  std::int64_t head_width_;
  std::shared_ptr<NormLayer> norm1_, norm2_;
  at::Tensor in_weight_, in_bias_;
  torch::nn::Linear out_{nullptr}, linear1_{nullptr}, linear2_{nullptr};
};

}  // namespace equipoise::detail
