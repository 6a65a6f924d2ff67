// Records may lack modalities, labels, and whole tasks: nothing but the means over those that are there may change.

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::eager, support::Kind;

namespace {

/// Three modalities, a regression and a classification; one joint feature for both kinds of head.
auto two_tasks() {
  torch::manual_seed(4);
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::modality<"b">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::modality<"c">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}),
                           eq::task<"k">(eq::Sum{.width = 6}, eq::Classification{.classes = 3}));
  model->to(torch::kDouble);
  return model;
}

/// 24 records in which every modality and every label is missing somewhere, one record that has nothing at all, and NaN
/// wherever a modality is missing.
auto with_holes(std::int64_t n = 24) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(8);
  const auto draw = [&](std::int64_t columns) { return torch::randn({n, columns}, generator, torch::kDouble); };
  std::vector<at::Tensor> x = {draw(4), draw(4), draw(4)};
  at::Tensor presence = torch::ones({n, 3}, torch::kBool), y = draw(2);
  at::Tensor k = torch::arange(n).remainder(3);
  for (std::int64_t i = 0; i < n; ++i) {
    if (i % 4 == 1) presence[i][i % 3] = false;
    if (i == 7) presence[i].fill_(false);
    if (i % 5 == 2) y[i].fill_(std::nan(""));
    if (i % 6 == 3) k[i] = -1;
    for (std::size_t m = 0; m < 3; ++m)
      if (!presence[i][static_cast<std::int64_t>(m)].item<bool>()) x[m][i].fill_(std::nan(""));
  }
  y[4][1] = std::nan("");
  return eq::batch(eq::input<"a">(x[0]), eq::input<"b">(x[1]), eq::input<"c">(x[2]), eq::target<"y">(eq::Values{y}),
                   eq::target<"k">(eq::Labels{k}))
      .with_presence(presence);
}

eq::TrainerOptions options(std::int64_t epochs = 3) {
  eq::TrainerOptions o = support::toy_options(epochs);
  o.batch_size = 6;
  return o;
}

/// Logs the sum of the mean head input of modality b in the regression.
struct HeadInput {
  static constexpr std::string_view id = "head_input";
  static constexpr eq::Hooks hooks = eq::Hook::gradients;
  static constexpr eq::Needs needs{};
  struct State {};
  void on_gradients(State&, eq::Step& step, eq::Gradients&) const {
    const eq::Coalition b = eq::Coalition::single(1);
    const at::Tensor input = step.joint(0, b);
    CHECK(input.size(0) == 24);
    step.log("r", eq::host_value(step.mean(0, input, b).sum()));
  }
};

template <class P, class Data>
at::Tensor trained(const Data& data, eq::TrainerOptions o) {
  const auto model = two_tasks();
  eq::Trainer(model, eq::stack(eager<P>()), o).fit(data);
  return support::flat_parameters(*model);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("every policy trains on records with holes", "[training][missing][law]", eq::EveryPolicy) {
  CHECK(trained<TestType>(with_holes(), options(4)).isfinite().all().template item<bool>());
}

TEMPLATE_LIST_TEST_CASE("every policy trains on one record a batch", "[training][missing][law]", eq::EveryPolicy) {
  eq::TrainerOptions o = options(2);
  o.batch_size = 1, o.learning_rate = 0.002;  // single records make noisy steps
  CHECK(trained<TestType>(with_holes(), o).isfinite().all().template item<bool>());
}

TEMPLATE_LIST_TEST_CASE("with holes too, accumulated micro-batches equal one batch", "[training][missing][law]",
                        eq::EveryPolicy) {
  eq::TrainerOptions cut = options();
  cut.micro_batches = 3;
  // Sums in another order: rounding of doubles, grown over 12 steps.
  CHECK((trained<TestType>(with_holes(), options()) - trained<TestType>(with_holes(), cut))
            .abs()
            .max()
            .template item<double>() < 1e-9);
}

TEST_CASE("a mean of head inputs is over the records with the modality and a label, however the batch is cut",
          "[training][missing][law]") {
  const auto data = with_holes();
  const auto model = two_tasks();
  const at::Tensor b = data.inputs["b"_n], y = data.targets["y"_n].tensor,
                   rows = (b.isnan().any(1).logical_not() & y.isnan().all(1).logical_not()).nonzero().squeeze(1);
  CHECK(rows.size(0) < 20);
  const at::Tensor h = model->encoder("b"_n).forward(b.index_select(0, rows)),
                   r = model->fusion("y"_n).project(1, eq::Feature(h)).mean(0).sum();
  for (const std::int64_t parts : {1, 4, 24}) {
    eq::TrainerOptions o = options(1);
    o.batch_size = 24, o.micro_batches = parts;
    const eq::History history = eq::Trainer(two_tasks(), HeadInput{}, o).fit(data);
    CHECK(*history.epochs.at(0).find("r") == Approx(r.item<double>()).epsilon(1e-12));
  }
}

TEMPLATE_LIST_TEST_CASE("every policy trains where one task has no target at all", "[training][missing][law]",
                        eq::EveryPolicy) {
  const auto all = with_holes();
  const auto only_k =
      eq::batch(eq::input<"a">(all.inputs["a"_n].nan_to_num()), eq::input<"b">(all.inputs["b"_n].nan_to_num()),
                eq::input<"c">(all.inputs["c"_n].nan_to_num()), eq::target<"k">(all.targets["k"_n]),
                eq::target<"y">(eq::NoTarget{}));
  const auto model = two_tasks();
  const at::Tensor before = model->head("y"_n).parameters()[0].detach().clone();
  eq::TrainerOptions o = options();
  o.weight_decay = 0;
  eq::Trainer(model, eq::stack(eager<TestType>()), o).fit(only_k);
  CHECK(torch::equal(before, model->head("y"_n).parameters()[0]));
  CHECK(support::flat_parameters(*model).isfinite().all().item<bool>());
}

TEST_CASE("a modality that nobody has neither dominates nor is dominated", "[balancing][missing]") {
  auto data = with_holes();
  at::Tensor presence = torch::ones({24, 3}, torch::kBool);
  presence.select(1, 1).fill_(false);
  presence.select(1, 2).fill_(false);
  for (auto* x : {&data.inputs["a"_n], &data.inputs["b"_n], &data.inputs["c"_n]}) *x = x->nan_to_num();
  const auto alone = data.with_presence(presence);
  // With one modality left OGM and OPM have nothing to compare: the run is the plain one.
  const auto plain = two_tasks(), ogm = two_tasks(), opm = two_tasks();
  eq::Trainer(plain, options()).fit(alone);
  eq::Trainer(ogm, eq::Ogm{.noise = false}, options()).fit(alone);
  eq::Trainer(opm, eq::Opm{}, options()).fit(alone);
  CHECK(torch::equal(support::flat_parameters(*plain), support::flat_parameters(*ogm)));
  CHECK(torch::equal(support::flat_parameters(*plain), support::flat_parameters(*opm)));
}

TEST_CASE("valuation adds no copy of a record without what it would show", "[balancing][missing]") {
  // With κ so large that whatever is below its fair share is copied once, no record can have more copies than modalities.
  const auto data = with_holes();
  const auto model = two_tasks();
  const eq::History history =
      eq::Trainer(model, eq::SampleValuation{.warmup = 0, .kappa = 1e6, .max_copies = 1}, options(1)).fit(data);
  std::int64_t present = 0;
  for (const std::uint64_t mask : data.presence.masks()) present += std::popcount(mask);
  CHECK(*history.epochs[0].find("sample_valuation/copies") > 0);
  CHECK(*history.epochs[0].find("sample_valuation/copies") <= static_cast<double>(present));
}

TEST_CASE("targets of a shape that would be broadcast are refused, and the task is named", "[core][error]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  const auto good = support::toy_data<2, Kind::regression>(8);
  const auto with = [&](const at::Tensor& y) {
    return eq::batch(eq::input<"a">(good.inputs["a"_n]), eq::input<"b">(good.inputs["b"_n]),
                     eq::target<"y">(eq::Values{y}));
  };
  CHECK_THROWS_WITH(model->to_model_batch(with(torch::zeros({8}, torch::kDouble))),
                    Catch::Contains("shape.110") && Catch::Contains("task y") && Catch::Contains("[B, 2]"));
  CHECK_THROWS_AS(model->to_model_batch(with(torch::zeros({8, 1}, torch::kDouble))), eq::ShapeError);
  const auto classes = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  const auto labelled = eq::batch(eq::input<"a">(good.inputs["a"_n]), eq::input<"b">(good.inputs["b"_n]),
                                  eq::target<"y">(eq::Labels{torch::full({8}, 3, torch::kLong)}));
  CHECK_THROWS_WITH(classes->to_model_batch(labelled),
                    Catch::Contains("value.214") && Catch::Contains("task y") &&
                        Catch::EndsWith("expected labels below 3 (negative where missing), got labels up to 3 in 8 "
                                        "records: 0, 1, 2, 3, 4, 5, 6, 7"));
}

TEST_CASE("an input of the wrong shape names encoder and modality", "[core][error]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  const auto bad = eq::batch(eq::input<"a">(torch::zeros({8, 4}, torch::kDouble)),
                             eq::input<"b">(torch::zeros({8, 5}, torch::kDouble)));
  CHECK_THROWS_WITH(model->predict(bad), Catch::Contains("Mlp, modality b: expected [B, 4]"));
}
