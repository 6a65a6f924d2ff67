#include <torch/nn/utils/convert_parameters.h>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::eager, support::Kind, support::toy_options;

namespace {

/// Parameters after training.
template <std::size_t M, Kind K>
at::Tensor trained(eq::PolicyStack policies, eq::TrainerOptions o, eq::History* history = nullptr) {
  const auto model = support::toy_model<M, K>(support::toy_fusion<K>());
  torch::manual_seed(1);
  eq::Trainer trainer(model, std::move(policies), o);
  const eq::History h = trainer.fit(support::toy_data<M, K>(32));
  if (history) *history = h;
  return support::flat_parameters(*model);
}

/// Parameters after every epoch; after epoch `replaced` they are set to `to`.
std::vector<at::Tensor> after_epochs(eq::PolicyStack policies, eq::TrainerOptions o, std::int64_t replaced = -1,
                                     const at::Tensor& to = {}) {
  const auto model = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  eq::Trainer trainer(model, std::move(policies), o);
  std::vector<at::Tensor> out;
  trainer.on_epoch([&](const eq::EpochRecord& record) {
    if (record.epoch == replaced) torch::nn::utils::vector_to_parameters(to.clone(), model->parameters());
    out.push_back(support::flat_parameters(*model));
  });
  (void)trainer.fit(support::toy_data<2, Kind::classification>(32));
  return out;
}

template <class P>
constexpr bool works_on_maps = !P::needs.linear_head;

template <class P, std::size_t M>
void runs_for_every_kind() {
  CHECK(trained<M, Kind::regression>(eq::stack(eager<P>()), toy_options(2)).isfinite().all().template item<bool>());
  CHECK(trained<M, Kind::classification>(eq::stack(eager<P>()), toy_options(2)).isfinite().all().template item<bool>());
  if constexpr (works_on_maps<P>)
    CHECK(trained<M, Kind::dense>(eq::stack(eager<P>()), toy_options(2)).isfinite().all().template item<bool>());
}

}  // namespace

TEST_CASE(
    "an empty stack is a hand-written LibTorch loop: bit for bit with torch::optim's steps, to rounding with fused "
    "ones",
    "[training][law]") {
  const auto sgd = torch::optim::SGDOptions(0.05).momentum(0.9).weight_decay(0.01);
  const auto adamw = torch::optim::AdamWOptions(0.05).weight_decay(0.01);
  for (const auto& [optimizer, is_sgd, is_fused] :
       std::vector<std::tuple<eq::Optimizer, bool, bool>>{{eq::optimizer<torch::optim::SGD>(sgd), true, false},
                                                          {eq::optimizer<torch::optim::AdamW>(adamw), false, false},
                                                          {eq::Optimizer::sgd, true, true},
                                                          {eq::Optimizer::adamw, false, true}}) {
    eq::TrainerOptions o = toy_options();
    o.optimizer = optimizer;
    if (!is_fused) {
      const eq::TrainerOptions unchanged;
      o.learning_rate = unchanged.learning_rate, o.weight_decay = unchanged.weight_decay;
    }
    const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6}),
               ours = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    const auto data = support::toy_data<2, Kind::regression>(32);
    eq::Trainer(ours, o).fit(data);

    std::vector<torch::optim::OptimizerParamGroup> groups;
    for (const auto& group : model->parameter_groups()) groups.emplace_back(group);
    std::unique_ptr<torch::optim::Optimizer> opt;
    if (is_sgd)
      opt = std::make_unique<torch::optim::SGD>(groups, sgd);
    else
      opt = std::make_unique<torch::optim::AdamW>(groups, adamw);
    const at::Tensor a = data.inputs["a"_n], b = data.inputs["b"_n], y = data.targets["y"_n].tensor;
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
      const auto order = eq::permutation(32, eq::hash_of({5, eq::hash_of("order"), epoch}));
      for (std::size_t begin = 0; begin < 32; begin += 8) {
        const at::Tensor rows = torch::tensor(std::vector<std::int64_t>(order.begin() + std::ptrdiff_t(begin),
                                                                        order.begin() + std::ptrdiff_t(begin) + 8));
        opt->zero_grad();
        auto& fusion = model->fusion("y"_n);
        const at::Tensor u = fusion.project(0, eq::Feature(model->encoder("a"_n).forward(a.index_select(0, rows))));
        const at::Tensor v = fusion.project(1, eq::Feature(model->encoder("b"_n).forward(b.index_select(0, rows))));
        const at::Tensor z = model->head("y"_n).forward(u + v);
        (z - y.index_select(0, rows)).square().mean(1).mean().backward();
        opt->step();
      }
    }
    const at::Tensor by_hand = support::flat_parameters(*model), trained_by_us = support::flat_parameters(*ours);
    CHECK((is_fused ? torch::allclose(by_hand, trained_by_us, 1e-12, 1e-12) : torch::equal(by_hand, trained_by_us)));
  }
}

TEMPLATE_LIST_TEST_CASE("outside its window a policy does not exist, bit for bit", "[training][law]", eq::EveryPolicy) {
  // A hold-out is taken for a window that the run does not reach, for it might be resumed; for an empty one it is not.
  const eq::Window unreached{.from = 3}, empty{.from = 3, .to = 3};
  if constexpr (!TestType::hooks.has(eq::Hook::outputs))
    for (const eq::Window& window : {empty, TestType::needs.holdout ? empty : unreached})
      CHECK(
          torch::equal(trained<2, Kind::regression>(eq::stack(eq::windowed(eager<TestType>(), window)), toy_options()),
                       trained<2, Kind::regression>({}, toy_options())));
}

TEMPLATE_LIST_TEST_CASE("before a window opens and after it closes, steps are those of an empty stack, bit for bit",
                        "[training][law]", eq::EveryPolicy) {
  // A hold-out is kept outside the window too. Plain SGD remembers nothing of the epochs before.
  if constexpr (!TestType::hooks.has(eq::Hook::outputs) && !TestType::needs.holdout) {
    eq::TrainerOptions o = toy_options(5);
    o.momentum = 0;
    const std::vector<at::Tensor> windowed =
        after_epochs(eq::stack(eq::windowed(eager<TestType>(), {.from = 2, .to = 4})), o);
    const std::vector<at::Tensor> before = after_epochs({}, o), after = after_epochs({}, o, 3, windowed[3]);
    CHECK(torch::equal(windowed[0], before[0]));
    CHECK(torch::equal(windowed[1], before[1]));
    CHECK(torch::equal(windowed[2], before[2]) == !eq::acts_on_one_task<TestType>);
    CHECK(torch::equal(windowed[4], after[4]));
    CHECK_FALSE(torch::equal(windowed[4], windowed[3]));
  }
}

TEMPLATE_LIST_TEST_CASE("with one modality a policy that balances modalities does nothing, bit for bit",
                        "[training][law]", eq::EveryPolicy) {
  if constexpr (!eq::acts_on_one_modality<TestType>) {
    CHECK(torch::equal(trained<1, Kind::regression>(eq::stack(eager<TestType>()), toy_options()),
                       trained<1, Kind::regression>({}, toy_options())));
    CHECK(torch::equal(trained<1, Kind::classification>(eq::stack(eager<TestType>()), toy_options()),
                       trained<1, Kind::classification>({}, toy_options())));
  } else {
    SUCCEED();
  }
}

TEMPLATE_LIST_TEST_CASE("inside its window a policy changes the run", "[training][law]", eq::EveryPolicy) {
  const bool same = torch::equal(trained<2, Kind::classification>(eq::stack(eager<TestType>()), toy_options()),
                                 trained<2, Kind::classification>({}, toy_options()));
  CHECK(same == !eq::acts_on_one_task<TestType>);
}

TEMPLATE_LIST_TEST_CASE("micro-batches that are accumulated equal one batch", "[training][law]", eq::EveryPolicy) {
  const auto compare = [&]<Kind K>() {
    eq::TrainerOptions whole = toy_options(), cut = toy_options();
    cut.micro_batches = 4;
    // Sums in another order: rounding of doubles, grown over 12 steps.
    CHECK((trained<2, K>(eq::stack(eager<TestType>()), whole) - trained<2, K>(eq::stack(eager<TestType>()), cut))
              .abs()
              .max()
              .template item<double>() < 1e-9);
  };
  compare.template operator()<Kind::regression>();
  compare.template operator()<Kind::classification>();
  if constexpr (works_on_maps<TestType>) compare.template operator()<Kind::dense>();
}

TEMPLATE_LIST_TEST_CASE("a policy runs for 2, 3 and 5 modalities and every kind of task that it accepts",
                        "[training][law]", eq::EveryPolicy) {
  runs_for_every_kind<TestType, 2>();
  runs_for_every_kind<TestType, 3>();
  runs_for_every_kind<TestType, 5>();
}

TEST_CASE("groups outside a pass are not touched, by momentum or decay either", "[training][behaviour]") {
  eq::TrainerOptions o = toy_options(1);
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  const at::Tensor before = model->parameter_groups()[1][0].detach().clone();
  eq::Trainer(model, eq::ReconBoost{.alternate_epochs = 1, .rectify_epochs = 0}, o)
      .fit(support::toy_data<2, Kind::regression>(32));
  CHECK(torch::equal(before, model->parameter_groups()[1][0]));
}

TEST_CASE("a loss that is not a number stops the run and names the batch's records", "[training][error]") {
  auto data = support::toy_data<2, Kind::regression>(16);
  data.targets["y"_n].tensor.select(0, 5).fill_(1e200);  // whose squared error is infinite
  const auto order = eq::permutation(16, eq::hash_of({5, eq::hash_of("order"), 0}));
  const std::ptrdiff_t begin = std::find(order.begin(), order.end(), 5) - order.begin() < 8 ? 0 : 8;
  std::string ids;
  for (std::ptrdiff_t i = begin; i < begin + 8; ++i)
    ids += (i == begin ? "" : ", ") + std::to_string(order[static_cast<std::size_t>(i)]);
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  CHECK_THROWS_WITH(eq::Trainer(model, toy_options(1)).fit(data),
                    Catch::Contains("numeric.501") && Catch::Contains("objective y: expected a finite value") &&
                        Catch::EndsWith("records of the batch: " + ids));
}

TEST_CASE("a checkpoint of another model is refused with the file's name", "[training][error]") {
  const support::TemporaryFolder folder;
  eq::TrainerOptions o = toy_options(1);
  o.checkpoint = (folder.path() / "c.pt").string();
  const auto small = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  const auto large = support::toy_model<3, Kind::regression>(eq::Sum{.width = 6});
  eq::Trainer(small, o).fit(support::toy_data<2, Kind::regression>(16));
  eq::Trainer other(large, toy_options(1));
  CHECK_THROWS_WITH(other.resume(o.checkpoint), Catch::Contains("c.pt"));
  CHECK_THROWS_WITH(other.resume(folder.path() / "none.pt"), Catch::Contains("none.pt"));
}

TEST_CASE("at most one policy of a stack replaces gradients or sets passes", "[training][error]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  eq::PolicyStack two;
  two.push_back(eq::make_policy("mla", {}));
  two.push_back(eq::make_policy("recon_boost", {}));
  CHECK_THROWS_AS(eq::Trainer(model, std::move(two), toy_options(1)), eq::ValueError);
  CHECK_THROWS_WITH(eq::Trainer(model, eq::TrainerOptions{.batch_size = 0}), Catch::Contains("batch_size"));
}

TEST_CASE("contributions of a trained model go to the modality that knows", "[contribution][behaviour]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  const auto data = support::toy_data<2, Kind::regression>(64);
  eq::Trainer(model, {.epochs = 60, .batch_size = 16, .learning_rate = 0.01}).fit(data);
  const auto phi = eq::shapley(*model, data);
  CHECK(phi["a"_n]["y"_n] > phi["b"_n]["y"_n]);  // the target is a + b / 2
  CHECK(phi["a"_n]["y"_n] + phi["b"_n]["y"_n] == Approx(1 - phi.tasks[0].losses[3] / phi.tasks[0].losses[0]));
}
