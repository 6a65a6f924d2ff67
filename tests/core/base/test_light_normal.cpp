#include <equipoise/core/base/normal.hpp>

#include <cmath>
#include <vector>

#include "support/catch.hpp"

namespace eq = equipoise;

TEST_CASE("normal numbers by counter have the moments of the distribution", "[core][property]") {
  const std::size_t n = 1 << 20;
  double sum = 0, squares = 0, fourth = 0, beyond = 0;
  eq::for_each_normal(n, 5, [&](std::size_t, float x) {
    const double square = double(x) * double(x);
    sum += double(x), squares += square, fourth += square * square, beyond += x > 1.96F ? 1 : 0;
  });
  const double error = 4 / std::sqrt(double(n));  // four standard errors, in units of each figure's own deviation
  CHECK(std::abs(sum / double(n)) < error);
  CHECK(std::abs(squares / double(n) - 1) < error * std::sqrt(2.0));
  CHECK(std::abs(fourth / double(n) - 3) < error * std::sqrt(96.0));
  CHECK(std::abs(beyond / double(n) - 0.025) < error * 0.156);
}

TEST_CASE("normal numbers are the same for a seed, however many are drawn", "[core][law]") {
  std::vector<float> few(7), many(64), other(64);
  eq::for_each_normal(few.size(), 2, [&](std::size_t i, float x) { few[i] = x; });
  eq::for_each_normal(many.size(), 2, [&](std::size_t i, float x) { many[i] = x; });
  eq::for_each_normal(other.size(), 3, [&](std::size_t i, float x) { other[i] = x; });
  for (std::size_t i = 0; i < few.size(); ++i) CHECK(few[i] == many[i]);
  CHECK(many != other);
}
