// SPDX-License-Identifier: MIT
/// \file
/// Every fusion of the library beside `Concat` at M = 2, 3, 4, 6 modalities (an image and M - 1
/// tables), and every encoder beside the simplest one for its kind of input. A fusion that yields a
/// map predicts one; `Concat` beside it predicts numbers.
///   bench_fusions [NAME …]    tables; with names, only those fusions and encoders
/// One of one's own is measured once it stands in the list of fusion/all.hpp or encoders/all.hpp.
/// One thread, in time of the processor; both sides of a ratio take turns. docs/fusions.md explains
/// the columns.

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <concepts>
#include <cstdio>
#include <ctime>
#include <equipoise/core/base/heap.hpp>
#include <equipoise/encoders/all.hpp>
#include <equipoise/equipoise.hpp>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace eq = equipoise;
using namespace eq::literals;

namespace {

constexpr std::int64_t kRecords = 32, kColumns = 32, kPixels = 32, kSteps = 32, kWidth = 64;
constexpr int kTurns = 15;

/// Seconds of the processor: other programs do not count.
double seconds(const std::function<void()>& work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

/// The ratio of the least times of several turns. The two take turns, and which goes first
/// alternates.
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

double milliseconds(const std::function<void()>& work) {
  double least = std::numeric_limits<double>::infinity();
  for (int turn = 0; turn <= kTurns; ++turn) least = std::min(least, seconds(work));
  return 1e3 * least;
}

/// Counts what LibTorch's CPU allocator gives out and takes back on this thread.
class CountedMemory : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void* block, std::int64_t change, std::size_t, std::size_t, c10::Device) override {
    if (change > 0) {
      now_ += change;
      blocks_[block] = change;
    } else if (const auto known = blocks_.find(block); known != blocks_.end()) {
      now_ -= known->second;
      blocks_.erase(known);
    }
    most_ = std::max(most_, now_);
  }
  [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }
  [[nodiscard]] std::int64_t most() const { return most_; }

 private:
  std::unordered_map<void*, std::int64_t> blocks_;  ///< that were given out while it counts
  std::int64_t now_ = 0, most_ = 0;
};

/// The most bytes of tensors at a time that `work` adds to those that there were.
double peak_bytes(const std::function<void()>& work) {
  const auto memory = std::make_shared<CountedMemory>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, memory);
  work();
  return static_cast<double>(memory->most());
}

double count_of(const std::vector<at::Tensor>& parameters) {
  double n = 0;
  for (const at::Tensor& p : parameters) n += static_cast<double>(p.numel());
  return n;
}

using Names = std::vector<std::string>;

bool is_chosen(const Names& chosen, const std::string& name) {
  return chosen.empty() || std::find(chosen.begin(), chosen.end(), name) != chosen.end();
}

void print_row(const std::string& name, const std::vector<double>& figures) {
  std::printf("| %s |", name.c_str());
  for (const double one : figures) std::printf(one < 10 ? " %.2f |" : " %.1f |", one);
  std::printf("\n");
  std::fflush(stdout);
}

// ---- fusions

/// Those that fuse features. Others exchange values between the stages of encoders.
using EveryFeatureFusion =
    decltype(std::tuple_cat(std::declval<eq::EveryVectorFusion>(), std::declval<eq::EveryMapFusion>()));

auto table() {
  return eq::Mlp{.in_features = kColumns, .widths = {kWidth}};
}

template <std::size_t M, class Fusion, class Head>
auto model_of(const Fusion& fusion, const Head& head) {
  torch::manual_seed(1);
  const auto image = eq::modality<"image">(eq::Cnn{.widths = {8, 16, 32}});
  const auto task = eq::task<"y">(fusion, head);
  const auto a = eq::modality<"a">(table());
  if constexpr (M == 2)
    return eq::compose(image, a, task);
  else if constexpr (M == 3)
    return eq::compose(image, a, eq::modality<"b">(table()), task);
  else if constexpr (M == 4)
    return eq::compose(image, a, eq::modality<"b">(table()), eq::modality<"c">(table()), task);
  else
    return eq::compose(image, a, eq::modality<"b">(table()), eq::modality<"c">(table()), eq::modality<"d">(table()),
                       eq::modality<"e">(table()), task);
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
    std::vector<at::Tensor> all;
    for (const auto& item : model_->module().named_parameters())
      if (item.key().starts_with("fusions.")) all.push_back(item.value());
    return count_of(all);
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
  /// The same with a pass of all encoders for each coalition, as if inputs were set to zero.
  void coalitions_anew() {
    one_by_one([&](eq::Coalition) { return model_->full(); });
  }
  /// The same with a pass of the coalition's own encoders for each coalition; the empty one needs
  /// none.
  void coalitions_by_members() {
    one_by_one([](eq::Coalition s) { return s; });
  }
  double peak() {
    step();
    optimizer_.zero_grad();
    return peak_bytes([&] { step(); });
  }

 private:
  void one_by_one(const std::function<eq::Coalition(eq::Coalition)>& encoded) {
    const torch::NoGradGuard no_grad;
    for (const eq::Coalition s : all_) {
      if (encoded(s).empty()) continue;
      const eq::Features features = model_->encode(batch_, encoded(s));
      (void)model_->outputs(0, features, batch_.presence.restricted_to({&s, 1}));
    }
  }

  std::shared_ptr<eq::ModelBase> model_;
  eq::ModelBatch batch_;
  std::vector<eq::Coalition> all_;
  eq::Features features_;
  torch::optim::AdamW optimizer_;
};

template <std::size_t M, class Fusion, class Head>
Side side_of(const Fusion& fusion, const Head& head) {
  const auto model = model_of<M>(fusion, head);
  const at::Tensor x = torch::randn({kRecords, kColumns});
  const auto data = eq::batch(eq::input<"image">(torch::randn({kRecords, 1, kPixels, kPixels})), eq::input<"a">(x),
                              eq::input<"b">(x), eq::input<"c">(x), eq::input<"d">(x), eq::input<"e">(x));
  if constexpr (M == 2)
    return {model, model->to_model_batch(data.only("image"_n, "a"_n))};
  else if constexpr (M == 3)
    return {model, model->to_model_batch(data.only("image"_n, "a"_n, "b"_n))};
  else if constexpr (M == 4)
    return {model, model->to_model_batch(data.only("image"_n, "a"_n, "b"_n, "c"_n))};
  else
    return {model, model->to_model_batch(data)};
}

/// A fusion of the list, with three numbers or a map as the prediction.
template <std::size_t M, class Fusion>
Side side_of() {
  auto fusion = eq::fusion_of_width<Fusion>(kWidth);
  if constexpr (eq::yields_a_map<eq::fusion_module_t<Fusion>>) {
    if constexpr (requires { fusion.widths; }) fusion.widths = {32, 16, 8};
    return side_of<M>(fusion, eq::DenseRegression{});
  } else {
    return side_of<M>(eq::AnyFusion(fusion), eq::Regression{.outputs = 3});
  }
}

/// Cost beside `Concat`.
template <std::size_t M>
void print_cost(const Names& chosen) {
  Side concat = side_of<M, eq::Concat>();
  const double peak = concat.peak();
  std::printf("\nM = %zu. Concat: forward %.2f ms, step %.2f ms, peak %.2f MB, %.0f parameters of the fusion\n\n", M,
              milliseconds([&] { concat.forward(); }), milliseconds([&] { concat.step(); }), peak / 1e6,
              concat.parameters());
  std::printf("| fusion | parameters | decode | forward | step | peak memory |\n|---|---|---|---|---|---|\n");
  eq::for_each_type<EveryFeatureFusion>([&]<class Fusion>() {
    if (!is_chosen(chosen, std::string(Fusion::id))) return;
    Side side = side_of<M, Fusion>();
    print_row(std::string(Fusion::id),
              {side.parameters() / concat.parameters(), ratio([&] { side.decode(); }, [&] { concat.decode(); }),
               ratio([&] { side.forward(); }, [&] { concat.forward(); }),
               ratio([&] { side.step(); }, [&] { concat.step(); }), side.peak() / peak});
  });
}

/// All 2^M coalitions: by the fast forward to one forward, and without it to the fast forward.
template <std::size_t M>
void print_coalitions(const Names& chosen) {
  std::printf("\nAll %d coalitions at M = %zu\n\n", 1 << M, M);
  std::printf("| fusion | all / one | anew / all | members / all |\n|---|---|---|---|\n");
  eq::for_each_type<EveryFeatureFusion>([&]<class Fusion>() {
    if (!is_chosen(chosen, std::string(Fusion::id))) return;
    Side side = side_of<M, Fusion>();
    const auto all = [&] { side.coalitions(); };
    print_row(std::string(Fusion::id),
              {ratio(all, [&] { side.forward(); }), ratio([&] { side.coalitions_anew(); }, all),
               ratio([&] { side.coalitions_by_members(); }, all)});
  });
}

// ---- encoders

/// An encoder with a linear head on the mean of its feature.
class EncoderSide {
 public:
  template <class E>
  EncoderSide(const E& spec, at::Tensor input) : input_(std::move(input)) {
    torch::manual_seed(1);
    const auto module = spec.build();
    encode_ = [module](const at::Tensor& x) { return eq::Feature(module->forward(x)).vector(); };
    const at::Tensor feature = encode_(input_);
    head_ = torch::nn::Linear(feature.size(1), 3);
    parameters_ = module->parameters();
    std::vector<at::Tensor> trained = head_->parameters();
    for (const at::Tensor& p : parameters_)
      if (p.requires_grad()) trained.push_back(p);
    optimizer_ = std::make_unique<torch::optim::AdamW>(trained);
  }

  [[nodiscard]] const at::Tensor& input() const { return input_; }
  [[nodiscard]] double parameters() const { return count_of(parameters_); }
  void forward() {
    const torch::NoGradGuard no_grad;
    (void)head_->forward(encode_(input_));
  }
  void step() {
    optimizer_->zero_grad();
    head_->forward(encode_(input_)).square().mean().backward();
    optimizer_->step();
  }
  double peak() {
    step();
    optimizer_->zero_grad();
    return peak_bytes([&] { step(); });
  }

 private:
  at::Tensor input_;
  std::function<at::Tensor(const at::Tensor&)> encode_;
  torch::nn::Linear head_{nullptr};
  std::vector<at::Tensor> parameters_;
  std::unique_ptr<torch::optim::AdamW> optimizer_;
};

/// An encoder and its input. Those of the library have common sizes for each kind of input; another
/// has its example.
template <class E>
EncoderSide encoder_side() {
  const at::Tensor table = torch::randn({kRecords, kColumns}), image = torch::randn({kRecords, 3, kPixels, kPixels});
  if constexpr (std::same_as<E, eq::Mlp>)
    return {eq::Mlp{.in_features = kColumns}, table};
  else if constexpr (std::same_as<E, eq::Frozen<eq::Mlp>>)
    return {eq::Frozen<eq::Mlp>{eq::Mlp{.in_features = kColumns}}, table};
  else if constexpr (std::same_as<E, eq::Identity>)
    return {eq::Identity{.width = kColumns}, table};
  else if constexpr (std::same_as<E, eq::FtTransformer>)
    return {eq::FtTransformer{.numbers = kColumns}, table};
  else if constexpr (std::same_as<E, eq::Sequence>)
    return {eq::Sequence{.in_features = 8}, torch::randn({kRecords, kSteps, 8})};
  else if constexpr (std::same_as<E, eq::Cnn> || std::same_as<E, eq::UNetEncoder>)
    return {E{.in_channels = 3}, image};
  else if constexpr (std::same_as<E, eq::ResNet> || std::same_as<E, eq::ViT>)
    return {E{}, image};
  else
    return {E::example(), E::example_input(kRecords)};
}

/// What an encoder is compared with: an `Mlp` for tables, a `Cnn` with three stages for signals,
/// images and volumes.
EncoderSide reference_for(const at::Tensor& x) {
  if (x.dim() == 2) return {eq::Mlp{.in_features = x.size(1)}, x};
  const bool signal = x.dim() == 3;
  return {eq::Cnn{.in_channels = x.size(signal ? 2 : 1), .widths = {16, 32, 64}, .dimensions = x.dim() - 2}, x};
}

void print_encoders(const Names& chosen) {
  std::printf("\nEncoders beside Mlp (tables) or Cnn (signals, images, volumes)\n\n");
  std::printf("| encoder | input | parameters | forward | step | peak memory |\n|---|---|---|---|---|---|\n");
  eq::for_each_type<eq::EveryEncoder>([&]<class E>() {
    if (!is_chosen(chosen, std::string(E::id))) return;
    EncoderSide side = encoder_side<E>();
    EncoderSide reference = reference_for(side.input());
    std::string shape;
    for (const std::int64_t n : side.input().sizes()) shape += (shape.empty() ? " | " : ", ") + std::to_string(n);
    print_row(std::string(E::id) + shape,
              {side.parameters() / reference.parameters(), ratio([&] { side.forward(); }, [&] { reference.forward(); }),
               ratio([&] { side.step(); }, [&] { reference.step(); }), side.peak() / reference.peak()});
  });
}

}  // namespace

int main(int argc, char** argv) {
  eq::keep_freed_memory();  // page faults are no part of either side
  torch::set_num_threads(1);
  const Names chosen(argv + 1, argv + argc), fusions = eq::ids_of<EveryFeatureFusion>();
  Names known = fusions, encoders = eq::ids_of<eq::EveryEncoder>();
  known.insert(known.end(), encoders.begin(), encoders.end());
  for (const std::string& name : chosen)
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::fprintf(stderr, "bench_fusions: no fusion or encoder \"%s\"; %s\n", name.c_str(),
                   eq::nearest_name(name, known).c_str());
      return 1;
    }
  const auto any = [&](const Names& names) {
    return chosen.empty() ||
           std::find_first_of(names.begin(), names.end(), chosen.begin(), chosen.end()) != names.end();
  };
  if (any(fusions)) {
    print_cost<2>(chosen), print_cost<3>(chosen), print_cost<4>(chosen);
    print_coalitions<2>(chosen), print_coalitions<3>(chosen), print_coalitions<4>(chosen), print_coalitions<6>(chosen);
  }
  if (any(encoders)) print_encoders(chosen);
}
