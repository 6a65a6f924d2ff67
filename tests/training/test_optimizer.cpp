// Any optimiser, and parameter groups with options of their own.

#include <torch/optim/adagrad.h>
#include <torch/optim/rmsprop.h>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::Kind;

namespace {

auto model() {
  return support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
}

at::Tensor group(eq::ModelBase& model, std::size_t g) {
  std::vector<at::Tensor> flat;
  const eq::ParameterGroups groups = model.parameter_groups();
  for (const at::Tensor& p : groups[g]) flat.push_back(p.detach().clone().flatten());
  return torch::cat(flat);
}

/// Options that leave the trainer's own rate, decay and momentum as they are.
eq::TrainerOptions with(eq::Optimizer optimizer) {
  return {.epochs = 3, .batch_size = 8, .seed = 5, .optimizer = std::move(optimizer)};
}

eq::Optimizer rmsprop(double rate = 0.01) {
  return eq::optimizer<torch::optim::RMSprop>(torch::optim::RMSpropOptions(rate).alpha(0.9).weight_decay(0.1));
}

struct SignOptions : torch::optim::OptimizerCloneableOptions<SignOptions> {
  double rate = 0.1;
  [[nodiscard]] double get_lr() const override { return rate; }
  void set_lr(const double lr) override { rate = lr; }
};

/// An optimiser of a user's own: steps of one length, in the direction of the gradient's sign.
class Sign : public torch::optim::Optimizer {
 public:
  Sign(const std::vector<torch::optim::OptimizerParamGroup>& groups, const SignOptions& options)
      : torch::optim::Optimizer(groups, std::make_unique<SignOptions>(options)) {}
  torch::Tensor step(LossClosure = nullptr) override {
    const torch::NoGradGuard no_grad;
    for (auto& g : param_groups())
      for (at::Tensor& p : g.params())
        if (p.grad().defined()) p.sub_(p.grad().sign(), g.options().get_lr());
    return {};
  }
};

}  // namespace

TEST_CASE("any optimiser of torch::optim takes the steps of a hand-written loop, bit for bit", "[training][law]") {
  const auto ours = model(), theirs = model();
  const auto data = support::toy_data<2, Kind::regression>(32);
  eq::Trainer(ours, with(rmsprop())).fit(data);

  std::vector<torch::optim::OptimizerParamGroup> groups;
  for (const auto& g : theirs->parameter_groups()) groups.emplace_back(g);
  torch::optim::RMSprop opt(groups, torch::optim::RMSpropOptions(0.01).alpha(0.9).weight_decay(0.1));
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    const auto order = eq::permutation(32, eq::hash_of({5, eq::hash_of("order"), epoch}));
    for (std::size_t begin = 0; begin < 32; begin += 8) {
      const at::Tensor rows = torch::tensor(
          std::vector<std::int64_t>(order.begin() + std::ptrdiff_t(begin), order.begin() + std::ptrdiff_t(begin) + 8));
      opt.zero_grad();
      auto& fusion = theirs->fusion("y"_n);
      const at::Tensor u =
          fusion.project(0, eq::Feature(theirs->encoder("a"_n).forward(data.inputs["a"_n].index_select(0, rows))));
      const at::Tensor v =
          fusion.project(1, eq::Feature(theirs->encoder("b"_n).forward(data.inputs["b"_n].index_select(0, rows))));
      const at::Tensor z = theirs->head("y"_n).forward(u + v);
      (z - data.targets["y"_n].tensor.index_select(0, rows)).square().mean(1).mean().backward();
      opt.step();
    }
  }
  CHECK(torch::equal(support::flat_parameters(*ours), support::flat_parameters(*theirs)));
}

TEST_CASE("an optimiser of a user's own trains, by its own rate", "[training][behaviour]") {
  const auto m = model();
  const at::Tensor before = support::flat_parameters(*m);
  eq::TrainerOptions o = with(eq::optimizer<Sign>(SignOptions{}));
  o.epochs = 1, o.batch_size = 32;
  eq::Trainer(m, o).fit(support::toy_data<2, Kind::regression>(32));
  const at::Tensor moved = (support::flat_parameters(*m) - before).abs();
  CHECK(moved.max().item<double>() == Approx(0.1));
  CHECK(((moved - 0.1).abs() < 1e-12).logical_or(moved == 0).all().item<bool>());
}

TEST_CASE("a run with any optimiser goes on where it stopped, bit for bit", "[training][law]") {
  const auto data = support::toy_data<2, Kind::regression>(32);
  for (const auto& optimizer : {rmsprop(), eq::optimizer<torch::optim::Adagrad>(torch::optim::AdagradOptions(0.1))}) {
    const support::TemporaryFolder folder;
    const auto whole = model(), cut = model();
    eq::Trainer(whole, with(optimizer)).fit(data);
    eq::TrainerOptions o = with(optimizer);
    o.epochs = 1, o.checkpoint = (folder.path() / "c.pt").string();
    eq::Trainer(model(), o).fit(data);
    o.epochs = 3;
    eq::Trainer trainer(cut, o);
    trainer.resume(o.checkpoint);
    trainer.fit(data);
    CHECK(torch::equal(support::flat_parameters(*whole), support::flat_parameters(*cut)));
    eq::Trainer other(model(), with(eq::Optimizer::adamw));
    CHECK_THROWS_WITH(other.resume(o.checkpoint), Catch::Contains("trainer.optimizer = adamw, got torch::optim::"));
  }
}

TEST_CASE("a group has its own rate and decay", "[training][worked]") {
  // One SGD step without momentum: -lr (g + decay p) for each group.
  const auto data = support::toy_data<2, Kind::regression>(16);
  const auto after = [&](std::vector<std::pair<std::string, eq::GroupOptions>> groups) {
    const auto m = model();
    eq::TrainerOptions o = support::toy_options(1);
    o.batch_size = 16, o.momentum = 0, o.weight_decay = 0, o.groups = std::move(groups);
    eq::Trainer(m, o).fit(data);
    return m;
  };
  const auto start = model(), plain = after({});
  const auto own = after({{"a", {.learning_rate = 0.1}}, {"shared", {.weight_decay = 0.5}}});
  const at::Tensor step_a = group(*plain, 0) - group(*start, 0), shared = group(*start, 2);
  CHECK(torch::allclose(group(*own, 0) - group(*start, 0), 2 * step_a));  // 0.1 in place of 0.05
  CHECK(torch::equal(group(*own, 1), group(*plain, 1)));
  CHECK(torch::allclose(group(*own, 2), group(*plain, 2) - 0.05 * 0.5 * shared));
}

TEST_CASE("a decay of zero in one group is zero, whatever the others have", "[training][behaviour]") {
  for (const auto& optimizer : {eq::Optimizer::sgd, eq::Optimizer::adam, eq::Optimizer::adamw}) {
    const auto data = support::toy_data<2, Kind::regression>(16);
    const auto norm = [&](double decay) {
      const auto m = model();
      eq::TrainerOptions o = support::toy_options(1, optimizer);
      o.weight_decay = 0.9, o.groups = {{"a", {.weight_decay = decay}}};
      eq::Trainer(m, o).fit(data);
      return group(*m, 0);
    };
    CHECK_FALSE(torch::equal(norm(0), norm(0.9)));
  }
}

TEST_CASE("a frozen group does not move, is in evaluation mode, and is free again after the run",
          "[training][behaviour]") {
  torch::manual_seed(1);
  const auto m = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6}, 0.5);
  const at::Tensor a = group(*m, 0), b = group(*m, 1);
  eq::TrainerOptions o = support::toy_options(2);
  o.groups = {{"a", {.frozen = true}}};
  eq::Trainer trainer(m, eq::Ogm{}, o);
  bool training_a = true, training_b = false;
  trainer.on_batch([&](std::int64_t, std::int64_t) {
    training_a = m->encoder("a"_n).is_training(), training_b = m->encoder("b"_n).is_training();
  });
  trainer.fit(support::toy_data<2, Kind::regression>(32));
  CHECK_FALSE(training_a);
  CHECK(training_b);
  CHECK(torch::equal(group(*m, 0), a));
  CHECK_FALSE(torch::equal(group(*m, 1), b));
  for (const at::Tensor& p : m->parameters()) CHECK(p.requires_grad());
}

TEST_CASE("an unknown group, a group twice and an option that does not apply are refused", "[training][error]") {
  const auto refused = [](eq::TrainerOptions o) { eq::Trainer trainer(model(), o); };
  eq::TrainerOptions o = support::toy_options();
  o.groups = {{"share", {.frozen = true}}};
  CHECK_THROWS_AS(refused(o), eq::NameError);
  CHECK_THROWS_WITH(refused(o), Catch::Contains("did you mean \"shared\"? there are: a, b, shared"));
  o.groups = {{"a", {}}, {"a", {.frozen = true}}};
  CHECK_THROWS_WITH(refused(o), Catch::Contains("value.232"));
  o.groups = {{"a", {.learning_rate = 0}}};
  CHECK_THROWS_WITH(refused(o), Catch::Contains("TrainerOptions.groups.a.learning_rate: expected > 0"));
  o = with(rmsprop());
  o.learning_rate = 0.1;
  CHECK_THROWS_WITH(refused(o), Catch::Contains("TrainerOptions.learning_rate: expected no value, since "
                                                "torch::optim::RMSprop has options of its own"));
  o = with(eq::optimizer<Sign>(SignOptions{}));
  o.groups = {{"a", {.weight_decay = 0.1}}};
  CHECK_THROWS_WITH(refused(o), Catch::Contains("value.231") && Catch::Contains("Sign"));
}

TEST_CASE("the three optimisers are chosen by a word", "[training][behaviour]") {
  eq::TrainerOptions o;
  eq::set_option(o, "optimizer", "sgd");
  CHECK(o.optimizer == eq::Optimizer::sgd);
  CHECK_THROWS_AS(eq::set_option(o, "optimizer", "sdg"), eq::ValueError);
  CHECK(eq::Optimizer::adam.name() == "adam");
}
