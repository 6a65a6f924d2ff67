// The examples of docs/components/tasks/, word for word (gate.links_in_docs compares them).

#include <equipoise/equipoise.hpp>
#include <equipoise/evaluation/task_metrics.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

constexpr std::int64_t kRecords = 16;

struct Inputs {
  at::Tensor images = torch::randn({kRecords, 1, 8, 8}), tables = torch::randn({kRecords, 4});
};

}  // namespace

TEST_CASE("the example of Regression's page trains with missing targets", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  at::Tensor rates = tables.narrow(1, 0, 2).clone();
  rates[0][1] = std::nan("");
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::Concat{}, eq::Regression{.outputs = 2, .loss = eq::PointLoss::huber}));
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"rate">(eq::Values{rates}));  // [N, 2], NaN where missing
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor predicted = model->predict(train)["rate"_n];  // [N, 2]
  CHECK(history.epochs.size() == 5);
  CHECK(predicted.sizes() == at::IntArrayRef{kRecords, 2});
  CHECK(predicted.isfinite().all().item<bool>());
}

TEST_CASE("the example of Classification's page gives probabilities", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  at::Tensor labels = torch::randint(3, {kRecords}, torch::kLong);
  labels[0] = -1;
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{}, eq::Classification{.classes = 3, .smoothing = 0.1}));
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"label">(eq::Labels{labels}));  // int64 [N], -1 where missing
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor p = model->predict(train)["label"_n].softmax(1);  // probabilities [N, 3]
  CHECK(history.epochs.size() == 5);
  CHECK(torch::allclose(p.sum(1), torch::ones({kRecords})));
}

TEST_CASE("the example of DenseRegression's page predicts maps", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  at::Tensor doses = images + 1;
  doses[0][0][0][0] = std::nan("");
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"dose">(eq::SpatialCascade{.widths = {8, 4}}, eq::DenseRegression{.channels = 1}));
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"dose">(eq::Maps{doses}));  // [N, 1, H, W], NaN where missing
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor predicted = model->predict(train)["dose"_n];  // [N, 1, H, W]
  CHECK(history.epochs.size() == 5);
  CHECK(predicted.sizes() == doses.sizes());
  CHECK(predicted.isfinite().all().item<bool>());
}

TEST_CASE("the example of GaussianRegression's page gives means and deviations", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  at::Tensor rates = tables.narrow(1, 0, 2).clone();
  rates[0][1] = std::nan("");
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::Concat{}, eq::GaussianRegression{.outputs = 2}));
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"rate">(eq::Values{rates}));  // [N, 2], NaN where missing
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor z = model->predict(train)["rate"_n];  // [N, 4]
  at::Tensor mean = z.narrow(1, 0, 2), deviation = z.narrow(1, 2, 2).div(2).exp();
  CHECK(history.epochs.size() == 5);
  CHECK(mean.sizes() == deviation.sizes());
  CHECK(deviation.gt(0).all().item<bool>());
}

TEST_CASE("the example of QuantileRegression's page gives quantiles", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  at::Tensor rates = tables.narrow(1, 0, 2).clone();
  rates[0][1] = std::nan("");
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::Concat{}, eq::QuantileRegression{.outputs = 2, .levels = {0.1, 0.9}}));
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"rate">(eq::Values{rates}));  // [N, 2], NaN where missing
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor quantiles = model->predict(train)["rate"_n].unflatten(1, {2, 2});  // [N, O, Q]
  CHECK(history.epochs.size() == 5);
  CHECK(quantiles.sizes() == at::IntArrayRef{kRecords, 2, 2});
}

TEST_CASE("the example of BoundedRegression's page keeps the order of criteria", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  const at::Tensor rates = tables.narrow(1, 0, 2).sigmoid().cumsum(1) * 50;
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::Concat{}, eq::BoundedRegression{.outputs = 2, .high = 100}));
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"rate">(eq::Values{rates}));  // [N, 2] in %, strict first
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor predicted = model->predict(train)["rate"_n];  // [N, 2] in %
  CHECK(history.epochs.size() == 5);
  CHECK(predicted.select(1, 0).le(predicted.select(1, 1)).all().item<bool>());
}

TEST_CASE("the example of OrdinalClassification's page gives probabilities", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  at::Tensor grades = torch::randint(4, {kRecords}, torch::kLong);
  grades[0] = -1;
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"grade">(eq::Concat{}, eq::OrdinalClassification{.classes = 4}));
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"grade">(eq::Labels{grades}));  // int64 [N], -1 where missing
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor p = model->predict(train)["grade"_n].exp();  // probabilities [N, 4]
  CHECK(history.epochs.size() == 5);
  CHECK(torch::allclose(p.sum(1), torch::ones({kRecords})));
}

TEST_CASE("the example of MultiLabelClassification's page gives a probability a label", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  at::Tensor findings = tables.narrow(1, 0, 3).gt(0).to(torch::kFloat);
  findings[0][1] = std::nan("");
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"findings">(eq::Concat{}, eq::MultiLabelClassification{.labels = 3}));
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"findings">(eq::LabelSets{findings}));  // [N, 3], 0, 1 or NaN
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor p = model->predict(train)["findings"_n].sigmoid();  // [N, 3]
  CHECK(history.epochs.size() == 5);
  CHECK(p.sizes() == at::IntArrayRef{kRecords, 3});
}

TEST_CASE("the example of DenseSegmentation's page gives a class a pixel", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  at::Tensor organs = torch::randint(3, {kRecords, 1, 8, 8}, torch::kLong);
  organs[0][0][0][0] = -1;
  auto model =
      eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                  eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                  eq::task<"organ">(eq::SpatialCascade{.widths = {8, 4}}, eq::DenseSegmentation{.classes = 3}));
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"organ">(eq::ClassMaps{organs}));  // int64 [N, 1, H, W]
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor classes = model->predict(train)["organ"_n].argmax(1);  // [N, H, W]
  CHECK(history.epochs.size() == 5);
  CHECK(classes.sizes() == organs.squeeze(1).sizes());
}

TEST_CASE("the example of Survival's page reports the concordance", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  const at::Tensor times_and_events =
      torch::stack({tables.select(1, 0).exp(), tables.select(1, 1).gt(-1).to(torch::kFloat)}, 1);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"death">(eq::Concat{}, eq::Survival{.metrics = {eq::metric::c_index()}}));
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"death">(eq::SurvivalTimes{times_and_events}));  // [N, 2]
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor relative_risk = model->predict(train)["death"_n].exp();  // [N, 1]
  CHECK(history.epochs.size() == 5);
  CHECK(relative_risk.gt(0).all().item<bool>());
}

TEST_CASE("the example of DiscreteSurvival's page gives falling curves", "[tasks][docs]") {
  torch::manual_seed(3);
  const auto [images, tables] = Inputs{};
  const at::Tensor times_and_events =
      torch::stack({30 * tables.select(1, 0).exp(), tables.select(1, 1).gt(-1).to(torch::kFloat)}, 1);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"death">(eq::Concat{}, eq::DiscreteSurvival{.edges = {12, 24, 60}}));  // months
  auto train = eq::batch(eq::input<"image">(images), eq::input<"table">(tables),
                         eq::target<"death">(eq::SurvivalTimes{times_and_events}));  // [N, 2]
  eq::History history = eq::Trainer(model, {.epochs = 5}).fit(train);
  at::Tensor z = model->predict(train)["death"_n];
  at::Tensor survival = (1 - z.sigmoid()).cumprod(1);  // [N, 3]: beyond 12, 24 and 60 months
  CHECK(history.epochs.size() == 5);
  CHECK(survival.select(1, 1).le(survival.select(1, 0)).all().item<bool>());
}
