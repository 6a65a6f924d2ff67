// A target's value that does not fit its task is refused with the ids of its records.

#include <equipoise/equipoise.hpp>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/own_tasks.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

constexpr std::int64_t kRecords = 12;
const std::string kTarget = "target of task y: ";
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// What is said of a target of twelve records with the ids 100 to 111.
template <class Model, class Target>
std::string said_by(const Model& model, const at::Tensor& input, const Target& target) {
  std::vector<std::int64_t> ids(kRecords);
  std::iota(ids.begin(), ids.end(), 100);
  const auto data = eq::batch(eq::input<"x">(input), eq::target<"y">(target)).with_ids(ids);
  try {
    (void)model->to_model_batch(data);
  } catch (const eq::ValueError& e) {
    const std::string text = e.what();
    return text.substr(text.find("] ") + 2);
  }
  return "nothing";
}

template <class Head, class Target>
std::string said_of(const Head& head, const Target& target) {
  return said_by(eq::compose(eq::modality<"x">(eq::Mlp{.in_features = 3, .widths = {4}}),
                             eq::task<"y">(eq::Sum{.width = 4}, head)),
                 torch::zeros({kRecords, 3}), target);
}

template <class Head, class Target>
std::string said_of_maps(const Head& head, const Target& target) {
  return said_by(
      eq::compose(eq::modality<"x">(eq::Cnn{.widths = {4}}), eq::task<"y">(eq::SpatialCascade{.widths = {4}}, head)),
      torch::zeros({kRecords, 1, 4, 4}), target);
}

/// A tensor whose records at `rows` have the value `wrong` in all entries.
at::Tensor with(const at::Tensor& fitting, std::vector<std::int64_t> rows, double wrong) {
  return fitting.index_fill(0, torch::tensor(rows), wrong);
}

}  // namespace

TEST_CASE("labels and classes that a task does not have name their records", "[tasks][error]") {
  const at::Tensor labels = torch::zeros({kRecords}, torch::kLong);
  CHECK(said_of(eq::Classification{.classes = 3}, eq::Labels{labels}) == "nothing");
  CHECK(said_of(eq::Classification{.classes = 3}, eq::Labels{with(labels, {4}, 3)}) ==
        kTarget + "expected labels below 3 (negative where missing), got labels up to 3 in 1 record: 104");
  CHECK(said_of(eq::OrdinalClassification{.classes = 3}, eq::Labels{with(with(labels, {2}, 7), {9}, 5)}) ==
        kTarget + "expected labels below 3 (negative where missing), got labels up to 7 in 2 records: 102, 109");
  CHECK(said_of(eq::Classification{.classes = 3}, eq::Labels{labels + 3}) ==
        kTarget +
            "expected labels below 3 (negative where missing), got labels up to 3 in 12 records: 100, 101, 102, 103, "
            "104, 105, 106, 107, 108, 109, … (12 in all)");
  CHECK(said_of(eq::MultiLabelClassification{.labels = 2},
                eq::LabelSets{with(torch::zeros({kRecords, 2}), {0, 11}, 0.5)}) ==
        kTarget + "expected 0, 1, or NaN where a label is missing, got another number in 2 records: 100, 111");
  at::Tensor classes = torch::zeros({kRecords, 1, 4, 4}, torch::kLong);
  CHECK(said_of_maps(eq::DenseSegmentation{.classes = 3}, eq::ClassMaps{classes}) == "nothing");
  classes.index_put_({5, 0, 3, 2}, 4);  // one pixel
  CHECK(said_of_maps(eq::DenseSegmentation{.classes = 3}, eq::ClassMaps{classes}) ==
        kTarget + "expected classes below 3 (negative where missing), got classes up to 4 in 1 record: 105");
}

TEST_CASE("times and real values that a task cannot have name their records", "[tasks][error]") {
  const at::Tensor times = torch::ones({kRecords, 2});
  const std::string survival = "expected a time > 0 and an event of 0 or 1, got another number in 2 records: 103, 107";
  CHECK(said_of(eq::Survival{}, eq::SurvivalTimes{times}) == "nothing");
  CHECK(said_of(eq::Survival{}, eq::SurvivalTimes{with(times, {3, 7}, 0)}) == kTarget + survival);
  CHECK(said_of(eq::DiscreteSurvival{.edges = {1, 2}}, eq::SurvivalTimes{with(times, {3, 7}, 0.5)}) ==
        kTarget + survival);
  CHECK(said_of(support::Cox{}, support::Times{with(times, {3, 7}, 0)}) ==
        kTarget + "expected times > 0, got others in 2 records: 103, 107");
  const std::string infinite =
      "expected finite values, or NaN where one is missing, got an infinite one in 1 record: 106";
  CHECK(said_of(eq::Regression{.outputs = 2}, eq::Values{with(times, {6}, HUGE_VAL)}) == kTarget + infinite);
  CHECK(said_of_maps(eq::DenseRegression{}, eq::Maps{with(torch::ones({kRecords, 1, 4, 4}), {6}, -HUGE_VAL)}) ==
        kTarget + infinite);
}

TEST_CASE("targets beyond the bounds of a task, or in another order, name their records", "[tasks][error]") {
  const at::Tensor rates = torch::tensor({60.0, 90.0}).repeat({kRecords, 1});  // in %, strict first
  const eq::BoundedRegression percent{.outputs = 2, .high = 100};
  CHECK(said_of(percent, eq::Values{rates}) == "nothing");
  CHECK(said_of(percent, eq::Values{with(rates, {4}, 100 + 1e-5)}) == "nothing");
  CHECK(said_of(percent, eq::Values{with(rates, {4}, kNan)}) == "nothing");
  CHECK(said_of(eq::BoundedRegression{.outputs = 2}, eq::Values{with(rates, {0, 2, 3, 5, 6, 7, 8, 9, 10, 11}, 1)}) ==
        kTarget + "expected values from 0 to 1, as BoundedRegression is bounded, got another in 2 records: 101, 104");
  CHECK(said_of(percent, eq::Values{with(rates, {3}, 146)}) ==
        kTarget + "expected values from 0 to 100, as BoundedRegression is bounded, got another in 1 record: 103");
  at::Tensor falling = rates.clone();
  falling[7] = rates[7].flip(0);
  CHECK(said_of(percent, eq::Values{falling}) ==
        kTarget +
            "expected values of a record that do not fall, as BoundedRegression.increasing says, got a lower one in 1 "
            "record: 107");
  CHECK(said_of(eq::BoundedRegression{.outputs = 2, .high = 100, .increasing = false}, eq::Values{falling}) ==
        "nothing");
}

TEST_CASE("survival data without any event are refused before a run", "[tasks][error]") {
  const auto fit = [](const auto& head, double event) {
    const at::Tensor x = torch::randn({kRecords, 3});
    const auto data = eq::batch(eq::input<"x">(x), eq::target<"death">(eq::SurvivalTimes{torch::stack(
                                                       {x.select(1, 0).exp(), torch::full({kRecords}, event)}, 1)}));
    const auto model = eq::compose(eq::modality<"x">(eq::Mlp{.in_features = 3, .widths = {4}}),
                                   eq::task<"death">(eq::Sum{.width = 4}, head));
    (void)eq::Trainer(model, {.epochs = 1}).fit(data);
  };
  const std::string none = "expected an event (1) in at least one training record, got none: all are censored (0)";
  CHECK_THROWS_WITH(fit(eq::Survival{}, 0),
                    Catch::Contains("value.221") && Catch::Contains("task death") && Catch::Contains(none));
  CHECK_THROWS_WITH(fit(eq::DiscreteSurvival{.edges = {1, 2}}, 0),
                    Catch::Contains("task death") && Catch::Contains(none));
  CHECK_NOTHROW(fit(eq::Survival{}, 1));
}

TEST_CASE("without ids the records of a target count from 0, whatever its size", "[tasks][error]") {
  const eq::Schema::Task task{"y", 3};
  CHECK_THROWS_WITH(eq::Labels::check(torch::tensor({0L, 1L, 3L}), task),
                    "[equipoise.value.214] " + kTarget +
                        "expected labels below 3 (negative where missing), got labels up to 3 in 1 record: 2");
  CHECK_NOTHROW(eq::Labels::check(torch::empty({0}, torch::kLong), task));
  // Records of 40 MB, as of an array that is mapped from a file, are looked at one by one.
  const at::Tensor large = torch::zeros({3, 5000000}, torch::kDouble);
  large[2][4999999] = 1;
  const auto positive = [](const at::Tensor& some) {
    CHECK(some.size(0) == 1);
    return some.gt(0);
  };
  CHECK(eq::records_where(large, {}, positive) == std::vector<std::int64_t>{2});
}
