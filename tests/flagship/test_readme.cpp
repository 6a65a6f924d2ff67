// The README's program, word for word (gate.links_in_docs compares them), on records of the flagship's shapes.

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;

TEST_CASE("the README's model in fifteen lines trains, predicts and explains", "[flagship][docs]") {
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
  auto phi = eq::shapley(*model, test);                    // phi.of("metrics"_n, "gpr"_n)

  CHECK(history.epochs.size() == 2);
  CHECK(all["dd"_n].sizes().vec() == std::vector<std::int64_t>{4, 4, 1, 32, 32});
  CHECK(phi.of("metrics"_n, "gpr"_n) + phi.of("dose"_n, "gpr"_n) ==
        Approx(1 - phi.tasks[0].losses[3] / phi.tasks[0].losses[0]).margin(1e-5));
}
