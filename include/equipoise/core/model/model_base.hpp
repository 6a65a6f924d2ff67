// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the training loop, the policies and the evaluation see of any composed model: one interface of indices instead
/// of names. It is why N models and P policies compile to N + P instantiations. Names are checked by the compiler
/// before, in `Model`.

#include <equipoise/core/base/options.hpp>
#include <equipoise/core/batch/batch.hpp>
#include <equipoise/core/batch/feature.hpp>
#include <equipoise/core/batch/presence.hpp>
#include <equipoise/core/batch/schema.hpp>
#include <equipoise/core/model/metric.hpp>

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace torch::nn {
class Module;
}

namespace equipoise {

/// The features of a batch and which of them may be seen. In a model with an intermediate fusion they are what the encoders
/// give at the first tap, which does not depend on other modalities; decoding runs the stages after it.
struct Features {
  std::vector<Feature> items;  ///< [M]
  Presence presence;           ///< [1, B, M]

  /// The given records.
  [[nodiscard]] Features select(std::span<const std::int64_t> records) const {
    Features out{items, presence.select(records)};
    for (Feature& item : out.items)
      item = item.map_records([&](const at::Tensor& t) { return detail::select_records(t, records); });
    return out;
  }
  /// The same values outside the graph.
  [[nodiscard]] Features detach() const {
    Features out{items, presence};
    for (Feature& item : out.items) item = item.map_tensors([](const at::Tensor& t) { return t.detach(); });
    return out;
  }
};

/// What an `OutputStage` may ask for: the model's own prediction for any presence of the same batch.
struct OutputContext {
  std::size_t task = 0;
  const Presence& presence;                           ///< [C, B, M] of the prediction at hand
  std::function<at::Tensor(const Presence&)> decode;  ///< -> [C', B, …], without any stage
  /// How certain a prediction [C, B, …] is: [C, B]; empty where the task does not say.
  std::function<at::Tensor(const at::Tensor& prediction)> certainty{};
};

/// Replaces predictions after fusion and head, in training and at inference: the hook `on_outputs` of a policy.
class OutputStage {
 public:
  virtual ~OutputStage() = default;
  /// \param prediction [C, B, …]  \return the same shape
  [[nodiscard]] virtual at::Tensor apply(const OutputContext& context, at::Tensor prediction) = 0;
};

/// The parameters of modality m (its encoder and its part of each fusion), or with m = M those that are shared, among
/// them those of a module that several modalities have. Each parameter is in one group.
using ParameterGroups = std::vector<std::vector<at::Tensor>>;

class ModelBase {
 public:
  virtual ~ModelBase() = default;

  [[nodiscard]] virtual const Schema& schema() const = 0;
  /// Every part with its options: `encoders.dose = cnn`, `encoders.dose.widths = 16,32`, `fusions.gpr …`, `heads.gpr …`.
  [[nodiscard]] virtual OptionList options() const = 0;
  [[nodiscard]] virtual torch::nn::Module& module() = 0;
  /// [M + 1] groups that together are all parameters.
  [[nodiscard]] virtual ParameterGroups parameter_groups() = 0;

  /// Runs the encoders of `active` once each, only on the records that have the modality; the other records' rows are
  /// zero. Layers that learn batch statistics see a single record in evaluation mode: it has no spread to normalise by.
  [[nodiscard]] virtual Features encode(const ModelBatch& batch, Coalition active) = 0;
  /// All decodings of `presence` in one pass, without any output stage: [C, B, O] or [C, B, O, H, W].
  [[nodiscard]] virtual at::Tensor decode(std::size_t task, const Features& features, const Presence& presence) = 0;
  /// The input of the task's head, [C, B, W]; undefined for heads on maps.
  [[nodiscard]] virtual at::Tensor joint(std::size_t task, const Features& features, const Presence& presence) = 0;
  /// The weight [O, W] of a linear head, the same storage; undefined where the head is not linear.
  [[nodiscard]] virtual at::Tensor head_weight(std::size_t task) = 0;
  /// Per-record loss [C, B] of a prediction [C, B, …] against a target [B, …]; `has_missing` when some target entries are
  /// missing.
  [[nodiscard]] virtual at::Tensor loss(std::size_t task, const at::Tensor& prediction, const at::Tensor& target,
                                        bool has_missing) = 0;
  /// \name What a task may offer beside its loss (core/model/concepts.hpp). Undefined, or empty, where it does not.
  /// @{
  [[nodiscard]] virtual at::Tensor score(std::size_t task, const at::Tensor& prediction, const at::Tensor& target) = 0;
  [[nodiscard]] virtual at::Tensor certainty(std::size_t task, const at::Tensor& prediction) = 0;
  [[nodiscard]] virtual at::Tensor probabilities(std::size_t task, const at::Tensor& prediction) = 0;
  /// Of a prediction [C, B, …] given what the other modalities predict together, [C, B, …]: [C, B].
  [[nodiscard]] virtual at::Tensor residual_loss(std::size_t task, const at::Tensor& prediction,
                                                 const at::Tensor& others, const at::Tensor& target,
                                                 bool has_missing) = 0;
  [[nodiscard]] virtual at::Tensor correct(std::size_t task, const at::Tensor& prediction,
                                           const at::Tensor& target) = 0;
  [[nodiscard]] virtual std::vector<Metric> metrics(std::size_t task) = 0;
  /// @}
  /// Sets what task `task` predicts when every modality is absent: the constant that fits the training targets best.
  /// \param weights [N], of the records; undefined where all count alike
  virtual void fit_prior(std::size_t task, const at::Tensor& targets, const at::Tensor& weights) = 0;

  /// `decode`, then the output stage if there is one: what the deployed model says.
  [[nodiscard]] at::Tensor outputs(std::size_t task, const Features& features, const Presence& presence) {
    at::Tensor prediction = decode(task, features, presence);
    if (!stage_) return prediction;
    OutputContext context{task, presence, [&](const Presence& p) {
                            detail::check_presence(p, 0, presence.records(), presence.modalities(),
                                                   "decode of an output stage");
                            return decode(task, features, p);
                          }};
    if (schema().tasks[task].traits.certainty)
      context.certainty = [&](const at::Tensor& z) { return certainty(task, z); };
    return stage_->apply(context, std::move(prediction));
  }

  /// Installs a stage, or removes it (nullptr). A trainer installs that of its policies.
  void set_output_stage(std::shared_ptr<OutputStage> stage) { stage_ = std::move(stage); }
  [[nodiscard]] bool has_output_stage() const { return stage_ != nullptr; }
  /// Null without one.
  [[nodiscard]] const OutputStage* output_stage() const { return stage_.get(); }

  [[nodiscard]] std::size_t modality_count() const { return schema().modalities.size(); }
  [[nodiscard]] std::size_t task_count() const { return schema().tasks.size(); }
  [[nodiscard]] Coalition full() const { return Coalition::full(modality_count()); }
  /// Where the parameters are.
  [[nodiscard]] virtual c10::Device device() const = 0;

 private:
  std::shared_ptr<OutputStage> stage_;
};

}  // namespace equipoise
