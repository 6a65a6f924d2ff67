#include <equipoise/data/standardizer.hpp>

#include <torch/serialize.h>
#include <torch/types.h>

#include <cmath>
#include <limits>
#include <memory>
#include <sstream>
#include <vector>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using support::Kind;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("a column is standardised by the mean and deviation of its known cells", "[data][worked]") {
  eq::Standardizer s(3);
  const at::Tensor training = torch::tensor({{1., 10., 7.}, {3., kNan, 7.}, {5., 30., 7.}}, torch::kDouble);
  s.fit(training);
  // 1, 3, 5: mean 3, deviation sqrt(8 / 3). 10, 30: mean 20, deviation 10. 7 alone is constant.
  CHECK(torch::allclose(s.mean(), torch::tensor({3., 20., 7.}, torch::kDouble)));
  CHECK(torch::allclose(s.scale(), torch::tensor({std::sqrt(8. / 3), 10., 1.}, torch::kDouble)));
  const at::Tensor z = s.forward(torch::tensor({{3., 40., 9.}, {kNan, kNan, kNan}}, torch::kDouble));
  CHECK(torch::allclose(z, torch::tensor({{0., 2., 2.}, {0., 0., 0.}}, torch::kDouble)));
  CHECK(z.scalar_type() == torch::kDouble);
  CHECK(s.forward(torch::zeros({2, 3})).scalar_type() == torch::kFloat);
  const at::Tensor whole = training.nan_to_num(0);
  CHECK(torch::allclose(s.inverse(s.forward(whole)), whole, 1e-14, 1e-14));
}

TEST_CASE("a constant column of a fraction is 0, whatever its sum rounds to", "[data][behaviour]") {
  eq::Standardizer s(1);
  const at::Tensor x = torch::full({7, 1}, 0.1F);
  s.fit(x);
  CHECK(s.scale().item<float>() == 1);
  CHECK(s.forward(x).abs().max().item<float>() == 0);
}

TEST_CASE("large numbers that differ little are told apart", "[data][worked]") {
  eq::Standardizer s(1);
  const at::Tensor x = torch::tensor({{1e9}, {1e9 + 1}, {1e9 + 20}}, torch::kDouble);
  s.fit(x);
  CHECK(s.mean().item<double>() == Approx(1e9 + 7).epsilon(1e-15));
  CHECK(s.forward(x)[0].item<double>() == Approx(-7 / std::sqrt((49. + 36 + 169) / 3)));
}

TEST_CASE("rows that a standardizer was not fitted on do not matter to it", "[data][law]") {
  torch::manual_seed(3);
  const at::Tensor all = torch::randn({50, 4});
  at::Tensor other = all.clone();
  other.narrow(0, 30, 20).fill_(1e6);
  eq::Standardizer a(4), b(4);
  a.fit(all.narrow(0, 0, 30)), b.fit(other.narrow(0, 0, 30));
  CHECK((torch::equal(a.mean(), b.mean()) && torch::equal(a.scale(), b.scale())));
  const at::Tensor z = a.forward(all.narrow(0, 0, 30)).to(torch::kDouble);
  CHECK(z.mean(0).abs().max().item<double>() < 1e-6);
  CHECK(torch::allclose(z.std(0, false), torch::ones({4}, torch::kDouble), 1e-5, 1e-5));
}

TEST_CASE("sequences are standardised by their last dimension", "[data][behaviour]") {
  torch::manual_seed(4);
  const at::Tensor x = torch::randn({5, 6, 2});
  eq::Standardizer rows(2), sequences(2);
  rows.fit(x.flatten(0, 1)), sequences.fit(x);
  CHECK(torch::equal(rows.mean(), sequences.mean()));
  CHECK(torch::equal(rows.forward(x.flatten(0, 1)).view({5, 6, 2}), sequences.forward(x)));
}

TEST_CASE("padding of sequences does not count, whatever stands there", "[data][worked]") {
  const std::vector<std::int64_t> lengths = {3, 1};
  for (const double pad : {0., kNan, HUGE_VAL}) {
    const at::Tensor frames = torch::tensor({{{10.}, {12.}, {13.}}, {{pad}, {pad}, {pad}}}, torch::kDouble);
    frames[1][0][0] = 17;
    const eq::Sequences x = eq::Sequences::of_lengths(frames, lengths);
    eq::Standardizer s(1);
    s.fit(x);
    CHECK(s.mean().item<double>() == Approx(13));  // (10 + 12 + 13 + 17) / 4
    CHECK(s.scale().item<double>() == Approx(std::sqrt((9. + 1 + 0 + 16) / 4)));
    const eq::Sequences z = s.forward(x);
    CHECK(torch::equal(z.padding, x.padding));
    CHECK(z.tensor[1][0].item<double>() == Approx(4 / std::sqrt(6.5)));
    CHECK(torch::equal(z.tensor[1].narrow(0, 1, 2), torch::zeros({2, 1}, torch::kDouble)));
  }
  eq::Standardizer whole(2);
  const eq::Sequences unpadded{torch::tensor({{{1., 2.}, {3., 6.}}}, torch::kDouble), {}};
  whole.fit(unpadded);
  CHECK(torch::equal(whole.mean(), torch::tensor({2., 4.}, torch::kDouble)));
  CHECK(torch::equal(whole.forward(unpadded).tensor, whole.forward(unpadded.tensor)));
  CHECK_THROWS_AS(whole.fit(eq::Sequences{torch::zeros({2, 3}), {}}), eq::ShapeError);
}

TEST_CASE("data that do not fit a standardizer are refused", "[data][error]") {
  eq::Standardizer s(3);
  CHECK_THROWS_WITH(s.fit(torch::zeros({4, 2})),
                    "[equipoise.shape.101] Standardizer: expected [N, 3] of a floating type, got [4, 2] of Float");
  CHECK_THROWS_WITH(s.forward(torch::zeros({4, 3}, torch::kLong)), Catch::Contains("got [4, 3] of Long"));
  CHECK_THROWS_AS(s.inverse(torch::zeros({3})), eq::ShapeError);
  CHECK_THROWS_WITH(s.forward(at::Tensor()), Catch::Contains("got an undefined tensor"));
  CHECK_THROWS_WITH(s.fit(torch::tensor({{1., kNan, 2.}, {2., kNan, 3.}})),
                    "[equipoise.value.242] Standardizer: column 1: expected a value in the training records, got none");
  CHECK_THROWS_WITH(s.fit(torch::tensor({{1., 2., HUGE_VAL}})), Catch::Contains("column 2: expected finite values"));
  CHECK_THROWS_WITH(s.fit(torch::zeros({0, 3})), Catch::Contains("column 0"));
  CHECK_THROWS_WITH(eq::Standardizer(0), Catch::Contains("expected a width > 0, got 0"));
  CHECK(torch::equal(s.scale(), torch::ones({3}, torch::kDouble)));  // a refused fit changes nothing
}

TEST_CASE("a standardizer that was not fitted is refused", "[data][error]") {
  eq::Standardizer standardizer(2);
  const at::Tensor x = torch::tensor({{1.0, 2.0}, {3.0, 2.0}});
  CHECK_THROWS_WITH(standardizer.forward(x),
                    "[equipoise.value.263] Standardizer: expected fit(training) first, got a call before it");
  CHECK_THROWS_WITH(standardizer.inverse(x), Catch::Contains("value.263"));
  standardizer.fit(x);
  CHECK(torch::equal(standardizer.forward(x), torch::tensor({{-1.0, 0.0}, {1.0, 0.0}})));
}

TEST_CASE("what is saved of a standardizer is what was fitted", "[data][behaviour]") {
  auto s = std::make_shared<eq::Standardizer>(2);
  s->fit(torch::tensor({{1., 10.}, {3., 30.}}));
  std::stringstream file;
  torch::save(s, file);
  auto loaded = std::make_shared<eq::Standardizer>(2);
  torch::load(loaded, file);
  CHECK((torch::equal(loaded->mean(), s->mean()) && torch::equal(loaded->scale(), s->scale())));
}

TEST_CASE("a checkpoint keeps the standardizer that is registered with its model", "[data][behaviour]") {
  const support::TemporaryFolder folder;
  const auto data = support::toy_data<2, Kind::regression>(24);
  eq::TrainerOptions o = support::toy_options(2);
  o.checkpoint = (folder.path() / "c.pt").string();
  const auto made = [] {
    auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    auto standardizer = model->register_module("standardizer", std::make_shared<eq::Standardizer>(4));
    standardizer->to(torch::kDouble);
    return std::pair(model, standardizer);
  };
  const auto [model, standardizer] = made();
  standardizer->fit(data.inputs[eq::name_value<"a">{}] * 3 + 2);
  const at::Tensor mean = standardizer->mean().clone(), scale = standardizer->scale().clone();
  eq::Trainer(model, o).fit(data);
  CHECK(torch::equal(standardizer->mean(), mean));  // training leaves it alone
  const auto [restored, other] = made();
  eq::Trainer resumed(restored, o);
  resumed.resume(o.checkpoint);
  CHECK((torch::equal(other->mean(), mean) && torch::equal(other->scale(), scale)));
}
