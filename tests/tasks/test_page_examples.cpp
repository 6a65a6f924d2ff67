// The examples of docs/components/tasks/, word for word (gate.links_in_docs compares them).

#include <equipoise/equipoise.hpp>

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
