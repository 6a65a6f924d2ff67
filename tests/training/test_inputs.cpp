// What is checked of inputs and targets before a model learns from them.

#include <equipoise/contribution/data_set.hpp>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <latch>
#include <thread>

#include "support/catch.hpp"
#include "support/own_tasks.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains;
using support::Kind;

namespace {

auto model() {
  return support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
}
auto data(std::int64_t n = 24) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < n; ++i) ids.push_back(100 + i);
  return support::toy_data<2, Kind::regression>(n).with_ids(ids);
}
eq::TrainerOptions options() {
  eq::TrainerOptions o = support::toy_options(1);
  o.progress = nullptr;
  return o;
}

/// An encoder that says when it has begun, and waits.
struct Waiting : torch::nn::Module {
  std::latch begun{1}, go{1};
  at::Tensor forward(const at::Tensor& x) {
    begun.count_down();
    go.wait();
    return x * 1;
  }
  std::int64_t width() const { return 4; }
};

/// Makes passes over three modalities, whatever the model has.
struct TooMany {
  struct State {};
  static constexpr std::string_view id = "too_many";
  static constexpr eq::Hooks hooks = eq::Hook::epoch;
  static constexpr eq::Needs needs{};
  static constexpr bool sets_passes = true;
  void begin_epoch(State&, eq::Epoch& epoch) const { epoch.plan().passes[0].active = eq::Coalition(7); }
};

}  // namespace

TEST_CASE("NaN or infinity in a modality that a record has names the modality and the records, labelled or not",
          "[training][inputs]") {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    auto holed = data();
    holed.inputs["b"_n][5][2] = bad;
    holed.targets["y"_n].tensor[5].fill_(std::nan(""));  // not labelled
    const auto m = model();
    const char* sentence =
        "input of modality b: expected finite values in every record that has the modality, got NaN or infinity in 1 "
        "record: 105; first at entry [2] of record 105";
    CHECK_THROWS_WITH(eq::Trainer(m, options()).fit(holed), Contains(sentence));
    CHECK_THROWS_WITH(eq::Trainer(m, options()).fit(data(), holed), Contains(sentence));
    CHECK_THROWS_WITH(eq::evaluate(*m, holed), Contains(sentence));
    CHECK_THROWS_WITH(eq::infer(*m, holed), Contains(sentence));
    CHECK_THROWS_WITH(eq::shapley(*m, holed), Contains(sentence));
    CHECK_THROWS_WITH(m->predict(holed), Contains(sentence));
    try {
      (void)eq::infer(*m, holed);
    } catch (const eq::NumericError& e) {
      CHECK(e.records == std::vector<std::int64_t>{105});
    }
    at::Tensor presence = torch::ones({24, 2}, torch::kBool);
    presence[5][1] = false;
    CHECK_NOTHROW(eq::Trainer(m, options()).fit(holed.with_presence(presence)));
  }
}

TEST_CASE("a message names ten records at most", "[training][inputs]") {
  auto holed = data();
  holed.inputs["a"_n].fill_(std::nan(""));
  CHECK_THROWS_WITH(eq::infer(*model(), holed),
                    Contains("in 24 records: 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, … (24 in all)"));
}

TEST_CASE("large inputs whose sum overflows are finite", "[training][inputs]") {
  const auto m = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
  m->to(torch::kFloat);
  auto large = data();
  for (auto* x : {&large.inputs["a"_n], &large.inputs["b"_n]}) *x = x->to(torch::kFloat);
  large.inputs["a"_n].fill_(3e38);
  CHECK_NOTHROW(eq::infer(*m, large));
}

TEST_CASE("an input of another floating type than the encoder's parameters names the modality", "[training][inputs]") {
  auto mixed = data();
  mixed.inputs["b"_n] = mixed.inputs["b"_n].to(torch::kFloat);
  CHECK_THROWS_WITH(eq::Trainer(model(), options()).fit(mixed),
                    Contains("input of modality b: expected Double, as the encoder's parameters are, got Float"));
  mixed.inputs["b"_n] = mixed.inputs["b"_n].to(torch::kHalf);
  CHECK_THROWS_WITH(eq::infer(*model(), mixed), Contains("input of modality b") && Contains("got Half"));
}

TEST_CASE("what an encoder of one's own cannot take names the modality", "[training][inputs]") {
  const auto m = eq::compose(eq::modality<"a">(eq::encoder(torch::nn::Linear(3, 6), {.width = 6})),
                             eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}));
  const auto wide = eq::batch(eq::input<"a">(torch::randn({4, 5})));
  CHECK_THROWS_WITH(eq::infer(*m, wide),
                    Contains("input of modality a: expected what the encoder takes, got Float [4, 5]"));
}

TEST_CASE("an input of one number a record is checked as others are", "[training][inputs]") {
  struct Number : torch::nn::Module {
    at::Tensor forward(const at::Tensor& x) { return x.unsqueeze(1).repeat({1, 4}); }
    std::int64_t width() const { return 4; }
  };
  const auto m = eq::compose(eq::modality<"a">(std::make_shared<Number>()),
                             eq::task<"y">(eq::Concat{.width = 4}, eq::Regression{}));
  CHECK_THROWS_WITH(eq::infer(*m, eq::batch(eq::input<"a">(torch::tensor({1.0F, std::nanf("")})))),
                    Contains("in 1 record: 1"));
}

TEST_CASE("an infinite target is an error, beside a missing one too", "[training][inputs]") {
  auto holed = data();
  holed.targets["y"_n].tensor[2][0] = std::nan("");
  holed.targets["y"_n].tensor[2][1] = std::numeric_limits<double>::infinity();
  holed.ids[2] = 702;
  CHECK_THROWS_WITH(eq::Trainer(model(), options()).fit(holed),
                    Contains("target of task y: expected finite values") && Contains("in 1 record: 702"));
}

TEST_CASE("an empty validation set is an error", "[training][inputs]") {
  CHECK_THROWS_WITH(eq::Trainer(model(), options()).fit(data(), data().slice(0, 0)),
                    Contains("fit: expected validation records, got none"));
}

TEST_CASE("`only` keeps the named inputs and targets, with the records' presence", "[batch]") {
  at::Tensor presence = torch::ones({24, 2}, torch::kBool);
  presence[3][1] = false;
  const auto b = data().with_presence(presence).only("b"_n, "y"_n);
  CHECK(b.inputs.size() == 1);
  CHECK(torch::equal(b.inputs["b"_n], data().inputs["b"_n]));
  CHECK(b.presence.modalities() == 1);
  CHECK(b.presence.of_row(3).empty());
  CHECK_FALSE(b.presence.of_row(4).empty());
  CHECK(b.ids == data().ids);
}

TEST_CASE("a plan over modalities or records that there are not is refused", "[training][inputs]") {
  CHECK_THROWS_WITH(eq::Trainer(model(), TooMany{}, options()).fit(data()),
                    Contains("plan of an epoch: expected passes over the 2 modalities of the model"));
}

TEST_CASE("a model in training mode that two threads evaluate is refused to the second", "[training][inputs]") {
  const auto waiting = std::make_shared<Waiting>();
  const auto m = eq::compose(eq::modality<"a">(waiting), eq::task<"y">(eq::Concat{.width = 4}, eq::Regression{}));
  const auto x = eq::batch(eq::input<"a">(torch::randn({3, 4})));
  std::thread first([&] { (void)eq::infer(*m, x); });
  waiting->begun.wait();
  CHECK_THROWS_WITH(eq::infer(*m, x), Contains("expected evaluation mode, since several threads evaluate it"));
  waiting->go.count_down();
  first.join();
  CHECK(m->is_training());
  CHECK_NOTHROW(eq::infer(*m, x));
}

TEST_CASE("weights of records are refused where a loss depends on the whole batch", "[training][inputs]") {
  const auto m = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}}),
                             eq::task<"y">(eq::Sum{.width = 6}, support::Cox{}));
  const auto times = eq::batch(eq::input<"a">(torch::randn({8, 4})),
                               eq::target<"y">(support::Times{torch::rand({8, 2}).add(0.1).ceil()}));
  CHECK_THROWS_WITH(eq::Trainer(m, options()).fit(times.with_weights(std::vector<double>(8, 2.0))),
                    Contains("fit: expected records without weights, since the loss of task y depends on all records"));
}

TEST_CASE("a checkpoint that could not be read again is refused before the run, with the name that is at fault",
          "[training][inputs]") {
  struct Named : torch::nn::Module {
    explicit Named(const std::string& name) : linear(register_module(name, torch::nn::Linear(4, 4))) {}
    at::Tensor forward(const at::Tensor& x) { return linear->forward(x); }
    std::int64_t width() const { return 4; }
    torch::nn::Linear linear;
  };
  const support::TemporaryFolder folder;
  const auto run = [&](const std::string& name, bool saved) {
    const auto m = eq::compose(eq::modality<"a">(std::make_shared<Named>(name)),
                               eq::task<"y">(eq::Concat{.width = 4}, eq::Regression{}));
    eq::TrainerOptions o = options();
    if (saved) o.checkpoint = (folder.path() / "c.pt").string();
    eq::Trainer(m, o).fit(
        eq::batch(eq::input<"a">(torch::randn({8, 4})), eq::target<"y">(eq::Values{torch::randn({8, 1})})));
  };
  CHECK_THROWS_WITH(run("in", true),
                    Contains("TrainerOptions.checkpoint: expected names that LibTorch can read again, got "
                             "encoders.a.in.") &&
                        Contains("under another name than \"in\""));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "c.pt"));
  CHECK_NOTHROW(run("in", false));
  CHECK_NOTHROW(run("inner", true));
}

TEST_CASE("a checkpoint of a model with more modules says how many tensors each has", "[training][inputs]") {
  const support::TemporaryFolder folder;
  eq::TrainerOptions o = options();
  o.checkpoint = (folder.path() / "c.pt").string();
  const auto m = model();
  m->register_buffer("scale", torch::ones({1}));
  eq::Trainer(m, o).fit(data(), data());
  eq::Trainer other(model(), o);
  CHECK_THROWS_WITH(other.resume(o.checkpoint), Contains("expected a checkpoint of this model, which has ") &&
                                                    Contains("is to be registered before"));
}
