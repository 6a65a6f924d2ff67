// Blocks of docs/training.md and docs/data.md, word for word (gate.links_in_docs compares them), on records of the
// flagship's shapes.

#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <filesystem>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

/// The folder in which relative names are, until the scope ends.
class WorkingFolder {
 public:
  explicit WorkingFolder(const std::filesystem::path& folder) { std::filesystem::current_path(folder); }
  ~WorkingFolder() {
    std::error_code none;  // a destructor throws nothing
    std::filesystem::current_path(before_, none);
  }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;

 private:
  std::filesystem::path before_ = std::filesystem::current_path();
};

}  // namespace

TEST_CASE("the model of the page on training trains, predicts and explains", "[flagship][docs]") {
  torch::manual_seed(2);
  const auto records = [](std::int64_t n) {
    return eq::batch(eq::input<"dose">(torch::rand({n, 1, 32, 32})), eq::input<"metrics">(torch::randn({n, 41})),
                     eq::target<"gpr">(eq::Values{torch::randn({n, 3})}),
                     eq::target<"dd">(eq::Maps{torch::randn({n, 1, 32, 32})}));
  };
  const auto train = records(8), validation = records(4), test = records(4);

  auto model = eq::compose(eq::modality<"dose">(eq::Cnn{.in_channels = 1, .widths = {16, 32, 64, 128}}),
                           eq::modality<"metrics">(eq::Mlp{.in_features = 41, .widths = {64, 64}}),
                           eq::task<"gpr">(eq::AttentionFusion{.width = 64}, eq::Regression{.outputs = 3}),
                           eq::task<"dd">(eq::SpatialCascade{.widths = {64, 32, 16, 8}}, eq::DenseRegression{}));

  eq::Trainer trainer(model, eq::ShapleyLossFactors{}, eq::ContributionWeighting{}, {.epochs = 2, .seed = 7});
  auto history = trainer.fit(train, validation);
  auto all = model->predict(test, eq::all_coalitions(2));  // every combination of modalities, each encoder run once
  auto report = eq::evaluate(*model, test);                // per task and coalition, with intervals
  auto phi = eq::shapley(*model, test);                    // phi["metrics"_n]["gpr"_n]

  CHECK(history.epochs.size() == 2);
  CHECK(report["gpr"_n].of(eq::Coalition::full(2)).loss.value == Approx(phi.tasks[0].losses[3]));
  CHECK(all["dd"_n].sizes().vec() == std::vector<std::int64_t>{4, 4, 1, 32, 32});
  CHECK(phi["metrics"_n]["gpr"_n] + phi["dose"_n]["gpr"_n] ==
        Approx(1 - phi.tasks[0].losses[3] / phi.tasks[0].losses[0]).margin(1e-5));
}

TEST_CASE("the records of the page on data may miss modalities and labels", "[flagship][docs]") {
  const at::Tensor sound = torch::randn({4, 3}), video = torch::randn({4, 5}), text = torch::randn({4, 2}),
                   y = torch::tensor({0, -1, 1, 0}),
                   has = torch::tensor({1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1, 1}).view({4, 3});
  const std::vector<std::int64_t> speakers = {0, 0, 1, 1};
  auto data = eq::batch(eq::input<"sound">(sound), eq::input<"video">(video), eq::input<"text">(text),
                        eq::target<"label">(eq::Labels{y}))
                  .with_presence(has)
                  .with_groups(speakers);
  CHECK(data.presence.of_row(0) == eq::Coalition(0b011));
  CHECK(data.groups == speakers);
}

TEST_CASE("the checkpoint of the page on training is resumed, and deployed", "[flagship][docs]") {
  const support::TemporaryFolder folder;
  const WorkingFolder within(folder.path());
  const auto test =
      eq::batch(eq::input<"dose">(torch::rand({70, 1, 16, 16})), eq::input<"metrics">(torch::randn({70, 5})),
                eq::target<"gpr">(eq::Values{torch::randn({70, 3})}));
  auto model = eq::compose(eq::modality<"dose">(eq::Cnn{.widths = {4, 8}}),
                           eq::modality<"metrics">(eq::Mlp{.in_features = 5, .widths = {8}}),
                           eq::task<"gpr">(eq::Concat{.width = 8}, eq::Regression{.outputs = 3}));
  eq::Trainer(model, eq::Ogm{.application = eq::Application::update}, {.epochs = 1, .checkpoint = "run.pt"})
      .fit(test, test);

  eq::Trainer trainer(model, eq::Ogm{.application = eq::Application::update}, {.epochs = 40, .checkpoint = "run.pt"});
  trainer.resume("run.pt");                             // goes on after its last epoch
  trainer.resume_best("run.pt");                        // the best epoch
  at::Tensor rates = eq::infer(*model, test)["gpr"_n];  // evaluation mode
  auto table = eq::coalition_table(*model, model->to_model_batch(test), eq::all_coalitions(2));

  CHECK(rates.sizes().vec() == std::vector<std::int64_t>{70, 3});
  CHECK_FALSE(rates.requires_grad());
  CHECK(torch::allclose(eq::infer(*model, test, eq::all_coalitions(2))["gpr"_n][3], rates));
  CHECK(table.mean_loss(0, 3).value() == Approx((rates - test.targets["gpr"_n].tensor).square().mean().item<double>()));
  CHECK_FALSE(table.accuracy(0, 3).has_value());
}

TEST_CASE("the model of the page on training goes on with other records", "[flagship][docs]") {
  const support::TemporaryFolder folder;
  const WorkingFolder within(folder.path());
  const auto records = [](std::int64_t n) {
    return eq::batch(eq::input<"a">(torch::randn({n, 3})), eq::input<"b">(torch::randn({n, 2})),
                     eq::target<"y">(eq::Values{torch::randn({n, 1})}));
  };
  const auto train = records(40), validation = records(20);
  const auto composed = [] {
    return eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3}), eq::modality<"b">(eq::Mlp{.in_features = 2}),
                       eq::task<"y">(eq::Concat{.width = 4}, eq::Regression{.outputs = 1}));
  };
  const auto first = composed();
  eq::Trainer(first, {.epochs = 3, .optimizer = eq::Optimizer::sgd, .checkpoint = "simulated.pt"})
      .fit(train, validation);

  const auto loaded = composed(), model = composed();
  eq::Trainer(loaded).resume_best("simulated.pt");
  CHECK(torch::equal(eq::infer(*loaded, validation)["y"_n], eq::infer(*first, validation)["y"_n]));

  eq::Trainer(model).resume_best("simulated.pt");
  eq::Trainer trainer(model, eq::ShapleyLossFactors{}, {.epochs = 10, .learning_rate = 1e-4});
  eq::History history = trainer.fit(train, validation);
  CHECK(history.epochs.size() == 10);
}
