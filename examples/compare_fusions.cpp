// SPDX-License-Identifier: MIT
/// \file
/// A study that compares fusions: every cell is a fusion and a seed, two processes compute them, and a study that was
/// stopped goes on where it was. docs/study.md explains it.
///   compare_fusions                   on data that is made here, from the start
///   compare_fusions FOLDER [STUDY]    on three views of handwritten digits: UCI's Multiple Features, as three_modalities

#include <equipoise/data/split.hpp>
#include <equipoise/equipoise.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <equipoise/evaluation/record_figures.hpp>
#include <equipoise/evaluation/study.hpp>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <numeric>

#include "multiple_features.hpp"

namespace eq = equipoise;
using namespace eq::literals;

/// Ten classes, each a place in every view; noise hides them.
Views made_views() {
  torch::manual_seed(1);
  const at::Tensor label = torch::arange(600) % 10;
  const auto seen = [&](std::int64_t width, double noise) {
    return torch::randn({10, width}).index_select(0, label) + noise * torch::randn({600, width});
  };
  return {seen(64, 2).view({600, 1, 8, 8}), seen(12, 1.5), seen(8, 1.5), label};
}

/// Trains a fusion and returns which test records it gets wrong.
template <class Fusion>
std::vector<eq::TestedRecord> train_and_test(const Views& views, const Fusion& fusion, std::uint64_t seed) {
  std::vector<std::int64_t> records(static_cast<std::size_t>(views.label.size(0)));
  std::iota(records.begin(), records.end(), 0);
  const eq::DataSplit split = eq::split_by_group(records, /*validation=*/0.2, /*test=*/0.2, seed);
  const Views v = standardised(views, split.train);
  const auto data = eq::batch(eq::input<"image">(v.image), eq::input<"fourier">(v.fourier),
                              eq::input<"zernike">(v.zernike), eq::target<"digit">(eq::Labels{v.label}));
  torch::manual_seed(seed);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.in_channels = 1, .widths = {16, 32}}),
                           eq::modality<"fourier">(eq::Mlp{.in_features = v.fourier.size(1), .widths = {64}}),
                           eq::modality<"zernike">(eq::Mlp{.in_features = v.zernike.size(1), .widths = {64}}),
                           eq::task<"digit">(fusion, eq::Classification{.classes = 10}));
  eq::Trainer trainer(model, {}, {.epochs = 20, .seed = seed, .learning_rate = 3e-3, .progress = nullptr});
  (void)trainer.fit(data.select(split.train), data.select(split.validation));
  const at::Tensor wrong = eq::infer(*model, data.select(split.test))["digit"_n].argmax(1).ne(
      v.label.index_select(0, torch::tensor(split.test)));
  std::vector<eq::TestedRecord> out;
  for (std::size_t i = 0; i < split.test.size(); ++i) {
    const std::string id = std::to_string(split.test[i]);
    out.push_back({id, id, {wrong[static_cast<std::int64_t>(i)].item<bool>() ? 100.0 : 0.0}});
  }
  return out;
}

void compare_fusions(const Views& views, const std::filesystem::path& folder) {
  const std::vector<std::string> fusions = {"attention", "concat", "late"}, figures = {"error"};
  std::vector<eq::StudyCell> cells;
  for (const std::string& fusion : fusions)
    for (int seed = 1; seed <= 3; ++seed)
      cells.push_back({fusion + "/seed" + std::to_string(seed), {{"fusion", fusion}, {"seed", std::to_string(seed)}}});

  const auto compute = [&](const eq::StudyCell& cell, const std::filesystem::path& of_cell) {
    const std::uint64_t seed = std::stoul(cell.settings[1].second);
    eq::for_type_named<std::tuple<eq::AttentionFusion, eq::Concat, eq::Late>>(
        cell.settings[0].second, [&]<class Fusion>() {
          const auto records = train_and_test(views, eq::fusion_of_width<Fusion>(64), seed);
          eq::write_tested_records(of_cell / "records.csv", figures, records);
        });
  };
  const auto say = [](const eq::StudyProgress& p) {
    std::cerr << p.finished << " of " << p.cells << ": " << p.last.name << " " << p.last.error << "\n";
  };
  for (const eq::CellResult& r : eq::run_study(folder, cells, compute, {.jobs = 2, .on_cell = say}))
    if (r.state != eq::CellState::finished) throw std::runtime_error(r.name + " is not finished: " + r.error);

  std::vector<std::pair<std::string, eq::RecordFigures>> methods;
  for (const std::string& fusion : fusions) {
    eq::RecordFigures of_fusion(figures);
    for (int seed = 1; seed <= 3; ++seed)
      of_fusion.add(
          eq::read_tested_records(folder / fusion / ("seed" + std::to_string(seed)) / "records.csv", figures));
    methods.emplace_back(fusion, std::move(of_fusion));
  }
  std::cout << std::fixed << std::setprecision(1) << "wrong of the test records, % [95 % interval]\n";
  for (const auto& [name, of_fusion] : methods) {
    const eq::Interval error = of_fusion.mean("error");
    std::cout << "  " << name << " " << error.value << " [" << error.low << ", " << error.high << "]\n";
  }
  std::cout << "against the first\n";
  for (const eq::MethodDifference& d : eq::differences_from_first(methods, "error"))
    std::cout << "  " << d.method << " - " << d.against << " " << d.difference.value << " [" << d.difference.low << ", "
              << d.difference.high << "]" << (d.p_corrected < 0.05 ? ", differs" : ", not separated") << "\n";
}

int main(int argc, char** argv) try {
  at::set_num_threads(1);  // cells are processes: one thread each
  const std::filesystem::path study = argc > 2 ? argv[2] : "compare_fusions_study";
  if (argc == 1) std::filesystem::remove_all(study);
  compare_fusions(argc > 1 ? read_views(argv[1]) : made_views(), study);
} catch (const std::exception& e) {
  std::cerr << "compare_fusions: " << e.what() << "\n";
  return 1;
}
