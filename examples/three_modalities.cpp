// SPDX-License-Identifier: MIT
/// \file
/// Handwritten digits from three modalities: the image, its Fourier coefficients and its Zernike
/// moments. About 10 s.
///   three_modalities FOLDER    the folder with mfeat-pix, mfeat-fou and mfeat-zer of UCI's Multiple Features, as they
///                              are or as CSV (https://archive.ics.uci.edu/dataset/72/multiple+features)

#include <ATen/Parallel.h>

#include <equipoise/balancing/drop_modality.hpp>
#include <equipoise/contribution/data_set.hpp>
#include <equipoise/core/base/heap.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/data/split.hpp>
#include <equipoise/encoders/cnn.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/classification.hpp>
#include <equipoise/training/trainer.hpp>
#include <exception>
#include <iomanip>
#include <iostream>
#include <numeric>

#include "multiple_features.hpp"

namespace eq = equipoise;
using namespace eq::literals;

void classify(const std::filesystem::path& folder) {
  std::vector<std::int64_t> records(2000);
  std::iota(records.begin(), records.end(), 0);
  const eq::DataSplit split = eq::split_by_group(records, /*validation=*/0.1, /*test=*/0.25, /*seed=*/1);
  const Views v = standardised(read_views(folder), split.train);
  const auto data = eq::batch(eq::input<"image">(v.image), eq::input<"fourier">(v.fourier),
                              eq::input<"zernike">(v.zernike), eq::target<"digit">(eq::Labels{v.label}));
  const auto test = data.select(split.test);

  torch::manual_seed(1);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.in_channels = 1, .widths = {16, 32}}),
                           eq::modality<"fourier">(eq::Mlp{.in_features = 76, .widths = {64}}),
                           eq::modality<"zernike">(eq::Mlp{.in_features = 47, .widths = {64}}),
                           eq::task<"digit">(eq::Concat{.width = 64}, eq::Classification{.classes = 10}));
  eq::Trainer trainer(model, eq::DropModality{.probability = 0.2},
                      {.epochs = 20,
                       .seed = 1,
                       .learning_rate = 3e-3,
                       .schedule = eq::Schedule::cosine,  // ends at 0, so the last epoch is kept
                       .keep_best = false,
                       .progress = nullptr});
  (void)trainer.fit(data.select(split.train), data.select(split.validation));

  const auto scores = eq::evaluate(*model, test)["digit"_n];
  const eq::Interval all = scores.of(model->full()).accuracy;
  std::cout << std::fixed << std::setprecision(1) << test.size() << " digits that the model has not seen\n"
            << "right: " << 100 * all.value << " %, 95 % interval " << 100 * all.low << " to " << 100 * all.high
            << "\n";
  const auto phi = eq::shapley(*model, test);
  for (std::size_t m = 0; m < 3; ++m)
    std::cout << "  " << std::left << std::setw(8) << model->schema().modalities[m] << " alone "
              << 100 * scores.of(eq::Coalition::single(m)).accuracy.value << " %, contribution " << std::setprecision(2)
              << phi.tasks[0].mean[m] << std::setprecision(1) << "\n";
}

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "three_modalities FOLDER: the folder of UCI's Multiple Features\n";
    return 2;
  }
  eq::keep_freed_memory();  // faster steps on the CPU
  at::set_num_threads(1);   // the model is small
  classify(argv[1]);
} catch (const std::exception& e) {
  std::cerr << "three_modalities: " << e.what() << "\n";
  return 1;
}
