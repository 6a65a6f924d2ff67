#include "support/catch.hpp"
#include "support/known.hpp"
#include "support/toy.hpp"
#include "support/worked.hpp"

namespace eq = equipoise;
using support::printed, support::same;

namespace {

// Mean probability of the true class, of logits (2, 0, 0) twice; of (1, 0, 0), and of (0, 1, 0) for the third class.
const double kE = std::exp(1.0), kA = kE * kE / (kE * kE + 2), kV = (kE + 1) / (2 * (kE + 2));
const std::vector<double> kTwo = {kA, kV}, kThree = {kA, kV, 1.0 / 3};

}  // namespace

TEST_CASE("ratios of the common toy batch, for two and three modalities", "[balancing][worked]") {
  same(kThree, {0.786986, 0.394029, 0.333333});
  same(eq::ratios(kTwo, eq::Ratio::mean_of_others), {1.997278, 0.500681});
  same(eq::ratios(kThree, eq::Ratio::mean_of_others), {2.163944, 0.703423, 0.564486});
  same(eq::ratios(std::vector{std::exp(-0.4), std::exp(-1.6)}, eq::Ratio::mean_of_others), {3.320117, 0.301194});
  same(eq::ratios(std::vector{1 / 0.04, 1 / 0.16}, eq::Ratio::mean_of_others), {4, 0.25});
}

TEST_CASE("OGM damps the dominant modality of the toy batch", "[balancing][worked]") {
  CHECK(eq::Ogm::factor(1.997278, 0.3) == printed(0.463532));
  CHECK(eq::Ogm::factor(0.500681, 0.3) == 1);
  CHECK(eq::Ogm::factor(2.163944, 0.3) == printed(0.428880));
  CHECK(eq::Ogm::factor(3.320117, 0.3) == printed(0.240076));
  CHECK(eq::Ogm::factor(4, 0.3) == printed(0.166345));
  CHECK(eq::Ogm::factor(std::nan(""), 0.3) == 1);
}

TEST_CASE("OPM drops the dominant modality of the toy batch", "[balancing][worked]") {
  const double q = eq::Opm::drop_probability(eq::ratios(kTwo, eq::Ratio::mean_of_others)[0], 0.5, 0.5);
  CHECK(q == printed(0.690112));
  const double theta = eq::Opm::dropped_share(std::vector{q, 0.0}, std::vector{8.0, 8.0});
  CHECK(eq::Opm::dropped_share(std::vector{0.0, 0.0}, std::vector{0.0, 0.0}) == 0);  // nobody can be compared
  CHECK(theta == printed(0.345056));
  CHECK(1 / (1 - theta) == printed(1.526848));
  CHECK(eq::Opm::drop_probability(2.163944, 0.5, 0.5) == printed(0.705580));
  CHECK(eq::Opm::drop_probability(0.9, 0.5, 0.5) == 0);
}

TEST_CASE("MMPareto combines the worked gradients", "[balancing][worked]") {
  const auto combined = [](double gx, double gy, double ux, double uy) {
    const auto c = eq::MMPareto::coefficients(gx * gx + gy * gy, ux * ux + uy * uy, gx * ux + gy * uy, 1.5);
    return std::vector{c[0] * gx + c[1] * ux, c[0] * gy + c[1] * uy};
  };
  CHECK(eq::MMPareto::share_of_joint(1, 1.25, -0.5) == printed(0.538462));
  same(combined(1, 0, -0.5, 1), {0.930261, 1.395391});
  same(combined(1, 0, -0.2, 3), {4.324150, 1.729660});
  same(combined(1, 0, 1, 1), {3, 1.5});
}

TEST_CASE("AGM's responses sum to the output, and its factors are the worked ones", "[balancing][worked]") {
  const at::Tensor z = torch::tensor({{0.2, 0.1}, {1.0, 0.0}, {0.0, 2.0}, {2.0, 1.0}}, torch::kDouble);
  const at::Tensor r = eq::Agm::responses(z, 2);
  CHECK(torch::allclose(r, torch::tensor({{1.5, -0.5}, {0.5, 1.5}}, torch::kDouble)));
  same(eq::Agm::relative(std::vector{0.5, 1.1}), {1.822119, 0.548812});
  same(eq::Agm::factors(std::vector{0.5, 1.1}, std::vector{0.6, 0.9}, 1, 10), {0.623591, 1.211679});
  same(eq::Agm::factors(std::vector{0.4, 0.9, 1.4}, std::vector{0.5, 0.8, 1.1}, 1, 10), {0.577707, 1, 1.179702});
}

TEST_CASE("AGM's running means after four steps", "[balancing][worked]") {
  same(eq::Agm::averaged({0.6, 0.9}, std::vector{0.5, 1.1}, 4), {0.575, 0.95});
}

TEST_CASE("MLA's projection removes a direction", "[balancing][worked]") {
  const at::Tensor p = eq::Mla::updated(torch::eye(2, torch::kDouble), torch::ones({2}, torch::kDouble), 0.1);
  CHECK(torch::allclose(p, torch::tensor({{0.523810, -0.476190}, {-0.476190, 0.523810}}, torch::kDouble), 0, 1e-6));
}

TEST_CASE("MLA's projection as the released code computes it", "[balancing][worked]") {
  // I - (1 1)ᵀ(1 1) ⊘ 1.1 = ((1/11, -10/11), (-10/11, 1/11)), whose norm is sqrt(202)/11; then r = (1, 0), by hand.
  const at::Tensor p =
      eq::Mla::updated_as_released(torch::eye(2, torch::kDouble), torch::ones({2}, torch::kDouble), 0.1);
  CHECK(torch::allclose(p, torch::tensor({{1.0, -10.0}, {-10.0, 1.0}}, torch::kDouble) / std::sqrt(202.0), 0, 1e-12));
  const double c = 1 / std::sqrt(202.0), s = -10 * c;
  const at::Tensor next = eq::Mla::updated_as_released(p, torch::tensor({1.0, 0.0}, torch::kDouble), 0.1);
  const at::Tensor expected = torch::tensor(
      {{c - c * c / (0.1 + c), s - c * s / 0.1}, {s - c * s / (0.1 + s), c - s * s / 0.1}}, torch::kDouble);
  CHECK(torch::allclose(next, expected / expected.norm(), 0, 1e-12));
}

TEST_CASE("MLA fuses by fixed weights where it is given any, over the modalities that are present",
          "[balancing][worked]") {
  const eq::Presence three(std::vector<std::uint64_t>{7, 5}, 1, 3);
  const auto full = [](double v) { return torch::full({1, 2, 1}, v, torch::kDouble); };
  const eq::OutputContext context{0, three, [&](const eq::Presence& p) {
                                    return full(p.anywhere(0) ? 1 : p.anywhere(1) ? 2 : 4);
                                  }};
  eq::Mla mla;
  mla.weights = {0.35, 0.25, 0.4};  // the released ones
  const at::Tensor fused = mla.on_outputs({}, context, full(0));
  CHECK(fused[0][0].item<double>() == printed(0.35 * 1 + 0.25 * 2 + 0.4 * 4));
  CHECK(fused[0][1].item<double>() == printed((0.35 * 1 + 0.4 * 4) / 0.75));
  mla.weights = {1, -1};
  CHECK_THROWS_WITH(mla.check(), Catch::Contains("Mla.weights"));
}

TEST_CASE("MLA's damping falls over an epoch", "[balancing][worked]") {
  CHECK(eq::Mla::damping(0.1, 0, 100) == printed(0.1));
  CHECK(eq::Mla::damping(0.1, 50, 100) == printed(0.0316228, 1e-7));
}

TEST_CASE("MLA fuses the toy batch by certainty", "[balancing][worked]") {
  const at::Tensor a = torch::tensor({{2.0, 0.0, 0.0}, {0.0, 0.0, 2.0}}, torch::kDouble),
                   v = torch::tensor({{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}}, torch::kDouble);
  const eq::Presence both(2, 2);
  const eq::OutputContext context{0, both, [&](const eq::Presence& p) { return (p.anywhere(0) ? a : v).unsqueeze(0); },
                                  support::negative_entropy};
  const at::Tensor fused = eq::Mla{}.on_outputs({}, context, (a + v).unsqueeze(0));
  CHECK(torch::allclose(fused[0], 0.576825 * a + 0.423175 * v, 0, 2e-6));
  // With a third modality that says nothing.
  const eq::Presence three(2, 3);
  const eq::OutputContext wider{0, three,
                                [&](const eq::Presence& p) {
                                  return (p.anywhere(0) ? a : p.anywhere(1) ? v : torch::zeros_like(a)).unsqueeze(0);
                                },
                                support::negative_entropy};
  CHECK(
      torch::allclose(eq::Mla{}.on_outputs({}, wider, (a + v).unsqueeze(0))[0], 0.419787 * a + 0.307967 * v, 0, 3e-6));
}

TEST_CASE("ReconBoost weighs what the others do not know", "[balancing][worked]") {
  const double ce = -std::log(std::exp(1.0) / (std::exp(1.0) + 2));
  const at::Tensor w = eq::ReconBoost{}.sample_weights(torch::tensor({0.8, 0.1}, torch::kDouble), 3);
  CHECK(w[0].item<double>() * ce == printed(0.772023));
  CHECK(w[1].item<double>() * ce == printed(0.900693));
}

TEST_CASE("Gradient-Blending weighs the worked branches", "[balancing][worked]") {
  const std::vector<eq::ProbeLosses> branches = {{1.2, 1.3, 0.4, 0.9}, {1.5, 1.55, 1.0, 1.2}, {1.1, 1.2, 0.2, 0.7}};
  same(eq::GradientBlending::blend(branches), {0.118033, 0.734426, 0.147541});
  // A branch that got worse weighs nothing; if all did, all weigh the same.
  const std::vector<eq::ProbeLosses> worse = {{1, 1, 1, 1.5}, {1, 1, 0.5, 0.8}};
  CHECK(eq::GradientBlending::blend(worse)[0] == 0);
  same(eq::GradientBlending::blend(std::vector<eq::ProbeLosses>{{1, 1, 1, 1.5}, {1, 1, 1, 2}}), {0.5, 0.5});
}

TEST_CASE("sample-level valuation copies what contributes too little", "[balancing][worked]") {
  // columns: correctness of {a}, {v}, {a, v}
  const std::vector<std::array<double, 3>> right = {{1, 1, 1}, {1, 0, 1}, {0, 1, 1}, {0, 0, 1},
                                                    {1, 1, 0}, {1, 0, 0}, {0, 0, 0}};
  const std::vector<std::array<double, 4>> expected = {{1, 1, 0, 0}, {1.5, .5, 0, 1}, {.5, 1.5, 1, 0}, {1, 1, 0, 0},
                                                       {0, 0, 2, 2}, {.5, -.5, 1, 3}, {0, 0, 2, 2}};
  for (std::size_t i = 0; i < right.size(); ++i) {
    Eigen::MatrixXd correct(4, 1);
    correct << 0, right[i][0], right[i][1], right[i][2];
    const Eigen::MatrixXd phi = eq::SampleValuation::from_correctness(correct, std::vector<std::uint64_t>{3});
    for (Eigen::Index m = 0; m < 2; ++m) {
      CHECK(phi(m, 0) == Approx(expected[i][static_cast<std::size_t>(m)]));
      CHECK(eq::SampleValuation::copies(phi(m, 0), 2, 3) == Approx(expected[i][static_cast<std::size_t>(m) + 2]));
    }
  }
}

TEST_CASE("valuation of three modalities, of records that lack one, and of regressions", "[balancing][worked]") {
  const auto phi = [](const std::vector<double>& column, std::uint64_t mask, bool losses) {
    const Eigen::MatrixXd v =
        Eigen::Map<const Eigen::VectorXd>(column.data(), static_cast<Eigen::Index>(column.size()));
    const std::vector<std::uint64_t> masks = {mask};
    const Eigen::MatrixXd out =
        losses ? eq::SampleValuation::from_losses(v, masks) : eq::SampleValuation::from_correctness(v, masks);
    return std::vector<double>(out.data(), out.data() + out.size());
  };
  same(phi({0, 1, 0, 1, 0, 0, 0, 1}, 7, false), {5.0 / 3, 7.0 / 6, 1.0 / 6});  // only {a}, {a, b}, {a, b, c} are right
  same(phi({0, 1, 1, 1, 1, 1, 1, 1}, 7, false), {1, 1, 1});
  // Without the third modality its coalitions are those without it: two players, a fair share of one each.
  same(phi({0, 1, 1, 1, 0, 1, 1, 1}, 3, false), {1, 1, 0});
  same(phi({1, .5, .7, .3}, 3, true), {2 * .45 / .7, 2 * .25 / .7});
  same(phi({1, 1.5, 1.2, 1.1}, 3, true), {0, 0});  // no better than the prior
}

TEST_CASE("Shapley loss factors of the worked contributions", "[balancing][worked]") {
  using F = eq::ShapleyLossFactors;
  const std::vector<double> c = eq::shares(std::vector{.6, .2});
  same(F::factors(c, eq::FactorForm::power, 1, 0.25, 4), {0.5, 1.5});
  same(F::factors(c, eq::FactorForm::power, 0.5, 0.25, 4), {0.732051, 1.267949});
  same(F::factors(c, eq::FactorForm::linear, 1, 0.25, 4), {0.75, 1.25});
  same(F::factors(std::vector{.5, .5}, eq::FactorForm::exponential, 3, 0.25, 4), {1, 1});
  same(F::factors(c, eq::FactorForm::exponential, 1, 0.25, 4), {0.755081, 1.244919});
  const std::vector<double> extreme = F::factors(std::vector{1.0, 0.0}, eq::FactorForm::power, 1, 0.25, 4);
  same(extreme, {0.25, 1.75});  // within the limits, and still of mean one
  // 1 + 1.8 (1/2 - c) = (0.1, 1.9) has mean one before it is limited.
  same(F::factors(std::vector{1.0, 0.0}, eq::FactorForm::linear, 1.8, 0.25, 4), {0.25, 1.75});
  same(F::factors(std::vector{0.0, 1.0}, eq::FactorForm::linear, 1.8, 0.1, 1.5), {1.5, 0.5});
}

TEST_CASE("loss factors of four modalities stay graded where one contributes nothing", "[balancing][worked]") {
  using F = eq::ShapleyLossFactors;
  // A share counts as at least 0.25 / 4: 1/c = (2, 10/3, 5, 16), whose mean is 79/12.
  same(F::factors(std::vector{.5, .3, .2, 0.0}, eq::FactorForm::power, 1, 0.25, 4),
       {24. / 79, 40. / 79, 60. / 79, 192. / 79});
  const double third = 1.0 / 3;  // (3, 3, 3, 16) over their mean
  same(F::factors(std::vector{third, third, third, 0.0}, eq::FactorForm::power, 1, 0.25, 4), {0.48, 0.48, 0.48, 2.56});
  // Two of four: (2, 2, 16, 16) over 9 is clipped at 0.25 below.
  const std::vector<double> two = F::factors(std::vector{.5, .5, 0.0, 0.0}, eq::FactorForm::power, 1, 0.25, 4);
  same(two, {0.25, 0.25, 1.75, 1.75});
}

TEST_CASE("task weights from contributions", "[balancing][worked]") {
  const eq::ContributionWeighting underused{};
  same(underused.weights({{.5, .5}, {.5, .5}}), {1, 1});
  // The second task lives on modality 1, which is used less overall: (.9/1.3 + .1/.7) and (.4/1.3 + .6/.7), mean one.
  const double a = .9 / 1.3 + .1 / .7, b = .4 / 1.3 + .6 / .7;
  same(underused.weights({{.9, .1}, {.4, .6}}), {2 * a / (a + b), 2 * b / (a + b)});
  // With γ = 2: .9/1.69 + .1/.49 = .736626 and .4/1.69 + .6/.49 = 1.461176.
  same(eq::ContributionWeighting{.gamma = 2}.weights({{.9, .1}, {.4, .6}}), {0.670330, 1.329670});
  same(eq::ContributionWeighting{.gamma = 0}.weights({{.9, .1}, {.4, .6}}), {1, 1});
  const eq::ContributionWeighting imbalanced{.form = eq::TaskWeightForm::imbalance, .gamma = 1},
      balanced{.form = eq::TaskWeightForm::imbalance, .gamma = -1};
  same(imbalanced.from_imbalance({.5, .1}), {1.197375, 0.802625});
  same(balanced.from_imbalance({.5, .1}), {0.802625, 1.197375});
  const auto at_temperature = [](double t, double eta) {
    return eq::ContributionWeighting{.form = eq::TaskWeightForm::imbalance, .gamma = eta, .temperature = t};
  };
  same(at_temperature(0.5, 1).from_imbalance({.5, .1}), {1.379949, 0.620051});  // softmax of (1, .2)
  same(at_temperature(2, 1).from_imbalance({.5, .1}), {1.099668, 0.900332});    // of (.25, .05)
  same(at_temperature(2, -1).from_imbalance({.5, .1}), {0.900332, 1.099668});
  same(imbalanced.weights({{.5, .5}, {1, 0}}),
       {2 / (1 + std::exp(1)), 2 * std::exp(1) / (1 + std::exp(1))});  // degrees 0 and 1
}

TEST_CASE("a policy is chosen by name, with options and a window", "[balancing][registry]") {
  const eq::AnyPolicy p = eq::make_policy("ogm", {{"alpha", "0.7"}, {"noise", "false"}, {"from", "3"}});
  CHECK(p.id() == "ogm");
  CHECK(p.options()[0] == std::pair<std::string, std::string>("alpha", "0.7"));
  CHECK_FALSE(p.acts(2, 2));
  CHECK(p.acts(3, 2));
  CHECK_FALSE(p.acts(3, 1));
  CHECK_THROWS_WITH(eq::make_policy("omg", {}), Catch::Contains("did you mean \"ogm\""));
  CHECK_THROWS_WITH(eq::make_policy("ogm", {{"alhpa", "1"}}), Catch::Contains("did you mean \"alpha\""));
  CHECK_THROWS_AS(eq::make_policy("mla", {{"to", "3"}}), eq::ValueError);
}

TEST_CASE("a policy's options out of range are refused where they enter", "[balancing][error]") {
  CHECK_THROWS_WITH(eq::make_policy("recon_boost", {{"alternate_epochs", "0"}}),
                    Catch::Contains("ReconBoost.alternate_epochs: expected > 0, got 0"));
  CHECK_THROWS_WITH(eq::make_policy("recon_boost", {{"weight", "-5"}}),
                    Catch::Contains("ReconBoost.weight: expected > 0, got -5"));
  CHECK_THROWS_AS(eq::make_policy("recon_boost", {{"weight_right", "-0.1"}}), eq::ValueError);
  CHECK_THROWS_AS(eq::make_policy("recon_boost", {{"weight_right", "5.1"}}), eq::ValueError);
  CHECK_NOTHROW(eq::make_policy("recon_boost", {{"weight", "4"}, {"weight_right", "4"}, {"agreement", "0"}}));
  CHECK_THROWS_AS(eq::make_policy("recon_boost", {{"agreement", "-1"}}), eq::ValueError);
  CHECK_THROWS_AS(eq::make_policy("gradient_blending", {{"super_epoch", "0"}}), eq::ValueError);
  CHECK_THROWS_AS(eq::make_policy("contribution_weighting", {{"temperature", "0"}}), eq::ValueError);
  CHECK_THROWS_AS(eq::make_policy("shapley_loss_factors", {{"momentum", "1"}}), eq::ValueError);
  CHECK_THROWS_AS(eq::make_policy("mla", {{"base", "0"}}), eq::ValueError);
  CHECK_THROWS_AS(eq::make_policy("opm", {{"base", "1.5"}}), eq::ValueError);
}
