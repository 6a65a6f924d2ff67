// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `Mmtm` is the multimodal transfer module, an intermediate fusion. Between the stages of the
/// encoders, what all present modalities have in common scales the channels of each. The features
/// that the encoders give in the end are fused by another fusion, `Concat` if you name none.
///
/// - In: encoders with taps (`Cnn`, `Mlp`, `ResNet`, `UNetEncoder`, `Frozen` and `Pretrained` of
///   these, your own; for sequences `Cnn{.dimensions = 1}`), whose values at a tap have C_m
///   channels; presence [C, B, M] in C coalitions of M modalities
/// - Out: joint feature of the last fusion
///
///   u = ReLU(Σ_m W_m mean(h_m) + b),  u has 2 Σ_m C_m / ratio entries
///   h_m <- scale σ(E_m u + e_m) h_m, channel by channel
///
/// From Joze, Shaban, Iuzzolino, Koishida, "MMTM: Multimodal Transfer Module for CNN Fusion", CVPR
/// 2020, arXiv:1911.08670. The mean is over positions, without padding. `scale` is 2 in the paper and
/// 1 in its code. The sums over present modalities, for any number of them, are ours.
///
/// Every encoder has its own number of stages. `taps = 2` makes two exchanges: one after the last
/// stage but one of every encoder, one after the last stage. Skip maps that later stages hand to a decoder are scaled too. An
/// absent modality adds nothing to u, is not scaled, and its stages do not run.
///
/// When: Which channels of one modality matter depends on what another one shows, and the encoders
/// are deep enough to use that.
/// Cost: Features depend on the coalition. The stages before the first exchange run once; those
/// after it run for each coalition that has the modality. All 2^M coalitions cost up to 2^(M-1)
/// times the later stages. Few taps leave little to repeat, and `taps = 1` nothing. A second task
/// with any fusion repeats the later stages too.
/// Limits: Every encoder of the model needs taps. Policies see, drop and scale the features at the
/// first tap; norms in later stages undo a scale. In training mode coalitions are decoded one after
/// the other.
///
/// \code
/// auto model = eq::compose(
///     eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
///     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16, 16}}),
///     eq::task<"rate">(eq::Mmtm<>{.taps = 2, .last = {.width = 32}}, eq::Regression{.outputs = 3}));
/// at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
/// at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/core/model/row_fusion.hpp>
#include <equipoise/fusion/concat.hpp>

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace equipoise {

/// One exchange: squeeze and excitation over the modalities. The squeeze is stored as one block of columns per modality.
class MmtmExchange : public torch::nn::Module {
 public:
  /// \param channels C_m  \param hidden size of u
  MmtmExchange(const std::vector<std::int64_t>& channels, std::int64_t hidden, double scale)
      : torch::nn::Module("MmtmExchange"), scale_(scale) {
    std::int64_t total = 0;
    for (const std::int64_t c : channels) total += c;
    const double bound = 1 / std::sqrt(static_cast<double>(total));  // of one torch::nn::Linear over all columns
    squeeze_ = register_module("squeeze", torch::nn::ModuleList());
    excite_ = register_module("excite", torch::nn::ModuleList());
    for (const std::int64_t c : channels) {
      torch::nn::Linear block(torch::nn::LinearOptions(c, hidden).bias(false));
      torch::nn::init::uniform_(block->weight, -bound, bound);
      squeeze_->push_back(block);
      excite_->push_back(torch::nn::Linear(hidden, c));
    }
    bias_ = register_parameter("bias", torch::empty({hidden}).uniform_(-bound, bound));
  }

  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> out = squeeze_->ptr(m)->parameters();
    for (const at::Tensor& p : excite_->ptr(m)->parameters()) out.push_back(p);
    return out;
  }

  /// Scales the channels of the present modalities.
  void forward(std::vector<TapFeature>& features, std::int64_t rows) {
    at::Tensor u = bias_.expand({rows, -1});  // [R, hidden]
    for (std::size_t m = 0; m < features.size(); ++m) {
      if (!features[m].feature.defined()) continue;
      const at::Tensor part = squeeze_[m]->as<torch::nn::Linear>()->forward(features[m].feature.vector());
      u = features[m].rows.defined() ? u.index_add(0, features[m].rows, part) : u + part;
    }
    u = torch::relu(u);
    for (std::size_t m = 0; m < features.size(); ++m) {
      Feature& h = features[m].feature;
      if (!h.defined()) continue;
      const at::Tensor own = features[m].rows.defined() ? u.index_select(0, features[m].rows) : u;
      at::Tensor gate = torch::sigmoid(excite_[m]->as<torch::nn::Linear>()->forward(own)) * scale_;  // [R_m, C_m]
      if (h.kind == FeatureKind::tokens) gate = gate.unsqueeze(1);
      while (gate.dim() < h.value.dim()) gate = gate.unsqueeze(-1);
      h.value = h.value * gate;
    }
  }

 private:
  double scale_;
  torch::nn::ModuleList squeeze_{nullptr}, excite_{nullptr};
  at::Tensor bias_;
};

/// Exchanges at the last taps of the encoders, then a fusion `F` of what these give.
template <class F>
class MmtmModule : public torch::nn::Module {
 public:
  static constexpr bool needs_a_map = equipoise::needs_a_map<F>;

  /// \param channels C_m of each exchange  \param hidden size of u of each
  MmtmModule(const std::vector<std::vector<std::int64_t>>& channels, const std::vector<std::int64_t>& hidden,
             double scale, std::shared_ptr<F> last)
      : torch::nn::Module("Mmtm") {
    exchanges_ = register_module("exchanges", torch::nn::ModuleList());
    for (std::size_t t = 0; t < channels.size(); ++t)
      exchanges_->push_back(std::make_shared<MmtmExchange>(channels[t], hidden[t], scale));
    last_ = register_module("last", std::move(last));
  }

  [[nodiscard]] std::int64_t width() const { return last_->width(); }
  [[nodiscard]] std::int64_t dimensions() const requires requires(const F& fusion) { fusion.dimensions(); }
  { return last_->dimensions(); }
  [[nodiscard]] std::vector<at::Tensor> parameters_of(std::size_t m) const {
    std::vector<at::Tensor> out;
    const auto add = [&](const std::vector<at::Tensor>& more) { out.insert(out.end(), more.begin(), more.end()); };
    for (const auto& one : *exchanges_) add(one->template as<MmtmExchange>()->parameters_of(m));
    if constexpr (requires { last_->parameters_of(m); }) add(last_->parameters_of(m));
    return out;
  }
  void reorder_others(const std::vector<std::int64_t>& order) requires requires(F& fusion) {
    fusion.reorder_others(order);
  }
  { last_->reorder_others(order); }

  [[nodiscard]] std::size_t taps() const { return exchanges_->size(); }
  void exchange(std::size_t tap, std::vector<TapFeature>& features, std::int64_t rows) {
    exchanges_[tap]->template as<MmtmExchange>()->forward(features, rows);
  }

  [[nodiscard]] auto project(std::size_t m, const Feature& feature) { return last_->project(m, feature); }
  [[nodiscard]] auto combine(const std::vector<detail::projected_t<F>>& projected, const Presence& presence) {
    return last_->combine(projected, presence);
  }

  /// The fusion of what the encoders give in the end.
  [[nodiscard]] F& last() { return *last_; }

 private:
  torch::nn::ModuleList exchanges_{nullptr};
  std::shared_ptr<F> last_;
};

/// `Mmtm<>{.taps = 2}`, `Mmtm<Late>{.last = {.width = 64}}`; options of the last fusion are listed with its own.
template <class Last = Concat>
struct Mmtm {
  static constexpr std::string_view id = "mmtm";

  std::int64_t taps = 0;   ///< number of exchanges, counted from the last stage; 0: as many as fit
  std::int64_t ratio = 4;  ///< r: u has 2 Σ C_m / r entries; > 0
  double scale = 2;        ///< > 0; 2: a gate is 1 where E_m u + e_m is 0; 1: gates only weaken
  Last last = {};          ///< the fusion of what the encoders give in the end; `Concat` if not named

  [[nodiscard]] static Mmtm example() {
    Mmtm out;
    if constexpr (requires { Last::example(); }) out.last = Last::example();
    if constexpr (requires { out.last.width = 10; }) out.last.width = 10;
    return out;
  }

  [[nodiscard]] auto build(std::span<const FeatureSpec> features) const {
    std::size_t fit = features[0].tap_widths.size();
    for (const FeatureSpec& f : features) fit = std::min(fit, f.tap_widths.size());
    check_option(taps >= 0 && static_cast<std::size_t>(taps) <= fit, "Mmtm.taps",
                 "from 0 to " + std::to_string(fit) + ", the stages of the shortest encoder", taps);
    check_option(ratio > 0, "Mmtm.ratio", "> 0", ratio);
    check_option(scale > 0, "Mmtm.scale", "> 0", scale);
    std::vector<std::vector<std::int64_t>> channels(taps == 0 ? fit : static_cast<std::size_t>(taps));
    std::vector<std::int64_t> hidden;
    for (std::size_t t = 0; t < channels.size(); ++t) {
      std::int64_t total = 0;
      for (const FeatureSpec& f : features) {
        channels[t].push_back(f.tap_widths[f.tap_widths.size() - channels.size() + t]);
        total += channels[t].back();
      }
      hidden.push_back(std::max<std::int64_t>(2 * total / ratio, 1));
    }
    auto fusion = last.build(features);
    using F = typename decltype(fusion)::element_type;
    static_assert(!IntermediateFusion<F>,
                  "equipoise: the last fusion of Mmtm has exchanges of its own, which would not take place");
    if constexpr (detail::fuses_in_two_stages<F>) {
      return std::make_shared<MmtmModule<F>>(channels, hidden, scale, std::move(fusion));
    } else {
      auto rows = std::make_shared<detail::RowFusion<F>>(std::move(fusion),
                                                         std::vector<FeatureSpec>(features.begin(), features.end()));
      return std::make_shared<MmtmModule<detail::RowFusion<F>>>(channels, hidden, scale, std::move(rows));
    }
  }
};

namespace detail {

/// The name of an option, as Hana's accessors have it.
template <FixedString Text>
struct OptionName {
  static constexpr const char* c_str() { return Text.text; }
};
template <auto Member>
struct OptionMember {
  template <class Spec>
  constexpr auto& operator()(Spec& spec) const {
    return spec.*Member;
  }
};
/// An option of the last fusion.
template <class Member>
struct OfLast {
  template <class Spec>
  constexpr auto& operator()(Spec& spec) const {
    return Member{}(spec.last);
  }
};

template <class Spec, class Accessors>
struct MmtmAccessors;
template <class Spec, class... Key, class... Member>
struct MmtmAccessors<Spec, hana::tuple<hana::pair<Key, Member>...>> {
  using type =
      hana::tuple<hana::pair<OptionName<"taps">, OptionMember<&Spec::taps>>,
                  hana::pair<OptionName<"ratio">, OptionMember<&Spec::ratio>>,
                  hana::pair<OptionName<"scale">, OptionMember<&Spec::scale>>, hana::pair<Key, OfLast<Member>>...>;
};

}  // namespace detail
}  // namespace equipoise

template <class Last>
struct boost::hana::accessors_impl<equipoise::Mmtm<Last>> {
  static constexpr auto apply() {
    using OfLast = std::remove_cvref_t<decltype(boost::hana::accessors<Last>())>;
    return typename equipoise::detail::MmtmAccessors<equipoise::Mmtm<Last>, OfLast>::type{};
  }
};
