// The blocks of docs/policies.md, word for word (gate.links_in_docs compares them).

#include <equipoise/equipoise.hpp>

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;

/// Trains without one modality in every second epoch.
struct Pause {
  static constexpr std::string_view id = "pause";
  static constexpr eq::Hooks hooks = eq::Hook::epoch;
  static constexpr eq::Needs needs{};
  static constexpr bool sets_passes = true;

  std::int64_t modality = 0;  ///< its place in the model, from 0

  struct State {};

  void begin_epoch(State&, eq::Epoch& epoch) const {
    if (epoch.index() % 2 == 0) return;
    const eq::Coalition paused = eq::Coalition::single(static_cast<std::size_t>(modality));
    for (eq::Pass& pass : epoch.plan().passes) {
      pass.active = pass.active - paused;
      pass.groups &= ~paused.bits();
    }
  }
};
BOOST_HANA_ADAPT_STRUCT(Pause, modality);
static_assert(eq::CheckPolicy<Pause>::ok);

/// Modality dropout: hides each modality of a record with a probability, but never the last one.
struct DropModality {
  static constexpr std::string_view id = "drop_modality";
  static constexpr eq::Hooks hooks = eq::Hook::features;
  static constexpr eq::Needs needs{};

  double probability = 0.2;  ///< in [0, 1]

  struct State {};

  void check() const {
    eq::check_option(probability >= 0 && probability <= 1, "DropModality.probability", "in [0, 1]", probability);
  }

  void on_features(State&, eq::Step& step, eq::Features& features) const {
    const auto before = features.presence.masks();
    std::vector<std::uint64_t> masks(before.begin(), before.end());
    for (std::size_t i = 0; i < masks.size(); ++i)
      for (std::size_t m = 0; m < step.modalities(); ++m) {
        const eq::Coalition rest = eq::Coalition(masks[i]).without(m);
        if (!rest.empty() && step.uniform("drop_modality", static_cast<std::int64_t>(i), m) < probability)
          masks[i] = rest.bits();
      }
    features.presence = eq::Presence(std::move(masks), 1, step.modalities());
  }
};
BOOST_HANA_ADAPT_STRUCT(DropModality, probability);
static_assert(eq::CheckPolicy<DropModality>::ok);

/// Replaces the joint prediction by the mean of itself and the first modality's own prediction.
struct AverageWithFirst {
  static constexpr std::string_view id = "average_with_first";
  static constexpr eq::Hooks hooks = eq::Hook::outputs;
  static constexpr eq::Needs needs{};

  struct State {};

  at::Tensor on_outputs(const State&, const eq::OutputContext& context, at::Tensor z) const {
    const auto before = context.presence.masks();
    std::vector<std::uint64_t> masks(before.begin(), before.end());
    for (std::uint64_t& mask : masks)
      if (eq::Coalition(mask).contains(0)) mask = eq::Coalition::single(0).bits();
    const eq::Presence first(std::move(masks), static_cast<std::size_t>(context.presence.coalitions()),
                             context.presence.modalities());
    return (z + context.decode(first)) / 2;
  }
};
static_assert(eq::CheckPolicy<AverageWithFirst>::ok);

/// Adds each modality's own loss to the joint loss.
struct UnimodalLosses {
  static constexpr std::string_view id = "unimodal_losses";
  static constexpr eq::Hooks hooks = eq::Hook::objectives;
  static constexpr eq::Needs needs{.objectives = eq::Coverage::singletons};

  double weight = 0.5;  ///< of each modality's loss

  struct State {};

  void on_objectives(State&, eq::Step& step, eq::Objectives& objectives) const {
    for (std::size_t k = 0; k < step.tasks(); ++k)
      for (const std::size_t m : step.active().members()) {
        const eq::Coalition alone = eq::Coalition::single(m);
        if (step.count(k, alone) == 0) continue;  // no labelled record of the batch has the modality
        objectives.add({.task = k, .modality = m, .kind = eq::ObjectiveKind::unimodal},
                       objectives.mean_losses(k, {&alone, 1}).squeeze(0), weight);
      }
  }
};
BOOST_HANA_ADAPT_STRUCT(UnimodalLosses, weight);
static_assert(eq::CheckPolicy<UnimodalLosses>::ok);

/// Gives the tasks' gradients of the shared parameters one norm, their mean norm.
struct EqualNorms {
  static constexpr std::string_view id = "equal_norms";
  static constexpr eq::Hooks hooks = eq::Hook::gradients;
  static constexpr eq::Needs needs{.objective_gradients = true};
  static constexpr bool replaces_gradients = true;
  static constexpr bool acts_on_one_modality = true;  // it balances tasks

  struct State {};

  void on_gradients(State&, eq::Step& step, eq::Gradients& gradients) const {
    const std::size_t shared = step.modalities();  // groups 0 to M - 1 are the modalities'
    std::vector<double> norms;
    double sum = 0;
    for (std::size_t k = 0; k < gradients.objectives(); ++k) {
      const auto& j = gradients.of(k, shared);
      const at::Tensor square = eq::Gradients::dot(j, j);
      norms.push_back(square.defined() ? std::sqrt(eq::host_value(square)) : 0);
      sum += norms.back();
    }
    std::vector<double> factors;
    for (const double norm : norms) factors.push_back(norm > 0 ? sum / (static_cast<double>(norms.size()) * norm) : 1);
    gradients.route<double>(shared, factors);
    step.log("equal_norms/objectives", static_cast<double>(norms.size()));
  }
};
static_assert(eq::CheckPolicy<EqualNorms>::ok);

/// Records the loss of each task after the optimiser's step, and the smallest so far.
struct LossAfterStep {
  static constexpr std::string_view id = "loss_after_step";
  static constexpr eq::Hooks hooks = eq::Hook::step;
  static constexpr eq::Needs needs{};
  static constexpr bool acts_on_one_modality = true;

  struct State {
    std::vector<double> smallest;  ///< [K]
  };

  void end_step(State& state, eq::Step& step) const {
    state.smallest.resize(step.tasks(), std::numeric_limits<double>::infinity());
    for (std::size_t k = 0; k < step.tasks(); ++k) {
      if (!step.labelled(k)) continue;
      const double loss = eq::host_value(step.mean_loss(k, step.full()));
      state.smallest[k] = std::min(state.smallest[k], loss);
      step.log("after_step/" + step.schema().tasks[k].name, loss);
      step.log("smallest/" + step.schema().tasks[k].name, state.smallest[k]);
    }
  }
};
BOOST_HANA_ADAPT_STRUCT(LossAfterStep::State, smallest);
static_assert(eq::CheckPolicy<LossAfterStep>::ok);

/// Multiplies each modality's feature by a learned factor.
struct LearnedFactors {
  static constexpr std::string_view id = "learned_factors";
  static constexpr eq::Hooks hooks = eq::Hook::features;
  static constexpr eq::Needs needs{};

  struct State {
    at::Tensor factors;  ///< [M] learned
  };

  State start(eq::ModelBase& model) const {
    return {torch::ones({static_cast<std::int64_t>(model.modality_count())},
                        torch::dtype(torch::kFloat).device(model.device()).requires_grad(true))};
  }
  std::vector<at::Tensor> parameters(State& state) const { return {state.factors}; }

  void on_features(State& state, eq::Step& step, eq::Features& features) const {
    for (std::size_t m = 0; m < features.items.size(); ++m) {
      const at::Tensor factor = state.factors.select(0, static_cast<std::int64_t>(m));
      features.items[m] = features.items[m].map_tensors([&](const at::Tensor& t) { return t * factor; });
      step.log("factor/" + step.schema().modalities[m], eq::host_value(factor.detach()));
    }
  }
};
BOOST_HANA_ADAPT_STRUCT(LearnedFactors::State, factors);
static_assert(eq::CheckPolicy<LearnedFactors>::ok);

namespace {

auto small() {
  torch::manual_seed(2);
  return eq::compose(eq::modality<"sound">(eq::Mlp{.in_features = 3, .widths = {8}}),
                     eq::modality<"video">(eq::Mlp{.in_features = 3, .widths = {8}}),
                     eq::task<"y">(eq::Sum{.width = 8}, eq::Regression{}),
                     eq::task<"label">(eq::Sum{.width = 8}, eq::Classification{.classes = 2}));
}

auto records() {
  torch::manual_seed(3);
  const at::Tensor sound = torch::randn({64, 3}), video = torch::randn({64, 3});
  const at::Tensor y = sound.narrow(1, 0, 1) + video.narrow(1, 1, 1);
  return eq::batch(eq::input<"sound">(sound), eq::input<"video">(video), eq::target<"y">(eq::Values{y}),
                   eq::target<"label">(eq::Labels{y.squeeze(1).gt(0).to(torch::kLong)}));
}

const eq::TrainerOptions options{.epochs = 4, .batch_size = 16, .seed = 5, .learning_rate = 0.01, .progress = nullptr};

}  // namespace

TEST_CASE("a policy of the page on policies trains without a modality", "[policy][docs]") {
  const auto model = small();
  std::vector<at::Tensor> after;
  eq::Trainer trainer(model, Pause{.modality = 0}, options);
  trainer.on_epoch([&](const eq::EpochRecord&) { after.push_back(model->parameter_groups()[0][0].detach().clone()); });
  trainer.fit(records());
  CHECK(torch::equal(after[0], after[1]));  // the second epoch leaves the first modality's parameters alone
  CHECK_FALSE(torch::equal(after[1], after[2]));
}

TEST_CASE("a policy of the page on policies drops modalities", "[policy][docs]") {
  const auto model = small(), plain = small();
  eq::Trainer trainer(model, DropModality{.probability = 1}, options);
  CHECK(trainer.fit(records()).epochs.size() == 4);
  // With probability 1 each record keeps its last modality alone: the first one gets no gradient.
  CHECK(torch::equal(model->parameter_groups()[0][0], plain->parameter_groups()[0][0]));
  CHECK_THROWS_AS(eq::Trainer(small(), DropModality{.probability = 2}, options), eq::ValueError);
}

TEST_CASE("a policy of the page on policies changes predictions at inference", "[policy][docs]") {
  const auto model = small();
  const auto data = records();
  const at::Tensor alone = model->predict(data, std::vector{eq::Coalition::single(0)})["y"_n][0],
                   joint = model->predict(data)["y"_n];
  eq::TrainerOptions none = options;
  none.epochs = 0;
  eq::Trainer trainer(model, AverageWithFirst{}, none);
  CHECK(torch::allclose(model->predict(data)["y"_n], (joint + alone) / 2, 1e-5, 1e-6));
}

TEST_CASE("policies of the page on policies add objectives and change gradients", "[policy][docs]") {
  const eq::History with = eq::Trainer(small(), UnimodalLosses{}, options).fit(records());
  CHECK(with.epochs.back().find("train/y/unimodal/sound"));
  CHECK(with.epochs.back().find("train/label/unimodal/video"));
  const eq::History equal = eq::Trainer(small(), EqualNorms{}, options).fit(records());
  CHECK(*equal.epochs.back().find("equal_norms/objectives") == 2);
}

TEST_CASE("policies of the page on policies remember and learn", "[policy][docs]") {
  const eq::History after = eq::Trainer(small(), LossAfterStep{}, options).fit(records());
  CHECK(*after.epochs.back().find("smallest/y") < *after.epochs.front().find("after_step/y"));
  const eq::History learned = eq::Trainer(small(), LearnedFactors{}, options).fit(records());
  CHECK(*learned.epochs.back().find("factor/sound") != Approx(1));
}

TEST_CASE("policies of the page on policies make a stack, with windows", "[policy][docs]") {
  const auto model = small();
  const auto train = records();
  eq::Trainer trainer(model,
                      eq::stack(DropModality{.probability = 0.3}, eq::windowed(eq::Ogm{}, {.from = 1, .to = 3}),
                                UnimodalLosses{.weight = 0.2}),
                      options);
  const eq::History history = trainer.fit(train);
  CHECK_FALSE(history.epochs[0].find("ogm/k/sound"));
  CHECK(history.epochs[1].find("ogm/k/sound"));
}
