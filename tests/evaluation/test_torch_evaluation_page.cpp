// The blocks of docs/evaluation.md, word for word (gate.links_in_docs compares them).

#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <equipoise/evaluation/robustness.hpp>
#include <iostream>
#include <sstream>

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;

TEST_CASE("the page on evaluation says what the functions return", "[evaluation][docs]") {
  torch::manual_seed(3);
  const auto model = eq::compose(eq::modality<"dose">(eq::Mlp{.in_features = 3, .widths = {4}}),
                                 eq::modality<"metrics">(eq::Mlp{.in_features = 5, .widths = {4}}),
                                 eq::task<"gpr">(eq::Sum{.width = 4}, eq::Regression{.outputs = 3}));
  const auto test = eq::batch(eq::input<"dose">(torch::randn({20, 3})), eq::input<"metrics">(torch::randn({20, 5})),
                              eq::target<"gpr">(eq::Values{torch::randn({20, 3})}));
  std::ostringstream text;
  std::streambuf* const before = std::cout.rdbuf(text.rdbuf());
  const auto report = eq::evaluate(*model, test);
  std::cout << report;  // a table, a line for each coalition
  const eq::CoalitionScore& both = report["gpr"_n].of(model->full());
  const double mean_loss = both.loss.value, low = both.loss.low, high = both.loss.high;

  const auto curves = eq::robustness(*model, test, "dose"_n, eq::corruption::noise, {0, 0.5, 1}, {.resamples = 200});
  std::cout << curves;  // a table: a line for each figure, a column for each strength
  const eq::RobustnessCurve& loss = curves["gpr"_n].of("loss");
  const double at_one = loss.values[2].value, low_at_one = loss.values[2].low;
  const double times_the_clean_loss = loss.area.value;
  std::cout.rdbuf(before);
  CHECK(text.str().find("gpr (20 records), dose corrupted") != std::string::npos);
  CHECK(loss.clean.value == Approx(mean_loss));
  CHECK(low_at_one < at_one);
  CHECK(times_the_clean_loss > 0);

  const auto fading = [](double strength) {
    return [strength](const at::Tensor& record, eq::RandomStream&) { return record * (1 - strength); };
  };
  const auto faded = eq::robustness(*model, test, "metrics"_n, fading, {0.25, 0.5});
  CHECK(faded["gpr"_n].of("loss").values.size() == 2);

  CHECK(text.str().find("dose + metrics") != std::string::npos);
  CHECK(low < mean_loss);
  CHECK(mean_loss < high);

  const at::Tensor rates = eq::infer(*model, test)["gpr"_n];  // [N, outputs], on the host
  const std::vector<eq::Coalition> asked = {eq::Coalition::single(0), model->full()};
  const at::Tensor of_coalitions = eq::infer(*model, test, asked)["gpr"_n];  // [2, N, outputs]
  CHECK(rates.sizes() == at::IntArrayRef({20, 3}));
  CHECK(torch::allclose(of_coalitions[1], rates));

  const auto phi = eq::shapley(*model, test);
  const double of_dose = phi["dose"_n]["gpr"_n];  // of the whole data set
  const eq::TaskContributions& gpr = phi.tasks[0];
  const double without = gpr.losses[0], with_all = gpr.losses[3];  // [2^M], by the coalition's bits
  const double of_first_record = gpr.per_record(0, 0);             // [M, N]
  CHECK(of_dose + phi["metrics"_n]["gpr"_n] == Approx(1 - with_all / without));
  CHECK(with_all == Approx(mean_loss));
  CHECK(std::isfinite(of_first_record));
}
