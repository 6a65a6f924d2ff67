// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `FtTransformer` is a Transformer for tables of numbers and categories. Each column becomes a
/// token; a token of its own (CLS) attends to all columns and is the feature.
///
/// - In: table [B, numbers + categories] of B records: first the numbers, then the number of each
///   category, 0, 1, …; a negative one is a missing category and has an embedding of its own
/// - Out: vector feature [B, width]
/// - Names of weights: `cls`; `number_weight` and `number_bias`, a row for each number;
///   `category_weight`, for each column a row for a missing category and then one for each
///   category; `category_bias`, a row for each column; `layers.0`, `layers.1`, … with the names of
///   torch.nn.TransformerEncoderLayer (`layers.0` has no `norm1`); `norm.weight` and `norm.bias`.
///   The second half of the rows of `linear1` is the gate of ReGLU.
///
///   token_j = x_j w_j + b_j of a number,   token_j = E_j[x_j] + b_j of a category
///
/// The layers have their norms first, but for the first one, and ReGLU perceptrons with a hidden
/// layer of 4/3 of the width. The feature is ReLU(LN(CLS)). From Gorishniy, Rubachev, Khrulkov,
/// Babenko, "Revisiting Deep Learning Models for Tabular Data", NeurIPS 2021, arXiv:2106.11959. The
/// embedding of missing categories is ours.
///
/// When: The modality is a table of numbers and categories, and there are a few thousand records or
/// more. `Mlp` is faster and needs fewer records.
/// Cost: Each layer compares all pairs of columns: slow for hundreds of columns.
/// Limits: It does not scale its inputs. Standardise the numbers first (`eq::Standardizer`), but not
/// the categories: a number of a category that is not whole is an error.
/// [This recipe](../../data.md#a-table-for-fttransformer) makes the input from a CSV table.
///
/// \code
/// auto encoder = eq::FtTransformer{.numbers = 2, .categories = {3}, .width = 16}.build();
/// const auto table = torch::tensor({{0.5, -1.2, 2.0}, {1.5, 0.3, -1.0}}, torch::kFloat);
/// at::Tensor feature = encoder->forward(table);  // [2, 16]; the second category is missing
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/model/transformer_layer.hpp>

#include <ATen/ops/stack.h>
#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

struct FtTransformer;

class FtTransformerModule : public torch::nn::Module {
 public:
  explicit FtTransformerModule(const FtTransformer& options);

  /// \param x [B, numbers + categories]  \return [B, width]
  /// \throws ShapeError for another number of columns, or integers; ValueError for a category that is not there
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) {
    const auto columns = numbers_ + static_cast<std::int64_t>(categories_.size());
    if (x.dim() != 2 || x.size(1) != columns || !x.is_floating_point())
      throw ShapeError(message("shape.101", "FtTransformer", "expected [B, ", columns, "] of a floating type, got ",
                               x.sizes(), " of ", x.scalar_type()));
    std::vector<at::Tensor> tokens = {cls_.expand({x.size(0), 1, width_})};
    if (numbers_ > 0) tokens.push_back(x.narrow(1, 0, numbers_).unsqueeze(2) * number_weight_ + number_bias_);
    if (!categories_.empty())
      tokens.push_back(at::embedding(table_, rows_of(x.narrow(1, numbers_, columns - numbers_))) + category_bias_);
    at::Tensor h = at::cat(tokens, 1);  // [B, 1 + columns, width]
    for (const auto& layer : *layers_) h = layer->as<detail::TransformerLayer>()->forward(h);
    return torch::relu(norm_->forward(h.select(1, 0)));
  }

  [[nodiscard]] std::int64_t width() const { return width_; }

 private:
  /// The rows of the embeddings, in which each column has one for a missing category, then its categories.
  [[nodiscard]] at::Tensor rows_of(const at::Tensor& codes) const {
    if (!codes.is_meta() && codes.numel() > 0) check_codes(codes);
    const at::Tensor row = (codes + 1).clamp_min(0).to(at::kLong);
    return row + at::tensor(first_row_, at::kLong).to(row.device());
  }

  /// \throws ValueError for a number that is not whole, as of a standardised column, or beyond the categories
  void check_codes(const at::Tensor& codes) const {
    const at::Tensor host = at::stack({codes.amax(0), codes.sub(codes.floor()).amax(0)}).to(at::kCPU, at::kDouble);
    const double *largest = host.const_data_ptr<double>(), *fraction = largest + categories_.size();
    for (std::size_t c = 0; c < categories_.size(); ++c) {
      if (fraction[c] > 0)
        throw ValueError(message("value.260", "FtTransformer", "expected whole numbers in category column ", c,
                                 ", got ", a_fraction_of(codes.select(1, static_cast<std::int64_t>(c))),
                                 "; numbers of categories are not standardised"));
      if (largest[c] >= static_cast<double>(categories_[c]))
        throw ValueError(message("value.260", "FtTransformer", "expected a number below ", categories_[c],
                                 " in category column ", c, ", got ", static_cast<std::int64_t>(largest[c])));
    }
  }
  [[nodiscard]] static double a_fraction_of(const at::Tensor& column) {
    return column[column.sub(column.floor()).argmax()].item<double>();
  }

  std::int64_t numbers_, width_;
  std::vector<std::int64_t> categories_;
  std::vector<std::int64_t> first_row_;  // of each category column in the table of embeddings
  at::Tensor cls_, number_weight_, number_bias_, table_, category_bias_;
  torch::nn::ModuleList layers_{nullptr};
  std::shared_ptr<detail::NormLayer> norm_;
};

/// `FtTransformer{.numbers = 20, .categories = {3, 5}}`: 20 numbers, then two columns of 3 and 5
/// categories.
struct FtTransformer {
  static constexpr std::string_view id = "ft_transformer";

  std::int64_t numbers = 0;                ///< columns of numbers, which come first; >= 0
  std::vector<std::int64_t> categories{};  ///< how many categories each further column has; each > 0
  std::int64_t width = 64;                 ///< of a token and of the feature; > 0
  std::int64_t layers = 2;                 ///< > 0
  std::int64_t heads = 8;                  ///< heads of attention; must divide the width
  double dropout = 0.1;                    ///< probability, in [0, 1)

  /// A small encoder and an input for it, for tests.
  [[nodiscard]] static FtTransformer example() {
    return {.numbers = 2, .categories = {2, 3}, .width = 8, .heads = 2, .dropout = 0};
  }
  [[nodiscard]] static at::Tensor example_input(std::int64_t records) {
    return at::cat({torch::randn({records, 2}), torch::randint(-1, 2, {records, 2})}, 1);
  }

  [[nodiscard]] std::shared_ptr<FtTransformerModule> build() const {
    check_option(numbers >= 0, "FtTransformer.numbers", ">= 0", numbers);
    check_option(numbers > 0 || !categories.empty(), "FtTransformer", "a column", "none");
    for (const std::int64_t n : categories) check_option(n > 0, "FtTransformer.categories", "each > 0", n);
    check_option(width > 0, "FtTransformer.width", "> 0", width);
    check_option(layers > 0, "FtTransformer.layers", "> 0", layers);
    check_option(heads > 0 && width % heads == 0, "FtTransformer.heads", "a divisor of the width", heads);
    check_option(dropout >= 0 && dropout < 1, "FtTransformer.dropout", "in [0, 1)", dropout);
    return std::make_shared<FtTransformerModule>(*this);
  }
};

inline FtTransformerModule::FtTransformerModule(const FtTransformer& o)
    : torch::nn::Module("FtTransformer"), numbers_(o.numbers), width_(o.width), categories_(o.categories) {
  const double bound = 1 / std::sqrt(static_cast<double>(o.width));
  const auto add = [&](const char* name, std::int64_t rows) {
    return register_parameter(name, torch::nn::init::uniform_(at::empty({rows, o.width}), -bound, bound));
  };
  cls_ = add("cls", 1);
  if (numbers_ > 0) number_weight_ = add("number_weight", numbers_), number_bias_ = add("number_bias", numbers_);
  if (!categories_.empty()) {
    const auto columns = static_cast<std::int64_t>(categories_.size());
    std::int64_t rows = 0;
    for (const std::int64_t n : categories_) first_row_.push_back(std::exchange(rows, rows + n + 1));
    table_ = add("category_weight", rows), category_bias_ = add("category_bias", columns);
  }
  layers_ = register_module("layers", torch::nn::ModuleList());
  for (std::int64_t l = 0; l < o.layers; ++l)
    layers_->push_back(std::make_shared<detail::TransformerLayer>(
        detail::TransformerLayerOptions{.width = o.width,
                                        .heads = o.heads,
                                        .hidden = std::max<std::int64_t>(1, o.width * 4 / 3),
                                        .dropout = o.dropout,
                                        .gated = true,
                                        .first_norm = l > 0}));
  norm_ = register_module("norm", std::make_shared<detail::NormLayer>(o.width));
}

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::FtTransformer, numbers, categories, width, layers, heads, dropout);
