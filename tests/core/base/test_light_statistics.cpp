#include <equipoise/core/base/statistics.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;

namespace {

const std::vector<double> kX = {2.5, 3, 7.25, 1, 4, 4, 9.5}, kY = {1, 2, 5.5, 0.5, 3.5, 2, 8};

}  // namespace

TEST_CASE("moments, correlation and quantiles of a worked example", "[core][worked]") {
  CHECK(eq::mean(kX) == Approx(31.25 / 7));                                               // by hand
  CHECK(eq::variance(kX) == Approx(7.3647959183673475).epsilon(1e-12));                   // numpy.var
  CHECK(eq::standard_deviation(kX) == Approx(2.713815748787553).epsilon(1e-12));          // numpy.std
  CHECK(eq::sample_standard_deviation(kX) == Approx(2.9312560285246163).epsilon(1e-12));  // numpy.std, ddof=1
  CHECK(eq::skewness(kX) == Approx(0.6920373114876431).epsilon(1e-12));                   // scipy.stats.skew
  CHECK(eq::pearson(kX, kY) == Approx(0.9812240193172876).epsilon(1e-12));                // scipy.stats.pearsonr
  CHECK(eq::quantile(kX, 0.25) == Approx(2.75));                                          // numpy.quantile
  CHECK(eq::quantile(kX, 0.9) == Approx(8.15));
  CHECK(eq::quantile(kX, 0.5) == 4);
  CHECK(eq::quantile(kX, 0) == 1);
  CHECK(eq::quantile(kX, 1) == 9.5);
}

TEST_CASE("numbers far from zero keep their variance", "[core][worked]") {
  std::vector<double> far = kX;
  for (double& x : far) x += 1e9;  // their squares have no digits left for it
  CHECK(eq::variance(far) == Approx(7.3647959183673475).epsilon(1e-6));
}

TEST_CASE("equal numbers have no spread, no skewness and no correlation", "[core][worked]") {
  const std::vector<double> equal(5, 0.1);
  CHECK(eq::mean(equal) == Approx(0.1));
  CHECK(eq::variance(equal) == 0);
  CHECK(eq::skewness(equal) == 0);
  CHECK(std::isnan(eq::pearson(equal, std::vector<double>{1, 2, 3, 4, 5})));
}

TEST_CASE("a statistic of no numbers, or of a NaN, is NaN", "[core][error]") {
  const std::vector<double> with_nan = {1, std::numeric_limits<double>::quiet_NaN(), 2}, three = {1, 2, 3};
  for (const std::vector<double>& x : {std::vector<double>(), with_nan}) {
    CHECK(std::isnan(eq::mean(x)));
    CHECK(std::isnan(eq::variance(x)));
    CHECK(std::isnan(eq::standard_deviation(x)));
    CHECK(std::isnan(eq::sample_standard_deviation(x)));
    CHECK(std::isnan(eq::skewness(x)));
    CHECK(std::isnan(eq::pearson(x, x)));
  }
  CHECK(std::isnan(eq::pearson(with_nan, three)));
  CHECK(std::isnan(eq::quantile({}, 0.5)));
  CHECK(eq::variance(std::vector{7.0}) == 0);
  CHECK(std::isnan(eq::sample_standard_deviation(std::vector{7.0})));
}
