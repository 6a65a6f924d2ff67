// The blocks of docs/tasks.md, word for word (gate.links_in_docs compares them).

#include <cmath>
#include <equipoise/equipoise.hpp>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains;

namespace {

/// One number a record, [N, 1]; NaN where it is missing.
struct Number {
  at::Tensor tensor;

  static at::Tensor missing(const at::Tensor& t) { return torch::isnan(t); }
  static void check(const at::Tensor& t, const eq::Schema::Task& task) {
    if (t.dim() != 2 || t.size(1) != 1 || !t.is_floating_point())
      throw eq::ShapeError(eq::message("shape.110", "target of task " + task.name,
                                       "expected one number a record, [B, 1], got ", t.sizes()));
  }
};

/// Three quantiles of a number: 10 %, 50 % and 90 %.
struct QuantilesModule : torch::nn::Module {
  using Target = Number;

  explicit QuantilesModule(std::int64_t joint_width)
      : linear(register_module("linear", torch::nn::Linear(joint_width, 3))),
        levels(register_buffer("levels", torch::tensor({0.1F, 0.5F, 0.9F}))),
        constant(register_buffer("constant", torch::zeros({3}))) {}

  std::int64_t outputs() const { return 3; }
  at::Tensor forward(const at::Tensor& joint) { return linear->forward(joint); }  // [R, 3]

  /// Without any modality: the quantiles of the training targets.
  at::Tensor prior() const { return constant; }
  void fit_prior(const at::Tensor& targets) {
    constant.copy_(torch::nanquantile(targets.flatten(), levels.to(targets.dtype())));
  }

  /// The pinball loss. \param prediction [C, B, 3]  \param target [B, 1]  \return [C, B]
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor missing = target.isnan();
    const at::Tensor error = target.masked_fill(missing, 0) - prediction;  // [C, B, 3]
    return torch::maximum(levels * error, (levels - 1) * error).mean(2).masked_fill(missing.squeeze(1), 0);
  }

  std::vector<eq::Metric> metrics() const {
    const auto covered = [](const at::Tensor& prediction, const at::Tensor& target) {
      const at::Tensor within = target.ge(prediction.narrow(1, 0, 1)) & target.le(prediction.narrow(1, 2, 1));
      return within.to(torch::kDouble).mean().item<double>();
    };
    return {{.name = "coverage", .larger_is_better = true, .value = covered}};
  }

  torch::nn::Linear linear;
  at::Tensor levels, constant;
};

/// What is given to eq::task: it builds the module for the joint feature's width.
struct Quantiles {
  std::shared_ptr<QuantilesModule> build(std::int64_t joint_width) const {
    return std::make_shared<QuantilesModule>(joint_width);
  }
};

/// The same of numbers of which only a lower bound may be known.
struct OpenNumber : Number {
  static constexpr bool may_be_infinite = true;
};
struct OpenQuantiles : QuantilesModule {
  using QuantilesModule::QuantilesModule;
  using Target = OpenNumber;
  void fit_prior(const at::Tensor&) {}
};

}  // namespace

TEST_CASE("the quantile task of the page on tasks trains and is judged", "[tasks][docs]") {
  torch::manual_seed(1);
  const at::Tensor table = torch::randn({400, 3}), image = torch::randn({400, 1, 4, 4});
  at::Tensor minutes = table.narrow(1, 0, 1) + 0.5 * torch::randn({400, 1});
  minutes.narrow(0, 0, 20).fill_(std::nan(""));
  auto data = eq::batch(eq::input<"table">(table), eq::input<"image">(image), eq::target<"minutes">(Number{minutes}));
  auto model = eq::compose(eq::modality<"table">(eq::Mlp{.in_features = 3, .widths = {16}}),
                           eq::modality<"image">(eq::Cnn{.widths = {4}}),
                           eq::task<"minutes">(eq::Sum{.width = 16}, Quantiles{}));
  eq::Trainer(model, eq::Ogm{}, {.epochs = 40, .learning_rate = 0.01, .progress = nullptr}).fit(data);
  const at::Tensor quantiles = eq::infer(*model, data)["minutes"_n];  // [N, 3]
  CHECK(quantiles.sizes() == at::IntArrayRef({400, 3}));

  const auto report = eq::evaluate(*model, data, {.intervals = false});
  CHECK(report["minutes"_n].records == 380);
  const auto& all = report["minutes"_n].of(model->full());
  CHECK(all.metrics[0].name == "coverage");
  CHECK(all.metrics[0].value == Approx(0.8).margin(0.1));  // between the quantiles 10 % and 90 %
  CHECK(all.loss.value < 0.75 * report["minutes"_n].of(eq::Coalition::none()).loss.value);
  // Without any modality the quantiles are those of the training targets.
  CHECK(report["minutes"_n].of(eq::Coalition::none()).metrics[0].value == Approx(0.8).margin(0.01));
}

TEST_CASE("the target of the page on tasks says what does not fit", "[tasks][docs][error]") {
  auto model = eq::compose(eq::modality<"table">(eq::Mlp{.in_features = 3, .widths = {4}}),
                           eq::task<"minutes">(eq::Sum{.width = 4}, Quantiles{}));
  auto wrong = eq::batch(eq::input<"table">(torch::zeros({2, 3})), eq::target<"minutes">(Number{torch::zeros({2, 3})}));
  std::string said;
  try {
    eq::Trainer(model, {.epochs = 1, .progress = nullptr}).fit(wrong);
  } catch (const eq::ShapeError& error) {
    said = error.what();
    if (error.id() != eq::ErrorId("shape.110")) throw;
  }
  CHECK(said == "[equipoise.shape.110] target of task minutes: expected one number a record, [B, 1], got [2, 3]");
  const auto infinite =
      eq::batch(eq::input<"table">(torch::zeros({3, 3})),
                eq::target<"minutes">(Number{torch::tensor({1.F, HUGE_VALF, -HUGE_VALF}).view({3, 1})}))
          .with_ids({7, 8, 9});
  CHECK_THROWS_WITH(
      eq::Trainer(model, {.epochs = 1, .progress = nullptr}).fit(infinite),
      "[equipoise.value.224] target of task minutes: expected finite values, or NaN where one is missing, "
      "got an infinite one in 2 records: 8, 9");
  auto open = eq::compose(eq::modality<"table">(eq::Mlp{.in_features = 3, .widths = {4}}),
                          eq::task<"minutes">(eq::Sum{.width = 4}, std::make_shared<OpenQuantiles>(4)));
  CHECK_NOTHROW(eq::Trainer(open, {.epochs = 0, .progress = nullptr})
                    .fit(eq::batch(eq::input<"table">(torch::zeros({2, 3})),
                                   eq::target<"minutes">(OpenNumber{torch::tensor({1.F, HUGE_VALF}).view({2, 1})}))));
}
