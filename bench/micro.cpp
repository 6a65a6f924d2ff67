// SPDX-License-Identifier: MIT
/// \file
/// What single parts cost, by Google Benchmark: Shapley tables, fusions over all coalitions, a step of the trainer's own
/// bookkeeping. `bench_micro --help` lists its options; `bench/run` compares sides, this gives absolute times.

#include <benchmark/benchmark.h>

#include <equipoise/contribution/sampling.hpp>
#include <equipoise/equipoise.hpp>

#include <string>

namespace eq = equipoise;
using namespace eq::literals;

namespace {

std::vector<double> game(std::size_t players) {
  std::vector<double> v(std::size_t{1} << players);
  for (std::size_t s = 0; s < v.size(); ++s) v[s] = eq::to_uniform(eq::hash_of({1, s}));
  return v;
}

void exact_shapley(benchmark::State& state) {
  const std::vector<double> v = game(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(eq::shapley(v));
}
BENCHMARK(exact_shapley)->DenseRange(2, 12, 2);

void sampled_shapley(benchmark::State& state) {
  const std::vector<double> v = game(12);
  for (auto _ : state)
    benchmark::DoNotOptimize(eq::sampled_shapley(
        12, [&](eq::Coalition s) { return v[static_cast<std::size_t>(s.bits())]; },
        static_cast<std::size_t>(state.range(0)), 1));
}
BENCHMARK(sampled_shapley)->Arg(8)->Arg(64);

template <class Fusion>
void all_coalitions_of_three(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 16, .widths = {64}}),
                           eq::modality<"b">(eq::Mlp{.in_features = 16, .widths = {64}}),
                           eq::modality<"c">(eq::Mlp{.in_features = 16, .widths = {64}}),
                           eq::task<"y">(eq::fusion_of_width<Fusion>(64), eq::Regression{}));
  model->eval();
  const at::Tensor x = torch::randn({32, 16});
  const auto data = eq::batch(eq::input<"a">(x), eq::input<"b">(x), eq::input<"c">(x));
  const std::vector<eq::Coalition> all = eq::all_coalitions(3);
  for (auto _ : state) benchmark::DoNotOptimize(model->predict(data, all));
}

}  // namespace

int main(int argc, char** argv) {
  torch::set_num_threads(1);
  eq::for_each_type<eq::EveryVectorFusion>([]<class Fusion>() {
    const std::string name = "all_coalitions_of_three/" + std::string(Fusion::id);
    benchmark::RegisterBenchmark(name.c_str(), all_coalitions_of_three<Fusion>);
  });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
