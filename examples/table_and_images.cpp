// SPDX-License-Identifier: MIT
/// \file
/// From a CSV table and NPY images to a trained model: read, split by patient, standardise, fit, evaluate, contributions,
/// resume. docs/tutorial.md explains it step by step.

#include <equipoise/core/base/heap.hpp>
#include <equipoise/core/base/threads.hpp>
#include <equipoise/data/mapped_npy.hpp>
#include <equipoise/data/split.hpp>
#include <equipoise/data/standardizer.hpp>
#include <equipoise/data/table.hpp>
#include <equipoise/equipoise.hpp>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <equipoise/io/npy.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace eq = equipoise;
using namespace eq::literals;

/// Writes plans.csv and dose.npy: two plans a patient; every ninth plan has no age, every tenth no measured rate. In your
/// own program the two files are there already.
void write_example_files() {
  torch::manual_seed(1);
  constexpr std::int64_t plans = 480;
  const at::Tensor age = torch::randn({plans}), mu = torch::randn({plans}), spot = torch::randn({plans});
  const at::Tensor image = 0.5 * torch::randn({plans, 1, 16, 16});
  image.narrow(2, 4, 6).narrow(3, 4, 6).add_(spot.view({plans, 1, 1, 1}));
  const at::Tensor rate = 95 + 2 * mu + 2 * spot + 0.5 * torch::randn({plans});
  std::ofstream csv("plans.csv");
  csv << "patient,age,mu,gpr\n";
  for (std::int64_t i = 0; i < plans; ++i) {
    csv << "patient" << i / 2 << ',';
    if (i % 9 != 0) csv << 60 + 8 * age[i].item<double>();
    csv << ',' << 400 + 90 * mu[i].item<double>() << ',';
    if (i % 10 != 0) csv << rate[i].item<double>();
    csv << '\n';
  }
  eq::io::write_npy<float>("dose.npy", std::vector<std::size_t>{plans, 1, 16, 16},
                           {image.const_data_ptr<float>(), static_cast<std::size_t>(image.numel())});
}

/// The means and standard deviations by which the table and the rate are scaled.
struct Scales {
  std::shared_ptr<eq::Standardizer> table = std::make_shared<eq::Standardizer>(2);
  std::shared_ptr<eq::Standardizer> rate = std::make_shared<eq::Standardizer>(1);
};

/// The model. It has the scales as modules, so that a checkpoint holds them too.
auto compose_model(const Scales& scales) {
  torch::manual_seed(2);
  auto model = eq::compose(eq::modality<"dose">(eq::Cnn{.in_channels = 1, .widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 2, .widths = {16}}),
                           eq::task<"gpr">(eq::AttentionFusion{.width = 16}, eq::Regression{.outputs = 1}));
  model->register_module("table_scale", scales.table);
  model->register_module("rate_scale", scales.rate);
  return model;
}

int main(int, char** argv) {
  eq::wait_passively(argv);  // idle threads sleep; must come first
  eq::keep_freed_memory();   // faster steps on the CPU
  std::filesystem::create_directories("tutorial");
  std::filesystem::current_path("tutorial");
  write_example_files();

  // Read. Row i of the table and image i of the array are the same record.
  const eq::Table plans = eq::read_csv("plans.csv");
  const at::Tensor dose = eq::mapped_npy("dose.npy");     // [N, 1, 16, 16]
  const at::Tensor table = plans.numbers({"age", "mu"});  // [N, 2], NaN where a cell is missing
  const at::Tensor rate = plans.numbers({"gpr"});         // [N, 1], NaN where no rate was measured

  // Split: all plans of a patient are in the same part.
  const std::vector<std::int64_t> patients = plans.group_numbers("patient");
  const eq::DataSplit split = eq::split_by_group(patients, /*validation=*/0.2, /*test=*/0.2, /*seed=*/1);

  // Standardise, with means and standard deviations of the training records alone.
  const Scales scales;
  const auto model = compose_model(scales);
  scales.table->fit(plans.select(split.train).numbers({"age", "mu"}));
  scales.rate->fit(plans.select(split.train).numbers({"gpr"}));
  const at::Tensor target = scales.rate->forward(rate).masked_fill(rate.isnan(), std::nan(""));

  const auto data = eq::batch(eq::input<"dose">(dose), eq::input<"table">(scales.table->forward(table)),
                              eq::target<"gpr">(eq::Values{target}))
                        .with_groups(patients);
  const auto train = data.select(split.train), validation = data.select(split.validation),
             test = data.select(split.test);
  std::cout << train.size() << " records to train on, " << validation.size() << " for validation, " << test.size()
            << " for the test\n";

  // Fit.
  const eq::TrainerOptions options{.epochs = 40, .seed = 7, .learning_rate = 3e-3, .checkpoint = "run.pt"};
  eq::Trainer trainer(model, eq::ShapleyLossFactors{}, options);
  const eq::History history = trainer.fit(train, validation);
  const eq::EpochRecord& best = history.epochs[static_cast<std::size_t>(history.best_epoch)];
  std::cout << "validation loss: " << *history.epochs.front().find("val/gpr") << " after the first epoch, "
            << *best.find("val/gpr") << " after the best one\n";

  // Evaluate on the test records.
  const auto report = eq::evaluate(*model, test, {.intervals = false});
  std::cout << report;
  const at::Tensor predicted = scales.rate->inverse(eq::infer(*model, test)["gpr"_n]);  // in %
  const at::Tensor error = (predicted - rate.index_select(0, torch::tensor(split.test))).abs();
  std::cout << "mean absolute error: " << error.nanmean().item<double>() << " %\n";

  // Contributions: the part of the loss without any modality that each modality removes.
  const auto phi = eq::shapley(*model, test);
  std::cout << "contributions: dose " << phi["dose"_n]["gpr"_n] << ", table " << phi["table"_n]["gpr"_n] << "\n";

  // Resume: the same model, policies and optimiser; more epochs.
  const Scales saved_scales;
  const auto again = compose_model(saved_scales);
  eq::Trainer longer(again, eq::ShapleyLossFactors{}, {.epochs = 50, .seed = 7, .learning_rate = 3e-3});
  longer.resume("run.pt");
  std::cout << "epochs after the resume: " << longer.fit(train, validation).epochs.size() << "\n";
}
