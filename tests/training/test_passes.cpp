// What a pass, or a look ahead of it, leaves alone: gradients, modes and statistics of what it does not train.

#include "support/catch.hpp"
#include "support/normed.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

namespace {

eq::TrainerOptions options(std::int64_t epochs = 2) {
  return {.epochs = epochs, .batch_size = 8, .seed = 5, .learning_rate = 0.01, .holdout = 0.25};
}

/// An encoder whose output depends on its mode, and that learns statistics.
struct Normed : support::NormedLayer {
  Normed() : NormedLayer(4) {}
  at::Tensor forward(const at::Tensor& x) { return rows(x); }
};

auto normed_model() {
  torch::manual_seed(4);
  auto model = eq::compose(eq::modality<"a">(std::make_shared<Normed>()), eq::modality<"b">(std::make_shared<Normed>()),
                           eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}));
  model->to(torch::kDouble);
  return model;
}

at::Tensor statistics(const Normed& encoder) {
  return torch::cat({encoder.norm->running_mean, encoder.norm->running_var}).clone();
}

/// Two passes over each batch, of which only the second makes a step; counts the steps' ends.
struct OneStepInTwo {
  static constexpr std::string_view id = "one_step_in_two";
  static constexpr eq::Hooks hooks = eq::Hook::epoch | eq::Hook::step;
  static constexpr eq::Needs needs{};
  static constexpr bool sets_passes = true;
  struct State {
    std::int64_t ends = 0;
  };
  void begin_epoch(State&, eq::Epoch& epoch) const {
    const eq::Pass all = epoch.plan().passes.front();
    epoch.plan().passes = {all, all};
    epoch.plan().passes.front().step = false;
  }
  void end_step(State& state, eq::Step&) const { ++state.ends; }
};

/// Halves the learning rate of modality 0 in the pass of that number.
struct Halved {
  static constexpr std::string_view id = "halved";
  static constexpr eq::Hooks hooks = eq::Hook::gradients;
  static constexpr eq::Needs needs{};
  std::size_t pass = 0;
  struct State {};
  void on_gradients(State&, eq::Step& step, eq::Gradients& gradients) const {
    if (step.pass_index() == pass) gradients.scale_rate(0, 0.5);
  }
};

/// Logs the losses before a probe run of everything.
struct Probing {
  static constexpr std::string_view id = "probing";
  static constexpr eq::Hooks hooks = eq::Hook::epoch;
  static constexpr eq::Needs needs{.holdout = true};
  struct State {};
  void begin_epoch(State&, eq::Epoch& epoch) const {
    const eq::ProbeLosses losses = epoch.probe(eq::Coalition::full(2), 1);
    epoch.log("train", losses.train_before);
    epoch.log("holdout", losses.holdout_before);
  }
};

/// What `Probing` logs of two regressions, whose second has targets and head in some unit.
std::vector<double> probed(double unit, std::int64_t labelled) {
  torch::manual_seed(4);
  const auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}}),
                                 eq::modality<"b">(eq::Mlp{.in_features = 4, .widths = {6}}),
                                 eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 1}),
                                 eq::task<"z">(eq::Sum{.width = 6}, eq::Regression{.outputs = 1}));
  model->to(torch::kDouble);
  {
    const torch::NoGradGuard no_grad;
    for (const at::Tensor& p : model->head("z"_n).parameters()) p.mul_(unit);
  }
  const auto data = support::toy_data<2, Kind::regression>(32);
  const at::Tensor y = data.targets["y"_n].tensor.narrow(1, 0, 1), z = y.square().mul(unit);
  if (labelled < 32) z.narrow(0, labelled, 32 - labelled).fill_(std::nan(""));
  const eq::History h = eq::Trainer(model, Probing{}, options(1))
                            .fit(eq::batch(eq::input<"a">(data.inputs["a"_n]), eq::input<"b">(data.inputs["b"_n]),
                                           eq::target<"y">(eq::Values{y}), eq::target<"z">(eq::Values{z})));
  return {*h.epochs[0].find("train"), *h.epochs[0].find("holdout")};
}

}  // namespace

BOOST_HANA_ADAPT_STRUCT(OneStepInTwo::State, ends);
BOOST_HANA_ADAPT_STRUCT(Halved, pass);

TEST_CASE("a probe run leaves no gradient to what another policy learns", "[training][balancing]") {
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  eq::Trainer trainer(
      model,
      eq::stack(eq::GradientBlending{.super_epoch = 1}, eq::ReconBoost{.alternate_epochs = 2, .rectify_epochs = 0}),
      options(2));
  trainer.fit(support::toy_data<2, Kind::classification>(32));
  const eq::StateList state = trainer.policies()[1].save();
  REQUIRE(state[0].first == "nu");
  CHECK(state[0].second.item<double>() == 1);  // its first phase trains the learner alone
}

TEST_CASE("a probe's losses are in each task's own unit", "[training][balancing][law]") {
  const std::vector<double> one = probed(1, 32), thousand = probed(1000, 32);
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(thousand[i] == Approx(one[i]).epsilon(1e-9));
}

TEST_CASE("a probe leaves out a task that one of its two splits has no label of", "[training][balancing][missing]") {
  CHECK(probed(1000, 1) == probed(1, 1));  // the one label is held out: whatever its size, it says nothing
}

TEST_CASE("what a pass does not train neither learns statistics nor drops features", "[training][plan]") {
  for (const std::int64_t parts : {1, 2}) {
    const auto model = normed_model();
    const at::Tensor a = statistics(model->encoder("a"_n)), b = statistics(model->encoder("b"_n));
    eq::TrainerOptions o = options(1);
    o.micro_batches = parts;
    eq::Trainer trainer(model, eq::stack(eq::Opm{}, eq::ReconBoost{}), o);  // OPM asks for statistics between the parts
    trainer.on_batch([&](std::int64_t, std::int64_t) {
      for (const auto& module : model->modules()) CHECK(module->is_training());
    });
    trainer.fit(support::toy_data<2, Kind::regression>(32));
    CHECK_FALSE(torch::equal(a, statistics(model->encoder("a"_n))));  // the learner's
    CHECK(torch::equal(b, statistics(model->encoder("b"_n))));
  }
}

TEST_CASE("a step's end comes after passes that make one", "[training][plan]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  eq::Trainer trainer(model, OneStepInTwo{}, options(2));
  trainer.fit(support::toy_data<2, Kind::regression>(32));
  CHECK(trainer.policies()[0].save()[0].second.item<std::int64_t>() == 2 * 4);
}

TEST_CASE("a factor on a learning rate is refused in a pass that makes no step", "[training][plan][error]") {
  const auto fit = [](std::size_t pass) {
    const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    eq::Trainer(model, eq::stack(OneStepInTwo{}, Halved{pass}), options(1))
        .fit(support::toy_data<2, Kind::regression>(32));
  };
  CHECK_NOTHROW(fit(1));
  CHECK_THROWS_WITH(fit(0), Catch::Contains("value.216") && Catch::Contains("pass 1"));
}

TEST_CASE("a record that alone has a modality is encoded by the statistics that there are", "[core][missing]") {
  const auto model = normed_model();
  const at::Tensor before = statistics(model->encoder("b"_n));
  const auto data = support::toy_data<2, Kind::regression>(8);
  at::Tensor presence = torch::ones({8, 2}, torch::kBool);
  presence.select(1, 1).narrow(0, 1, 7).fill_(false);
  const auto holed = data.with_presence(presence);
  eq::Trainer(model, options(1)).fit(holed);
  CHECK(torch::equal(before, statistics(model->encoder("b"_n))));
  model->train();
  model->encoder("b"_n).dropout->options.p(0);  // only layers that learn batch statistics are in evaluation mode
  const at::Tensor alone = model->encode(model->to_model_batch(holed), model->full()).items[1].vector()[0];
  CHECK(model->encoder("b"_n).is_training());
  model->eval();
  CHECK(torch::allclose(alone, model->encoder("b"_n).forward(data.inputs["b"_n])[0]));
}
