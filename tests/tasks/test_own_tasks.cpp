// Tasks of a user's own, written without those of the library, go through policies, evaluation, contributions and
// checkpoints.

#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>

#include "support/catch.hpp"
#include "support/own_tasks.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains;

namespace {

/// Risk and class follow what both modalities say.
struct Records {
  at::Tensor a, b, signal;
  explicit Records(std::int64_t n) {
    torch::manual_seed(6);
    a = torch::randn({n, 4}, torch::kDouble), b = torch::randn({n, 4}, torch::kDouble);
    signal = a.select(1, 0) + 0.5 * b.select(1, 1);
  }
};

auto survival_data(std::int64_t n) {
  const Records r(n);
  const at::Tensor time = torch::exp(-r.signal), event = (torch::arange(n) % 4 != 0).to(torch::kDouble);
  at::Tensor target = torch::stack({time, event}, 1);
  target[1].fill_(std::numeric_limits<double>::quiet_NaN());  // a record without a label
  return eq::batch(eq::input<"a">(r.a), eq::input<"b">(r.b), eq::target<"time">(support::Times{target}));
}

auto ordinal_data(std::int64_t n) {
  const Records r(n);
  at::Tensor y = (r.signal > -0.7).to(torch::kLong) + (r.signal > 0) + (r.signal > 0.7);
  y[1] = -1;
  return eq::batch(eq::input<"a">(r.a), eq::input<"b">(r.b), eq::target<"grade">(eq::Labels{y}));
}

template <eq::FixedString Task, class Head>
auto model_of(const Head& head) {
  torch::manual_seed(11);
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::modality<"b">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::task<Task>(eq::Sum{.width = 6}, head));
  model->to(torch::kDouble);
  return model;
}

eq::TrainerOptions options(std::int64_t epochs = 2) {
  return {.epochs = epochs, .batch_size = 16, .seed = 5, .learning_rate = 0.02, .holdout = 0.25};
}

/// Each record's Shapley values [M, N] add up to its gain [N]; the second record has no label.
void check_records_add_up(const Eigen::MatrixXd& per_record, const at::Tensor& gain) {
  for (Eigen::Index i = 0; i < per_record.cols(); ++i)
    if (i != 1) CHECK(per_record.col(i).sum() == Approx(gain[i].item<double>()).margin(1e-12));
  CHECK(std::isnan(per_record(0, 1)));
}

}  // namespace

TEST_CASE("Cox's loss of three records is the worked one", "[tasks][worked]") {
  // Times 1, 2, 3, the second censored: -log(e^1 / (e^1 + e^0 + e^2)), 0, and -log(1).
  const support::CoxModule cox(4);
  const at::Tensor eta = torch::tensor({1.0, 0.0, 2.0}, torch::kDouble).view({1, 3, 1}),
                   y = torch::tensor({{1.0, 1.0}, {2.0, 0.0}, {3.0, 1.0}}, torch::kDouble);
  const at::Tensor loss = cox.loss(eta, y, false)[0];
  CHECK(loss[0].item<double>() == Approx(1.4076059644));
  CHECK(loss[1].item<double>() == 0);
  CHECK(loss[2].item<double>() == Approx(0).margin(1e-12));
  // Of the pairs (1, 2), (1, 3) only the first is in the right order.
  CHECK(support::c_index(eta[0], y) == Approx(0.5));
}

TEMPLATE_LIST_TEST_CASE("a survival task of one's own trains under every policy that admits it", "[tasks][own]",
                        eq::EveryPolicy) {
  const auto data = survival_data(48);
  const auto model = model_of<"time">(support::Cox{});
  const eq::History history = eq::Trainer(model, support::eager<TestType>(), options()).fit(data, data);
  CHECK(history.epochs.size() == 2);
  for (const eq::EpochRecord& e : history.epochs) {
    REQUIRE(e.find("val/time"));
    CHECK(std::isfinite(*e.find("val/time")));
    REQUIRE(e.find("val/time/c_index"));
    CHECK((*e.find("val/time/c_index") >= 0 && *e.find("val/time/c_index") <= 1));
  }
}

TEMPLATE_LIST_TEST_CASE("an ordinal task of one's own trains under every policy that admits it", "[tasks][own]",
                        eq::EveryPolicy) {
  if constexpr (!TestType::needs.linear_head) {
    const auto data = ordinal_data(48);
    const eq::History history =
        eq::Trainer(model_of<"grade">(support::Ordinal{}), support::eager<TestType>(), options()).fit(data, data);
    CHECK(history.epochs.size() == 2);
    for (const eq::EpochRecord& e : history.epochs) {
      CHECK(std::isfinite(*e.find("val/grade")));
      CHECK((e.find("val/grade/accuracy") && e.find("val/grade/mean_class_error")));
    }
  }
}

TEST_CASE("tasks of one's own learn", "[tasks][own]") {
  const auto times = survival_data(96);
  const auto grades = ordinal_data(96);
  const auto survival = model_of<"time">(support::Cox{});
  const auto ordinal = model_of<"grade">(support::Ordinal{});
  const double before = eq::evaluate(*survival, times)["time"_n].of(survival->full()).metrics.at(0).value;
  eq::Trainer(survival, eq::Ogm{}, options(30)).fit(times);
  eq::Trainer(ordinal, eq::ShapleyLossFactors{}, options(30)).fit(grades);
  const auto of_survival = eq::evaluate(*survival, times);
  const auto& full = of_survival["time"_n].of(survival->full());
  CHECK(full.metrics.at(0).name == "c_index");
  CHECK(full.metrics.at(0).value > 0.85);
  CHECK(full.metrics.at(0).value > before);
  CHECK(of_survival["time"_n].records == 95);
  const auto of_ordinal = eq::evaluate(*ordinal, grades);
  CHECK(of_ordinal["grade"_n].of(ordinal->full()).accuracy.value > 0.6);
  CHECK(of_ordinal["grade"_n].of(ordinal->full()).metrics.at(0).value < 0.5);
  std::ostringstream table;
  table << of_survival;
  CHECK_THAT(table.str(), Contains("c_index"));
}

TEST_CASE("the loss of a task that couples records does not depend on how a data set is cut", "[tasks][own][law]") {
  const auto data = survival_data(80);
  const auto model = model_of<"time">(support::Cox{});
  const eq::ModelBatch batch = model->to_model_batch(data);
  const auto all = eq::all_coalitions(2);
  const eq::CoalitionTable whole = eq::coalition_table(*model, batch, all, 80),
                           cut = eq::coalition_table(*model, batch, all, 7);
  CHECK(torch::allclose(whole.losses[0], cut.losses[0], 1e-12, 1e-12));
  const auto phi = eq::shapley(*model, data);
  const auto& of_task = phi.tasks.at(0);
  // Efficiency, record by record: what both modalities take from the record's term of the partial likelihood.
  const at::Tensor gain = whole.losses[0][0] - whole.losses[0][3];
  check_records_add_up(of_task.per_record, gain);
}

TEST_CASE("micro-batches are refused where a loss depends on the whole batch", "[tasks][own][error]") {
  eq::TrainerOptions o = options();
  o.micro_batches = 2;
  CHECK_THROWS_WITH(eq::Trainer(model_of<"time">(support::Cox{}), o), Contains("value.225") && Contains("task time"));
}

namespace {

/// A run of four epochs, and one that stops after two and is resumed.
template <eq::FixedString Task, class Head, class Data>
void check_resumed(const Head& head, const Data& data) {
  const support::TemporaryFolder folder;
  eq::TrainerOptions o = options(4);
  o.checkpoint = (folder.path() / "c.pt").string();
  const auto whole = model_of<Task>(head);
  eq::TrainerOptions plain = o;
  plain.checkpoint.clear();
  eq::Trainer(whole, eq::ShapleyLossFactors{}, plain).fit(data, data);
  eq::TrainerOptions first = o;
  first.epochs = 2;
  eq::Trainer(model_of<Task>(head), eq::ShapleyLossFactors{}, first).fit(data, data);
  const auto resumed = model_of<Task>(head);
  eq::Trainer trainer(resumed, eq::ShapleyLossFactors{}, o);
  trainer.resume(o.checkpoint);
  trainer.fit(data, data);
  CHECK(torch::equal(support::flat_parameters(*whole), support::flat_parameters(*resumed)));
  const auto absent = data.with_presence(torch::zeros({data.size(), 2}, torch::kBool));
  constexpr auto task = eq::name_value<Task>{};
  CHECK(torch::equal(eq::infer(*whole, absent)[task], eq::infer(*resumed, absent)[task]));
}

}  // namespace

TEST_CASE("a run of tasks of one's own is resumed bit for bit", "[tasks][own]") {
  check_resumed<"time">(support::Cox{}, survival_data(48));
  check_resumed<"grade">(support::Ordinal{}, ordinal_data(48));
}

TEST_CASE("contributions to an ordinal task of one's own add up, record by record", "[tasks][own][law]") {
  const auto data = ordinal_data(80);
  const auto model = model_of<"grade">(support::Ordinal{});
  eq::Trainer(model, options(5)).fit(data);
  const auto all = eq::all_coalitions(2);
  const eq::CoalitionTable table = eq::coalition_table(*model, model->to_model_batch(data), all);
  const at::Tensor gain = table.losses[0][0] - table.losses[0][3];
  const auto phi = eq::shapley(*model, data);
  const auto& of_task = phi.tasks.at(0);
  check_records_add_up(of_task.per_record, gain);
  CHECK(of_task.losses[3] < of_task.losses[0]);
}

TEST_CASE("a target of one's own says what does not fit, and what is missing", "[tasks][own][error]") {
  const auto model = model_of<"time">(support::Cox{});
  const auto data = survival_data(8);
  CHECK(model->to_model_batch(data).labelled == std::vector<std::uint64_t>{1, 0, 1, 1, 1, 1, 1, 1});
  const auto wrong = eq::batch(eq::input<"a">(torch::zeros({2, 4}, torch::kDouble)),
                               eq::input<"b">(torch::zeros({2, 4}, torch::kDouble)),
                               eq::target<"time">(support::Times{torch::zeros({2, 3}, torch::kDouble)}));
  CHECK_THROWS_WITH(model->to_model_batch(wrong), Contains("task time: expected times and events [B, 2], got [2, 3]"));
}
