// What every task of the list keeps to: gradients, missing labels, coalitions, priors, checkpoints. Then worked numbers of
// single tasks.

#include <equipoise/equipoise.hpp>
#include <equipoise/evaluation/ssim.hpp>
#include <equipoise/evaluation/task_metrics.hpp>

#include <torch/serialize.h>

#include <sstream>

#include "support/catch.hpp"
#include "support/own_tasks.hpp"

namespace eq = equipoise;
using Catch::Contains;

namespace {

constexpr std::int64_t kWidth = 3, kRecords = 6, kSide = 12;
const double kNan = std::numeric_limits<double>::quiet_NaN();

/// A small task of several outputs.
template <class Spec>
Spec small_task() {
  Spec spec = eq::example_of<Spec>();
  if constexpr (requires { spec.outputs; }) spec.outputs = 3;
  if constexpr (requires { spec.classes; }) spec.classes = 3;
  if constexpr (requires { spec.labels; }) spec.labels = 3;
  return spec;
}

template <class Spec>
auto head_of(const Spec& spec) {
  torch::manual_seed(3);
  auto head = spec.build(kWidth);
  head->to(torch::kDouble);
  return head;
}

/// A joint feature, or a joint map of a dense task.
template <class Head>
at::Tensor joint_of(std::int64_t rows) {
  torch::manual_seed(5);
  if constexpr (eq::is_dense<Head>)
    return torch::randn({rows, kWidth, kSide, kSide}, torch::kDouble);
  else
    return torch::randn({rows, kWidth}, torch::kDouble);
}

/// Targets without a missing entry.
template <class Head>
at::Tensor targets_of(const Head& head, std::int64_t n) {
  using Target = typename Head::Target;
  torch::manual_seed(7);
  const std::int64_t outputs = head.outputs();
  if constexpr (std::same_as<Target, eq::Labels>)
    return torch::randint(outputs, {n}, torch::kLong);
  else if constexpr (std::same_as<Target, eq::ClassMaps>)
    return torch::randint(outputs, {n, 1, kSide, kSide}, torch::kLong);
  else if constexpr (std::same_as<Target, eq::Maps>)
    return torch::rand({n, outputs, kSide, kSide}, torch::kDouble);
  else if constexpr (std::same_as<Target, eq::LabelSets>)
    return torch::rand({n, outputs}, torch::kDouble).gt(0.6).to(torch::kDouble);
  else if constexpr (std::same_as<Target, eq::SurvivalTimes>)
    return torch::stack(
        {torch::rand({n}, torch::kDouble) * 6 + 0.1, torch::rand({n}, torch::kDouble).gt(0.3).to(torch::kDouble)}, 1);
  else
    return std::get<0>(torch::rand({n, outputs}, torch::kDouble).sort(1));
}

/// The same with one record without a label, and where a record has several entries another that lacks one.
at::Tensor with_missing(const at::Tensor& targets) {
  at::Tensor out = targets.clone();
  if (out.is_floating_point()) {
    out[1].fill_(kNan);
    out[3].view({-1})[0] = kNan;
  } else {
    out[1].fill_(-1);
    if (out.dim() > 1) out[3].view({-1})[0] = -1;
  }
  return out;
}

/// Predictions [C, B, …] of joint features [C * B, …].
template <class Head>
at::Tensor predicted(Head& head, const at::Tensor& joint, std::int64_t coalitions = 1) {
  return head.forward(joint).unflatten(0, {coalitions, joint.size(0) / coalitions});
}

/// The largest difference between the gradient of a task's losses and central differences, over all parameters and the
/// joint feature. Each record's loss has a factor of its own.
template <class Spec>
double gradient_error(const Spec& spec) {
  const auto head = head_of(spec);
  const at::Tensor joint = joint_of<std::decay_t<decltype(*head)>>(kRecords).requires_grad_(),
                   y = with_missing(targets_of(*head, kRecords)),
                   factors = torch::arange(1, kRecords + 1, torch::kDouble);
  const auto value = [&] { return (head->loss(predicted(*head, joint), y, true) * factors).sum(); };
  value().backward();
  const torch::NoGradGuard no_grad;
  double largest = 0;
  std::vector<at::Tensor> inputs = head->parameters();
  inputs.push_back(joint);
  for (at::Tensor& x : inputs) {
    const at::Tensor flat = x.view({-1}), gradient = x.grad().reshape({-1});
    for (std::int64_t i = 0; i < flat.numel(); i += std::max<std::int64_t>(1, flat.numel() / 24)) {
      constexpr double h = 1e-5;  // the error is of the order of h² = 1e-10
      flat[i] += h;
      const double above = value().template item<double>();
      flat[i] -= 2 * h;
      const double below = value().template item<double>();
      flat[i] += h;
      largest = std::max(largest, std::abs((above - below) / (2 * h) - gradient[i].template item<double>()));
    }
  }
  return largest;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a task's gradient is that of its loss, with missing labels", "[tasks][law]", eq::EveryTask) {
  CHECK(gradient_error(small_task<TestType>()) < 1e-7);
  TestType spec = small_task<TestType>();
  if constexpr (requires { spec.smoothing; }) spec.smoothing = 0.1;
  if constexpr (requires { spec.focal; }) spec.focal = 1.5, spec.weights = {1, 2, 0.5};
  if constexpr (requires { spec.gradient; }) spec.gradient = 0.5, spec.ssim = 2;
  if constexpr (requires { spec.increasing; }) spec.increasing = false;
  CHECK(gradient_error(spec) < 1e-7);
}

TEMPLATE_LIST_TEST_CASE("a record without a label has no loss, and the others have theirs", "[tasks][law]",
                        eq::EveryTask) {
  const auto head = head_of(small_task<TestType>());
  using Head = std::decay_t<decltype(*head)>;
  const at::Tensor y = with_missing(targets_of(*head, kRecords)), joint = joint_of<Head>(kRecords),
                   z = predicted(*head, joint).detach().requires_grad_();
  Head::Target::check(y, {"y", head->outputs()});
  const at::Tensor loss = head->loss(z, y, true);
  CHECK(loss.sizes() == at::IntArrayRef{1, kRecords});
  CHECK(loss[0][1].template item<double>() == 0);
  loss.sum().backward();
  CHECK(z.grad()[0][1].abs().max().template item<double>() == 0);
  const at::Tensor others = torch::tensor({0L, 2L, 3L, 4L, 5L});
  CHECK(torch::allclose(loss.index_select(1, others),
                        head->loss(z.index_select(1, others), y.index_select(0, others), true), 1e-12, 1e-12));
}

TEMPLATE_LIST_TEST_CASE("a task's loss of two coalitions is that of each, and of a single record its own",
                        "[tasks][law]", eq::EveryTask) {
  const auto head = head_of(small_task<TestType>());
  using Head = std::decay_t<decltype(*head)>;
  const at::Tensor y = targets_of(*head, kRecords), joint = joint_of<Head>(2 * kRecords);
  const at::Tensor both = head->loss(predicted(*head, joint, 2), y, false);
  for (const std::int64_t c : {0, 1})
    CHECK(torch::allclose(both[c], head->loss(predicted(*head, joint.narrow(0, c * kRecords, kRecords)), y, false)[0],
                          1e-12, 1e-12));
  const at::Tensor one = head->loss(predicted(*head, joint.narrow(0, 0, 1)), y.narrow(0, 0, 1), false);
  CHECK(one.isfinite().all().template item<bool>());
  if (!eq::couples_records<Head>) CHECK(torch::allclose(one[0], both[0].narrow(0, 0, 1), 1e-12, 1e-12));
}

TEMPLATE_LIST_TEST_CASE("a task's prior has a smaller loss than constants beside it", "[tasks][law]", eq::EveryTask) {
  TestType spec = small_task<TestType>();
  if constexpr (requires { spec.dice; }) spec.dice = 0;
  const auto head = head_of(spec);
  using Head = std::decay_t<decltype(*head)>;
  const std::int64_t n = 64;
  const at::Tensor y = targets_of(*head, n);
  head->fit_prior(with_missing(y));
  CHECK(head->prior().isfinite().all().template item<bool>());
  head->fit_prior(y);
  const auto loss_of = [&](const at::Tensor& constant) {
    std::vector<std::int64_t> shape = {1, 1, -1};
    if (eq::is_dense<Head>) shape.insert(shape.end(), {1, 1});
    std::vector<std::int64_t> records(shape.size(), -1);
    records[1] = n;
    return head->loss(constant.view(shape).expand(records), y, false).mean().template item<double>();
  };
  const double best = loss_of(head->prior());
  for (std::int64_t o = 0; o < head->prior().numel(); ++o)
    for (const double change : {-0.4, 0.4}) {
      at::Tensor beside = head->prior().clone();
      beside[o] += change;
      // Only a difference in risk counts, and a constant has none.
      if (eq::couples_records<Head>)
        CHECK(loss_of(beside) == Approx(best));
      else
        CHECK(loss_of(beside) > best);
    }
}

TEMPLATE_LIST_TEST_CASE("a task saved and loaded is the same", "[tasks][law]", eq::EveryTask) {
  const auto a = head_of(small_task<TestType>()), b = head_of(small_task<TestType>());
  using Head = std::decay_t<decltype(*a)>;
  const at::Tensor y = targets_of(*a, kRecords), joint = joint_of<Head>(kRecords);
  a->fit_prior(y);
  {
    const torch::NoGradGuard no_grad;
    for (const at::Tensor& p : b->parameters()) p.zero_();
  }
  std::stringstream stream;
  torch::serialize::OutputArchive out;
  a->save(out);
  out.save_to(stream);
  torch::serialize::InputArchive in;
  in.load_from(stream);
  b->load(in);
  CHECK(torch::equal(a->forward(joint), b->forward(joint)));
  CHECK(torch::equal(a->prior(), b->prior()));
}

TEST_CASE("targets of another shape, type or range than a task's are refused by its name", "[tasks][error]") {
  const eq::Schema::Task task{"y", 3};
  CHECK_THROWS_WITH(eq::LabelSets::check(torch::full({2, 3}, 0.5), task), Contains("value.214") && Contains("task y"));
  CHECK_THROWS_WITH(eq::LabelSets::check(torch::zeros({2, 2}), task), Contains("expected [B, 3]"));
  CHECK_THROWS_WITH(eq::ClassMaps::check(torch::full({2, 1, 4, 4}, 3L), task), Contains("expected classes below 3"));
  CHECK_THROWS_WITH(eq::ClassMaps::check(torch::zeros({2, 4, 4}), task), Contains("expected int64 [B, 1, H, W]"));
  CHECK_THROWS_WITH(eq::SurvivalTimes::check(torch::tensor({{1.0, 1.0}, {0.0, 1.0}}), task),
                    Contains("in 1 record: 1"));
  CHECK_THROWS_WITH(eq::SurvivalTimes::check(torch::tensor({{1.0, 0.5}}), task), Contains("value.250"));
  CHECK_THROWS_WITH(eq::SurvivalTimes::check(torch::zeros({2}), task), Contains("times and events [B, 2]"));
  CHECK(torch::equal(eq::SurvivalTimes::missing(torch::tensor({{kNan, 1.0}, {1.0, 0.0}})),
                     torch::tensor({{true, true}, {false, false}})));
}

TEST_CASE("options of tasks out of range are refused by name", "[tasks][error]") {
  CHECK_THROWS_WITH((eq::QuantileRegression{.levels = {0.5, 0.1}}.build(2)), Contains("QuantileRegression.levels"));
  CHECK_THROWS_WITH(eq::BoundedRegression{.low = 2}.build(2), Contains("BoundedRegression.high: expected > low"));
  CHECK_THROWS_WITH(eq::GaussianRegression{.floor = 0}.build(2), Contains("GaussianRegression.floor"));
  CHECK_THROWS_WITH(eq::Classification{.weights = {1}}.build(2), Contains("Classification.weights"));
  CHECK_THROWS_WITH(eq::OrdinalClassification{.focal = -1}.build(2), Contains("OrdinalClassification.focal"));
  CHECK_THROWS_WITH((eq::MultiLabelClassification{.weights = {1, 0}}.build(2)),
                    Contains("expected none, or a number > 0"));
  CHECK_THROWS_WITH(eq::DenseRegression{.range = 0}.build(2), Contains("DenseRegression.range"));
  CHECK_THROWS_WITH((eq::DenseSegmentation{.cross_entropy = 0, .dice = 0}.build(2)),
                    Contains("DenseSegmentation.dice"));
  CHECK_THROWS_WITH(eq::DiscreteSurvival{.edges = {}}.build(2), Contains("DiscreteSurvival.edges"));
  CHECK_THROWS_WITH(
      eq::DenseRegression{.ssim = 1}.build(2)->loss(torch::zeros({1, 1, 1, 8, 8}), torch::zeros({1, 1, 8, 8}), false),
      Contains("at least 11 x 11 pixels, got [1, 1, 8, 8]"));
}

TEST_CASE("likelihood and quantiles of a worked example", "[tasks][worked]") {
  // Mean 1, variance 4, target 3: (log 4 + 2² / 4) / 2.
  const at::Tensor z = torch::tensor({1.0, std::log(4.0)}, torch::kDouble).view({1, 1, 2});
  const auto gaussian = head_of(eq::GaussianRegression{});
  CHECK(gaussian->loss(z, torch::full({1, 1}, 3.0, torch::kDouble), false).item<double>() ==
        Approx(1.1931471806).epsilon(1e-6));  // the floor of the variance is 1e-6
  // The prior's own score is one half; that of mean 1 and variance 4 against it: 1 / (1 + exp(l - l_prior)).
  CHECK(gaussian->score(gaussian->prior().view({1, 1, 2}), torch::zeros({1, 1}, torch::kDouble)).item<double>() == 0.5);
  CHECK(gaussian->score(z, torch::full({1, 1}, 3.0, torch::kDouble)).item<double>() ==
        Approx(1 / (1 + std::exp(1.1931471806 - 4.5))).epsilon(1e-5));  // the prior: mean 0, variance 1, 3² / 2
  // Quantiles 0, 1, 2 at 10, 50 and 90 %, target 1.5: (0.15 + 0.25 + 0.05) / 3.
  const auto quantiles = head_of(eq::QuantileRegression{});
  const at::Tensor q = torch::tensor({0.0, 1.0, 2.0}, torch::kDouble).view({1, 1, 3});
  CHECK(quantiles->loss(q, torch::full({1, 1}, 1.5, torch::kDouble), false).item<double>() == Approx(0.15));
}

TEST_CASE("quantiles never cross, and metrics judge the middle one", "[tasks][property]") {
  const auto head = head_of(eq::QuantileRegression{.outputs = 2, .metrics = {eq::metric::mae()}});
  const at::Tensor z = head->forward(torch::randn({50, kWidth}, torch::kDouble) * 10).unflatten(1, {2, 3});
  CHECK((z.select(2, 0).le(z.select(2, 1)) & z.select(2, 1).le(z.select(2, 2))).all().item<bool>());
  const at::Tensor y = torch::zeros({50, 2}, torch::kDouble);
  CHECK(head->metrics().at(0).value(z.flatten(1), y) == Approx(z.select(2, 1).abs().mean().item<double>()));
  const auto gaussian = head_of(eq::GaussianRegression{.outputs = 2, .metrics = {eq::metric::mae()}});
  const at::Tensor means = torch::cat({torch::full({50, 2}, 2.0), torch::full({50, 2}, 9.0)}, 1);
  CHECK(gaussian->metrics().at(0).value(means, y) == Approx(2));
}

TEST_CASE("a looser criterion is never lower, and no rate leaves its bounds", "[tasks][property]") {
  for (const double scale : {0.1, 10.0, 1000.0}) {
    const auto head = eq::BoundedRegression{.outputs = 4, .low = 0.1, .high = 100}.build(kWidth);
    const at::Tensor z = head->forward(torch::randn({500, kWidth}) * scale);
    CHECK(z.ge(0.1).logical_and(z.le(100)).all().item<bool>());
    CHECK(z.narrow(1, 1, 3).ge(z.narrow(1, 0, 3)).all().item<bool>());
  }
  // The prior keeps the order where another criterion is missing in some records.
  const auto head = eq::BoundedRegression{.outputs = 2, .high = 100}.build(kWidth);
  head->fit_prior(torch::tensor({{90.0, 95.0}, {99.0, kNan}, {99.0, kNan}}));
  CHECK(torch::allclose(head->prior(), torch::tensor({96.F, 96.F})));
}

TEMPLATE_LIST_TEST_CASE("a record of weight 2 counts in a prior as two records, one of weight 0 not at all",
                        "[tasks][law]", eq::EveryTask) {
  const auto head = head_of(small_task<TestType>());
  using Head = std::decay_t<decltype(*head)>;
  if constexpr (requires(const at::Tensor& t) { head->fit_prior(t, t); }) {
    const std::int64_t n = 24;
    const at::Tensor y = with_missing(targets_of(*head, n)), times = torch::arange(n).remainder(4);
    head->fit_prior(y, times.to(torch::kDouble));
    const at::Tensor weighted = head->prior().clone();
    const at::Tensor repeated = y.repeat_interleave(times, 0);
    head->fit_prior(repeated, torch::ones({repeated.size(0)}, torch::kDouble));
    CHECK(torch::allclose(weighted, head->prior(), 1e-9, 1e-12));
    CHECK(weighted.isfinite().all().template item<bool>());
    head->fit_prior(y, torch::ones({n}, torch::kDouble));
    CHECK_FALSE(torch::allclose(weighted, head->prior(), 1e-6, 1e-6));  // the weights are looked at
  } else {
    CHECK(eq::couples_records<Head>);  // its records have no weights
  }
}

TEST_CASE("a weighted quantile is the least value that holds its share of the weight", "[tasks][worked]") {
  const at::Tensor y = torch::tensor({{1.0, kNan}, {2.0, kNan}, {3.0, kNan}, {kNan, kNan}}, torch::kDouble);
  const auto quantile = [&](double level, std::vector<double> weights) {
    const auto head = head_of(eq::QuantileRegression{.outputs = 2, .levels = {level}});
    head->fit_prior(y, torch::tensor(weights, torch::kDouble));
    CHECK(head->prior()[1].item<double>() == 0);  // an output without a known entry
    return head->prior()[0].item<double>();
  };
  CHECK(quantile(0.5, {1, 1, 1, 9}) == 2);
  CHECK(quantile(0.5, {3, 1, 1, 9}) == 1);
  CHECK(quantile(0.5, {1, 1, 3, 9}) == 3);
  CHECK(quantile(0.5, {1, 0, 1, 9}) == 1);  // of two medians the lower
  CHECK(quantile(0.01, {1, 1, 1, 1}) == 1);
  CHECK(quantile(0.99, {0.1, 0.2, 0.3, 1}) == 3);
  const auto median = head_of(eq::Regression{.outputs = 2, .loss = eq::PointLoss::l1});
  median->fit_prior(y, torch::tensor({1.0, 1.0, 3.0, 9.0}, torch::kDouble));
  CHECK(median->prior()[0].item<double>() == 3);
}

TEST_CASE("an output that no training record has keeps its constant, and the others have theirs",
          "[tasks][behaviour]") {
  const at::Tensor targets = torch::tensor({{1.0, kNan}, {3.0, kNan}}, torch::kDouble);
  const auto prior_of = [&](const auto& spec) {
    const auto head = head_of(spec);
    head->fit_prior(targets);
    return head->prior();
  };
  const auto expected = [](std::vector<double> values) { return torch::tensor(values, torch::kDouble); };
  CHECK(torch::allclose(prior_of(eq::Regression{.outputs = 2}), expected({2, 0})));
  CHECK(torch::allclose(prior_of(eq::Regression{.outputs = 2, .loss = eq::PointLoss::l1}), expected({1, 0})));
  CHECK(torch::allclose(prior_of(eq::BoundedRegression{.outputs = 2, .high = 10}), expected({2, 2})));
  CHECK(torch::allclose(prior_of(eq::QuantileRegression{.outputs = 2, .levels = {0.25, 0.5}}), expected({1, 1, 0, 0})));
  const at::Tensor gaussian = prior_of(eq::GaussianRegression{.outputs = 2});
  CHECK(torch::allclose(gaussian.narrow(0, 0, 2), expected({2, 0})));
  CHECK(gaussian.isfinite().all().item<bool>());
  const auto maps = head_of(eq::DenseRegression{.channels = 2});
  maps->fit_prior(targets.view({2, 2, 1, 1}).expand({2, 2, 3, 3}));
  CHECK(torch::allclose(maps->prior(), expected({2, 0})));
}

TEST_CASE("weights, smoothing and focal loss of the common toy batch", "[tasks][worked]") {
  const at::Tensor z = torch::tensor({{{3.0, 0.0, 0.0}}}, torch::kDouble), y = torch::tensor({0L});
  const auto loss = [&](const eq::Classification& spec) { return head_of(spec)->loss(z, y, false).item<double>(); };
  CHECK(loss({.classes = 3, .weights = {2, 1, 1}}) == Approx(0.1898459128));
  CHECK(loss({.classes = 3, .focal = 2}) == Approx(0.0007784224));
  CHECK(loss({.classes = 3, .smoothing = 0.1}) == Approx(0.2949229564));
  // Logits 1 and -2 of a record that has the first label, which counts three times.
  const at::Tensor logits = torch::tensor({{{1.0, -2.0}}}, torch::kDouble),
                   has = torch::tensor({{1.0, 0.0}}, torch::kDouble);
  CHECK(head_of(eq::MultiLabelClassification{.weights = {3, 1}})->loss(logits, has, false).item<double>() ==
        Approx(0.5333565368));
  CHECK(head_of(eq::MultiLabelClassification{.focal = 2})->loss(logits, has, false).item<double>() ==
        Approx(0.0122308102));
  const auto labels = head_of(eq::MultiLabelClassification{});
  CHECK(labels->correct(logits, has).item<bool>());
  CHECK_FALSE(labels->correct(logits, torch::tensor({{1.0, 1.0}}, torch::kDouble)).item<bool>());
  CHECK(labels->correct(logits, torch::tensor({{1.0, kNan}}, torch::kDouble)).item<bool>());
}

TEST_CASE("cumulative logits give the probabilities of ordered classes", "[tasks][worked]") {
  const auto head = head_of(eq::OrdinalClassification{});
  const torch::NoGradGuard no_grad;
  CHECK(torch::allclose(head->thresholds(), torch::tensor({-0.5, 0.5}, torch::kDouble)));
  head->weight().fill_(0.1);  // f = 0.3
  const at::Tensor log_p = head->forward(torch::ones({1, 3}, torch::kDouble))[0];
  CHECK(torch::allclose(log_p, torch::tensor({-1.1711006659, -1.4279146807, -0.7981388694}, torch::kDouble)));
  // Far from the thresholds no probability is 0.
  const at::Tensor far = head->forward(torch::full({1, 3}, 2000.0, torch::kDouble));
  CHECK(far.isfinite().all().item<bool>());
  CHECK(torch::allclose(head->forward(torch::randn({9, 3}, torch::kDouble)).exp().sum(1),
                        torch::ones({9}, torch::kDouble)));
}

TEST_CASE("terms of maps are SSIM and differences of gradients", "[tasks][worked]") {
  torch::manual_seed(2);
  const at::Tensor z = torch::rand({1, 1, 1, 16, 14}), y = torch::rand({1, 1, 16, 14});
  const double pixels = eq::DenseRegression{}.build(2)->loss(z, y, false).item<double>();
  const auto like = [](const at::Tensor& t) { return std::span(t.const_data_ptr<float>(), 16 * 14); };
  CHECK(eq::DenseRegression{.ssim = 3, .range = 2}.build(2)->loss(z, y, false).item<double>() ==
        Approx(pixels + 3 * (1 - eq::ssim(like(z), like(y), 16, 14, 2))).epsilon(1e-5));
  // A map that is the same everywhere may come as one pixel.
  const auto all = eq::DenseRegression{.ssim = 1, .gradient = 1}.build(2);
  const at::Tensor pixel = torch::full({1, 1, 1, 1, 1}, 0.5);
  CHECK(torch::equal(all->loss(pixel, y, false), all->loss(pixel.expand({1, 1, 1, 16, 14}), y, false)));
  // Errors 0, 1 / 2, 5 have steps of 2, 4, 1, 3; without the last pixel of 2, 1.
  const at::Tensor error = torch::tensor({0.0, 1.0, 2.0, 5.0}, torch::kDouble).view({1, 1, 1, 2, 2});
  at::Tensor zero = torch::zeros({1, 1, 2, 2}, torch::kDouble);
  const auto head = eq::DenseRegression{.loss = eq::PointLoss::l1, .gradient = 10}.build(2);
  CHECK(head->loss(error, zero, false).item<double>() == Approx(2 + 25));
  zero[0][0][1][1] = kNan;
  CHECK(head->loss(error, zero, true).item<double>() == Approx(1 + 15));
}

TEST_CASE("cross-entropy and Dice of a map of two pixels", "[tasks][worked]") {
  // Probabilities of class 1: 0.5 and 0.75; the second pixel is of class 1.
  const at::Tensor z = torch::tensor({0.0, 0.0, 0.0, std::log(3.0)}, torch::kDouble).view({1, 1, 2, 1, 2}),
                   y = torch::tensor({0L, 1L}).view({1, 1, 1, 2});
  CHECK(head_of(eq::DenseSegmentation{.dice = 0})->loss(z, y, false).item<double>() == Approx(0.4904146265));
  CHECK(head_of(eq::DenseSegmentation{.cross_entropy = 0})->loss(z, y, false).item<double>() == Approx(0.2517482517));
  CHECK(head_of(eq::DenseSegmentation{})->loss(z, y, false).item<double>() == Approx(0.7421628783));
  CHECK(head_of(eq::DenseSegmentation{})->score(z, y).item<double>() == Approx(0.625));
}

TEST_CASE("the partial likelihood is the sum over risk sets, with ties and missing labels", "[tasks][parity]") {
  const auto head = head_of(eq::Survival{});
  const at::Tensor worked = torch::tensor({{1.0, 1.0}, {2.0, 0.0}, {3.0, 1.0}}, torch::kDouble);
  const at::Tensor loss = head->loss(torch::tensor({1.0, 0.0, 2.0}, torch::kDouble).view({1, 3, 1}), worked, false);
  CHECK(loss[0][0].item<double>() == Approx(1.4076059644));  // -log(e^1 / (e^1 + e^0 + e^2))
  CHECK(loss[0][1].item<double>() == 0);
  CHECK(loss[0][2].item<double>() == Approx(0).margin(1e-12));
  at::Tensor y = targets_of(*head, 40);
  y.select(1, 0).ceil_();  // six times for forty records
  y = with_missing(y);
  torch::manual_seed(1);
  const at::Tensor eta = torch::randn({2, 40, 1}, torch::kDouble);
  const support::CoxModule by_pairs(kWidth);  // writes out every risk set
  CHECK(torch::allclose(head->loss(eta, y, true), by_pairs.loss(eta, y, true), 1e-12, 1e-12));
}

TEST_CASE("the likelihood of discrete hazards counts intervals that are survived", "[tasks][worked]") {
  const auto head = head_of(eq::DiscreteSurvival{.edges = {1, 2, 4}, .metrics = {eq::metric::c_index()}});
  const auto loss = [&](double time, double event) {
    return head
        ->loss(torch::tensor({0.0, 1.0, -1.0}, torch::kDouble).view({1, 1, 3}),
               torch::tensor({{time, event}}, torch::kDouble), false)
        .item<double>();
  };
  CHECK(loss(2, 1) == Approx(1.0064088681));    // survives the first, dies in the second
  CHECK(loss(2, 0) == Approx(2.0064088681));    // survives two
  CHECK(loss(3.9, 0) == Approx(2.0064088681));  // and nothing is known of the third
  CHECK(loss(9, 1) == Approx(2.3196705556));    // survives all three
  CHECK(loss(0.5, 0) == 0);
  // A larger hazard is a larger risk.
  const at::Tensor z = torch::tensor({{2.0, 2.0, 2.0}, {-2.0, -2.0, -2.0}}, torch::kDouble);
  CHECK(head->metrics().at(0).value(z, torch::tensor({{1.0, 1.0}, {3.0, 1.0}}, torch::kDouble)) == 1);
}

TEST_CASE("a time that is the end of an interval belongs to it, in single and double precision", "[tasks][behaviour]") {
  for (const double edge : {0.1, 0.3, 0.7, 1.1, 2.3}) {
    const auto head = eq::DiscreteSurvival{.edges = {edge, 5}}.build(2);
    for (const auto type : {torch::kDouble, torch::kFloat}) {
      head->to(type);
      const at::Tensor y = torch::tensor({{edge, 1.0}}, torch::kDouble).to(type);
      const at::Tensor z = torch::zeros({1, 1, 2}, type);
      // An event in the first interval: one factor of a half, not two.
      CHECK(head->loss(z, y, false).item<double>() == Approx(std::log(2.0)));
      CHECK(head->loss(z, torch::tensor({{edge, 0.0}}, torch::kDouble).to(type), false).item<double>() ==
            Approx(std::log(2.0)));  // has survived the first one
    }
  }
}
