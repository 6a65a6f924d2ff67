// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The model: named encoders, and for each task a fusion and a head. Encoders run once a batch; every coalition asked
/// for is decoded in one wider pass (the fast forward of BMMQA).

#include <equipoise/core/base/named_tuple.hpp>
#include <equipoise/core/batch/model_batch.hpp>
#include <equipoise/core/model/best_constant.hpp>
#include <equipoise/core/model/concepts.hpp>
#include <equipoise/core/model/decode.hpp>
#include <equipoise/core/model/mode.hpp>
#include <equipoise/core/model/model_base.hpp>
#include <equipoise/core/model/parts.hpp>
#include <equipoise/core/model/stages.hpp>

#include <torch/nn/module.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

/// One prediction tensor a task under the task's name, [B, …] or [C, B, …].
template <class... Slots>
using Predictions = named_tuple<Slots...>;

template <class Encoders, class Tasks>
class Model;

/// A composed model; made by `compose`. A `torch::nn::Module`, so saving, moving and listing parameters work as for any
/// other; parameters are called `encoders.<modality>.…`, `fusions.<task>.…` and `heads.<task>.…`.
template <FixedString... ModalityTexts, class... EncoderModules, FixedString... TaskTexts, class... Fusions,
          class... Heads>
class Model<named_tuple<slot<ModalityTexts, EncoderEntry<EncoderModules>>...>,
            named_tuple<slot<TaskTexts, TaskEntry<Fusions, Heads>>...>> : public torch::nn::Module,
                                                                          public ModelBase {
 public:
  using Encoders = named_tuple<slot<ModalityTexts, EncoderEntry<EncoderModules>>...>;
  using Tasks = named_tuple<slot<TaskTexts, TaskEntry<Fusions, Heads>>...>;
  static constexpr std::size_t M = sizeof...(EncoderModules);
  static constexpr std::size_t K = sizeof...(Heads);
  static_assert(M > 0, "equipoise: a model needs at least one modality");
  static_assert(K > 0, "equipoise: a model needs at least one task");
  static_assert(M < 64, "equipoise: a model has at most 63 modalities");
  static_assert(K <= 64, "equipoise: a model has at most 64 tasks");
  /// A task's fusion exchanges features between the stages of the encoders.
  static constexpr bool staged = (IntermediateFusion<Fusions> || ...) && (EncoderWithTaps<EncoderModules> && ...);

  Model(Encoders encoders, Tasks tasks)
      : torch::nn::Module("Model"), encoders_(std::move(encoders)), tasks_(std::move(tasks)) {
    auto encoder_list = register_module("encoders", std::make_shared<Part>());
    auto fusion_list = register_module("fusions", std::make_shared<Part>());
    auto head_list = register_module("heads", std::make_shared<Part>());
    encoders_.for_each([&](auto key, const auto& entry) {
      const std::string text = text_of(key);
      encoder_list->register_module(text, entry.module);
      schema_.modalities.push_back(text);
      schema_.widths.push_back(detail::feature_spec(*entry.module).width);
    });
    tasks_.for_each([&](auto key, auto& entry) {
      const std::string text = text_of(key);
      fusion_list->register_module(text, entry.fusion);
      head_list->register_module(text, entry.head);
      using Head = std::decay_t<decltype(*entry.head)>;
      if constexpr (detail::has_metrics<Head>)
        detail::check_metric_names(entry.head->metrics(), text, detail::says_what_is_correct<Head>);
      std::int64_t outputs = 0;
      if constexpr (!detail::has_a_prior<Head> || !detail::says_its_outputs<Head>) {
        const at::Tensor first =
            detail::first_prediction(*entry.head, joint_of_zeros(*entry.fusion, *entry.head), text);
        outputs = first.size(0);
        if constexpr (!detail::has_a_prior<Head>) entry.best_constant = detail::constant_of(*entry.head, first);
      }
      if constexpr (detail::says_its_outputs<Head>) outputs = entry.head->outputs();
      schema_.tasks.push_back({text, outputs, traits_of<Head>()});
      if constexpr (staged && IntermediateFusion<std::decay_t<decltype(*entry.fusion)>>)
        taps_ = std::max<std::size_t>(taps_, entry.fusion->taps());
    });
    if constexpr (staged) detail::check_taps(taps_, stages());
  }

  /// Predictions [B, …] for the modalities that each record has, on the model's device and, unless `NoGradGuard` says
  /// otherwise, with their graph; `infer` does it for a whole data set. A map comes as one pixel, [B, O, 1, 1], where no
  /// record has a modality that varies in space: it is the same everywhere.
  template <class Inputs, class Targets>
  [[nodiscard]] auto predict(const Batch<Inputs, Targets>& batch) {
    return predict(to_model_inputs(batch));
  }
  [[nodiscard]] auto predict(const ModelBatch& batch) {
    check_inputs(batch, schema_);
    const Features features = encode(batch.to(device()), full());
    return predictions([&](std::size_t k) { return outputs(k, features, features.presence).squeeze(0); });
  }

  /// The fast forward: predictions [C, B, …] for each coalition, each record's own modalities cut down to it. Encoders
  /// run once.
  template <class Inputs, class Targets>
  [[nodiscard]] auto predict(const Batch<Inputs, Targets>& batch, std::span<const Coalition> coalitions) {
    return predict(to_model_inputs(batch), coalitions);
  }
  [[nodiscard]] auto predict(const ModelBatch& batch, std::span<const Coalition> coalitions) {
    check_inputs(batch, schema_);
    const Features features = encode(batch.to(device()), full());
    const Presence presence = features.presence.restricted_to(coalitions);
    return predictions([&](std::size_t k) { return outputs(k, features, presence); });
  }

  /// A batch in the model's order. A modality that the batch lacks or that the model lacks, and a target of the wrong kind or
  /// of no task, do not compile.
  template <class... In, class... Out>
  [[nodiscard]] ModelBatch to_model_batch(const Batch<named_tuple<In...>, named_tuple<Out...>>& batch) const {
    static_assert((detail::CheckTargetName<typename Out::key, equipoise::name<TaskTexts>...>::ok && ...));
    ModelBatch out = to_model_inputs(batch);
    std::size_t k = 0;
    out.targets.clear();
    ((detail::append_target<equipoise::name<TaskTexts>, typename Heads::Target>(batch.targets, k, schema_.tasks[k],
                                                                                out),
      check_target(*tasks_[equipoise::name_value<TaskTexts>{}].head, k, out), ++k),
     ...);
    return out;
  }

  /// The same without the targets, which predictions need not and which are not looked at.
  template <class... In, class... Out>
  [[nodiscard]] ModelBatch to_model_inputs(const Batch<named_tuple<In...>, named_tuple<Out...>>& batch) const {
    using Inputs = detail::Given<typename In::key...>;
    constexpr bool others = Inputs::template has_others_than<equipoise::name<ModalityTexts>...>;
    static_assert((detail::CheckInput<equipoise::name<ModalityTexts>, Inputs, others>::ok && ...));
    ModelBatch out;
    if constexpr ((Inputs::template has<equipoise::name<ModalityTexts>> && ...)) {
      static_assert((detail::CheckModality<typename In::key, equipoise::name<ModalityTexts>...>::ok && ...));
      out.inputs = {detail::tensor_of(batch.inputs[name_value<ModalityTexts>{}])...};
      out.paddings = {detail::padding_of(batch.inputs[name_value<ModalityTexts>{}])...};
      std::size_t m = 0;
      (check_type(*encoders_[name_value<ModalityTexts>{}].module, m++, out), ...);
      const std::size_t columns[] = {named_tuple<In...>::template index<equipoise::name<ModalityTexts>>()...};
      out.presence = detail::with_columns(batch.presence, columns);
      out.ids = batch.ids;
      out.groups = batch.groups;
      out.weights = batch.weights;
      out.labelled.assign(batch.ids.size(), 0);
      out.targets.resize(K);
    }
    return out;
  }

  [[nodiscard]] const Schema& schema() const override { return schema_; }
  [[nodiscard]] torch::nn::Module& module() override { return *this; }
  [[nodiscard]] c10::Device device() const override {
    const std::vector<at::Tensor> all = parameters();
    return all.empty() ? c10::Device(c10::DeviceType::CPU) : all.front().device();
  }
  [[nodiscard]] OptionList options() const override {
    OptionList out;
    const auto add = [&](const std::string& place, const PartOptions& part) {
      out.emplace_back(place, part.id);
      for (const auto& [key, value] : part.list) out.emplace_back(place + "." + key, value);
    };
    encoders_.for_each([&](auto key, const auto& e) { add("encoders." + text_of(key), e.options); });
    tasks_.for_each([&](auto key, const auto& e) { add("fusions." + text_of(key), e.fusion_options); });
    tasks_.for_each([&](auto key, const auto& e) { add("heads." + text_of(key), e.head_options); });
    return out;
  }

  [[nodiscard]] ParameterGroups parameter_groups() override {
    ParameterGroups groups(M + 1);
    std::size_t m = 0;
    (detail::append(groups[m++], encoders_[name_value<ModalityTexts>{}].module->parameters()), ...);
    (detail::group_fusion(*tasks_[name_value<TaskTexts>{}].fusion, groups), ...);
    (detail::append(groups[M], tasks_[name_value<TaskTexts>{}].head->parameters()), ...);
    detail::share_tied(groups);
    return groups;
  }

  [[nodiscard]] Features encode(const ModelBatch& batch, Coalition active) override {
    Features out{std::vector<Feature>(M),
                 active == full() ? batch.presence : batch.presence.restricted_to({&active, 1})};
    std::size_t m = 0;
    ((encode_one(*encoders_[name_value<ModalityTexts>{}].module, m, batch, out), ++m), ...);
    return out;
  }

  [[nodiscard]] at::Tensor decode(std::size_t task, const Features& features, const Presence& presence) override {
    return with_task<at::Tensor>(task, [&](auto& entry) {
      detail::GuardedHead head(*entry.head, prior_of(entry));
      auto&& fusion = in_stages(*entry.fusion);
      return detail::decode(fusion, head, features, presence);
    });
  }

  [[nodiscard]] at::Tensor joint(std::size_t task, const Features& features, const Presence& presence) override {
    return with_task<at::Tensor>(task, [&](auto& entry) {
      if constexpr (yields_a_map<std::decay_t<decltype(*entry.fusion)>>) {
        return at::Tensor();
      } else {
        auto&& fusion = in_stages(*entry.fusion);
        return detail::fuse(fusion, features, presence);
      }
    });
  }

  [[nodiscard]] at::Tensor head_weight(std::size_t task) override {
    return with_task<at::Tensor>(task, [](auto& entry) {
      if constexpr (requires { entry.head->weight(); })
        return entry.head->weight();
      else
        return at::Tensor();
    });
  }

  [[nodiscard]] at::Tensor loss(std::size_t task, const at::Tensor& prediction, const at::Tensor& target,
                                bool has_missing) override {
    return with_task<at::Tensor>(task, [&](auto& entry) {
      detail::check_map_size(prediction, target);
      at::Tensor losses = entry.head->loss(prediction, target, has_missing);
      detail::check_losses(losses, prediction);
      return losses;
    });
  }

  [[nodiscard]] at::Tensor score(std::size_t task, const at::Tensor& prediction, const at::Tensor& target) override {
    return with_task<at::Tensor>(task, [&](auto& entry) {
      if constexpr (detail::has_a_score<std::decay_t<decltype(*entry.head)>>)
        return entry.head->score(prediction, target);
      else
        return at::Tensor();
    });
  }
  [[nodiscard]] at::Tensor certainty(std::size_t task, const at::Tensor& prediction) override {
    return with_task<at::Tensor>(task, [&](auto& entry) {
      if constexpr (detail::has_a_certainty<std::decay_t<decltype(*entry.head)>>)
        return entry.head->certainty(prediction);
      else
        return at::Tensor();
    });
  }
  [[nodiscard]] at::Tensor probabilities(std::size_t task, const at::Tensor& prediction) override {
    return with_task<at::Tensor>(task, [&](auto& entry) {
      if constexpr (detail::has_probabilities<std::decay_t<decltype(*entry.head)>>)
        return entry.head->probabilities(prediction);
      else
        return at::Tensor();
    });
  }
  [[nodiscard]] at::Tensor residual_loss(std::size_t task, const at::Tensor& prediction, const at::Tensor& others,
                                         const at::Tensor& target, bool has_missing) override {
    return with_task<at::Tensor>(task, [&](auto& entry) {
      if constexpr (detail::has_a_residual_loss<std::decay_t<decltype(*entry.head)>>)
        return entry.head->residual_loss(prediction, others, target, has_missing);
      else
        return at::Tensor();
    });
  }
  [[nodiscard]] at::Tensor correct(std::size_t task, const at::Tensor& prediction, const at::Tensor& target) override {
    return with_task<at::Tensor>(task, [&](auto& entry) {
      if constexpr (detail::says_what_is_correct<std::decay_t<decltype(*entry.head)>>)
        return entry.head->correct(prediction, target);
      else
        return at::Tensor();
    });
  }
  [[nodiscard]] std::vector<Metric> metrics(std::size_t task) override {
    return with_task<std::vector<Metric>>(task, [&](auto& entry) -> std::vector<Metric> {
      if constexpr (detail::has_metrics<std::decay_t<decltype(*entry.head)>>)
        return entry.head->metrics();
      else
        return {};
    });
  }

  void fit_prior(std::size_t task, const at::Tensor& targets, const at::Tensor& weights) override {
    with_task<int>(task, [&](auto& entry) {
      using Head = std::decay_t<decltype(*entry.head)>;
      const std::string& name = schema_.tasks[task].name;
      const at::Tensor w = detail::weights_of_labelled<typename Head::Target>(targets, weights);
      try {
        if constexpr (detail::fits_a_weighted_prior<Head>)
          entry.head->fit_prior(targets, w);
        else if constexpr (detail::fits_a_prior<Head>)
          entry.head->fit_prior(targets);
        else
          detail::fit_constant(*entry.head, targets, w, name, entry.best_constant);
      } catch (const ValueError& e) {
        throw ValueError(with_place(e, "task " + name));
      } catch (const c10::Error& e) {  // of an own loss
        throw ShapeError(message("shape.117", "prior of task " + name, "expected a loss of constant predictions, ",
                                 "LibTorch says: ", e.what_without_backtrace()));
      }
      const at::Tensor prior = prior_of(entry);
      if (prior.defined() && !prior.is_meta() && host_value(at::isfinite(prior).all().to(at::kDouble)) == 0)
        throw NumericError(message("numeric.506", "prior of task " + name,
                                   "expected finite values after fit_prior, got NaN or infinity"),
                           {});
      return 0;
    });
  }

  /// The encoder of a modality, e.g. `model->encoder("dose"_n)`.
  template <class Name>
  [[nodiscard]] auto& encoder(hana::basic_type<Name> key) {
    return *encoders_[key].module;
  }
  /// A task's fusion; a plain module of the user's own is the one given, not its wrapper.
  template <class Name>
  [[nodiscard]] auto& fusion(hana::basic_type<Name> key) {
    auto& fusion = *tasks_[key].fusion;
    if constexpr (requires { fusion.inner(); })
      return fusion.inner();
    else
      return fusion;
  }
  template <class Name>
  [[nodiscard]] auto& head(hana::basic_type<Name> key) {
    return *tasks_[key].head;
  }

 private:
  struct Part : torch::nn::Module {
    Part() : torch::nn::Module("Part") {}
  };

  template <class Key>
  [[nodiscard]] static std::string text_of(Key) {
    return std::string(Key::type::text);
  }

  /// \throws ShapeError for an input of another floating type than the encoder's parameters, or the model's where the
  /// encoder has none
  void check_type(const torch::nn::Module& encoder, std::size_t m, const ModelBatch& batch) const {
    const at::Tensor& x = batch.inputs[m];
    if (!x.defined() || !x.is_floating_point()) return;
    const torch::nn::Module& model = *this;
    for (const auto& [of, whose] : {std::pair(&encoder, "encoder's"), std::pair(&model, "model's")})
      for (const at::Tensor& p : of->parameters())
        if (p.is_floating_point()) {
          if (p.scalar_type() == x.scalar_type()) return;
          throw ShapeError(message("shape.114", "input of modality " + schema_.modalities[m], "expected ",
                                   p.scalar_type(), ", as the ", whose, " parameters are, got ", x.scalar_type()));
        }
  }

  [[nodiscard]] std::vector<detail::EncoderStages> stages() const requires staged {
    return {detail::stages_of(*encoders_[name_value<ModalityTexts>{}].module, equipoise::name<ModalityTexts>::text)...};
  }

  /// A fusion with the stages that run before it, if there are any; else the fusion as it is.
  template <class F>
  [[nodiscard]] decltype(auto) in_stages(F& fusion) {
    if constexpr (staged)
      return detail::StagedFusion<F>{fusion, stages(), taps_};
    else
      return (fusion);
  }

  template <class Entry>
  [[nodiscard]] static at::Tensor prior_of(const Entry& entry) {
    if constexpr (detail::has_a_prior<std::decay_t<decltype(*entry.head)>>)
      return entry.head->prior();
    else
      return entry.best_constant;
  }

  /// A joint feature of one record, a map of one pixel where the task is dense.
  template <class F, class Head>
  [[nodiscard]] static at::Tensor joint_of_zeros(const F& fusion, const Head& head) {
    std::vector<std::int64_t> shape = {1, fusion.width()};
    if constexpr (yields_a_map<F>)
      shape.resize(shape.size() + static_cast<std::size_t>(detail::map_dimensions(fusion)), 1);
    at::TensorOptions options;
    if (const std::vector<at::Tensor> all = head.parameters(); !all.empty()) options = all.front().options();
    return at::zeros(shape, options.requires_grad(false));
  }

  template <class E>
  void encode_one(E& encoder, std::size_t m, const ModelBatch& batch, Features& out) const {
    if (!out.presence.anywhere(m)) return;
    const auto run = [&](const at::Tensor& x, const at::Tensor& padding) {
      const detail::ModeForRows mode(encoder, x.size(0));
      try {
        if constexpr (staged) return detail::first_stages(encoder, x, padding, taps_);
        return detail::checked_feature(detail::encoded(encoder, x, padding), detail::feature_spec(encoder), x.size(0));
      } catch (const ShapeError& e) {  // which knows the encoder, not the modality
        throw ShapeError(with_place(e, "modality " + schema_.modalities[m]));
      } catch (const c10::Error& e) {  // of an own encoder that does not check what it is given
        throw ShapeError(message("shape.114", "input of modality " + schema_.modalities[m],
                                 "expected what the encoder takes, got ", x.scalar_type(), " ", x.sizes(),
                                 "; LibTorch says: ", e.what_without_backtrace()));
      }
    };
    if (out.presence.everywhere(m)) {
      out.items[m] = run(batch.inputs[m], batch.padding(m));
      return;
    }
    std::vector<std::int64_t> rows;  // an encoder must not learn, or its statistics drift, from fillers
    for (std::int64_t i = 0; i < batch.size(); ++i)
      if (out.presence.of_row(static_cast<std::size_t>(i)).contains(m)) rows.push_back(i);
    const at::Tensor index = detail::index_tensor(rows, batch.inputs[m]), padding = batch.padding(m);
    out.items[m] =
        run(batch.inputs[m].index_select(0, index), padding.defined() ? padding.index_select(0, index) : padding)
            .map_records([&](const at::Tensor& t) {
              std::vector<std::int64_t> shape = t.sizes().vec();
              shape[0] = batch.size();
              return t.new_zeros(shape).index_copy(0, index, t);
            });
  }

  /// What a task refuses because of its options, beside what its target's type refuses.
  template <class Head>
  void check_target(const Head& head, std::size_t k, const ModelBatch& batch) const {
    if constexpr (detail::checks_its_target<Head>)
      if (const at::Tensor& target = batch.targets[k]; target.defined() && !target.is_meta())
        head.check_target(target, schema_.tasks[k], batch.ids);
  }

  template <class Result, class F>
  Result with_task(std::size_t task, F&& f) {
    std::optional<Result> result;
    std::size_t k = 0;
    check_index(task, K, "model, task");
    tasks_.for_each([&](auto key, auto& entry) {
      if (k++ != task) return;
      try {
        result = f(entry);
      } catch (const ShapeError& e) {  // which knows the part, not the task
        throw ShapeError(with_place(e, "task " + text_of(key)));
      }
    });
    return std::move(*result);
  }

  template <class F>
  static auto predictions(F&& of_task) {
    std::size_t k = 0;
    return Predictions<slot<TaskTexts, at::Tensor>...>{slot<TaskTexts, at::Tensor>{of_task(k++)}...};
  }

  Encoders encoders_;
  Tasks tasks_;
  Schema schema_;
  std::size_t taps_ = 0;  ///< the most that a task's fusion has
};

}  // namespace equipoise
