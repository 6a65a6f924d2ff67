// What cannot be meant is refused in one sentence that names it, before anything has changed.

#include <torch/nn/modules/container/sequential.h>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <fstream>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains, Catch::EndsWith;

namespace {

/// A model of one table of four columns, encoded by a module of the user's own with `hidden` features in between.
auto wrapped(std::int64_t hidden) {
  torch::manual_seed(3);
  const torch::nn::Sequential layers(torch::nn::Linear(4, hidden), torch::nn::Linear(hidden, 6));
  return eq::compose(eq::modality<"a">(eq::encoder(layers, {.width = 6})),
                     eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}));
}

auto table(std::int64_t n, std::int64_t outputs = 2) {
  return eq::batch(eq::input<"a">(torch::randn({n, 4})), eq::target<"y">(eq::Values{torch::randn({n, outputs})}));
}

/// Calls what a test wants of one step's hook.
struct Asking {
  static constexpr std::string_view id = "asking";
  static constexpr eq::Hooks hooks = eq::Hook::gradients;
  static constexpr eq::Needs needs{};
  std::function<void(eq::Step&, eq::Gradients&)> ask;
  struct State {};
  void on_gradients(State&, eq::Step& step, eq::Gradients& gradients) const { ask(step, gradients); }
};

/// The message with which a run of the policy is refused.
std::string refusal(std::function<void(eq::Step&, eq::Gradients&)> ask) {
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::modality<"b">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}),
                           eq::task<"k">(eq::Sum{.width = 6}, eq::Classification{.classes = 3}));
  const auto data = eq::batch(eq::input<"a">(torch::randn({8, 4})), eq::input<"b">(torch::randn({8, 4})),
                              eq::target<"y">(eq::Values{torch::randn({8, 2})}), eq::target<"k">(eq::NoTarget{}));
  try {
    eq::Trainer(model, Asking{std::move(ask)}, {.epochs = 1}).fit(data);
  } catch (const eq::ValueError& e) {
    return e.what();
  }
  return "nothing";
}

/// Says that its features are wider than they are.
struct Boaster : torch::nn::Module {
  at::Tensor forward(const at::Tensor& x) { return x; }
  std::int64_t width() const { return 6; }
};

/// A fusion that does the same.
struct BoastingFusion : torch::nn::Module {
  at::Tensor forward(const std::vector<at::Tensor>& features, const at::Tensor&) { return features[0]; }
  std::int64_t width() const { return 7; }
};

/// A map encoder with another skip map than it says.
struct BoastingMap : torch::nn::Module {
  eq::MapFeature forward(const at::Tensor& x) { return {x, {}}; }
  eq::FeatureSpec feature() const { return {eq::FeatureKind::map, 1, {1}}; }
};

/// A dense fusion of the user's own, which takes presence to where the first feature is.
struct FirstMap : torch::nn::Module {
  std::int64_t width() const { return 4; }
  at::Tensor project(std::size_t, const eq::Feature& feature) { return feature.value; }
  eq::JointMap combine(const std::vector<at::Tensor>& maps, const eq::Presence& presence) {
    const at::Tensor mask = presence.tensor(maps[0]).flatten(0, 1).unsqueeze(2).unsqueeze(3);  // [C * B, 1, 1, 1]
    eq::JointMap joint;
    joint.varying = maps[0].repeat({presence.coalitions(), 1, 1, 1}) * mask;
    joint.varying_rows.resize(static_cast<std::size_t>(joint.varying.size(0)));
    std::iota(joint.varying_rows.begin(), joint.varying_rows.end(), 0);
    return joint;
  }
};

auto first_map() {
  return eq::compose(eq::modality<"a">(eq::Cnn{.widths = {4}}),
                     eq::task<"y">(std::make_shared<FirstMap>(), eq::DenseRegression{}));
}

auto images(std::int64_t n, std::int64_t height, std::int64_t width) {
  return eq::batch(eq::input<"a">(torch::randn({n, 1, 8, 8})),
                   eq::target<"y">(eq::Maps{torch::randn({n, 1, height, width})}));
}

}  // namespace

TEST_CASE("a checkpoint with parameters of other shapes is refused before one is overwritten", "[training][error]") {
  const support::TemporaryFolder folder;
  const std::string file = (folder.path() / "c.pt").string();
  eq::Trainer(wrapped(5), {.epochs = 1, .checkpoint = file}).fit(table(8));
  const auto model = wrapped(7);
  const at::Tensor before = support::flat_parameters(*model);
  eq::Trainer trainer(model, eq::TrainerOptions{.epochs = 2});
  const std::string names_it = "expected a checkpoint with encoders.a.module.0.weight of shape [7, 4], got [5, 4]";
  CHECK_THROWS_WITH(trainer.resume(file), Contains("file.402") && EndsWith(names_it));
  CHECK_THROWS_WITH(trainer.resume_best(file), Contains("file.402") && EndsWith(names_it));
  CHECK(torch::equal(before, support::flat_parameters(*model)));
  CHECK_NOTHROW(eq::Trainer(wrapped(5), eq::TrainerOptions{.epochs = 2}).resume(file));
}

TEST_CASE("the best epoch is deployed whatever seed and hold-out it was trained with", "[training][error]") {
  const support::TemporaryFolder folder;
  const std::string file = (folder.path() / "c.pt").string();
  const auto data = table(16);
  const auto trained = wrapped(5), deployed = wrapped(5);
  eq::Trainer(trained, {.epochs = 2, .seed = 7, .holdout = 0.3, .checkpoint = file}).fit(data, data);
  eq::Trainer trainer(deployed, eq::TrainerOptions{});
  trainer.resume_best(file);
  CHECK(torch::equal(support::flat_parameters(*trained), support::flat_parameters(*deployed)));
  CHECK_THROWS_WITH(trainer.resume(file), Contains("trainer.seed"));
}

TEST_CASE("the best epoch is taken by a trainer without the policies that do not act at inference",
          "[training][behaviour]") {
  const support::TemporaryFolder folder;
  const std::string file = (folder.path() / "c.pt").string();
  const auto data = table(16);
  const auto trained = wrapped(5), plain = wrapped(5), mla = wrapped(5);
  eq::Trainer(trained, eq::Ogm{}, {.epochs = 2, .checkpoint = file}).fit(data, data);
  eq::Trainer trainer(plain, eq::TrainerOptions{.optimizer = eq::Optimizer::sgd});
  trainer.resume_best(file);
  CHECK(torch::equal(support::flat_parameters(*trained), support::flat_parameters(*plain)));
  CHECK_THROWS_WITH(trainer.resume(file), EndsWith("expected a checkpoint with policies.0 = nothing, got ogm; make the "
                                                   "trainer with the same policies"));
  // Mla acts at inference.
  eq::Trainer(mla, eq::stack(eq::Ogm{}, eq::Mla{}), {.epochs = 2, .checkpoint = file}).fit(data, data);
  CHECK_THROWS_WITH(trainer.resume_best(file),
                    EndsWith("expected a checkpoint with policies.0 = nothing, got mla; make "
                             "the trainer with the same policies"));
  const auto deployed = wrapped(5);
  eq::Trainer(deployed, eq::Mla{}, {.epochs = 2}).resume_best(file);
  CHECK(torch::equal(mla->predict(data)["y"_n], deployed->predict(data)["y"_n]));
}

TEST_CASE("a file that is no checkpoint is one short line", "[training][error]") {
  const support::TemporaryFolder folder;
  const std::string file = (folder.path() / "table.csv").string();
  std::ofstream(file) << "age,mu\n1,2\n";
  eq::Trainer trainer(wrapped(5), eq::TrainerOptions{});
  CHECK_THROWS_WITH(trainer.resume(file), "[equipoise.file.402] " + file +
                                              ": expected a whole checkpoint, got a file that LibTorch cannot read");
}

TEST_CASE("a momentum is refused where the optimiser has none", "[training][error]") {
  CHECK_THROWS_WITH(eq::Trainer(wrapped(5), {.momentum = 0.5}),
                    "[equipoise.value.231] TrainerOptions.momentum: expected no value, since adamw has no such option; "
                    "Optimizer::sgd has, got 0.5");
  CHECK_NOTHROW(eq::Trainer(wrapped(5), {.optimizer = eq::Optimizer::sgd, .momentum = 0.5}));
}

TEST_CASE("a policy that asks for a group, a task or an objective that is not there is told so", "[training][error]") {
  CHECK(refusal([](auto&, auto& g) { g.scale_rate(3, 0.5); }) ==
        "[equipoise.value.217] gradients of a group: expected an index below 3, got 3");
  CHECK_THAT(refusal([](auto&, auto& g) { (void)g.parameters(9); }), Contains("index below 3, got 9"));
  CHECK_THAT(refusal([](auto&, auto& g) { g.scale(9, 0.5); }), Contains("index below 3, got 9"));
  CHECK_THAT(refusal([](auto&, auto& g) { (void)g.of(0, 0); }),
             Contains("value.218") && Contains("Needs::objective_gradients"));
  CHECK_THAT(refusal([](auto&, auto& g) { (void)g.objective_key(2); }), Contains("value.218"));
  const std::vector<double> one = {1};
  CHECK_THAT(refusal([&](auto&, auto& g) { g.template route<double>(0, one); }), Contains("value.218"));
  const eq::Coalition all = eq::Coalition::full(2);
  CHECK_THAT(refusal([&](auto& s, auto&) { (void)s.mean_loss(5, all); }), EndsWith("expected an index below 2, got 5"));
  CHECK_THAT(refusal([&](auto& s, auto&) { (void)s.count(5, all, 1); }), EndsWith("expected an index below 2, got 5"));
  CHECK_THAT(refusal([&](auto& s, auto&) { (void)s.head_weight(5); }), EndsWith("expected an index below 2, got 5"));
  CHECK_THAT(refusal([&](auto& s, auto&) { (void)s.mean_loss(1, all); }), Contains("targets of task k, got none"));
  CHECK_THAT(refusal([&](auto& s, auto&) { (void)s.losses(0, {}); }), Contains("a coalition at least, got none"));
  CHECK(refusal([&](auto& s, auto&) { (void)s.mean_loss(0, all); }) == "nothing");
}

TEST_CASE("a factor that is not finite is refused, and its group named", "[training][error]") {
  CHECK(refusal([](auto&, auto& g) { g.scale_rate(1, std::nan("")); }) ==
        "[equipoise.value.219] gradients of group 1: expected a finite factor, got nan");
  CHECK_THAT(refusal([](auto&, auto& g) { g.scale(2, HUGE_VAL); }), Contains("group 2") && EndsWith("got inf"));
}

TEST_CASE("a table of coalitions has only the rows that were asked for", "[core][error]") {
  const auto model = wrapped(5);
  const eq::Coalition full = model->full();
  const eq::CoalitionTable losses = eq::coalition_table(*model, model->to_model_batch(table(4)), {&full, 1});
  CHECK_THROWS_WITH(losses.mean_loss(1), EndsWith("expected an index below 1, got 1"));
  CHECK_THROWS_WITH(losses.mean_loss(0, 2), EndsWith("expected an index below 1, got 2"));
}

TEST_CASE("maps of another size than predicted are refused, and the task is named", "[training][error]") {
  const auto model = eq::compose(eq::modality<"a">(eq::Cnn{.widths = {4, 8}}),
                                 eq::task<"y">(eq::SpatialCascade{.widths = {8, 4}}, eq::DenseRegression{}));
  const std::string says = "[equipoise.shape.113] target, task y: expected maps of 8x8, as they are predicted, got 4x8";
  CHECK_THROWS_WITH(eq::Trainer(model, eq::TrainerOptions{.epochs = 1}).fit(images(4, 4, 8)), says);
  CHECK_THROWS_WITH(eq::evaluate(*model, images(4, 4, 8)), says);
  CHECK_THROWS_WITH(eq::evaluate(*model, images(4, 1, 1)), Contains("shape.113"));  // would be broadcast
  CHECK_NOTHROW(eq::evaluate(*model, images(4, 8, 8)));
}

TEST_CASE("data without records says so", "[training][error]") {
  const auto model = wrapped(5);
  CHECK_THROWS_WITH(eq::Trainer(model, eq::TrainerOptions{.epochs = 1}).fit(table(0)),
                    "[equipoise.value.205] fit: expected training records, got none");
  CHECK_THROWS_WITH(eq::evaluate(*model, table(0)), "[equipoise.value.205] evaluate: expected records, got none");
  CHECK_THROWS_WITH(eq::shapley(*model, table(0)), "[equipoise.value.205] shapley: expected records, got none");
  const auto none = eq::batch(eq::input<"a">(torch::randn({0, 4})), eq::target<"k">(eq::Labels{torch::arange(0)}));
  CHECK(none.size() == 0);
}

TEST_CASE("a task whose training targets are all missing is refused by name", "[training][error]") {
  auto data = table(8);
  data.targets["y"_n].tensor.fill_(std::nan(""));
  CHECK_THROWS_WITH(eq::Trainer(wrapped(5), eq::TrainerOptions{.epochs = 1}).fit(data),
                    Contains("value.221") && Contains("labels of task y"));
}

TEST_CASE("without any modality a dense fusion of one's own is not asked", "[core][error]") {
  const auto model = first_map();
  const eq::Coalition none = eq::Coalition::none();
  const at::Tensor maps = eq::infer(*model, images(3, 4, 4), {&none, 1})["y"_n];
  CHECK(maps.sizes().vec() == std::vector<std::int64_t>{1, 3, 1, 1, 1});
  CHECK(torch::equal(maps, torch::zeros_like(maps)));  // the prior of an untrained task
  CHECK_NOTHROW(eq::evaluate(*model, images(3, 4, 4)));
}

TEST_CASE("parts that are not as wide as they say are named", "[core][error]") {
  const auto encoder = eq::compose(eq::modality<"a">(std::make_shared<Boaster>()),
                                   eq::task<"y">(eq::Concat{.width = 4}, eq::Regression{.outputs = 2}));
  CHECK_THROWS_WITH(
      encoder->predict(table(8)),
      "[equipoise.shape.111] encoder, modality a: expected a vector feature [8, 6], as it says, got [8, 4]");
  const auto fusion = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}}),
                                  eq::task<"y">(std::make_shared<BoastingFusion>(), eq::Regression{.outputs = 2}));
  CHECK_THROWS_WITH(fusion->predict(table(8)), Contains("shape.112") && Contains("fusion, task y: expected a joint") &&
                                                   EndsWith("[1, 8, 7], got [1, 8, 6]"));
  const auto skips = eq::compose(eq::modality<"a">(std::make_shared<BoastingMap>()),
                                 eq::task<"y">(eq::SpatialCascade{.widths = {4}}, eq::DenseRegression{}));
  CHECK_THROWS_WITH(skips->predict(images(2, 8, 8)),
                    Contains("modality a: expected skip maps of [1] channels") && EndsWith("got []"));
}

TEST_CASE("integers are refused where numbers are meant", "[core][error]") {
  const auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}}),
                                 eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}));
  const at::Tensor x = torch::ones({3, 4}, torch::kLong), y = torch::ones({3, 2}, torch::kLong);
  CHECK_THROWS_WITH(model->predict(eq::batch(eq::input<"a">(x))),
                    Contains("Mlp, modality a") && EndsWith("of a floating type, got [3, 4] of Long"));
  CHECK_THROWS_WITH(
      model->to_model_batch(eq::batch(eq::input<"a">(torch::randn({3, 4})), eq::target<"y">(eq::Values{y}))),
      Contains("target of task y") && EndsWith("of a floating type, got [3, 2] of Long"));
}

TEST_CASE("a layer without width is refused, and its option named", "[core][error]") {
  CHECK_THROWS_WITH((eq::Mlp{.in_features = 3, .widths = {4, 0}}.build()),
                    EndsWith("Mlp.widths: expected each > 0, got 0"));
  CHECK_THROWS_WITH((eq::Cnn{.widths = {0}}.build()), EndsWith("Cnn.widths: expected each > 0, got 0"));
}

TEST_CASE("braces alone after the model are the trainer's options", "[training]") {
  const eq::History history = eq::Trainer(wrapped(5), {.epochs = 2}).fit(table(8));
  CHECK(history.epochs.size() == 2);
}

TEST_CASE("a holder of LibTorch's is a part like the module that it holds", "[core]") {
  const torch::nn::ModuleHolder<Boaster> held(std::make_shared<Boaster>());
  const auto model = eq::compose(eq::modality<"a">(held), eq::task<"y">(eq::Sum{.width = 4}, eq::Regression{}));
  CHECK(&model->encoder("a"_n) == held.ptr().get());
}

TEST_CASE("after the best epoch was taken for another stack, a fit is a new run that begins from it",
          "[training][behaviour]") {
  const support::TemporaryFolder folder;
  const std::string file = (folder.path() / "c.pt").string();
  const auto data = table(16), other = table(24);
  const auto trained = wrapped(5);
  eq::Trainer(trained, eq::Ogm{}, {.epochs = 3, .checkpoint = file}).fit(data, data);
  for (const auto& records : {data, other}) {
    const auto deployed = wrapped(5), expected = wrapped(5);
    eq::Trainer trainer(deployed, {.epochs = 2, .seed = 9});
    trainer.resume_best(file);
    eq::Trainer(expected).resume_best(file);
    const eq::History h = trainer.fit(records);
    const eq::History alone = eq::Trainer(expected, {.epochs = 2, .seed = 9}).fit(records);
    CHECK(h.epochs.size() == 2);
    CHECK(torch::equal(support::flat_parameters(*deployed), support::flat_parameters(*expected)));
    CHECK_FALSE(torch::equal(support::flat_parameters(*deployed), support::flat_parameters(*trained)));
    for (std::size_t e = 0; e < 2; ++e) CHECK(h.epochs[e].values == alone.epochs[e].values);
  }
}

TEST_CASE("a model whose outputs are those of a policy is trained on by no other stack", "[training][error]") {
  const auto data = support::toy_data<2, support::Kind::classification>(16);
  const auto model = support::toy_model<2, support::Kind::classification>(eq::Sum{.width = 6});
  (void)eq::Trainer(model, eq::Mla{}, support::toy_options(1)).fit(data);
  CHECK_THROWS_WITH(eq::Trainer(model, support::eager<eq::ReconBoost>(), support::toy_options(1)),
                    Contains("value.222"));
  CHECK_THROWS_WITH(eq::Trainer(model, support::toy_options(1)), Contains("value.222"));
  CHECK_NOTHROW(eq::Trainer(model, eq::Mla{}, support::toy_options(1)));
  model->set_output_stage(nullptr);
  CHECK_NOTHROW(eq::Trainer(model, support::eager<eq::ReconBoost>(), support::toy_options(1)));
}

TEST_CASE("a trainer that was moved goes on with its run", "[training][behaviour]") {
  const auto data = support::toy_data<2, support::Kind::regression>(16);
  eq::TrainerOptions o = support::toy_options(3);
  o.schedule = eq::Schedule::cosine;
  const auto fit = [&](bool moved) {
    const auto model = support::toy_model<2, support::Kind::regression>(eq::Sum{.width = 6});
    std::vector<eq::Trainer<std::remove_reference_t<decltype(*model)>>> trainers;
    trainers.emplace_back(model, eq::PolicyStack{}, o);
    std::int64_t epochs = 0;
    trainers[0].on_epoch([&](const eq::EpochRecord&) { ++epochs; });
    trainers[0].stop_when([&] { return epochs == 1; });
    (void)trainers[0].fit(data);
    if (moved) trainers.reserve(trainers.capacity() + 10);  // elsewhere in memory
    trainers[0].stop_when({});
    const eq::History h = trainers[0].fit(data);
    CHECK(*h.epochs.back().find("rate") < *h.epochs.front().find("rate"));
    return support::flat_parameters(*model);
  };
  CHECK(torch::equal(fit(true), fit(false)));
}

TEST_CASE("an input of another type than the model's is named where its encoder has no parameters",
          "[training][error]") {
  torch::manual_seed(1);
  const auto model =
      eq::compose(eq::modality<"a">(eq::Identity{.width = 3}), eq::modality<"b">(eq::Mlp{.in_features = 2}),
                  eq::task<"y">(eq::Concat{.width = 4}, eq::Regression{.outputs = 1}));
  const auto data = eq::batch(eq::input<"a">(torch::rand({4, 3}, torch::kDouble)), eq::input<"b">(torch::rand({4, 2})),
                              eq::target<"y">(eq::Values{torch::rand({4, 1})}));
  CHECK_THROWS_WITH(model->predict(data), Contains("shape.114") && Contains("modality a") && Contains("model's"));
}
