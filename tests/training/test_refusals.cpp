// What cannot be meant is refused in one sentence that names it, before anything has changed.

#include <torch/nn/modules/container/sequential.h>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>

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

}  // namespace

TEST_CASE("a checkpoint with parameters of other shapes is refused before one is overwritten", "[training][error]") {
  const support::TemporaryFolder folder;
  const std::string file = (folder.path() / "c.pt").string();
  eq::Trainer(wrapped(5), eq::TrainerOptions{.epochs = 1, .checkpoint = file}).fit(table(8));
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
  eq::Trainer(trained, eq::TrainerOptions{.epochs = 2, .seed = 7, .holdout = 0.3, .checkpoint = file}).fit(data, data);
  eq::Trainer trainer(deployed, eq::TrainerOptions{});
  trainer.resume_best(file);
  CHECK(torch::equal(support::flat_parameters(*trained), support::flat_parameters(*deployed)));
  CHECK_THROWS_WITH(trainer.resume(file), Contains("trainer.seed"));
}
