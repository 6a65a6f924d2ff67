// What the hooks and the data of an epoch promise, shown by policies written for it.

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

namespace {

eq::TrainerOptions options(std::int64_t epochs = 2) {
  return {.epochs = epochs, .batch_size = 8, .seed = 5, .optimizer = eq::Optimizer::adamw, .learning_rate = 0.01};
}

/// Trains modality 0 in a first pass without a step, everything else in a second with one.
struct TwoPasses {
  static constexpr std::string_view id = "two_passes";
  static constexpr eq::Hooks hooks = eq::Hook::epoch;
  static constexpr eq::Needs needs{};
  static constexpr bool sets_passes = true;
  struct State {};
  void begin_epoch(State&, eq::Epoch& epoch) const {
    const eq::Coalition all = eq::Coalition::full(epoch.schema().modalities.size());
    const std::uint64_t groups = eq::Coalition::full(epoch.schema().modalities.size() + 1).bits();
    epoch.plan().passes = {{all, 1, false}, {all, groups & ~std::uint64_t{1}, true}};
  }
};

/// Shows of every record modality 1 alone.
struct OnlySecond {
  static constexpr std::string_view id = "only_second";
  static constexpr eq::Hooks hooks = eq::Hook::epoch;
  static constexpr eq::Needs needs{};
  struct State {};
  void begin_epoch(State&, eq::Epoch& epoch) const {
    for (eq::PlanItem& item : epoch.plan().items) item.modalities = eq::Coalition::single(1);
  }
};

/// Looks at the losses before and after the optimiser's step.
struct BeforeAndAfter {
  static constexpr std::string_view id = "before_and_after";
  static constexpr eq::Hooks hooks = eq::Hook::gradients | eq::Hook::step;
  static constexpr eq::Needs needs{};
  struct State {
    double before = 0, fell = 0, steps = 0;
  };
  void on_gradients(State& state, eq::Step& step, eq::Gradients&) const {
    state.before = eq::host_value(step.mean_loss(0, step.full()));
  }
  void end_step(State& state, eq::Step& step) const {
    state.fell += eq::host_value(step.mean_loss(0, step.full())) < state.before, state.steps += 1;
    step.log("fell", state.fell / state.steps);
  }
};

/// Halves the records of every epoch.
struct Halving {
  static constexpr std::string_view id = "halving";
  static constexpr eq::Hooks hooks = eq::Hook::epoch;
  static constexpr eq::Needs needs{};
  struct State {};
  void begin_epoch(State&, eq::Epoch& epoch) const {
    epoch.plan().items.resize(std::max<std::size_t>(epoch.plan().items.size() >> epoch.index(), 1));
  }
};

/// Makes every feature zero.
struct Blind {
  static constexpr std::string_view id = "blind";
  static constexpr eq::Hooks hooks = eq::Hook::features;
  static constexpr eq::Needs needs{};
  struct State {};
  void on_features(State&, eq::Step&, eq::Features& features) const {
    for (eq::Feature& f : features.items) f = f.map_tensors([](const at::Tensor& t) { return t.mul(0); });
  }
};

/// Leaves a presence of another size than the records'.
struct WrongPresence {
  static constexpr std::string_view id = "wrong_presence";
  static constexpr eq::Hooks hooks = eq::Hook::features;
  static constexpr eq::Needs needs{};
  struct State {};
  std::int64_t records = 1;
  std::size_t modalities = 1;
  void on_features(State&, eq::Step&, eq::Features& features) const {
    features.presence = eq::Presence(records, modalities);
  }
};

/// Asks for predictions of another number of records.
struct WrongDecode {
  static constexpr std::string_view id = "wrong_decode";
  static constexpr eq::Hooks hooks = eq::Hook::outputs;
  static constexpr eq::Needs needs{};
  struct State {};
  at::Tensor on_outputs(const State&, const eq::OutputContext& context, at::Tensor prediction) const {
    (void)context.decode(eq::Presence(3, 2));
    return prediction;
  }
};

/// Logs the loss of all modalities as a statistic.
struct Watching {
  static constexpr std::string_view id = "watching";
  static constexpr eq::Hooks hooks = eq::Hook::gradients;
  static constexpr eq::Needs needs{};
  struct State {};
  void on_gradients(State&, eq::Step& step, eq::Gradients&) const {
    step.log("loss", eq::host_value(step.mean_loss(0, step.full())));
  }
};

/// Parameters after every epoch.
template <class Trainer, class Model>
std::vector<at::Tensor> watched(Trainer& trainer, Model& model) {
  std::vector<at::Tensor> out = {support::flat_parameters(model)};
  trainer.on_epoch([&](const eq::EpochRecord&) { out.push_back(support::flat_parameters(model)); });
  (void)trainer.fit(support::toy_data<2, Kind::regression>(64));
  return out;
}

}  // namespace

BOOST_HANA_ADAPT_STRUCT(BeforeAndAfter::State, before, fell, steps);

TEST_CASE("passes without a step add up to one that has them all, bit for bit", "[training][plan][law]") {
  const auto data = support::toy_data<3, Kind::regression>(32);
  const auto one = support::toy_model<3, Kind::regression>(eq::Sum{.width = 6}),
             two = support::toy_model<3, Kind::regression>(eq::Sum{.width = 6});
  eq::Trainer(one, options()).fit(data);
  eq::Trainer(two, TwoPasses{}, options()).fit(data);
  CHECK(torch::equal(support::flat_parameters(*one), support::flat_parameters(*two)));
}

TEST_CASE("a record that a plan shows in part is one that has no more, bit for bit", "[training][plan][law]") {
  const auto data = support::toy_data<3, Kind::regression>(32);
  at::Tensor presence = torch::zeros({32, 3}, torch::kBool);
  presence.select(1, 1).fill_(true);
  const auto shown = support::toy_model<3, Kind::regression>(eq::Sum{.width = 6}),
             has = support::toy_model<3, Kind::regression>(eq::Sum{.width = 6});
  eq::Trainer(shown, OnlySecond{}, options()).fit(data);
  eq::Trainer(has, options()).fit(data.with_presence(presence));
  CHECK(torch::equal(support::flat_parameters(*shown), support::flat_parameters(*has)));
}

TEST_CASE("after the step a policy sees the losses of the new parameters", "[training][hooks]") {
  for (const std::int64_t parts : {1, 2}) {
    eq::TrainerOptions o = options(3);
    o.optimizer = eq::Optimizer::sgd, o.learning_rate = 1e-3, o.momentum = 0, o.micro_batches = parts;
    const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    const eq::History h = eq::Trainer(model, BeforeAndAfter{}, o).fit(support::toy_data<2, Kind::regression>(32));
    CHECK(*h.epochs.back().find("fell") == 1);  // a small step of steepest descent lowers its own batch's loss
  }
}

TEST_CASE("ReconBoost's first phase trains the learner alone, the ensemble's weight neither", "[balancing][recon]") {
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  eq::PolicyStack stack = eq::stack(eq::ReconBoost{.alternate_epochs = 2, .rectify_epochs = 0});
  eq::Trainer trainer(model, std::move(stack), options(2));
  trainer.fit(support::toy_data<2, Kind::classification>(32));
  const eq::StateList state = trainer.policies()[0].save();
  REQUIRE(state[0].first == "nu");
  CHECK(state[0].second.item<double>() == 1);
}

TEST_CASE("a model outlives its trainer, with the policies that act at inference", "[training][behaviour]") {
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  const auto data = support::toy_data<2, Kind::classification>(16);
  at::Tensor said;
  {
    eq::Trainer trainer(model, eq::Mla{}, options());
    trainer.fit(data);
    said = model->predict(data)["y"_n];
  }
  CHECK(torch::equal(model->predict(data)["y"_n], said));
}

TEST_CASE("the best epoch is deployed with its policies' memory", "[training][behaviour]") {
  const support::TemporaryFolder folder;
  eq::TrainerOptions o = options(6);
  o.learning_rate = 0.2;  // too fast: the best epoch is not the last one
  o.checkpoint = (folder.path() / "c.pt").string();
  const auto data = support::toy_data<2, Kind::regression>(24), held = support::toy_data<2, Kind::regression>(16, 9);
  const auto loss = [&](auto& model) {
    return (model->predict(held)["y"_n] - held.targets["y"_n].tensor).square().mean().template item<double>();
  };
  const auto check = [&](auto policy) {
    const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    const eq::History h = eq::Trainer(model, policy, o).fit(data, held);
    const double best = *h.epochs[static_cast<std::size_t>(h.best_epoch)].find("val/y");
    CHECK(loss(model) == Approx(best).epsilon(1e-12));
    const auto again = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    eq::Trainer later(again, policy, o);
    later.resume_best(o.checkpoint);
    CHECK(loss(again) == Approx(best).epsilon(1e-12));
  };
  check(eq::Mla{});
  check(eq::ReconBoost{.alternate_epochs = 1, .rectify_epochs = 1});
}

TEST_CASE("a probe run does not depend on the run's schedule", "[balancing][gblending]") {
  const auto weights = [](eq::Schedule schedule) {
    eq::TrainerOptions o = options(1);
    o.schedule = schedule, o.holdout = 0.25;
    const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    const eq::History h = eq::Trainer(model, eq::GradientBlending{}, o).fit(support::toy_data<2, Kind::regression>(32));
    return *h.epochs[0].find("gradient_blending/w/a");
  };
  CHECK(weights(eq::Schedule::constant) == weights(eq::Schedule::cosine));
}

TEST_CASE("a checkpoint goes on only with the policies and parts that it was made with", "[training][error]") {
  const support::TemporaryFolder folder;
  eq::TrainerOptions o = options(1);
  o.checkpoint = (folder.path() / "c.pt").string();
  const auto data = support::toy_data<2, Kind::regression>(16);
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  eq::Trainer(model, eq::Ogm{.alpha = 0.3}, o).fit(data);
  const auto resumed = [&](auto&&... policies) {
    const auto other = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    eq::Trainer(other, eq::stack(policies...), options(2)).resume(o.checkpoint);
  };
  CHECK_NOTHROW(resumed(eq::Ogm{.alpha = 0.3}));
  CHECK_THROWS_WITH(resumed(eq::Ogm{.alpha = 0.4}), Catch::Contains("policies.0.alpha"));
  CHECK_THROWS_WITH(resumed(), Catch::Contains("policies"));
  CHECK_THROWS_WITH(resumed(eq::Ogm{.alpha = 0.3}, eq::Opm{}), Catch::Contains("policies"));
  const auto wider = support::toy_model<2, Kind::regression>(eq::Sum{.width = 7});
  eq::Trainer other(wider, eq::Ogm{.alpha = 0.3}, options(2));
  CHECK_THROWS_WITH(other.resume(o.checkpoint), Catch::Contains("fusions.y.width = 7, got 6"));
}

TEST_CASE("a cosine schedule ends with the run where epochs become shorter", "[training][behaviour]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  eq::TrainerOptions o = options(6);
  o.schedule = eq::Schedule::cosine, o.weight_decay = 0;
  eq::Trainer trainer(model, Halving{}, o);
  const std::vector<at::Tensor> after = watched(trainer, *model);
  for (std::size_t e = 1; e < after.size(); ++e) CHECK_FALSE(torch::equal(after[e], after[e - 1]));
}

TEST_CASE("statistics see what the encoders gave, objectives what a policy made of it", "[training][behaviour]") {
  const auto first_epoch = [](eq::PolicyStack policies) {
    const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    eq::TrainerOptions o = options(1);
    o.batch_size = 64;
    return eq::Trainer(model, std::move(policies), o).fit(support::toy_data<2, Kind::regression>(64)).epochs.at(0);
  };
  const eq::EpochRecord plain = first_epoch(eq::stack(Watching{})), blind = first_epoch(eq::stack(Blind{}, Watching{}));
  CHECK(*blind.find("loss") == Approx(*plain.find("loss")));
  CHECK(*blind.find("train/y") != Approx(*plain.find("train/y")));
}

TEST_CASE("a resumed run has the decay that it is given now", "[training][behaviour]") {
  const support::TemporaryFolder folder;
  eq::TrainerOptions o = options(1);
  o.checkpoint = (folder.path() / "c.pt").string();
  const auto resumed = [&](double decay) {
    const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    eq::TrainerOptions more = o;
    more.epochs = 2, more.weight_decay = decay, more.checkpoint.clear();
    eq::Trainer trainer(model, more);
    trainer.resume(o.checkpoint);
    (void)trainer.fit(support::toy_data<2, Kind::regression>(32));
    return support::flat_parameters(*model).norm().template item<double>();
  };
  (void)eq::Trainer(support::toy_model<2, Kind::regression>(eq::Sum{.width = 6}), o)
      .fit(support::toy_data<2, Kind::regression>(32));
  CHECK(resumed(1) < resumed(0));
}

TEST_CASE("classifications are validated by their accuracy too", "[training][behaviour]") {
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  const auto data = support::toy_data<2, Kind::classification>(64);
  eq::TrainerOptions o = options(20);
  const eq::History h = eq::Trainer(model, o).fit(data, data);
  CHECK(*h.epochs.back().find("val/y/accuracy") > 0.6);
  const eq::CoalitionTable table = eq::coalition_table(*model, model->to_model_batch(data), eq::all_coalitions(2));
  CHECK(table.accuracy(0, 3).value() > table.accuracy(0, 0).value());
}

TEST_CASE("a presence that a policy makes must have the batch's records and modalities", "[training][error]") {
  const auto data = support::toy_data<2, Kind::regression>(32);
  const auto refused = [&](auto policy, const std::string& what) {
    const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    CHECK_THROWS_WITH(eq::Trainer(model, policy, options()).fit(data),
                      Catch::Contains("shape.103") && Catch::Contains(what));
  };
  refused(WrongPresence{.records = 6, .modalities = 2},
          "on_features of wrong_presence: expected a presence of 8 records and 2 modalities for one coalition, got 6 "
          "masks for 1 coalition(s) of 2 modalities");
  refused(WrongPresence{.records = 8, .modalities = 3}, "of 3 modalities");
  refused(WrongDecode{}, "decode of an output stage: expected a presence of 8 records and 2 modalities, got 3 masks");
}
