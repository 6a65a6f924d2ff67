#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;

TEST_CASE("losses of a record are means over its outputs", "[tasks][worked]") {
  const at::Tensor z = torch::tensor({{{1.0, 3.0}}}), y = torch::tensor({{0.0, 1.0}});
  CHECK(eq::Regression{.outputs = 2}.build(4)->loss(z, y, false)[0][0].item<double>() == Approx(2.5));
  CHECK(eq::Regression{.outputs = 2, .loss = eq::PointLoss::l1}.build(4)->loss(z, y, false)[0][0].item<double>() ==
        Approx(1.5));
  CHECK(eq::Regression{.outputs = 2, .loss = eq::PointLoss::huber}.build(4)->loss(z, y, false)[0][0].item<double>() ==
        Approx(1.0));
}

TEST_CASE("a map that is the same everywhere may come as one pixel, whatever the loss", "[tasks][behaviour]") {
  const at::Tensor pixel = torch::full({1, 2, 1, 1, 1}, 0.5), map = torch::rand({2, 1, 4, 4});
  for (const auto kind : {eq::PointLoss::l1, eq::PointLoss::l2, eq::PointLoss::huber}) {
    const auto head = eq::DenseRegression{.loss = kind}.build(4);
    CHECK(torch::allclose(head->loss(pixel, map, false), head->loss(pixel.expand({1, 2, 1, 4, 4}), map, false)));
  }
}

TEST_CASE("missing target values are left out of the loss and its gradient", "[tasks][behaviour]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const at::Tensor z = torch::tensor({{{1.0, 3.0}, {1.0, 1.0}}}, torch::requires_grad()),
                   y = torch::tensor({{nan, 1.0}, {nan, nan}});
  const at::Tensor loss = eq::Regression{.outputs = 2}.build(4)->loss(z, y, true);
  CHECK(loss[0][0].item<double>() == Approx(4.0));
  CHECK(loss[0][1].item<double>() == 0);
  loss.sum().backward();
  CHECK(torch::equal(z.grad(), torch::tensor({{{0.0, 4.0}, {0.0, 0.0}}})));
}

TEST_CASE("cross-entropy of the common toy batch", "[tasks][worked]") {
  const at::Tensor z = torch::tensor({{{3.0, 0.0, 0.0}, {0.0, 1.0, 2.0}}}), y = torch::tensor({0L, 2L});
  const at::Tensor loss = eq::Classification{.classes = 3}.build(4)->loss(z, y, false);
  CHECK(loss[0][0].item<double>() == Approx(0.094923).margin(1e-6));
  CHECK(loss[0][1].item<double>() == Approx(0.407606).margin(1e-6));
  CHECK(eq::Classification{.classes = 3}.build(4)->loss(z, torch::tensor({-1L, 2L}), true)[0][0].item<double>() == 0);
}

TEST_CASE("the prior is the constant that fits the training targets best", "[tasks][behaviour]") {
  const at::Tensor y = torch::tensor({{1.0}, {2.0}, {9.0}}, torch::kFloat);
  auto l2 = eq::Regression{}.build(2), l1 = eq::Regression{.loss = eq::PointLoss::l1}.build(2);
  l2->fit_prior(y), l1->fit_prior(y);
  CHECK(l2->prior().item<double>() == Approx(4));
  CHECK(l1->prior().item<double>() == Approx(2));
  auto classes = eq::Classification{.classes = 2}.build(2);
  classes->fit_prior(torch::tensor({0L, 0L, 0L, 1L, -1L}));
  CHECK(classes->prior().exp()[0].item<double>() == Approx(0.75));
}

TEST_CASE("a dense loss does not depend on the resolution", "[tasks][property]") {
  auto head = eq::DenseRegression{}.build(3);
  const at::Tensor z = torch::ones({1, 2, 1, 4, 4}), y = torch::zeros({2, 1, 4, 4});
  CHECK(head->loss(z, y, false)[0][0].item<double>() ==
        head->loss(torch::ones({1, 2, 1, 16, 16}), torch::zeros({2, 1, 16, 16}), false)[0][0].item<double>());
}

TEST_CASE("the loss of a volume is the mean over its slices, but for steps from slice to slice", "[tasks][property]") {
  const at::Tensor z = torch::randn({2, 3, 4, 2, 12, 11}), y = torch::randn({3, 4, 2, 12, 11});
  const auto head = eq::DenseRegression{.channels = 4, .ssim = 0.5}.build(5);
  const at::Tensor slices =
      (head->loss(z.select(3, 0), y.select(2, 0), false) + head->loss(z.select(3, 1), y.select(2, 1), false)) / 2;
  CHECK(torch::allclose(head->loss(z, y, false), slices));
  // A step of 1 between the two slices: of the pairs of neighbours, a third.
  at::Tensor steps = torch::zeros({1, 1, 1, 2, 2, 2});
  steps.select(3, 1).fill_(1);
  const auto of_steps = eq::DenseRegression{.gradient = 1}.build(5), plain = eq::DenseRegression{}.build(5);
  const at::Tensor zeros = torch::zeros({1, 1, 2, 2, 2});
  CHECK((of_steps->loss(steps, zeros, false) - plain->loss(steps, zeros, false)).item<double>() == Approx(4.0 / 12));
  const auto classes = eq::DenseSegmentation{.classes = 4, .dice = 0}.build(5);
  const at::Tensor labels = torch::randint(0, 4, {3, 1, 2, 12, 11}, torch::kLong);
  const at::Tensor each = classes->loss(z.select(3, 0), labels.select(2, 0), false) +
                          classes->loss(z.select(3, 1), labels.select(2, 1), false);
  CHECK(torch::allclose(classes->loss(z, labels, false), each / 2, 1e-4));
  CHECK(classes->forward(torch::randn({3, 5, 2, 4, 4})).sizes() == at::IntArrayRef{3, 4, 2, 4, 4});
}

TEST_CASE("options out of range are refused by name", "[tasks][error]") {
  CHECK_THROWS_WITH(eq::Regression{.outputs = 0}.build(4), Catch::Contains("Regression.outputs"));
  CHECK_THROWS_WITH(eq::Classification{.classes = 1}.build(4), Catch::Contains("Classification.classes"));
  CHECK_THROWS_WITH(eq::Cnn{.in_channels = 0}.build(), Catch::Contains("Cnn.in_channels"));
  CHECK_THROWS_WITH(eq::Mlp{.in_features = 3}.build()->forward(torch::zeros({2, 4})),
                    Catch::Contains("expected [B, 3]"));
}

TEST_CASE("a batch checks its records", "[core][error]") {
  CHECK_THROWS_WITH(eq::batch(eq::input<"a">(torch::zeros({3, 2})), eq::input<"b">(torch::zeros({4, 2}))),
                    Catch::Contains("expected the same number of records in every input and target, got a 3, b 4"));
  const auto data = eq::batch(eq::input<"a">(torch::zeros({3, 2})));
  CHECK_THROWS_AS(data.with_presence(torch::ones({3, 2}, torch::kBool)), eq::ShapeError);
}
