// No silent wrong result: what was trained, restored or reported wrong without a word.

#include <algorithm>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/infer.hpp>
#include <fstream>
#include <thread>

#include "support/catch.hpp"
#include "support/normed.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains;
using support::Kind;

namespace {

/// A model whose two modalities share one encoder.
auto tied_model() {
  torch::manual_seed(11);
  const auto shared = eq::Mlp{.in_features = 4, .widths = {6}}.build();
  auto model = eq::compose(eq::modality<"a">(shared), eq::modality<"b">(shared),
                           eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2, .loss = eq::PointLoss::l2}));
  model->to(torch::kDouble);
  return model;
}

/// A model of the modalities and tasks of the toy data in the given order.
template <eq::FixedString First, eq::FixedString Second>
auto ordered_model(torch::Dtype type = torch::kFloat) {
  torch::manual_seed(11);
  auto model = eq::compose(eq::modality<First>(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::modality<Second>(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::task<"y">(eq::Concat{.width = 6}, eq::Regression{.outputs = 2}));
  model->to(type);
  return model;
}

auto records(torch::Dtype type = torch::kFloat) {
  torch::manual_seed(2);
  return eq::batch(eq::input<"a">(torch::randn({16, 4}, type)), eq::input<"b">(torch::randn({16, 4}, type)),
                   eq::target<"y">(eq::Values{torch::randn({16, 2}, type)}));
}

/// An encoder with a buffer of its own, and dropout that a single record must see as well.
struct Scaled : torch::nn::Module {
  Scaled() { scale = register_buffer("scale", torch::ones({1})); }
  at::Tensor forward(const at::Tensor& x) {
    was_training = is_training();
    return x * scale;
  }
  std::int64_t width() const { return 4; }
  at::Tensor scale;
  bool was_training = false;
};

/// A regression whose head has batch norm.
struct NormedHead : torch::nn::Module {
  using Target = eq::Values;
  NormedHead()
      : norm(register_module("norm", torch::nn::BatchNorm1d(6))),
        linear(register_module("linear", torch::nn::Linear(6, 2))) {}
  std::int64_t outputs() const { return 2; }
  at::Tensor forward(const at::Tensor& joint) { return linear->forward(norm->forward(joint)); }
  at::Tensor loss(const at::Tensor& z, const at::Tensor& y, bool) const { return (z - y).square().mean(2); }
  at::Tensor prior() const { return torch::zeros({2}, torch::kDouble); }
  void fit_prior(const at::Tensor&) {}
  torch::nn::BatchNorm1d norm;
  torch::nn::Linear linear;
};

}  // namespace

TEST_CASE("a module that two modalities share is stepped once", "[training][tied]") {
  const auto model = tied_model();
  const auto data = support::toy_data<2, Kind::regression>(8);
  const eq::ParameterGroups groups = model->parameter_groups();
  CHECK(groups[0].size() == 2);  // the modality's part of the fusion: weight and bias
  CHECK(groups[1].size() == 2);
  CHECK(groups[2].size() == 6);  // the shared encoder's linear and norm, and the head's linear
  const at::Tensor weight = model->encoder("a"_n).parameters()[0];
  const at::Tensor before = weight.detach().clone();
  const auto copy = tied_model();
  copy->train();
  (copy->predict(data)["y"_n] - data.targets["y"_n].tensor).square().mean().backward();
  const at::Tensor gradient = copy->encoder("a"_n).parameters()[0].grad();
  eq::Trainer(model,
              {.epochs = 1, .batch_size = 8, .optimizer = eq::Optimizer::sgd, .learning_rate = 0.1, .weight_decay = 0})
      .fit(data);
  CHECK(torch::allclose(weight, before - 0.1 * gradient, 1e-12, 1e-14));
}

TEST_CASE("clipping counts the gradient of a shared module once", "[training][tied]") {
  const auto model = tied_model(), copy = tied_model();
  const auto data = support::toy_data<2, Kind::regression>(8);
  copy->train();
  (copy->predict(data)["y"_n] - data.targets["y"_n].tensor).square().mean().backward();
  double squares = 0;
  for (const auto& group : copy->parameter_groups())
    for (const at::Tensor& p : group) squares += p.grad().square().sum().item<double>();
  const at::Tensor weight = model->encoder("a"_n).parameters()[0], before = weight.detach().clone();
  const double norm = std::sqrt(squares), limit = norm / 4;
  eq::Trainer(model, {.epochs = 1,
                      .batch_size = 8,
                      .optimizer = eq::Optimizer::sgd,
                      .learning_rate = 0.1,
                      .weight_decay = 0,
                      .clip_norm = limit})
      .fit(data);
  const at::Tensor step = 0.1 * copy->encoder("a"_n).parameters()[0].grad() / 4;
  CHECK(torch::allclose(weight, before - step, 1e-5, 1e-9));  // LibTorch adds 1e-6 to the norm
}

TEST_CASE("MLA trains a module that its modalities share", "[training][tied]") {
  const auto model = tied_model();
  const at::Tensor weight = model->encoder("a"_n).parameters()[0], before = weight.detach().clone();
  eq::Trainer(model, eq::Mla{}, support::toy_options(1)).fit(support::toy_data<2, Kind::regression>(16));
  CHECK_FALSE(torch::equal(weight, before));
}

TEST_CASE("a checkpoint of a model with its modalities in another order is refused, and nothing has changed",
          "[training][checkpoint][error]") {
  const support::TemporaryFolder folder;
  const std::string file = (folder.path() / "c.pt").string();
  const auto saved = ordered_model<"a", "b">();
  eq::Trainer(saved, {.epochs = 1, .checkpoint = file}).fit(records());
  const auto other = ordered_model<"b", "a">();
  const at::Tensor before = support::flat_parameters(*other).clone();
  eq::Trainer trainer(other, eq::TrainerOptions{.epochs = 1});
  CHECK_THROWS_WITH(trainer.resume(file), Contains("file.402") && Contains("modalities = b,a, got a,b"));
  CHECK(torch::equal(before, support::flat_parameters(*other)));
}

TEST_CASE("a checkpoint of another floating type is refused by the parameter's name", "[training][checkpoint][error]") {
  const support::TemporaryFolder folder;
  const std::string file = (folder.path() / "c.pt").string();
  eq::Trainer(ordered_model<"a", "b">(torch::kDouble), {.epochs = 1, .checkpoint = file}).fit(records(torch::kDouble));
  eq::Trainer trainer(ordered_model<"a", "b">(), eq::TrainerOptions{.epochs = 1});
  CHECK_THROWS_WITH(trainer.resume(file),
                    Contains("file.402") && Contains("encoders.a.") && Contains("of type Float, got Double"));
}

TEST_CASE("a damaged checkpoint leaves model, optimiser and history as they were", "[training][checkpoint][error]") {
  const support::TemporaryFolder folder;
  const std::string whole = (folder.path() / "c.pt").string(), damaged = (folder.path() / "d.pt").string();
  eq::Trainer(ordered_model<"a", "b">(), {.epochs = 2, .checkpoint = whole}).fit(records());
  std::ifstream in(whole, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::size_t refused = 0;
  for (std::size_t at = bytes.size() / 64; at < bytes.size(); at += bytes.size() / 16) {
    std::string broken = bytes;
    for (std::size_t i = at; i < std::min(at + 64, bytes.size()); ++i) broken[i] = static_cast<char>(~broken[i]);
    std::ofstream(damaged, std::ios::binary) << broken;
    const auto model = ordered_model<"a", "b">();
    const at::Tensor before = support::flat_parameters(*model).clone();
    eq::Trainer trainer(model, eq::TrainerOptions{.epochs = 1});
    try {
      trainer.resume(damaged);
    } catch (const eq::Error&) {
      ++refused;
      CHECK(torch::equal(before, support::flat_parameters(*model)));
      CHECK(trainer.fit(records()).epochs.size() == 1);  // a run from its beginning
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("a second resume gives the history once", "[training][checkpoint]") {
  const support::TemporaryFolder folder;
  const std::string file = (folder.path() / "c.pt").string();
  eq::Trainer(ordered_model<"a", "b">(), {.epochs = 2, .checkpoint = file}).fit(records());
  eq::Trainer trainer(ordered_model<"a", "b">(), eq::TrainerOptions{.epochs = 3});
  trainer.resume(file);
  trainer.resume(file);
  CHECK(trainer.fit(records()).epochs.size() == 3);
}

TEST_CASE("an encoder whose parameters are frozen stays in evaluation mode while it is trained beside",
          "[training][behaviour]") {
  struct Watched : support::NormedLayer {
    Watched() : NormedLayer(4) {}
    at::Tensor forward(const at::Tensor& x) { return rows(x); }
  };
  const auto frozen = std::make_shared<Watched>();
  for (const at::Tensor& p : frozen->parameters()) p.set_requires_grad(false);
  frozen->eval();
  const auto model = eq::compose(eq::modality<"a">(frozen), eq::modality<"b">(eq::Mlp{.in_features = 4, .widths = {6}}),
                                 eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}));
  const at::Tensor mean = frozen->norm->running_mean.clone();
  eq::Trainer(model, {.epochs = 2}).fit(records());
  CHECK(torch::equal(frozen->norm->running_mean, mean));
}

TEST_CASE("a single record leaves an encoder without batch statistics in training mode", "[training][behaviour]") {
  const auto scaled = std::make_shared<Scaled>();
  const auto model =
      eq::compose(eq::modality<"a">(scaled), eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}));
  model->train();
  (void)model->predict(eq::batch(eq::input<"a">(torch::randn({1, 4}))));
  CHECK(scaled->was_training);
}

TEST_CASE("a head with batch norm trains with a last batch of one, and coalitions do not mix in it",
          "[training][behaviour]") {
  torch::manual_seed(4);
  const auto make = [] {
    torch::manual_seed(4);
    auto model = support::toy_model<2, Kind::regression>(eq::Sum{.width = 6});
    auto own = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::modality<"b">(eq::Mlp{.in_features = 4, .widths = {6}}),
                           eq::task<"y">(eq::Sum{.width = 6}, std::make_shared<NormedHead>()));
    own->to(torch::kDouble);
    return own;
  };
  const auto data = support::toy_data<2, Kind::regression>(9);
  const eq::History history = eq::Trainer(make(), eq::ShapleyLossFactors{}, support::toy_options(1)).fit(data);
  CHECK(std::isfinite(*history.epochs.at(0).find("train/y")));
  const auto fast = make(), slow = make();
  fast->train(), slow->train();
  const auto all = eq::all_coalitions(2);
  const at::Tensor wide = fast->predict(data, all)["y"_n];
  for (std::size_t c = 0; c < all.size(); ++c)
    CHECK(
        torch::allclose(wide[static_cast<std::int64_t>(c)], slow->predict(data, {&all[c], 1})["y"_n][0], 1e-12, 1e-12));
  CHECK(torch::allclose(fast->head("y"_n).norm->running_mean, slow->head("y"_n).norm->running_mean, 1e-12, 1e-12));
}

TEST_CASE("a trainer without the policies that made a model's outputs is refused", "[training][error]") {
  const auto model = support::toy_model<2, Kind::regression>(support::toy_fusion<Kind::regression>());
  const auto data = support::toy_data<2, Kind::regression>(16);
  eq::Trainer(model, eq::Mla{}, support::toy_options(1)).fit(data);
  const at::Tensor before = eq::infer(*model, data)["y"_n];
  CHECK_THROWS_WITH(eq::Trainer(model, support::toy_options(1)), Contains("value.222"));
  CHECK(torch::equal(before, eq::infer(*model, data)["y"_n]));
  model->set_output_stage(nullptr);
  CHECK_NOTHROW(eq::Trainer(model, support::toy_options(1)));
}

TEST_CASE("contributions of records whose loss is not finite are refused with their ids", "[contribution][error]") {
  const auto model = support::toy_model<2, Kind::regression>(support::toy_fusion<Kind::regression>());
  auto data = support::toy_data<2, Kind::regression>(4);
  data.targets["y"_n].tensor.select(0, 2).fill_(1e200);  // whose squared error is infinite
  data.ids = {10, 11, 12, 13};
  CHECK_THROWS_WITH(eq::shapley(*model, data), Contains("numeric.502") && Contains("task y") && Contains(": 12"));
}

TEST_CASE("a prediction that is not a number is no right answer", "[evaluation][behaviour]") {
  const auto model = support::toy_model<2, Kind::classification>(support::toy_fusion<Kind::classification>());
  auto data = support::toy_data<2, Kind::classification>(8);
  {
    const torch::NoGradGuard no_grad;
    model->head("y"_n).parameters()[0].fill_(std::numeric_limits<double>::quiet_NaN());
  }
  data.targets["y"_n].tensor.fill_(0);
  const eq::Coalition full = model->full();
  CHECK(eq::evaluate(*model, data, {&full, 1})["y"_n].of(full).accuracy.value == 0);
}

TEST_CASE("undefined inputs, rows that there are not and empty batches are one sentence", "[core][error]") {
  CHECK_THROWS_WITH(eq::batch(eq::input<"a">(at::Tensor())), Contains("shape.105") && Contains("a: expected a tensor"));
  CHECK_THROWS_WITH(eq::batch(eq::input<"a">(torch::tensor(1.0))),
                    Contains("shape.105") && Contains("a single number"));
  CHECK_THROWS_WITH(eq::batch(eq::input<"table">(torch::zeros({4, 2})), eq::input<"image">(torch::zeros({5, 1, 2, 2})),
                              eq::target<"labs">(eq::Values{torch::zeros({5, 1})})),
                    "[equipoise.shape.105] batch: expected the same number of records in every input and target, got "
                    "table 4, image 5, labs 5");
  const auto data = records();
  for (const std::int64_t row : {-1L, 16L})
    CHECK_THROWS_WITH(data.select(std::vector{row}), Contains("value.217") && Contains("below 16"));
  const auto model = ordered_model<"a", "b">();
  CHECK_THROWS_WITH(eq::infer(*model, data, -1), Contains("infer.batch_size: expected >= 0, got -1"));
  const eq::Coalition full = model->full();
  CHECK_THROWS_WITH(eq::coalition_table(*model, model->to_model_batch(data), {&full, 1}, -1),
                    Contains("coalition_table.batch_size"));
}

TEST_CASE("a presence that is neither bools nor 0 and 1 is refused", "[core][error]") {
  const auto data = eq::batch(eq::input<"a">(torch::randn({3, 2})), eq::input<"b">(torch::randn({3, 2})));
  for (const at::Tensor& given : {torch::full({3, 2}, 0.5), torch::full({3, 2}, std::nan("")),
                                  torch::full({3, 2}, 2, torch::kLong), torch::full({3, 2}, -1, torch::kLong)})
    CHECK_THROWS_WITH(
        data.with_presence(given),
        Catch::Contains("[equipoise.shape.102] presence: expected bools, or 0 and 1, got another number of "));
  CHECK_THROWS_WITH(data.with_presence(at::Tensor()), Catch::Contains("shape.102") && Catch::Contains("undefined"));
  CHECK_THROWS_WITH(data.with_presence(torch::ones({3})), Catch::Contains("expected [B, M], got [3]"));
  const at::Tensor bools = torch::tensor({{true, false}, {true, true}, {false, true}});
  for (const at::Tensor& given : {bools, bools.to(torch::kLong), bools.to(torch::kFloat)})
    CHECK(std::ranges::equal(data.with_presence(given).presence.masks(), std::vector<std::uint64_t>{1, 3, 2}));
}

TEST_CASE("a run says which modalities no training record has", "[training][behaviour]") {
  const auto all = eq::batch(eq::input<"a">(torch::randn({8, 2})), eq::input<"b">(torch::randn({8, 2})),
                             eq::target<"y">(eq::Values{torch::randn({8, 1})}));
  const auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2, .widths = {4}}),
                                 eq::modality<"b">(eq::Mlp{.in_features = 2, .widths = {4}}),
                                 eq::task<"y">(eq::Sum{.width = 4}, eq::Regression{}));
  struct Notes {
    std::vector<std::string> list;
    void on_note(const eq::RunView&, const std::string& note) { list.push_back(note); }
  };
  const auto said = [&](const at::Tensor& presence) {
    eq::Trainer trainer(model, {.epochs = 1});
    const auto notes = std::make_shared<Notes>();
    trainer.add(notes);
    (void)trainer.fit(all.with_presence(presence));
    return notes->list;
  };
  at::Tensor presence = torch::ones({8, 2}, torch::kBool);
  CHECK(said(presence).empty());
  presence.select(1, 1).fill_(false);
  CHECK(said(presence) == std::vector<std::string>{"no training record has the modality b: the run does not train what "
                                                   "belongs to it, and evaluations use it as it is"});
}

TEST_CASE("a checkpoint that cannot be written is an error before the first epoch", "[training][error]") {
  const auto model = ordered_model<"a", "b">();
  const at::Tensor before = support::flat_parameters(*model).clone();
  eq::Trainer trainer(model, {.epochs = 1, .checkpoint = "/nowhere/at/all/c.pt"});
  CHECK_THROWS_WITH(trainer.fit(records()), Contains("file.403"));
  CHECK(torch::equal(before, support::flat_parameters(*model)));
}

TEST_CASE("a device that LibTorch lacks is refused in one sentence", "[training][error]") {
  if (at::globalContext().hasCUDA()) return;
  CHECK_THROWS_WITH(eq::Trainer(ordered_model<"a", "b">(), {.device = torch::kCUDA}),
                    Contains("value.223") && Contains("got cuda") && !Contains("frame #"));
}

TEST_CASE("an entry of a temporary named tuple is a value", "[core][behaviour]") {
  const auto model = ordered_model<"a", "b">();
  static_assert(!std::is_reference_v<decltype(eq::infer(*model, records())["y"_n])>);
  const at::Tensor& rates = eq::infer(*model, records())["y"_n];
  CHECK(rates.size(0) == 16);
}

TEST_CASE("threads may evaluate one model in evaluation mode at the same time", "[evaluation][behaviour]") {
  const auto model = support::toy_model<2, Kind::regression>(eq::Concat{.width = 6}, 0.5);
  model->eval();
  const auto data = support::toy_data<2, Kind::regression>(64);
  const at::Tensor expected = eq::infer(*model, data)["y"_n];
  std::vector<char> same(4, 0);
  std::vector<std::thread> threads;
  for (char& s : same)
    threads.emplace_back([&] {
      bool all = true;
      for (int i = 0; i < 20; ++i) all = all && torch::equal(expected, eq::infer(*model, data, 16)["y"_n]);
      s = all;
    });
  for (std::thread& t : threads) t.join();
  CHECK(std::all_of(same.begin(), same.end(), [](char s) { return s == 1; }));
}

namespace {

/// An encoder whose two parts have the same shape and are registered in either order.
struct TwoParts : torch::nn::Module {
  explicit TwoParts(bool swapped) {
    for (const char* name : {swapped ? "second" : "first", swapped ? "first" : "second"})
      register_module(name, torch::nn::Linear(torch::nn::LinearOptions(4, 4).bias(false)));
  }
  at::Tensor forward(const at::Tensor& x) {
    const auto part = [&](const char* name) { return named_children()[name]->as<torch::nn::LinearImpl>(); };
    return part("second")->forward(torch::tanh(part("first")->forward(x)));
  }
};

}  // namespace

TEST_CASE("the best epoch is taken by name, in whatever order the parts were registered", "[training][checkpoint]") {
  const support::TemporaryFolder folder;
  const std::string file = (folder.path() / "c.pt").string();
  const auto make = [](bool swapped) {
    torch::manual_seed(4);
    return eq::compose(eq::modality<"a">(eq::encoder(std::make_shared<TwoParts>(swapped), {.width = 4})),
                       eq::task<"y">(eq::Sum{.width = 6}, eq::Regression{.outputs = 2}));
  };
  const auto data = records().only("a"_n, "y"_n);
  const auto saved = make(false), other = make(true);
  eq::Trainer(saved, {.epochs = 3, .learning_rate = 0.1, .checkpoint = file}).fit(data, data);
  // An optimiser's memory is kept by position.
  CHECK_THROWS_WITH(eq::Trainer(other, eq::TrainerOptions{.epochs = 4}).resume(file),
                    Contains("registered in the place of"));
  eq::Trainer(other).resume_best(file);
  CHECK(torch::equal(saved->predict(data)["y"_n], other->predict(data)["y"_n]));
}
