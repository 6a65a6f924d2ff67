// The examples of docs/components/balancing/, word for word (gate.links_in_docs compares them).

#include <array>
#include <cstdint>
#include <equipoise/equipoise.hpp>
#include <string_view>

#include "support/catch.hpp"
#include "support/page_records.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

/// The label alone.
auto records(std::int64_t n) {
  return support::page_records(n).only("image"_n, "table"_n, "label"_n);
}

/// Counts the coalitions that training shows.
struct Counting {
  static constexpr std::string_view id = "counting";
  static constexpr eq::Hooks hooks = eq::Hook::features;
  static constexpr eq::Needs needs{};
  std::array<std::int64_t, 8>* seen = nullptr;
  struct State {};
  void on_features(State&, eq::Step&, eq::Features& features) const {
    for (const std::uint64_t mask : features.presence.masks()) ++(*seen)[mask];
  }
};

}  // namespace

TEST_CASE("the example of Ogm's page records the factor of a modality", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::TrainerOptions options{.epochs = 20, .optimizer = eq::Optimizer::sgd, .learning_rate = 0.1};
  eq::Trainer trainer(model, eq::Ogm{.alpha = 0.5}, options);
  eq::History history = trainer.fit(train, validation);
  double factor = *history.epochs.back().find("ogm/k/image");  // mean of the last epoch
  CHECK(history.epochs.size() == 20);
  CHECK(factor > 0);
  CHECK(factor <= 1);
}

TEST_CASE("the example of Opm's page records the probability of dropping a modality", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::Trainer trainer(model, eq::Opm{.base = 0.5, .lambda = 0.5}, {.epochs = 20});
  eq::History history = trainer.fit(train, validation);
  double dropped = *history.epochs.back().find("opm/q/image");  // mean probability
  CHECK(history.epochs.size() == 20);
  CHECK(dropped >= 0);
  CHECK(dropped <= 1);
}

TEST_CASE("the example of DropModality's page shows every coalition in training", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::Trainer trainer(model, eq::DropModality{.probability = 0.3}, {.epochs = 20});
  eq::History history = trainer.fit(train, validation);
  const auto phi = eq::shapley(*model, validation);  // losses of coalitions that training has shown
  CHECK(history.epochs.size() == 20);
  CHECK(phi.tasks[0].losses.size() == 4);
}

TEST_CASE("DropModality hides modalities with its probability, and every record keeps one", "[balancing][law]") {
  std::array<std::int64_t, 8> seen{};
  torch::manual_seed(3);
  const std::int64_t n = 500;
  at::Tensor has = torch::ones({n, 3}, torch::kBool);
  has.narrow(0, 0, 100).select(1, 2).fill_(false);
  has.narrow(0, 100, 10).fill_(false);
  const auto data = eq::batch(eq::input<"a">(torch::randn({n, 2})), eq::input<"b">(torch::randn({n, 2})),
                              eq::input<"c">(torch::randn({n, 2})), eq::target<"y">(eq::Values{torch::randn({n, 1})}))
                        .with_presence(has);
  const auto run = [&](double probability) {
    seen = {};
    const auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2, .widths = {2}}),
                                   eq::modality<"b">(eq::Mlp{.in_features = 2, .widths = {2}}),
                                   eq::modality<"c">(eq::Mlp{.in_features = 2, .widths = {2}}),
                                   eq::task<"y">(eq::Sum{.width = 2}, eq::Regression{}));
    eq::Trainer(model, eq::stack(eq::DropModality{.probability = probability}, Counting{&seen}),
                {.epochs = 20, .batch_size = 50, .progress = nullptr})
        .fit(data);
  };
  run(0);
  CHECK((seen[0] == 200 && seen[0b011] == 2000 && seen[0b111] == 7800));
  run(1);  // one modality, each as often as the others
  CHECK((seen[0] == 200 && seen[0b001] + seen[0b010] + seen[0b100] == 9800));
  CHECK(static_cast<double>(seen[0b001]) == Approx(7800. / 3 + 1000).margin(150));
  CHECK(static_cast<double>(seen[0b100]) == Approx(7800. / 3).margin(150));
  run(0.5);
  CHECK(seen[0] == 200);
  // All of three with 1/8; of two alone the pair with 1/4.
  CHECK(static_cast<double>(seen[0b111]) == Approx(7800. / 8).margin(120));
  CHECK(static_cast<double>(seen[0b011]) == Approx(7800. / 8 + 2000. / 4).margin(150));
  // Alone: one of three with 1/8 + a third of the 1/8 that would lose all; of two with 1/4 + half of 1/4.
  CHECK(static_cast<double>(seen[0b001]) == Approx(7800. / 6 + 2000. * 3 / 8).margin(170));
}

TEST_CASE("the example of MMPareto's page trains", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::Trainer trainer(model, eq::MMPareto{.gamma = 1.5}, {.epochs = 20});
  eq::History history = trainer.fit(train, validation);
  double loss = *history.epochs.back().find("val/objective");
  CHECK(history.epochs.size() == 20);
  CHECK(std::isfinite(loss));
}

TEST_CASE("the example of Agm's page records the factor of a modality", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::Agm agm{.alpha = 0.5, .application = eq::Application::update};  // works with Adam
  eq::Trainer trainer(model, agm, {.epochs = 20});
  eq::History history = trainer.fit(train, validation);
  double factor = *history.epochs.back().find("agm/k/image");  // mean of the last epoch
  CHECK(history.epochs.size() == 20);
  CHECK(factor > 0);
}

TEST_CASE("the example of Mla's page predicts between the predictions of the modalities", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16), test = records(8);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Sum{.width = 16}, eq::Classification{.classes = 3}));
  eq::Trainer trainer(model, eq::Mla{.base = 0.1}, {.epochs = 20});
  eq::History history = trainer.fit(train, validation);
  at::Tensor fused = model->predict(test)["label"_n];  // [B, 3], fused by certainty
  CHECK(history.epochs.size() == 20);
  const at::Tensor all = model->predict(test, eq::all_coalitions(2))["label"_n];
  CHECK(torch::maximum(all[1], all[2]).add(1e-5).ge(fused).all().item<bool>());
  CHECK(torch::minimum(all[1], all[2]).sub(1e-5).le(fused).all().item<bool>());
}

TEST_CASE("the example of ReconBoost's page predicts the sum of the modalities' predictions", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16), test = records(8);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::ReconBoost boost{.alternate_epochs = 2, .rectify_epochs = 2};
  eq::Trainer trainer(model, boost, {.epochs = 8});  // a stage of 4 epochs per modality
  eq::History history = trainer.fit(train, validation);
  at::Tensor ensemble = model->predict(test)["label"_n];  // [B, 3]
  CHECK(history.epochs.size() == 8);
  const at::Tensor all = model->predict(test, eq::all_coalitions(2))["label"_n];
  CHECK(torch::allclose(ensemble, all[1] + all[2], 1e-4, 1e-5));
}

TEST_CASE("the example of GradientBlending's page measures weights that sum to one", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::GradientBlending blending{.super_epoch = 5};  // measures in the epochs 0, 5, 10, …
  eq::Trainer trainer(model, blending, {.epochs = 10, .holdout = 0.2});
  eq::History history = trainer.fit(train, validation);
  double weight = *history.epochs[5].find("gradient_blending/w/image");
  CHECK(history.epochs.size() == 10);
  const double others =
      *history.epochs[5].find("gradient_blending/w/table") + *history.epochs[5].find("gradient_blending/w/joint");
  CHECK(weight + others == Approx(1));
}

TEST_CASE("the example of SampleValuation's page adds copies after its warm-up", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::Trainer trainer(model, eq::SampleValuation{.warmup = 5, .kappa = 2}, {.epochs = 20});
  eq::History history = trainer.fit(train, validation);
  double copies = *history.epochs.back().find("sample_valuation/copies");
  CHECK(history.epochs.size() == 20);
  CHECK(copies > 0);
  CHECK(history.epochs[4].find("sample_valuation/copies") == nullptr);
}

TEST_CASE("the example of ShapleyLossFactors' page records factors of mean one", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::Trainer trainer(model, eq::ShapleyLossFactors{.mean = 0.5, .gamma = 1}, {.epochs = 20});
  eq::History history = trainer.fit(train, validation);
  const eq::EpochRecord& last = history.epochs.back();
  double image = *last.find("factor/label/image"), table = *last.find("factor/label/table");
  CHECK(history.epochs.size() == 20);
  CHECK(image + table == Approx(2));
}

TEST_CASE("the example of LearningSpeedFactors' page records what is left of each modality's loss",
          "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::Trainer trainer(model, eq::LearningSpeedFactors{.gamma = 1.5}, {.epochs = 20});
  eq::History history = trainer.fit(train, validation);
  const eq::EpochRecord& last = history.epochs.back();
  double image = *last.find("left/label/image"), table = *last.find("left/label/table");
  CHECK(history.epochs.size() == 20);
  CHECK((image > 0 && image < 1));
  CHECK((table > 0 && table < 1));
  CHECK(*last.find("factor/label/image") + *last.find("factor/label/table") == Approx(2));
}

TEST_CASE("the example of UnimodalPretraining's page trains the modalities alone at first", "[balancing][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}));
  eq::Trainer trainer(model, eq::UnimodalPretraining{.epochs = 5}, {.epochs = 20});
  eq::History history = trainer.fit(train, validation);
  CHECK(history.epochs.size() == 20);
  std::array<std::int64_t, 8> seen{};
  eq::Trainer(model, eq::UnimodalPretraining{.epochs = 1}, Counting{&seen}, {.epochs = 2}).fit(train);
  CHECK(seen[1] == 32);  // alone in the first epoch
  CHECK(seen[2] == 32);
  CHECK(seen[3] == 32);  // together in the second
}
