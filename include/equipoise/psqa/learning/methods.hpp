// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The models of a comparison by the name of their fusion, chosen at run time: BMMQA's and the baselines'. Every fusion
/// of the list that yields a joint vector can be chosen.

#include <equipoise/contribution/data_set.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/type_list.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <equipoise/fusion/all.hpp>
#include <equipoise/fusion/any_fusion.hpp>
#include <equipoise/psqa/learning/bmmqa.hpp>
#include <equipoise/psqa/learning/learner.hpp>
#include <equipoise/psqa/learning/sizes.hpp>
#include <equipoise/training/trainer.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

/// The fusions for the passing rates, by name.
[[nodiscard]] inline const std::vector<std::string>& fusion_names() {
  static const std::vector<std::string> names = ids_of<EveryVectorFusion>();
  return names;
}

namespace detail {

/// A batch as a model takes it that has the modalities `dose` and `metrics` alone.
struct DoseAndMetrics {
  template <class B>
  [[nodiscard]] static auto of(const B& data) {
    if constexpr (decltype(data.targets)::size() == 0)
      return data.only(name_value<"dose">{}, name_value<"metrics">{});
    else
      return data.only(name_value<"dose">{}, name_value<"metrics">{}, name_value<"gpr">{}, name_value<"dd">{});
  }
};
/// The same of a model with all modalities.
struct AllModalities {
  template <class B>
  [[nodiscard]] static const B& of(const B& data) {
    return data;
  }
};

template <class M, class Inputs>
class ModelLearner final : public Learner {
 public:
  explicit ModelLearner(std::shared_ptr<M> model) : model_(std::move(model)) {}

  void prepare(PolicyStack policies, const TrainerOptions& options) override {
    trainer_ = std::make_unique<Trainer<M>>(model_, std::move(policies), options);
  }

  History fit(const PsqaBatch& train, const PsqaBatch& validation, const Watch& watch,
              const std::filesystem::path& resume) override {
    if (!resume.empty()) trainer_->resume(resume);
    trainer_->on_epoch(watch.on_epoch);
    trainer_->on_batch(watch.on_batch);
    trainer_->stop_when(watch.should_stop);
    return trainer_->fit(Inputs::of(train), Inputs::of(validation));
  }

  void restore(const std::filesystem::path& checkpoint) override { trainer_->resume_best(checkpoint); }

  [[nodiscard]] PsqaOutput predict(const PsqaBatch& data) override { return run(data); }
  [[nodiscard]] PsqaOutput predict(const PlanBatch& plan) override { return run(plan); }
  [[nodiscard]] Contributions contributions_on(const PsqaBatch& data) override {
    return shapley(*model_, Inputs::of(data));
  }
  [[nodiscard]] torch::nn::Module& module() override { return *model_; }

 private:
  template <class B>
  [[nodiscard]] PsqaOutput run(const B& data) {
    const auto p = infer(*model_, Inputs::of(data));
    return {p[name_value<"gpr">{}], p[name_value<"dd">{}]};
  }

  std::shared_ptr<M> model_;
  std::unique_ptr<Trainer<M>> trainer_;
};

template <class Inputs, class M>
[[nodiscard]] std::unique_ptr<Learner> learner_of(std::shared_ptr<M> model) {
  return std::make_unique<ModelLearner<M, Inputs>>(std::move(model));
}

/// The fusion of that name with its options, chosen at run time, so that all methods are models of one type.
[[nodiscard]] inline AnyFusion fusion_named(const std::string& name, std::int64_t width, const OptionList& options) {
  std::optional<AnyFusion> chosen;
  for_type_named<EveryVectorFusion>(name, [&]<class F>() {
    F fusion = fusion_of_width<F>(width);
    set_options(fusion, options, "fusion");
    chosen.emplace(std::move(fusion));
  });
  if (chosen) return *chosen;
  throw NameError(message("name.308", "fusion", "no fusion \"", name, "\"; ", nearest_name(name, fusion_names())));
}

}  // namespace detail

/// A model of the dose plane and the metrics.
/// \param fusion one of `fusion_names`; as wide as `sizes` where it has a width
/// \param options of the fusion
/// \throws NameError for an unknown fusion or option, with the nearest one.
[[nodiscard]] inline std::unique_ptr<Learner> make_learner(const std::string& fusion, const PsqaSizes& sizes,
                                                           const OptionList& options = {}) {
  return detail::learner_of<detail::DoseAndMetrics>(
      psqa_model(sizes, detail::fusion_named(fusion, sizes.width, options)));
}

/// The same of all of `kModalities`.
[[nodiscard]] inline std::unique_ptr<Learner> make_delivery_learner(const std::string& fusion, const PsqaSizes& sizes,
                                                                    const OptionList& options = {}) {
  return detail::learner_of<detail::AllModalities>(
      delivery_model(sizes, detail::fusion_named(fusion, sizes.width, options)));
}

}  // namespace equipoise::psqa
