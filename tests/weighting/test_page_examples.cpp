// The examples of docs/components/weighting/, word for word (gate.links_in_docs compares them).

#include <equipoise/equipoise.hpp>

#include "support/catch.hpp"
#include "support/page_records.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

auto records(std::int64_t n) {
  return support::page_records(n);
}

}  // namespace

TEST_CASE("the example of ContributionWeighting's page records weights of mean one", "[weighting][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}),
                           eq::task<"rate">(eq::Concat{.width = 16}, eq::Regression{.outputs = 2}));
  eq::ContributionWeighting weighting{.gamma = 1};
  eq::Trainer trainer(model, eq::ShapleyLossFactors{}, weighting, {.epochs = 10});
  const eq::EpochRecord last = trainer.fit(train, validation).epochs.back();
  double of_label = *last.find("weight/label"), of_rate = *last.find("weight/rate");
  CHECK(of_label + of_rate == Approx(2));
}

TEST_CASE("the example of UncertaintyWeighting's page learns a variance", "[weighting][docs]") {
  torch::manual_seed(3);
  const auto train = records(32), validation = records(16);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Concat{.width = 16}, eq::Classification{.classes = 3}),
                           eq::task<"rate">(eq::Concat{.width = 16}, eq::Regression{.outputs = 2}));
  eq::Trainer trainer(model, eq::UncertaintyWeighting{}, {.epochs = 10});
  const eq::EpochRecord last = trainer.fit(train, validation).epochs.back();
  double s = *last.find("log_variance/rate");
  CHECK(std::isfinite(s));
  CHECK(s != 0);
}
