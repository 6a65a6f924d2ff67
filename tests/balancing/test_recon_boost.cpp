// What ReconBoost's learner minimises in its turn, and which way the gradient goes.

#include <equipoise/balancing/recon_boost.hpp>

#include "support/known.hpp"
#include "support/worked.hpp"

namespace eq = equipoise;
using support::GivenObjectives, support::Known, support::KnownEpoch, support::KnownStep, support::leaf,
    support::numbers, support::printed, support::same;

namespace {

constexpr eq::ReconBoost policy{.alternate_epochs = 1, .rectify_epochs = 1};

/// A step in which modality m said z[m] [B, O]; the ensemble's weight ν is 2, and outputs already are ν z_m.
struct Turn {
  Turn(std::vector<at::Tensor> z, const at::Tensor& target, support::KnownKind kind, std::int64_t epoch)
      : said(std::move(z)), step(Known(said.size(), target.size(0), {kind})) {
    state.nu = leaf(std::vector{2.0});
    step.known.targets[0] = target;
    for (std::size_t m = 0; m < said.size(); ++m)
      step.known.outputs[0][eq::Coalition::single(m)] = said[m] * state.nu.detach();
    KnownEpoch start(step.known.schema, step.known.presence, epoch);
    policy.begin_epoch(state, start);
  }
  /// The only objective's value, after its backward pass.
  double minimised() {
    GivenObjectives objectives(step.known);
    policy.on_objectives(state, step, objectives);
    REQUIRE(objectives.list().size() == 1);
    CHECK(objectives.list()[0].key == eq::ObjectiveKey{.task = 0});
    const at::Tensor total = objectives.total();
    total.backward();
    return total.item<double>();
  }
  /// Whether modality m alone has a gradient, and ν none.
  void only_reaches(std::size_t m) const {
    for (std::size_t n = 0; n < said.size(); ++n) CHECK(said[n].grad().defined() == (n == m));
    CHECK_FALSE(state.nu.grad().defined());
  }

  std::vector<at::Tensor> said;  ///< leaves
  KnownStep step;
  eq::ReconBoost::State state;
};

at::Tensor rows(std::initializer_list<double> values, std::int64_t columns) {
  return leaf(torch::tensor(std::vector<double>(values), torch::kDouble).view({-1, columns}));
}

}  // namespace

TEST_CASE("ReconBoost: modalities take turns in the first phase, the second trains everything",
          "[balancing][behaviour]") {
  const Known known(3, 4, {support::KnownKind::regression});
  eq::ReconBoost::State state;
  const std::vector<std::int64_t> learners = {0, -1, 1, -1, 2, -1, 0, -1};
  for (std::size_t e = 0; e < learners.size(); ++e) {
    KnownEpoch epoch(known.schema, known.presence, static_cast<std::int64_t>(e));
    policy.begin_epoch(state, epoch);
    CHECK(state.learner == learners[e]);
    REQUIRE(epoch.plan().passes.size() == 1);
    const eq::Pass pass = epoch.plan().passes[0];
    CHECK(pass.active == eq::Coalition::full(3));
    CHECK(pass.joint == (learners[e] < 0));
    CHECK(pass.groups == (learners[e] < 0 ? eq::Coalition::full(4).bits() : std::uint64_t{1} << learners[e]));
  }
  KnownStep step{known};
  GivenObjectives objectives(step.known);
  policy.on_objectives(state, step, objectives);
  CHECK(objectives.list().empty());
}

TEST_CASE("ReconBoost: the first learner's loss counts records less that the others get right", "[balancing][worked]") {
  // The others say ν z_b = (log 8, 0, 0) and (log 2/9, 0, 0): p of the true class is 0.8 and 0.1.
  Turn turn({rows({1, 0, 0, 1, 0, 0}, 3), rows({std::log(8.0) / 2, 0, 0, std::log(2.0 / 9) / 2, 0, 0}, 3)},
            torch::tensor({0, 0}, torch::kLong), support::KnownKind::classification, 0);
  CHECK(turn.minimised() == printed((0.772023 + 0.900693) / 2));
  // w (softmax(z) - y) / B, with w = 4.2 / 3 and 4.9 / 3
  const double w = 0.7, v = 4.9 / 6, p = 0.576117, q = 0.211942;
  same(numbers(turn.said[0].grad()), {w * (p - 1), w * q, w * q, v * (p - 1), v * q, v * q});
  turn.only_reaches(0);
}

TEST_CASE("ReconBoost: a later learner agrees with the modality before it, which stays as it is",
          "[balancing][worked]") {
  // The others together say nothing, so w = (5 - 1/3) / 3; the one before says softmax = (0.576117, 0.211942, 0.211942)
  // and the learner a third each.
  Turn turn({rows({1, 0, 0}, 3), rows({0, 0, 0}, 3), rows({-1, 0, 0}, 3)}, torch::tensor({0}, torch::kLong),
            support::KnownKind::classification, 2);
  REQUIRE(turn.state.learner == 1);
  CHECK(turn.minimised() == printed(1.708952 + 0.5 * 0.029472));
  // w (p - y) = (-1.037037, 0.518519, 0.518519), and α 2/3 p (p - p_before) on top
  same(numbers(turn.said[1].grad()), {-1.064013, 0.532006, 0.532006});
  turn.only_reaches(1);
}

TEST_CASE("ReconBoost: the first modality, in its second turn, agrees with the last", "[balancing][worked]") {
  Turn turn({rows({0, 0, 0}, 3), rows({-1, 0, 0}, 3), rows({1, 0, 0}, 3)}, torch::tensor({0}, torch::kLong),
            support::KnownKind::classification, 6);
  REQUIRE(turn.state.learner == 0);
  CHECK(turn.minimised() == printed(1.708952 + 0.5 * 0.029472));
  same(numbers(turn.said[0].grad()), {-1.064013, 0.532006, 0.532006});
  turn.only_reaches(0);
}

TEST_CASE("ReconBoost: a regression's learner fits the residual of what a record's others say", "[balancing][worked]") {
  // ν z_b = 0.3 and z_a = 0.5 of a target of 1; a record that lacks b, whose residual is the target; one that lacks a.
  Turn turn({rows({0.5, 0.5, 100}, 1), rows({0.15, 7, 0.15}, 1)}, torch::ones({3, 1}, torch::kDouble),
            support::KnownKind::regression, 0);
  turn.step.known.presence = eq::Presence(std::vector<std::uint64_t>{0b11, 0b01, 0b10}, 1, 2);
  CHECK(turn.minimised() == printed((0.04 + 0.25) / 2));
  same(numbers(turn.said[0].grad()), {-0.2, -0.5, 0});  // 2 (J + z - y), of two records
  turn.only_reaches(0);
}

TEST_CASE("ReconBoost: a task with a score, but no classes, learns from the loss of the sum", "[balancing][worked]") {
  Turn turn({rows({1, 0, 0, 1, 0, 0}, 3), rows({std::log(8.0) / 2, 0, 0, std::log(2.0 / 9) / 2, 0, 0}, 3)},
            torch::tensor({0, 0}, torch::kLong), support::KnownKind::classification, 0);
  turn.step.known.schema.tasks[0].traits.probabilities = false;
  const double e = std::exp(1.0);  // the sums say (8 e, 1, 1) and (2 e / 9, 1, 1) before they are normalised
  CHECK(turn.minimised() == printed(-(std::log(8 * e / (8 * e + 2)) + std::log(e * 2 / 9 / (e * 2 / 9 + 2))) / 2));
  turn.only_reaches(0);
}
