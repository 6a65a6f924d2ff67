// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A summary of a model: its parts are counted from the module, shapes and multiply-adds from a
/// forward pass.
/// \code
/// std::cout << eq::summary(*model, train);
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/model/mode.hpp>
#include <equipoise/core/model/model_base.hpp>
#include <equipoise/core/model/model_summary.hpp>
#include <equipoise/core/model/multiply_adds.hpp>

#include <ATen/core/grad_mode.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

[[nodiscard]] inline std::vector<PartSummary> parts_of(ModelBase& model) {
  std::vector<PartSummary> out;
  for (const auto& [key, value] : model.options()) {
    if (std::count(key.begin(), key.end(), '.') == 1)
      out.push_back({.place = key, .kind = value, .options = {}});
    else
      out.back().options.emplace_back(key.substr(out.back().place.size() + 1), value);
  }
  return out;
}

/// One record: of each modality the first one that has it, so that no input is a filler.
/// \throws ValueError for a modality that no record has
[[nodiscard]] inline ModelBatch whole_record(const ModelBatch& batch, const Schema& schema) {
  ModelBatch out;
  const std::size_t modalities = schema.modalities.size();
  out.presence = Presence(1, modalities);
  out.ids = out.groups = {0};
  out.labelled = {0};
  out.targets.resize(schema.tasks.size());
  for (std::size_t m = 0; m < modalities; ++m) {
    std::int64_t row = 0;
    while (row < batch.size() && !batch.presence.of_row(static_cast<std::size_t>(row)).contains(m)) ++row;
    if (row == batch.size())
      throw ValueError(message("value.205", "summary",
                               "expected a record that has modality " + schema.modalities[m] + ", got none"));
    out.inputs.push_back(batch.inputs[m].narrow(0, row, 1));
    const at::Tensor padding = batch.padding(m);
    out.paddings.push_back(padding.defined() ? padding.narrow(0, row, 1) : padding);
  }
  return out;
}

/// Runs the parts one after the other and counts. A product with a parameter of the head is the
/// head's, the others of a task's decoding are its fusion's.
class PartCounter {
 public:
  PartCounter(ModelBase& model, const ModelBatch& record, std::vector<PartSummary>& parts)
      : model_(model), parts_(parts), modalities_(model.modality_count()), tasks_(model.task_count()) {
    Features features{std::vector<Feature>(modalities_), record.presence};
    for (std::size_t m = 0; m < modalities_; ++m) {
      features.items[m] = encode(record, m);
      parts_[m].input = record.inputs[m].sizes().slice(1).vec();
      parts_[m].output = features.items[m].value.sizes().slice(1).vec();
    }
    for (std::size_t k = 0; k < tasks_; ++k) decode(features, k);
  }

 private:
  [[nodiscard]] Feature encode(const ModelBatch& record, std::size_t m) {
    const OperatorCounter counter([&](std::int64_t n, OperatorInputs) { parts_[m].multiply_adds += n; });
    return model_.encode(record, Coalition::single(m)).items[m];
  }

  void decode(const Features& features, std::size_t k) {
    PartSummary &fusion = parts_[modalities_ + k], &head = parts_[modalities_ + tasks_ + k];
    const at::Tensor joint = model_.joint(k, features, features.presence);  // [1, 1, W]; undefined of a map
    if (joint.defined()) fusion.output = joint.sizes().slice(2).vec();
    std::unordered_set<const void*> of_head;
    for (const auto& p : model_.module().named_parameters())
      if (p.key().starts_with(head.place + ".")) of_head.insert(memory_of(p.value()));
    const OperatorCounter counter([&](std::int64_t n, OperatorInputs inputs) {
      const bool is_heads = std::any_of(inputs.begin(), inputs.end(), [&](const c10::IValue& i) {
        return i.isTensor() && of_head.contains(memory_of(i.toTensor()));
      });
      (is_heads ? head : fusion).multiply_adds += n;
      if (is_heads && fusion.output.empty()) fusion.output = inputs[0].toTensor().sizes().slice(1).vec();  // a map
    });
    head.output = model_.decode(k, features, features.presence).sizes().slice(2).vec();
    head.input = fusion.output;
  }

  /// What a parameter and a view of it have in common.
  [[nodiscard]] static const void* memory_of(const at::Tensor& t) {
    return t.defined() && t.has_storage() ? t.storage().unsafeGetStorageImpl() : nullptr;
  }

  ModelBase& model_;
  std::vector<PartSummary>& parts_;
  std::size_t modalities_, tasks_;
};

}  // namespace detail

/// Parts, options and parameters.
[[nodiscard]] inline ModelSummary summary(ModelBase& model) {
  ModelSummary out{.parts = detail::parts_of(model)};
  std::unordered_set<const void*> seen;
  for (const auto& p : model.module().named_parameters()) {
    const bool trainable = p.value().requires_grad();
    const auto part = std::find_if(out.parts.begin(), out.parts.end(),
                                   [&](const PartSummary& of) { return p.key().starts_with(of.place + "."); });
    if (part != out.parts.end()) (trainable ? part->trainable : part->frozen) += p.value().numel();
    if (seen.insert(p.value().unsafeGetTensorImpl()).second)
      (trainable ? out.trainable : out.frozen) += p.value().numel();
  }
  return out;
}

/// The same with the shapes and the multiply-adds of one record with all modalities, from a forward
/// pass in evaluation mode on the model's device.
/// \throws ValueError for a batch in which no record has a modality, ShapeError as `predict`
[[nodiscard]] inline ModelSummary summary(ModelBase& model, const ModelBatch& batch) {
  ModelSummary out = summary(model);
  const at::NoGradGuard no_grad;
  const detail::EvaluationMode mode(model.module());
  const ModelBatch record = detail::whole_record(batch, model.schema()).to(model.device());
  detail::PartCounter(model, record, out.parts);
  out.counted = true;
  return out;
}

template <class M, class Inputs, class Targets>
[[nodiscard]] ModelSummary summary(M& model, const Batch<Inputs, Targets>& batch) {
  return summary(static_cast<ModelBase&>(model), model.to_model_inputs(batch));
}

}  // namespace equipoise
