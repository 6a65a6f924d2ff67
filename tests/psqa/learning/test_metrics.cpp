#include <equipoise/data/groups.hpp>
#include <equipoise/data/split.hpp>
#include <equipoise/io/npy.hpp>
#include <equipoise/psqa/learning/baselines.hpp>
#include <equipoise/psqa/learning/evaluate.hpp>

#include <cmath>
#include <numeric>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace eq = equipoise;
namespace psqa = equipoise::psqa;
using Catch::Matchers::Contains;

namespace {

/// Plans of two machines and two sites whose dose is a square and whose rates are linear, on the model's scale, in the
/// first metric; patients have two plans each.
psqa::Cohort cohort_of(std::size_t n) {
  psqa::Cohort c;
  c.metric_names = psqa::table_metrics();
  c.height = c.width = 40, c.spacing_mm = 2;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = eq::to_uniform(eq::hash_of({1, i})), error = 0.08 * eq::to_uniform(eq::hash_of({2, i}));
    psqa::CohortRecord r{"r" + std::to_string(i),
                         "p" + std::to_string(i / 2),
                         i % 2 ? "prostate" : "lung",
                         i % 3 ? "a" : "b",
                         "none",
                         {},
                         {}};
    r.metrics.assign(c.metric_names.size(), 0.5);
    r.metrics[2] = x, r.metrics[4] = 1 - x;  // AAV and MCS
    for (std::size_t k = 0; k < psqa::kCriteria.size(); ++k)
      r.gpr[k] = 101 - std::exp(0.5 + static_cast<double>(k) * 0.4 + 1.4 * x);
    c.records.push_back(r);
    for (std::size_t at = 0; at < 1600; ++at) {
      const std::size_t row = at / 40, column = at % 40;
      const bool inside = row > 8 && row < 30 && column > 8 && column < 30;
      const float dose = inside ? 2.0F + 0.01F * static_cast<float>(column) : 0.1F;
      c.planned.push_back(dose);
      c.measured.push_back(inside && row > 20 ? dose * static_cast<float>(1 + error) : dose);
    }
  }
  return c;
}

/// The test records of a split with predictions that are the truth.
psqa::MethodPredictions truth_of(const psqa::Cohort& c, const eq::DataSplit& split, const psqa::Scales& s) {
  psqa::MethodPredictions j;
  j.method = "truth";
  for (const std::int64_t i : split.test) {
    const psqa::CohortRecord& r = c.records[static_cast<std::size_t>(i)];
    j.patients.push_back(r.patient), j.sites.push_back(r.site), j.machines.push_back(r.machine);
    j.mcs.push_back(r.metrics[4]);
    j.truth.push_back(r.gpr);
  }
  j.predicted = j.truth;
  for (const std::int64_t i : split.validation)
    j.calibration_truth.push_back(c.records[static_cast<std::size_t>(i)].gpr);
  j.calibration_predicted = j.calibration_truth;
  const auto batch = psqa::learning_batch(c, s).select(split.test);
  j.dd_truth = batch.targets[eq::name_value<"dd">{}].tensor * s.dd_sd;
  j.dd_predicted = j.dd_truth.nan_to_num(0);
  return j;
}

struct Example {
  psqa::Cohort cohort = cohort_of(200);
  eq::DataSplit split;
  psqa::Scales scales;
  psqa::MethodPredictions truth;

  explicit Example(std::int64_t pool = 1) {
    std::vector<std::string> patients;
    for (const psqa::CohortRecord& r : cohort.records) patients.push_back(r.patient);
    split = eq::split_by_group(eq::group_numbers(patients), 0.2, 0.3, 1);
    scales = psqa::fit_scales(cohort, split.train, pool);
    truth = truth_of(cohort, split, scales);
  }
};

}  // namespace

TEST_CASE("who predicts the truth has no error, misses nothing and is sure", "[flagship][figures]") {
  const Example e;
  const psqa::MethodMetrics f = psqa::method_metrics(e.truth);
  for (const psqa::RateMetrics& r : f.rates) {
    CHECK(r.mae.value == 0);
    CHECK(r.mae.high == 0);
    CHECK(r.spearman.value == Approx(1));
    CHECK(r.within3.value == Approx(1));
    CHECK(std::accumulate(r.n_stratum.begin(), r.n_stratum.end(), std::size_t{0}) == e.truth.size());
    for (const psqa::CoverageMetrics& c : r.coverage) {
      CHECK(c.half_width == 0);
      CHECK(c.covered.value == 1);
    }
  }
  for (const psqa::FailureMetrics& d : f.rates[psqa::kStrictest].failure) {
    REQUIRE(d.failing > 0);
    CHECK(d.sensitivity.value > 0.9);  // the flag was set on other records
    CHECK(d.auc.value == Approx(1));
    CHECK(d.average_precision.value == Approx(1));
    CHECK(d.brier.value < d.brier_of_share.value);
  }
  CHECK(f.maps.mae.value == 0);
  CHECK(f.maps.ssim.value == Approx(1));
  CHECK(f.maps.dice.value == Approx(1));
}

TEST_CASE("a method's errors are those of its groups", "[flagship][figures]") {
  const Example e;
  psqa::MethodPredictions j = e.truth;
  for (std::size_t i = 0; i < j.size(); ++i) j.predicted[i][psqa::kStrictest] += j.sites[i] == "lung" ? 2 : -1;
  const psqa::RateMetrics f = psqa::rate_metrics(j, psqa::kStrictest);
  double sum = 0;
  std::size_t n = 0;
  for (const psqa::GroupError& g : f.groups) {
    if (g.of == "site") CHECK(g.mae == Approx(g.name == "lung" ? 2 : 1));
    if (g.of == "mcs_quarter") sum += g.mae * static_cast<double>(g.n), n += g.n;
  }
  CHECK(n == j.size());
  CHECK(sum / static_cast<double>(n) == Approx(f.mae.value));
}

TEST_CASE("the model's planes are parts of the cohort's", "[flagship][figures][error]") {
  const Example e;
  for (const std::int64_t pool : {0, 1000})
    CHECK_THROWS_WITH(psqa::fit_scales(e.cohort, e.split.train, pool),
                      Catch::Contains("PsqaSizes.pool") && Catch::Contains("within 1.."));
}

TEST_CASE("too few validation records give no interval, which covers nothing", "[flagship][figures]") {
  psqa::MethodPredictions j = Example().truth;
  j.calibration_truth.resize(3), j.calibration_predicted.resize(3);
  for (const psqa::CoverageMetrics& c : psqa::rate_metrics(j, psqa::kStrictest).coverage) {
    CHECK_FALSE(std::isfinite(c.half_width));
    CHECK(std::isnan(c.covered.value));
    for (const double share : c.by_stratum) CHECK(std::isnan(share));
  }
}

TEST_CASE("rates that nobody measured count nowhere", "[flagship][figures]") {
  const Example e;
  psqa::MethodPredictions j = e.truth;
  j.truth[0][psqa::kStrictest] = std::nan(""), j.calibration_truth[0][psqa::kStrictest] = std::nan("");
  const psqa::RateMetrics f = psqa::rate_metrics(j, psqa::kStrictest);
  CHECK(f.n_stratum[0] + f.n_stratum[1] + f.n_stratum[2] == j.size() - 1);
  CHECK(f.mae.value == 0);
}

TEST_CASE("a criterion that no training record has is not predicted, and the others are as before",
          "[flagship][figures]") {
  Example e;
  constexpr std::size_t missing = psqa::criterion("gpr_3_2");
  for (psqa::CohortRecord& r : e.cohort.records) r.gpr[missing] = std::nan("");
  const psqa::Scales fitted = psqa::fit_scales(e.cohort, e.split.train, 1);
  for (const psqa::Scales& s : {fitted, psqa::Scales::from_json(fitted.to_json())}) {
    CHECK(std::isnan(s.gpr_mean[missing]));
    const auto outputs = static_cast<std::int64_t>(psqa::kCriteria.size());
    const psqa::RateNumbers with = psqa::to_rates(at::zeros({1, outputs}), e.scales)[0],
                            without = psqa::to_rates(at::zeros({1, outputs}), s)[0];
    for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c) {
      INFO(psqa::kCriteria[c].name);
      if (c == missing)
        CHECK(std::isnan(without[c]));
      else
        CHECK(without[c] == with[c]);
    }
  }
  const psqa::RateMetrics f = psqa::rate_metrics(truth_of(e.cohort, e.split, fitted), missing);
  CHECK(std::isnan(f.mae.value));
}

TEST_CASE("the true map gives the true passing rate, and no map gives 100", "[flagship][figures]") {
  const Example e;
  const psqa::Rates rates = psqa::rates_of_maps(e.cohort, e.split.test, e.truth.dd_predicted);
  bool some_fail = false;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const auto r = static_cast<std::size_t>(e.split.test[i]);
    psqa::DoseGrid planned = psqa::DoseGrid::plane(40, 40, 2), measured = planned;
    std::copy_n(e.cohort.plane(e.cohort.planned, r).begin(), 1600, planned.values.begin());
    std::copy_n(e.cohort.plane(e.cohort.measured, r).begin(), 1600, measured.values.begin());
    for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c)
      CHECK(rates[i][c] == Approx(psqa::gamma_pass_rate(measured, planned,
                                                        {.dd_percent = psqa::kCriteria[c].dd_percent,
                                                         .dta_mm = psqa::kCriteria[c].dta_mm}))
                               .margin(0.3));  // the map is single precision; a point at the limit may change sides
    some_fail = some_fail || rates[i][psqa::kStrictest] < 90;
  }
  CHECK(some_fail);
  for (const auto& r : psqa::rates_of_maps(e.cohort, e.split.test, at::zeros_like(e.truth.dd_predicted)))
    CHECK(r == psqa::RateNumbers{100, 100, 100, 100});
}

TEST_CASE("the similarity of the dose is 1 for the true map, and that of the planned to the measured plane for none",
          "[flagship][figures]") {
  const Example e;
  psqa::MethodPredictions predictions = e.truth;
  for (const double similarity : psqa::dose_ssim(e.cohort, e.split.test, predictions)) CHECK(similarity == Approx(1));
  predictions.dd_predicted = at::zeros_like(e.truth.dd_predicted);
  const std::vector<double> without = psqa::dose_ssim(e.cohort, e.split.test, predictions);
  const psqa::MapErrors maps = psqa::map_errors(predictions);
  for (std::size_t i = 0; i < without.size(); ++i) {
    const auto r = static_cast<std::size_t>(e.split.test[i]);
    std::vector<float> planned, measured;  // % of the planned maximum
    const auto dose = e.cohort.plane(e.cohort.planned, r), seen = e.cohort.plane(e.cohort.measured, r);
    const float maximum = *std::max_element(dose.begin(), dose.end());
    for (std::size_t k = 0; k < dose.size(); ++k)
      planned.push_back(100 * dose[k] / maximum), measured.push_back(100 * seen[k] / maximum);
    const at::Tensor valid = e.truth.dd_truth[static_cast<std::int64_t>(i)].isfinite().contiguous();
    CHECK(without[i] ==
          Approx(eq::ssim(measured, planned, 40, 40, 100, {valid.const_data_ptr<bool>(), 1600})).margin(2e-5));
    CHECK(without[i] > maps.ssim[i]);  // most of a dose is planned
  }
}

TEST_CASE("ridge finds what is linear in the table, trees some of it, the constant nothing", "[flagship][figures]") {
  for (const std::int64_t pool : {1, 2}) {
    const Example e(pool);
    const psqa::MethodPredictions ridge = psqa::ridge_baseline(e.truth, e.cohort, e.split, e.scales),
                                  forest = psqa::forest_baseline(e.truth, e.cohort, e.split, e.scales),
                                  constant = psqa::constant_baseline(e.truth, e.cohort, e.split);
    CHECK(psqa::mean_rate_error(ridge, 2).value < 0.05);
    CHECK(psqa::mean_rate_error(constant, 2).value > 1);
    CHECK(psqa::mean_rate_error(forest, 2).value < 0.7 * psqa::mean_rate_error(constant, 2).value);
    CHECK(forest.calibration_predicted.size() == e.truth.calibration_truth.size());
    const psqa::MapMetrics of_mean = psqa::map_metrics(ridge), of_zero = psqa::map_metrics(constant);
    CHECK(of_mean.rmse.value < of_zero.rmse.value);
    CHECK(of_zero.dice.value == 0);
    CHECK(std::isnan(of_zero.rate_mae[2].value));  // nobody recomputed rates
  }
}

TEST_CASE("boosted trees find what the table says, the baselines have names", "[flagship][figures]") {
  const Example e;
  const psqa::MethodPredictions boosted = psqa::baseline_named("boosted", e.truth, e.cohort, e.split, e.scales),
                                constant = psqa::baseline_named("constant", e.truth, e.cohort, e.split, e.scales);
  CHECK(boosted.method == "boosted");
  CHECK(psqa::mean_rate_error(boosted, 2).value < 0.3 * psqa::mean_rate_error(constant, 2).value);
  CHECK_THROWS_WITH(psqa::baseline_named("bosted", e.truth, e.cohort, e.split, e.scales),
                    Contains("did you mean \"boosted\"?"));
}

TEST_CASE("metrics that a plan does not define are the mean", "[flagship][figures]") {
  psqa::Cohort c = cohort_of(20);
  std::vector<std::int64_t> all(20);
  std::iota(all.begin(), all.end(), 0);
  c.records[3].metrics[2] = std::nan("");
  const psqa::Scales s = psqa::fit_scales(c, all, 1);
  const auto batch = psqa::learning_batch(c, s);
  const at::Tensor table = batch.inputs[eq::name_value<"metrics">{}];
  CHECK(table[3][2].item<float>() == 0);
  CHECK(std::abs(table.select(1, 2).mean().item<float>()) < 1e-6F);
  CHECK_FALSE(table.isnan().any().item<bool>());
}

TEST_CASE("figures of machines are standardised, and an unknown machine or site has zeros", "[flagship][delivery]") {
  const psqa::Cohort c = cohort_of(9);  // machine b: records 0, 3 and 6
  psqa::MachineTable table;
  for (const char* name : {"a", "b", "c"}) table.machines.emplace_back().machine = name;
  table.machines[0].at(psqa::MachineFigure::output_percent) = 101;
  table.machines[1].at(psqa::MachineFigure::output_percent) = 99;
  const psqa::DeliveryRecords known{std::nullopt, table};
  const std::vector<std::int64_t> train = {0, 1, 3, 4};  // two of each machine
  const psqa::Scales s = psqa::fit_scales(c, train, 1, known);
  CHECK(s.delivery.machines == std::vector<std::string>{"a", "b"});
  CHECK(s.delivery.sites == std::vector<std::string>{"lung", "prostate"});
  const auto batch = psqa::learning_batch(c, s, known);
  const at::Tensor x = batch.inputs[eq::name_value<"machine">{}];
  REQUIRE(x.sizes() == at::IntArrayRef{9, 6 + 2 + 2});
  CHECK(x[0][2].item<double>() == Approx(-1));  // of 99, 101, 99, 101: mean 100, deviation 1
  CHECK(x[1][2].item<double>() == Approx(1));
  CHECK(x[0].slice(0, 6).equal(torch::tensor({0.F, 1.F, 1.F, 0.F})));  // b, lung
  CHECK(x[1].slice(0, 0, 2).abs().sum().item<double>() == 0);          // never measured
  CHECK(batch.presence.of_row(0).contains(3));
  CHECK_FALSE(batch.presence.of_row(0).contains(1));

  const psqa::DoseGrid plane = [] {
    psqa::DoseGrid g;
    g.shape = {1, 40, 40}, g.values.assign(1600, 1.0F);
    return g;
  }();
  const auto row = [&](const std::string& machine) {
    const auto plan = psqa::plan_batch(plane, c.records[0].metrics, s, {{}, machine, ""});
    return plan.inputs[eq::name_value<"machine">{}][0];
  };
  CHECK(row("c").abs().sum().item<double>() == 0);  // in machines.csv, but not measured and not in training
  CHECK(row("b")[2].item<double>() == Approx(-1));
  CHECK(row("b")[7].item<double>() == 1);

  const psqa::Scales read = psqa::Scales::from_json(s.to_json());
  CHECK(read.to_json() == s.to_json());
  CHECK(psqa::learning_batch(c, read, known).inputs[eq::name_value<"machine">{}].equal(x));
}

TEST_CASE("delivery maps are pooled, each channel over its root mean square in training", "[flagship][delivery]") {
  const support::TemporaryFolder folder;
  psqa::Cohort c = cohort_of(3);
  c.about["delivery_maps"] = psqa::delivery_maps_description(true);
  const std::vector<std::size_t> planes = {3, 40, 40}, shape = {3, 6, 40, 40};
  std::vector<float> values(3 * 6 * 1600);
  for (std::size_t i = 0; i < values.size(); ++i)  // record r, channel k: r + k
    values[i] = static_cast<float>(i / (6 * 1600) + i / 1600 % 6);
  eq::io::write_npy<float>(folder.path() / "planned.npy", planes, std::vector<float>(3 * 1600));
  eq::io::write_npy<float>(folder.path() / psqa::kDeliveryMapsFile, shape, values);
  const psqa::DeliveryRecords known = psqa::delivery_records(folder.path(), c, true, false);
  const std::vector<std::int64_t> train = {1, 2};
  const psqa::Scales s = psqa::fit_scales(c, train, 4, known);
  const auto batch = psqa::learning_batch(c, s, known);
  const at::Tensor x = batch.inputs[eq::name_value<"maps">{}];
  REQUIRE(x.sizes() == at::IntArrayRef{3, 6, 10, 10});
  for (std::int64_t k = 0; k < 6; ++k) {
    const double norm =
        std::sqrt((std::pow(1.0 + static_cast<double>(k), 2) + std::pow(2.0 + static_cast<double>(k), 2)) / 2);
    for (std::int64_t r = 0; r < 3; ++r) {
      CHECK(x[r][k].min().item<double>() == Approx(static_cast<double>(r + k) / norm));
      CHECK(x[r][k].max().item<double>() == Approx(static_cast<double>(r + k) / norm));
    }
  }
  CHECK(batch.presence.of_row(0).contains(1));
  CHECK_FALSE(batch.presence.of_row(0).contains(3));
  CHECK_THROWS_WITH(psqa::delivery_records(folder.path(), cohort_of(3), true, false),
                    Contains("expected delivery maps, got a cohort without them"));
}
