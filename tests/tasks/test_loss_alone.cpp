// A task with a loss alone: target, `forward` and `loss`. The library finds its size, and the constant that it predicts
// without any modality.

#include <equipoise/contribution/data_set.hpp>
#include <equipoise/equipoise.hpp>
#include <equipoise/evaluation/infer.hpp>

#include <torch/serialize.h>

#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <sstream>
#include <utility>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
/// Of predictions and targets without missing entries, each entry's loss.
using EntryLoss = std::function<at::Tensor(const at::Tensor&, const at::Tensor&)>;

/// Real numbers. Some losses need a positive prediction.
struct NumbersModule : torch::nn::Module {
  using Target = eq::Values;
  NumbersModule(std::int64_t width, std::int64_t outputs, EntryLoss entry, bool only_positive)
      : linear(register_module("linear", torch::nn::Linear(width, outputs))),
        of_entry(std::move(entry)),
        positive(only_positive) {}
  at::Tensor forward(const at::Tensor& joint) {
    const at::Tensor z = linear->forward(joint);
    return positive ? torch::softplus(z) : z;
  }
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor missing = target.isnan();
    const at::Tensor each = of_entry(prediction, target.masked_fill(missing, 1)).masked_fill(missing, 0);
    return each.sum(2) / missing.logical_not().sum(1).clamp_min(1);
  }
  torch::nn::Linear linear;
  EntryLoss of_entry;
  bool positive;
};
struct Numbers {
  std::int64_t outputs = 1;
  EntryLoss entry;
  bool positive = false;
  std::shared_ptr<NumbersModule> build(std::int64_t width) const {
    return std::make_shared<NumbersModule>(width, outputs, entry, positive);
  }
};

/// One number whose prediction is its mean and the logarithm of its variance.
struct Single {
  at::Tensor tensor;
  static at::Tensor missing(const at::Tensor& t) { return t.isnan(); }
  static void check(const at::Tensor&, const eq::Schema::Task&) {}
};
struct GaussianPairModule : torch::nn::Module {
  using Target = Single;
  explicit GaussianPairModule(std::int64_t width) : linear(register_module("linear", torch::nn::Linear(width, 2))) {}
  at::Tensor forward(const at::Tensor& joint) { return linear->forward(joint); }
  at::Tensor loss(const at::Tensor& z, const at::Tensor& y, bool) const {
    const at::Tensor log_variance = z.select(2, 1), error = y.select(1, 0) - z.select(2, 0);
    return 0.5 * (log_variance + error.square() / log_variance.exp());
  }
  torch::nn::Linear linear;
};
struct GaussianPair {
  std::shared_ptr<GaussianPairModule> build(std::int64_t width) const {
    return std::make_shared<GaussianPairModule>(width);
  }
};

struct ClassesModule : torch::nn::Module {
  using Target = eq::Labels;
  explicit ClassesModule(std::int64_t width) : linear(register_module("linear", torch::nn::Linear(width, 3))) {}
  at::Tensor forward(const at::Tensor& joint) { return linear->forward(joint); }
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor wanted = target.clamp_min(0).view({1, -1, 1}).expand({prediction.size(0), -1, 1});
    return prediction.log_softmax(2).gather(2, wanted).squeeze(2).neg().masked_fill(target.lt(0), 0);
  }
  torch::nn::Linear linear;
};
struct Classes {
  std::shared_ptr<ClassesModule> build(std::int64_t width) const { return std::make_shared<ClassesModule>(width); }
};

struct PixelsModule : torch::nn::Module {
  using Target = eq::Maps;
  explicit PixelsModule(std::int64_t width)
      : layer(register_module("layer", torch::nn::Conv2d(torch::nn::Conv2dOptions(width, 2, 1)))) {}
  at::Tensor forward(const at::Tensor& joint) { return layer->forward(joint); }
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    return (prediction - target).square().flatten(2).mean(2);
  }
  torch::nn::Conv2d layer;
};
struct Pixels {
  std::shared_ptr<PixelsModule> build(std::int64_t width) const { return std::make_shared<PixelsModule>(width); }
};

template <class Spec>
auto model_of(const Spec& task) {
  torch::manual_seed(1);
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2, .widths = {4}}),
                           eq::modality<"b">(eq::Mlp{.in_features = 2, .widths = {4}}),
                           eq::task<"y">(eq::Sum{.width = 4}, task));
  model->to(torch::kDouble);
  return model;
}

template <class Target>
auto data_of(Target target) {
  torch::manual_seed(2);
  const std::int64_t n = target.tensor.size(0);
  return eq::batch(eq::input<"a">(torch::randn({n, 2}, torch::kDouble)),
                   eq::input<"b">(torch::randn({n, 2}, torch::kDouble)), eq::target<"y">(std::move(target)));
}

/// Data that is fetched when it is needed.
template <class Data>
struct Fetched {
  Data data;
  std::int64_t size() const { return data.size(); }
  Data select(std::span<const std::int64_t> rows) const { return data.select(rows); }
};
template <class Data>
Fetched(Data) -> Fetched<Data>;

/// What a model that is trained on `records`, those of `data`, predicts of one without modalities.
template <class Spec, class Data, class Records>
at::Tensor constant_of(const Spec& task, const Data& data, const Records& records) {
  const auto model = model_of(task);
  eq::Trainer(model, {.epochs = 1, .progress = nullptr}).fit(records);
  const auto absent = data.with_presence(torch::zeros({data.size(), 2}, torch::kBool));
  return eq::infer(*model, absent)["y"_n][0].flatten();
}
template <class Spec, class Data>
at::Tensor constant_of(const Spec& task, const Data& data) {
  return constant_of(task, data, data);
}

at::Tensor numbers(std::vector<double> values) {
  return torch::tensor(values, torch::kDouble).unsqueeze(1);
}

double largest_difference(const at::Tensor& a, std::vector<double> b) {
  return (a - torch::tensor(b, torch::kDouble)).abs().max().item<double>();
}

const EntryLoss kSquare = [](const at::Tensor& z, const at::Tensor& y) { return (z - y).square(); };

}  // namespace

TEST_CASE("a task with a loss alone predicts the constant with the smallest loss where no modality is there",
          "[tasks][behaviour]") {
  const auto of = [](const EntryLoss& entry, const at::Tensor& y, bool positive = false) {
    return constant_of(Numbers{y.size(1), entry, positive}, data_of(eq::Values{y}));
  };
  const at::Tensor y = numbers({1, 2, 3, 10, kNan});
  CHECK(largest_difference(of(kSquare, y), {4}) < 1e-6);
  // Two outputs of very different units. The third record's loss is that of its first output alone, which counts double
  // there: (1 / 2 + 2 / 2 + 3) / 2.
  const at::Tensor two = torch::cat({numbers({1, 2, 3}), numbers({1000, 2000, kNan})}, 1);
  CHECK(largest_difference(of(kSquare, two), {2.25, 1500}) < 1e-3);
  // An output that no record has.
  CHECK(of(kSquare, torch::cat({numbers({1, 3}), numbers({kNan, kNan})}, 1)).isfinite().all().item<bool>());
  // Medians, of outputs in different units.
  const auto absolute = [](const at::Tensor& z, const at::Tensor& t) { return (z - t).abs(); };
  CHECK(largest_difference(of(absolute, numbers({1, 2, 3, 4, 100})), {3}) < 1e-6);
  const at::Tensor units = torch::cat({numbers({0.1, 0.3, 0.4}), numbers({700, 999, 1500})}, 1);
  CHECK(largest_difference(of(absolute, units), {0.3, 999}) < 1e-3);
  // Counts, whose prediction is the logarithm of a rate.
  const auto poisson = [](const at::Tensor& z, const at::Tensor& t) { return z.exp() - t * z; };
  CHECK(largest_difference(of(poisson, numbers({0, 1, 2, 60})), {std::log(63.0 / 4)}) < 1e-5);
  // Waiting times: the loss exists for positive predictions alone.
  const auto exponential = [](const at::Tensor& z, const at::Tensor& t) { return z.log() + t / z; };
  CHECK(largest_difference(of(exponential, numbers({0.01, 0.02, 0.06}), true), {0.03}) < 1e-6);
  CHECK(largest_difference(of(exponential, numbers({100, 300}), true), {200}) < 1e-3);
  const at::Tensor times = torch::cat({numbers({0.001, 0.005, 0.009}), numbers({100, 500, 900})}, 1);
  const at::Tensor found = of(exponential, times, true);
  CHECK(largest_difference(found / torch::tensor({0.005, 500.0}, torch::kDouble), {1, 1}) < 1e-5);
}

TEST_CASE("mean and variance of a Gaussian loss alone are found far from where the search begins",
          "[tasks][behaviour]") {
  torch::manual_seed(5);
  for (const auto& [mean, deviation] : {std::pair{0.95, 0.03}, {50.0, 12.0}, {500.0, 80.0}, {2000.0, 5.0}})
    for (const torch::ScalarType type : {torch::kDouble, torch::kFloat}) {
      INFO(mean << " " << type);
      at::Tensor y = torch::randn({300, 1}, torch::kDouble);
      y = ((y - y.mean()) / y.std(false) * deviation + mean).to(type);
      const auto model =
          eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2}), eq::task<"y">(eq::Concat{}, GaussianPair{}));
      model->to(type);
      const auto data = eq::batch(eq::input<"a">(torch::randn({300, 2}, type)), eq::target<"y">(Single{y}));
      eq::Trainer(model, {.epochs = 1, .learning_rate = 1e-9, .progress = nullptr}).fit(data);
      const at::Tensor z = eq::infer(*model, data.with_presence(torch::zeros({300, 1}, torch::kBool)))["y"_n][0];
      CHECK(z[0].item<double>() == Approx(mean).epsilon(1e-3));
      CHECK(std::exp(z[1].item<double>() / 2) == Approx(deviation).epsilon(1e-2));
    }
}

TEST_CASE("a constant is fitted to labelled records, of many some at random", "[tasks][behaviour]") {
  // Every second record has the second class, and the first half has no label.
  const std::int64_t n = 700'000;
  const at::Tensor place = torch::arange(n), label = place.remainder(2).masked_fill(place.lt(n / 2), -1);
  const auto data = eq::batch(eq::input<"a">(torch::zeros({n, 1})), eq::target<"y">(eq::Labels{label}));
  const auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 1, .widths = {1}}),
                                 eq::task<"y">(eq::Concat{.width = 1}, Classes{}));
  eq::Trainer(model, {.epochs = 1, .batch_size = n, .progress = nullptr}).fit(data);
  const auto absent = data.slice(0, 1).with_presence(torch::zeros({1, 1}, torch::kBool));
  const at::Tensor p = eq::infer(*model, absent)["y"_n][0].softmax(0);
  CHECK(p[0].item<double>() == Approx(0.5).margin(0.01));
  CHECK(p[1].item<double>() == Approx(0.5).margin(0.01));
}

TEST_CASE("classes and maps with a loss alone have their frequencies and means", "[tasks][behaviour]") {
  const at::Tensor classes = constant_of(Classes{}, data_of(eq::Labels{torch::tensor({0L, 0L, 1L, 2L, -1L})}));
  CHECK(largest_difference(classes.softmax(0), {0.5, 0.25, 0.25}) < 1e-5);
  torch::manual_seed(3);
  const at::Tensor maps = torch::rand({4, 2, 3, 3}, torch::kDouble);
  const auto model =
      eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2}), eq::modality<"image">(eq::Cnn{.widths = {4}}),
                  eq::task<"y">(eq::SpatialCascade{.widths = {4}}, Pixels{}));
  model->to(torch::kDouble);
  CHECK(model->schema().tasks[0].outputs == 2);
  const auto data =
      eq::batch(eq::input<"a">(torch::randn({4, 2}, torch::kDouble)),
                eq::input<"image">(torch::randn({4, 1, 3, 3}, torch::kDouble)), eq::target<"y">(eq::Maps{maps}));
  eq::Trainer(model, {.epochs = 1, .progress = nullptr}).fit(data);
  const at::Tensor z = eq::infer(*model, data.with_presence(torch::zeros({4, 2}, torch::kBool)))["y"_n];
  CHECK(torch::allclose(z[0].flatten(), maps.mean({0, 2, 3}), 1e-6, 1e-6));
}

TEST_CASE("what is predicted without any modality counts records by their weights", "[tasks][behaviour]") {
  const auto data = data_of(eq::Values{numbers({1, 2, 3, 10})}).with_weights({0, 1, 1, 2});
  const std::vector<double> mean = {25.0 / 4};
  CHECK(largest_difference(constant_of(Numbers{1, kSquare}, data), mean) < 1e-6);
  CHECK(largest_difference(constant_of(eq::Regression{}, data), mean) < 1e-6);
  CHECK(largest_difference(constant_of(eq::Regression{}, data, Fetched{data}), mean) < 1e-6);
}

TEST_CASE("the constant of a model in single precision is that of double precision to rounding", "[tasks][behaviour]") {
  const auto poisson = [](const at::Tensor& z, const at::Tensor& t) { return z.exp() - t * z; };
  torch::manual_seed(1);
  const auto model =
      eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2}), eq::task<"y">(eq::Concat{}, Numbers{2, poisson}));
  const at::Tensor y = torch::tensor({{0.F, 100.F}, {1.F, 300.F}, {5.F, 200.F}});
  const auto data = eq::batch(eq::input<"a">(torch::randn({3, 2})), eq::target<"y">(eq::Values{y}));
  eq::Trainer(model, {.epochs = 1, .progress = nullptr}).fit(data);
  const at::Tensor z = eq::infer(*model, data.with_presence(torch::zeros({3, 1}, torch::kBool)))["y"_n];
  CHECK(largest_difference(z[0].exp(), {2, 200}) < 0.1);
}

TEST_CASE("a task with a loss alone trains under policies, has contributions, and is saved", "[tasks][behaviour]") {
  torch::manual_seed(4);
  const at::Tensor a = torch::randn({64, 2}, torch::kDouble), b = torch::randn({64, 2}, torch::kDouble);
  const at::Tensor y = a.narrow(1, 0, 1) + b.narrow(1, 0, 1);
  const auto data = eq::batch(eq::input<"a">(a), eq::input<"b">(b), eq::target<"y">(eq::Values{y}));
  const Numbers task{1, kSquare};
  const auto model = model_of(task);
  eq::Trainer trainer(model, eq::stack(eq::Ogm{}, eq::ShapleyLossFactors{}),
                      {.epochs = 20, .learning_rate = 0.01, .progress = nullptr});
  (void)trainer.fit(data);
  const auto phi = eq::shapley(*model, data);
  const double without = (y - y.mean()).square().mean().item<double>();
  CHECK(phi.tasks[0].losses[0] == Approx(without).epsilon(1e-6));
  CHECK(phi.tasks[0].losses[3] < 0.5 * without);
  const auto again = model_of(task);
  std::stringstream file;
  torch::save(model, file);
  auto loaded = again;
  torch::load(loaded, file);
  const auto absent = data.with_presence(torch::zeros({64, 2}, torch::kBool));
  CHECK(torch::equal(eq::infer(*again, absent)["y"_n], eq::infer(*model, absent)["y"_n]));
  CHECK(again->named_buffers().contains("heads.y.best_constant"));
}

TEST_CASE("a task whose loss no constant changes keeps its first prediction", "[tasks][behaviour]") {
  const auto none = [](const at::Tensor& z, const at::Tensor&) { return z - z; };
  CHECK(constant_of(Numbers{1, none}, data_of(eq::Values{numbers({1, 2})})).isfinite().all().item<bool>());
}

TEST_CASE("a run with a loss alone is resumed with its constant, and a loss of a wrong shape is refused",
          "[tasks][behaviour]") {
  const support::TemporaryFolder folder;
  const auto data = data_of(eq::Values{numbers({1, 2, 3, 10})});
  eq::TrainerOptions o{.epochs = 1, .progress = nullptr};
  o.checkpoint = (folder.path() / "c.pt").string();
  const Numbers task{1, kSquare};
  eq::Trainer(model_of(task), o).fit(data);
  o.epochs = 2;
  const auto resumed = model_of(task);
  eq::Trainer trainer(resumed, o);
  trainer.resume(o.checkpoint);
  CHECK(largest_difference(resumed->named_buffers()["heads.y.best_constant"], {4}) < 1e-6);
  (void)trainer.fit(data);
  CHECK(largest_difference(resumed->named_buffers()["heads.y.best_constant"], {4}) < 1e-6);
  // A loss without its last step has one value an output.
  struct Wide : NumbersModule {
    using NumbersModule::NumbersModule;
    at::Tensor loss(const at::Tensor& z, const at::Tensor& y, bool) const { return (z - y).square(); }
  };
  const auto wide =
      eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2}), eq::modality<"b">(eq::Mlp{.in_features = 2}),
                  eq::task<"y">(eq::Sum{.width = 4}, std::make_shared<Wide>(4, 1, kSquare, false)));
  wide->to(torch::kDouble);
  eq::Trainer of_wide(wide, {.epochs = 1, .progress = nullptr});
  CHECK_THROWS_WITH(of_wide.fit(data.with_weights({1, 2, 3, 4})),
                    Contains("shape.117] loss, task y: expected one value a record, [1, 4], got [1, 4, 1]"));
  const auto never = [](const at::Tensor& z, const at::Tensor&) { return z / 0; };
  eq::Trainer of_never(model_of(Numbers{1, never}), {.epochs = 1, .progress = nullptr});
  CHECK_THROWS_WITH(of_never.fit(data), Contains("numeric.506") && Contains("prior of task y"));
}

TEST_CASE("a prediction that is no row names the task", "[tasks][error]") {
  struct Wrong : torch::nn::Module {
    using Target = eq::Values;
    at::Tensor forward(const at::Tensor& joint) { return joint.sum(); }
    at::Tensor loss(const at::Tensor& z, const at::Tensor&, bool) const { return z.sum(2); }
  };
  CHECK_THROWS_WITH(
      eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2}), eq::task<"y">(eq::Concat{}, std::make_shared<Wrong>())),
      Contains("shape.117] prediction of task y: expected [1, O] of a joint feature"));
}
