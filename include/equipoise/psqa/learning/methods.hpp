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
#include <equipoise/psqa/learning/bmmqa.hpp>
#include <equipoise/psqa/learning/learner.hpp>
#include <equipoise/psqa/learning/sizes.hpp>
#include <equipoise/training/trainer.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::psqa {

namespace detail {

template <class M>
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
    return trainer_->fit(train, validation);
  }

  void restore(const std::filesystem::path& checkpoint) override { trainer_->resume_best(checkpoint); }

  [[nodiscard]] PsqaOutput predict(const PsqaBatch& data) override { return run(data); }
  [[nodiscard]] PsqaOutput predict(const PlanBatch& plan) override { return run(plan); }
  [[nodiscard]] Contributions contributions_on(const PsqaBatch& data) override { return shapley(*model_, data); }
  [[nodiscard]] torch::nn::Module& module() override { return *model_; }

 private:
  template <class B>
  [[nodiscard]] PsqaOutput run(const B& data) {
    const auto p = infer(*model_, data);
    return {p[name_value<"gpr">{}], p[name_value<"dd">{}]};
  }

  std::shared_ptr<M> model_;
  std::unique_ptr<Trainer<M>> trainer_;
};

template <class Fusion>
[[nodiscard]] std::unique_ptr<Learner> learner_with(const PsqaSizes& sizes, Fusion fusion, const OptionList& options) {
  set_options(fusion, options, "fusion");
  auto model = psqa_model(sizes, fusion);
  return std::make_unique<ModelLearner<typename decltype(model)::element_type>>(std::move(model));
}

}  // namespace detail

/// The fusions for the passing rates, by name.
[[nodiscard]] inline const std::vector<std::string>& fusion_names() {
  static const std::vector<std::string> names = ids_of<EveryVectorFusion>();
  return names;
}

/// \param fusion one of `fusion_names`; as wide as `sizes` where it has a width
/// \param options of the fusion
/// \throws NameError for an unknown fusion or option, with the nearest one.
[[nodiscard]] inline std::unique_ptr<Learner> make_learner(const std::string& fusion, const PsqaSizes& sizes,
                                                           const OptionList& options = {}) {
  std::unique_ptr<Learner> learner;
  for_type_named<EveryVectorFusion>(
      fusion, [&]<class F>() { learner = detail::learner_with(sizes, fusion_of_width<F>(sizes.width), options); });
  if (learner) return learner;
  throw NameError(message("name.308", "fusion", "no fusion \"", fusion, "\"; ", nearest_name(fusion, fusion_names())));
}

}  // namespace equipoise::psqa
