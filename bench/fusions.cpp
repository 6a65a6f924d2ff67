// SPDX-License-Identifier: MIT
/// \file
/// Every fusion of the library beside `Concat`, at M = 2, 3, 4 modalities: an image and M - 1 tables.
/// `bench_fusions [FUSION …]` prints a table for each M; with names, only those fusions. A fusion of one's own is measured
/// once it stands in the list of fusion/all.hpp. One thread, in time of the processor; both sides of a ratio take turns.

#include <torch/optim/adamw.h>

#include <equipoise/equipoise.hpp>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace eq = equipoise;
using namespace eq::literals;

namespace {

constexpr std::int64_t kRecords = 32, kColumns = 32, kPixels = 32, kWidth = 64;
constexpr int kTurns = 15;

auto table() {
  return eq::Mlp{.in_features = kColumns, .widths = {kWidth}};
}

template <std::size_t M>
auto model_of(const eq::AnyFusion& fusion) {
  torch::manual_seed(1);
  const auto image = eq::modality<"image">(eq::Cnn{.widths = {8, 16, 32}});
  const auto task = eq::task<"y">(fusion, eq::Regression{.outputs = 3});
  const auto a = eq::modality<"a">(table());
  if constexpr (M == 2)
    return eq::compose(image, a, task);
  else if constexpr (M == 3)
    return eq::compose(image, a, eq::modality<"b">(table()), task);
  else
    return eq::compose(image, a, eq::modality<"b">(table()), eq::modality<"c">(table()), task);
}

/// A model and its batch, and the pieces of work that are timed.
class Side {
 public:
  Side(std::shared_ptr<eq::ModelBase> model, eq::ModelBatch batch)
      : model_(std::move(model)),
        batch_(std::move(batch)),
        all_(eq::all_coalitions(model_->modality_count())),
        features_(model_->encode(batch_, model_->full()).detach()),
        optimizer_(model_->module().parameters()) {}

  /// Of the fusion alone.
  [[nodiscard]] double parameters() const {
    double n = 0;
    for (const auto& item : model_->module().named_parameters())
      if (item.key().starts_with("fusions.")) n += static_cast<double>(item.value().numel());
    return n;
  }
  /// Fusion and head over encoded features.
  void decode() {
    const torch::NoGradGuard no_grad;
    (void)model_->outputs(0, features_, features_.presence);
  }
  void forward() {
    const torch::NoGradGuard no_grad;
    const eq::Features features = model_->encode(batch_, model_->full());
    (void)model_->outputs(0, features, features.presence);
  }
  void step() {
    optimizer_.zero_grad();
    const eq::Features features = model_->encode(batch_, model_->full());
    model_->outputs(0, features, features.presence).square().mean().backward();
    optimizer_.step();
  }
  /// The predictions of all coalitions from one pass of the encoders.
  void coalitions() {
    const torch::NoGradGuard no_grad;
    const eq::Features features = model_->encode(batch_, model_->full());
    (void)model_->outputs(0, features, features.presence.restricted_to(all_));
  }
  /// The same with a forward pass for each coalition but the empty one.
  void coalitions_anew() {
    const torch::NoGradGuard no_grad;
    for (const eq::Coalition s : all_) {
      if (s.empty()) continue;
      const eq::Features features = model_->encode(batch_, s);
      (void)model_->outputs(0, features, features.presence);
    }
  }

 private:
  std::shared_ptr<eq::ModelBase> model_;
  eq::ModelBatch batch_;
  std::vector<eq::Coalition> all_;
  eq::Features features_;
  torch::optim::AdamW optimizer_;
};

template <std::size_t M>
Side side_of(const eq::AnyFusion& fusion) {
  const auto model = model_of<M>(fusion);
  const at::Tensor x = torch::randn({kRecords, kColumns});
  const auto data = eq::batch(eq::input<"image">(torch::randn({kRecords, 1, kPixels, kPixels})), eq::input<"a">(x),
                              eq::input<"b">(x), eq::input<"c">(x));
  if constexpr (M == 2)
    return {model, model->to_model_batch(data.only("image"_n, "a"_n))};
  else if constexpr (M == 3)
    return {model, model->to_model_batch(data.only("image"_n, "a"_n, "b"_n))};
  else
    return {model, model->to_model_batch(data)};
}

/// Seconds of the processor: other programs do not count.
double seconds(const std::function<void()>& work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

/// The ratio of the least times of several turns. The two take turns, and which goes first alternates.
double ratio(const std::function<void()>& a, const std::function<void()>& b) {
  double ta = std::numeric_limits<double>::infinity(), tb = ta;
  a(), b();
  for (int turn = 0; turn < kTurns; ++turn) {
    if (turn % 2 == 0) ta = std::min(ta, seconds(a));
    tb = std::min(tb, seconds(b));
    if (turn % 2 == 1) ta = std::min(ta, seconds(a));
  }
  return ta / tb;
}

template <std::size_t M>
void print_table(const std::vector<std::string>& chosen) {
  Side concat = side_of<M>(eq::Concat{.width = kWidth});
  double forward = 1e9, step = 1e9;
  for (int i = 0; i < kTurns; ++i) {
    forward = std::min(forward, seconds([&] { concat.forward(); }));
    step = std::min(step, seconds([&] { concat.step(); }));
  }
  std::printf("\nM = %zu. Concat: forward %.2f ms, step %.2f ms, %.0f parameters of the fusion\n\n", M, forward * 1e3,
              step * 1e3, concat.parameters());
  std::printf(
      "| fusion | parameters | decode | forward | step | all / one | anew / all |\n|---|---|---|---|---|---|---|\n");
  eq::for_each_type<eq::EveryVectorFusion>([&]<class Fusion>() {
    const std::string name(Fusion::id);
    if (!chosen.empty() && std::find(chosen.begin(), chosen.end(), name) == chosen.end()) return;
    Side side = side_of<M>(eq::fusion_of_width<Fusion>(kWidth));
    const double all[] = {ratio([&] { side.decode(); }, [&] { concat.decode(); }),
                          ratio([&] { side.forward(); }, [&] { concat.forward(); }),
                          ratio([&] { side.step(); }, [&] { concat.step(); }),
                          ratio([&] { side.coalitions(); }, [&] { side.forward(); }),
                          ratio([&] { side.coalitions_anew(); }, [&] { side.coalitions(); })};
    std::printf("| %s | %.2f |", name.c_str(), side.parameters() / concat.parameters());
    for (const double one : all) std::printf(" %.2f |", one);
    std::printf("\n");
    std::fflush(stdout);
  });
}

}  // namespace

int main(int argc, char** argv) {
  torch::set_num_threads(1);
  const std::vector<std::string> chosen(argv + 1, argv + argc), known = eq::ids_of<eq::EveryVectorFusion>();
  for (const std::string& name : chosen)
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::fprintf(stderr, "bench_fusions: no fusion \"%s\"; %s\n", name.c_str(),
                   eq::nearest_name(name, known).c_str());
      return 1;
    }
  print_table<2>(chosen);
  print_table<3>(chosen);
  print_table<4>(chosen);
}
