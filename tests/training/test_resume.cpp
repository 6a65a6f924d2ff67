// A run that was stopped and goes on from its checkpoint is the run that was not stopped.

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::eager, support::Kind;

namespace {

eq::TrainerOptions options(std::int64_t epochs = 4) {
  return support::toy_options(epochs, eq::Optimizer::adamw);
}

/// What a piece of a run ends with.
struct End {
  at::Tensor parameters;
  eq::History history;
  std::int64_t batches = 0;  ///< that it trained on
};

/// Where the first piece of a run ends: at its own last epoch, or because it is asked to, in the middle of the next.
enum class Cut { epochs, request };

/// Runs over the same records, whose pieces share a checkpoint; `policies` makes the stack of each piece anew.
template <std::size_t M = 2, Kind K = Kind::classification>
class Runs {
 public:
  using Policies = std::function<eq::PolicyStack()>;

  explicit Runs(Policies policies, double dropout = 0) : policies_(std::move(policies)), dropout_(dropout) {}

  [[nodiscard]] End whole(const eq::TrainerOptions& o) const { return piece(o, false, -1); }
  [[nodiscard]] End resumed(const eq::TrainerOptions& o) const { return piece(o, true, -1); }
  [[nodiscard]] End in_two(const eq::TrainerOptions& o, std::int64_t epochs, Cut how) const {
    eq::TrainerOptions first = o;
    if (how == Cut::epochs) first.epochs = epochs;
    const End stopped = piece(first, false, how == Cut::request ? epochs : -1);
    CHECK(stopped.history.epochs.size() == static_cast<std::size_t>(epochs));
    CHECK(stopped.history.stop == (how == Cut::request ? eq::StopReason::requested : eq::StopReason::finished));
    return resumed(o);
  }

 private:
  [[nodiscard]] End piece(eq::TrainerOptions o, bool resumes, std::int64_t stop_after) const {
    o.checkpoint = (folder_.path() / "c.pt").string();
    const auto model = support::toy_model<M, K>(support::toy_fusion<K>(), dropout_);
    torch::manual_seed(resumes ? 2 : 1);
    eq::Trainer trainer(model, policies_(), o);
    if (resumes) trainer.resume(o.checkpoint);
    End end;
    std::int64_t epochs = 0, batches = 0;
    trainer.on_epoch([&](const eq::EpochRecord&) { ++epochs, batches = 0; });
    trainer.on_batch([&](std::int64_t done, std::int64_t) { batches = done, ++end.batches; });
    // After the first batch of the next epoch, which is then lost.
    trainer.stop_when([&] { return epochs == stop_after && batches == 1; });
    end.history = trainer.fit(data_, validation_);
    end.parameters = support::flat_parameters(*model);
    return end;
  }

  Policies policies_;
  double dropout_;
  support::TemporaryFolder folder_;
  decltype(support::toy_data<M, K>(1)) data_ = support::toy_data<M, K>(32),
                                       validation_ = support::toy_data<M, K>(16, 8);
};

void same(const End& got, const End& expected) {
  CHECK(torch::equal(got.parameters, expected.parameters));
  CHECK(got.history.best_epoch == expected.history.best_epoch);
  CHECK(got.history.stop == expected.history.stop);
  REQUIRE(got.history.epochs.size() == expected.history.epochs.size());
  for (std::size_t e = 0; e < got.history.epochs.size(); ++e)
    CHECK(got.history.epochs[e].values == expected.history.epochs[e].values);
}

/// Options of a run that ends early, long before its last epoch.
eq::TrainerOptions impatient() {
  eq::TrainerOptions o = options(30);
  o.learning_rate = 0.3, o.patience = 3;  // too fast: it soon gets worse
  return o;
}

Runs<> plain_runs(double dropout = 0) {
  return Runs<>([] { return eq::PolicyStack{}; }, dropout);
}

template <class P>
using remembers = std::negation<std::is_empty<typename P::State>>;
/// Policies with a memory, which may be another for regressions than for classifications, or grow with M.
using Remembering = eq::filtered_t<eq::EveryPolicy, remembers>;

}  // namespace

TEMPLATE_LIST_TEST_CASE("a run that is saved and resumed at any epoch goes on as if it had not stopped, bit for bit",
                        "[training][law]", eq::EveryPolicy) {
  const Runs<> runs([] { return eq::stack(eager<TestType>()); });
  const End whole = runs.whole(options());
  for (const std::int64_t epochs : {1, 2, 3})
    for (const Cut how : {Cut::epochs, Cut::request}) same(runs.in_two(options(), epochs, how), whole);
}

TEMPLATE_LIST_TEST_CASE("regressions and maps of three modalities go on after a resume as if they had not stopped",
                        "[training][law]", Remembering) {
  const auto goes_on = [](const auto& runs) {
    const End whole = runs.whole(options(3));
    for (const std::int64_t epochs : {1, 2}) same(runs.in_two(options(3), epochs, Cut::request), whole);
  };
  goes_on(Runs<3, Kind::regression>([] { return eq::stack(eager<TestType>()); }));
  if constexpr (!TestType::needs.linear_head)
    goes_on(Runs<3, Kind::dense>([] { return eq::stack(eager<TestType>()); }));
}

TEST_CASE("a run that is resumed for more epochs holds out what it would have from the beginning", "[training][law]") {
  const Runs<> runs([] { return eq::stack(eq::windowed(eager<eq::GradientBlending>(), {.from = 5})); });
  same(runs.in_two(options(8), 3, Cut::epochs), runs.whole(options(8)));
}

TEMPLATE_LIST_TEST_CASE("a resumed run keeps to its policy's window, bit for bit", "[training][law]", eq::EveryPolicy) {
  if constexpr (!TestType::hooks.has(eq::Hook::outputs)) {
    const Runs<> runs([] { return eq::stack(eq::windowed(eager<TestType>(), {.from = 1, .to = 3})); });
    const End whole = runs.whole(options());
    for (const std::int64_t epochs : {1, 2, 3}) same(runs.in_two(options(), epochs, Cut::request), whole);
  }
}

TEMPLATE_LIST_TEST_CASE("a resumed run keeps to its learning rate's schedule, bit for bit", "[training][law]",
                        eq::EveryPolicy) {
  eq::TrainerOptions o = options();
  o.schedule = eq::Schedule::cosine, o.warmup_epochs = 1.5;
  const Runs<> runs([] { return eq::stack(eager<TestType>()); });
  const End whole = runs.whole(o);
  for (const std::int64_t epochs : {1, 2, 3}) same(runs.in_two(o, epochs, Cut::request), whole);
}

TEST_CASE("a resumed run draws the numbers that the whole one draws, bit for bit", "[training][law]") {
  const Runs<> runs = plain_runs(0.5);
  const End whole = runs.whole(options());
  for (const std::int64_t epochs : {1, 3}) same(runs.in_two(options(), epochs, Cut::request), whole);
}

TEST_CASE("a run that has stopped early, resumed, does nothing more", "[training][law]") {
  for (const bool keep_best : {true, false}) {
    eq::TrainerOptions o = impatient();
    o.keep_best = keep_best;
    const Runs<> runs = plain_runs();
    const End whole = runs.whole(o);
    REQUIRE(whole.history.stop == eq::StopReason::early_stopping);
    const End again = runs.resumed(o);
    CHECK(again.batches == 0);
    same(again, whole);
  }
}

TEST_CASE("a finished run, resumed, does nothing more", "[training][law]") {
  for (const bool keep_best : {true, false}) {
    eq::TrainerOptions o = options();
    o.keep_best = keep_best;
    const Runs<> runs = plain_runs();
    const End whole = runs.whole(o), again = runs.resumed(o);
    CHECK(again.batches == 0);
    same(again, whole);
  }
}

TEST_CASE("a resumed run stops early where the whole one does", "[training][law]") {
  const Runs<> runs = plain_runs();
  const End whole = runs.whole(impatient());
  REQUIRE(whole.history.stop == eq::StopReason::early_stopping);
  const auto epochs = static_cast<std::int64_t>(whole.history.epochs.size());
  REQUIRE(epochs > 4);
  for (const std::int64_t after : {std::int64_t{1}, epochs - 2, epochs - 1})
    same(runs.in_two(impatient(), after, Cut::request), whole);
}

TEST_CASE("a run that has stopped early goes on with more patience as if it had had it", "[training][law]") {
  eq::TrainerOptions patient = impatient();
  patient.patience = 0, patient.epochs = 12;
  const Runs<> runs = plain_runs();
  const End whole = runs.whole(patient);
  REQUIRE(runs.whole(impatient()).history.epochs.size() < 12);
  same(runs.resumed(patient), whole);
}
