// MMTM, and models whose encoders run in stages: worked numbers, PyTorch's numbers, and laws.

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/serialize.h>

#include <equipoise/balancing/drop_modality.hpp>
#include <equipoise/balancing/mla.hpp>
#include <equipoise/balancing/opm.hpp>
#include <equipoise/balancing/shapley_loss_factors.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/cnn.hpp>
#include <equipoise/encoders/frozen.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/encoders/resnet.hpp>
#include <equipoise/encoders/unet_encoder.hpp>
#include <equipoise/fusion/mmtm.hpp>
#include <equipoise/fusion/spatial_cascade.hpp>
#include <equipoise/tasks/dense_regression.hpp>
#include <equipoise/tasks/regression.hpp>
#include <equipoise/training/trainer.hpp>

#include <limits>
#include <sstream>

#include "support/by_formula.hpp"
#include "support/catch.hpp"
#include "support/mmtm_reference.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using Catch::Contains;

namespace {

constexpr std::int64_t kRecords = 3;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Images, signals or volumes, and a table; the second task has a fusion without exchanges.
auto model_of(std::int64_t dimensions, std::int64_t taps = 2) {
  torch::manual_seed(4);
  return eq::compose(eq::modality<"image">(eq::Cnn{.widths = {4, 8}}),
                     eq::modality<"signal">(eq::Cnn{.in_channels = 2, .widths = {4, 6}, .dimensions = dimensions}),
                     eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {6, 5}}),
                     eq::task<"y">(eq::Mmtm<>{.taps = taps, .last = {.width = 6}}, eq::Regression{.outputs = 3}),
                     eq::task<"z">(eq::Concat{.width = 6}, eq::Regression{.outputs = 2}));
}

/// The signals have 8, 5 and 4 steps; what stands after them is no number.
auto records_of(std::int64_t dimensions, c10::ScalarType type = torch::kDouble) {
  const std::int64_t lengths[] = {8, 5, 4};
  at::Tensor signal = support::input_of("signal", {kRecords, 8, 2}).to(type);
  if (dimensions == 3) signal = support::input_of("volume", {kRecords, 2, 4, 6, 4}).to(type);
  const at::Tensor targets = support::input_of("targets", {kRecords, 5}).to(type);
  auto whole = eq::batch(eq::input<"image">(support::input_of("image", {kRecords, 1, 8, 6}).to(type)),
                         eq::input<"signal">(eq::Sequences{signal, {}}),
                         eq::input<"table">(support::input_of("table", {kRecords, 4}).to(type)),
                         eq::target<"y">(eq::Values{targets.narrow(1, 0, 3)}),
                         eq::target<"z">(eq::Values{targets.narrow(1, 3, 2)}));
  if (dimensions == 1) {
    auto& padded = whole.inputs["signal"_n];
    padded = eq::Sequences::of_lengths(signal.clone(), lengths);
    padded.tensor.masked_fill_(padded.padding.unsqueeze(2), kNaN);
  }
  return whole;
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return (a - b).abs().max().item<double>();
}

double difference(const at::Tensor& got, std::span<const float> expected) {
  return difference(got, torch::tensor(std::vector<float>(expected.begin(), expected.end())).view_as(got));
}

/// Record i lacks modality i.
at::Tensor holes() {
  return torch::eye(kRecords, torch::kBool).logical_not();
}

at::Tensor gradients(torch::nn::Module& module) {
  std::vector<at::Tensor> all;
  for (const at::Tensor& p : module.parameters())
    all.push_back(p.grad().defined() ? p.grad().flatten() : torch::zeros({p.numel()}, p.options()));
  return torch::cat(all);
}

/// An encoder of one's own in stages: the batch norm learns statistics of a batch.
struct Stages : torch::nn::Module {
  Stages() {
    for (const std::int64_t in : {4, 6}) {
      const std::string s = std::to_string(layers.size());
      layers.push_back(register_module("layer" + s, torch::nn::Linear(in, 6)));
      norms.push_back(register_module("norm" + s, torch::nn::BatchNorm1d(6)));
    }
  }
  std::int64_t width() const { return 6; }
  at::Tensor forward(const at::Tensor& x) { return forward_stage(1, forward_stage(0, x)); }

  std::size_t stages() const { return layers.size(); }
  std::int64_t tap_width(std::size_t) const { return 6; }
  at::Tensor forward_stage(std::size_t i, const at::Tensor& x) {
    return torch::relu(norms[i]->forward(layers[i]->forward(x)));
  }

  std::vector<torch::nn::Linear> layers;
  std::vector<torch::nn::BatchNorm1d> norms;
};

/// An intermediate fusion of one's own: each exchange adds 1 to what is present.
struct AddsOne : torch::nn::Module {
  explicit AddsOne(std::size_t exchanges) : n(exchanges) {}
  std::int64_t width() const { return 6; }
  at::Tensor forward(const std::vector<at::Tensor>& features, const at::Tensor&) { return features[0]; }

  std::size_t taps() const { return n; }
  void exchange(std::size_t, std::vector<eq::TapFeature>& features, std::int64_t) {
    for (eq::TapFeature& one : features)
      if (one.feature.defined()) one.feature.value = one.feature.value + 1;
  }

  std::size_t n;
};

}  // namespace

TEST_CASE("an exchange scales what is present by what is present", "[fusion][worked]") {
  // u = ReLU(2 a + b), the gate of a is 2 σ(u), those of b are 2 σ(-u) and 2 σ(0).
  eq::MmtmExchange exchange({1, 2}, 1, 2);
  const torch::NoGradGuard no_grad;
  const auto p = exchange.named_parameters();
  p["squeeze.0.weight"].fill_(2), p["squeeze.1.weight"].copy_(torch::tensor({{1.0F, 0.0F}})), p["bias"].zero_();
  p["excite.0.weight"].fill_(1), p["excite.0.bias"].zero_();
  p["excite.1.weight"].copy_(torch::tensor({{-1.0F}, {0.0F}})), p["excite.1.bias"].zero_();
  // a is a vector of rows 0 and 1; b a map of two pixels, of rows 0 and 2. Row 3 has nothing.
  std::vector<eq::TapFeature> at_tap(2);
  at_tap[0] = {eq::Feature(torch::tensor({{0.5F}, {1.0F}})), torch::tensor({0, 1})};
  at_tap[1] = {eq::Feature(eq::MapFeature{
                   torch::tensor({1.0F, 3.0F, 4.0F, 4.0F, 0.0F, 1.0F, 2.0F, 2.0F}).view({2, 2, 1, 2}), {}}),
               torch::tensor({0, 2})};
  exchange.forward(at_tap, 4);
  // Row 0: u = 1 + 2 = 3, row 1: 2, row 2: 0.5. σ(3) = 0.952574, σ(2) = 0.880797, σ(0.5) = 0.622459.
  CHECK(difference(at_tap[0].feature.value, torch::tensor({{0.952574F}, {1.761594F}})) < 1e-5);
  CHECK(difference(at_tap[1].feature.value,
                   torch::tensor({0.094852F, 0.284555F, 4.0F, 4.0F, 0.0F, 0.755081F, 2.0F, 2.0F}).view({2, 2, 1, 2})) <
        1e-5);
}

TEST_CASE("a model with MMTM gives what PyTorch gives, for every coalition and with padding", "[fusion][parity]") {
  const auto model = model_of(1);
  support::fill_by_formula(*model);
  model->eval();
  const auto all = eq::all_coalitions(3);
  const auto data = records_of(1, torch::kFloat);
  const auto out = model->predict(data, std::span(all).subspan(1));
  CHECK(difference(out["y"_n], support::kMmtm) < 1e-5);
  CHECK(difference(model->predict(data)["z"_n], support::kWithoutMmtm) < 1e-5);
}

TEST_CASE("with MMTM the fast forward is one forward per coalition", "[fusion][law]") {
  const auto all = eq::all_coalitions(3);
  for (const std::int64_t dimensions : {1, 3})
    for (const std::int64_t taps : {1, 2}) {
      const auto model = model_of(dimensions, taps);
      model->to(torch::kDouble);
      const auto whole = records_of(dimensions);
      for (const bool training : {true, false})
        for (const auto& data : {whole, whole.with_presence(holes())}) {
          model->train(training);
          const auto fast = model->predict(data, all);
          for (std::size_t c = 0; c < all.size(); ++c) {
            const auto one = model->predict(data, {&all[c], 1});
            CHECK(difference(fast["y"_n][static_cast<std::int64_t>(c)], one["y"_n][0]) < 1e-12);
            CHECK(difference(fast["z"_n][static_cast<std::int64_t>(c)], one["z"_n][0]) < 1e-12);
          }
        }
      // A coalition is the records without the other modalities.
      model->eval();
      at::Tensor without = torch::ones({kRecords, 3}, torch::kBool);
      without.select(1, 1).fill_(false);
      const std::vector<eq::Coalition> others = {model->full().without(1)};
      CHECK(difference(model->predict(whole.with_presence(without))["y"_n], model->predict(whole, others)["y"_n][0]) <
            1e-12);
    }
}

TEST_CASE("with MMTM the inputs of an absent modality reach nothing, forward and backward", "[fusion][law]") {
  const auto model = model_of(3);
  model->to(torch::kDouble);
  const auto run = [&](bool poisoned) {
    auto data = records_of(3).with_presence(holes());
    if (poisoned) {
      data.inputs["image"_n][0].fill_(kNaN);
      data.inputs["signal"_n].tensor[1].fill_(kNaN);
      data.inputs["table"_n][2].fill_(kNaN);
    }
    model->zero_grad();
    const auto out = model->predict(data);
    (out["y"_n].square().sum() + out["z"_n].square().sum()).backward();
    return std::pair{out["y"_n].detach(), gradients(*model)};
  };
  const auto clean = run(false), poisoned = run(true);
  CHECK(torch::equal(clean.first, poisoned.first));
  CHECK(torch::equal(clean.second, poisoned.second));
  CHECK(clean.second.isfinite().all().item<bool>());
  // What is known at the first tap of a record that lacks the modality is not read either.
  model->eval();
  const eq::ModelBatch batch = model->to_model_batch(records_of(3));
  eq::Features features = model->encode(batch, model->full()).detach();
  const eq::Presence presence(holes());
  const at::Tensor before = model->decode(0, features, presence);
  for (std::size_t m = 0; m < 3; ++m)
    features.items[m] = features.items[m].map_tensors(
        [&](const at::Tensor& t) { return t.index_fill(0, torch::tensor({static_cast<std::int64_t>(m)}), kNaN); });
  CHECK(torch::equal(before, model->decode(0, features, presence)));
}

TEST_CASE("with MMTM gradients reach the stages and gates of every present modality", "[fusion][law]") {
  const auto model = model_of(1);
  model->to(torch::kDouble);
  const auto groups = model->parameter_groups();
  std::size_t parameters = 0;
  for (const auto& group : groups) parameters += group.size();
  CHECK(parameters == model->parameters().size());
  for (std::size_t m = 0; m < 3; ++m) {
    model->zero_grad();
    // All records lack modality m.
    at::Tensor without = torch::ones({kRecords, 3}, torch::kBool);
    without.select(1, static_cast<std::int64_t>(m)).fill_(false);
    model->predict(records_of(1).with_presence(without))["y"_n].square().sum().backward();
    for (std::size_t other = 0; other < 3; ++other) {
      double sum = 0;
      for (const at::Tensor& p : groups[other])
        if (p.grad().defined()) sum += p.grad().abs().sum().item<double>();
      CHECK((sum > 0) == (other != m));
    }
  }
  model->zero_grad();
  model->predict(records_of(1))["y"_n].square().sum().backward();
  for (const auto& item : model->named_parameters()) {
    INFO(item.key());
    if (item.key().starts_with("fusions.y") || item.key().starts_with("encoders."))
      CHECK((item.value().grad().defined() && item.value().grad().isfinite().all().item<bool>()));
  }
}

TEST_CASE("a model with MMTM saved and loaded is the same, and names its options", "[fusion][law]") {
  const auto model = model_of(1), other = model_of(1);
  model->eval(), other->eval();
  {
    const torch::NoGradGuard no_grad;
    for (const at::Tensor& p : other->parameters()) p.zero_();
  }
  std::stringstream stream;
  torch::serialize::OutputArchive out;
  model->save(out);
  out.save_to(stream);
  torch::serialize::InputArchive in;
  in.load_from(stream);
  other->load(in);
  const auto data = records_of(1, torch::kFloat);
  CHECK(torch::equal(model->predict(data)["y"_n], other->predict(data)["y"_n]));
  const auto options = model->options();
  const auto has = [&](const std::string& key, const std::string& value) {
    return std::find(options.begin(), options.end(), std::pair(key, value)) != options.end();
  };
  CHECK(has("fusions.y", "mmtm"));
  CHECK(has("fusions.y.taps", "2"));
  CHECK(has("fusions.y.width", "6"));
}

TEST_CASE("exchanges come before the last stages, whatever the number of stages", "[fusion]") {
  const auto build = [](std::int64_t taps) {
    return eq::Mmtm<>{.taps = taps}.build(std::vector<eq::FeatureSpec>{{eq::FeatureKind::map, 8, {}, {4, 6, 8}},
                                                                       {eq::FeatureKind::vector, 5, {}, {7, 5}}});
  };
  CHECK(build(0)->taps() == 2);
  CHECK(build(2)->named_parameters()["exchanges.0.excite.0.bias"].numel() == 6);
  CHECK(build(2)->named_parameters()["exchanges.0.bias"].numel() == (6 + 7) * 2 / 4);
  CHECK(build(1)->named_parameters()["exchanges.0.excite.1.bias"].numel() == 5);
  CHECK_THROWS_WITH(build(3), Contains("Mmtm.taps: expected from 0 to 2, the stages of the shortest encoder, got 3"));
}

TEST_CASE("the stages of an encoder one after the other are the encoder", "[encoders][law]") {
  const auto check = [](auto encoder, const at::Tensor& x) {
    encoder->eval();
    eq::Feature now(x);
    for (std::size_t s = 0; s < encoder->stages(); ++s) {
      if constexpr (requires { encoder->forward_stage(s, now).kind; })
        now = encoder->forward_stage(s, now);
      else
        now.value = encoder->forward_stage(s, now.value);
      CHECK(now.value.size(1) == encoder->tap_width(s));
    }
    const auto whole = encoder->forward(x);
    if constexpr (requires { whole.map; }) {
      CHECK(torch::equal(now.value, whole.map));
      CHECK(now.skips.size() == encoder->feature().skip_widths.size());
    } else {
      CHECK(torch::equal(now.value, whole));
    }
  };
  check(eq::Cnn{.widths = {4, 8}, .place = true, .pool = eq::Pool::attention}.build(), torch::randn({2, 1, 8, 8}));
  check(eq::Mlp{.in_features = 4, .widths = {6, 5, 3}}.build(), torch::randn({2, 4}));
  check(eq::Frozen<eq::Mlp>{{.in_features = 4}}.build(), torch::randn({2, 4}));
  check(eq::ResNet{.width = 2, .pool = eq::Pool::mean}.build(), torch::randn({1, 3, 32, 32}));
  check(eq::UNetEncoder{.widths = {4, 8}, .dimensions = 3}.build(), torch::randn({1, 1, 4, 4, 4}));
}

TEST_CASE("MMTM before a decoder of maps or volumes, with an encoder of one's own that learns statistics",
          "[fusion][law]") {
  const std::int64_t dimensions = GENERATE(2, 3);
  const auto model_with = [&] {
    torch::manual_seed(2);
    const auto model =
        eq::compose(eq::modality<"image">(eq::Cnn{.widths = {4, 8}, .dimensions = dimensions}),
                    eq::modality<"table">(std::make_shared<Stages>()),
                    eq::task<"map">(eq::Mmtm<eq::SpatialCascade>{.last = {.widths = {8, 4}, .dimensions = dimensions}},
                                    eq::DenseRegression{.gradient = 0.5}));
    model->to(torch::kDouble);
    return model;
  };
  const auto fast = model_with(), slow = model_with();
  const std::vector<std::int64_t> shape =
      dimensions == 3 ? std::vector<std::int64_t>{kRecords, 1, 4, 8, 6} : std::vector<std::int64_t>{kRecords, 1, 8, 6};
  const at::Tensor images = support::input_of("image", shape).to(torch::kDouble);
  const auto data = eq::batch(eq::input<"image">(images),
                              eq::input<"table">(support::input_of("table", {kRecords, 4}).to(torch::kDouble)),
                              eq::target<"map">(eq::Maps{images + 1}));
  const auto all = eq::all_coalitions(2);
  at::Tensor lone = torch::ones({kRecords, 2}, torch::kBool);
  lone[1][0] = false, lone[1][1] = lone[2][1] = false;  // one record alone has the table, one has nothing
  for (const auto& batch : {data, data.with_presence(lone)})
    for (const bool training : {true, false}) {
      fast->train(training), slow->train(training);
      // Statistics before the first exchange are learnt once for all coalitions.
      const eq::ModelBatch records = fast->to_model_batch(batch);
      const eq::Features features = fast->encode(records, fast->full());
      const eq::Features same = slow->encode(records, slow->full());
      const at::Tensor wide = fast->decode(0, features, features.presence.restricted_to(all));
      CHECK(wide.sizes().slice(2) == images.sizes().slice(1));
      for (std::size_t c = 0; c < all.size(); ++c) {
        const at::Tensor one = slow->decode(0, same, same.presence.restricted_to({&all[c], 1}));
        const at::Tensor of_wide = wide.narrow(0, static_cast<std::int64_t>(c), 1);
        CHECK(difference(of_wide, one.expand_as(of_wide)) < 1e-12);
        // The loss of maps that came as one pixel is that of the whole maps.
        CHECK(difference(slow->loss(0, one, records.targets[0], false),
                         fast->loss(0, of_wide, records.targets[0], false)) < 1e-12);
      }
      for (std::size_t i = 0; i < 2; ++i)
        CHECK(difference(fast->encoder("table"_n).norms[i]->running_mean,
                         slow->encoder("table"_n).norms[i]->running_mean) < 1e-12);
    }
}

TEST_CASE("an intermediate fusion of one's own needs as many stages as it has exchanges", "[fusion][behaviour]") {
  const auto compose = [](std::size_t exchanges) {
    return eq::compose(eq::modality<"table">(std::make_shared<Stages>()),
                       eq::task<"y">(std::make_shared<AddsOne>(exchanges), eq::Regression{}));
  };
  const auto model = compose(2);
  model->eval();
  const at::Tensor x = torch::randn({kRecords, 4});
  auto& encoder = model->encoder("table"_n);
  const at::Tensor joint = encoder.forward_stage(1, encoder.forward_stage(0, x) + 1) + 1;
  CHECK(difference(model->predict(eq::batch(eq::input<"table">(x)))["y"_n], model->head("y"_n).forward(joint)) < 1e-6);
  CHECK_THROWS_WITH(compose(3), Contains("expected from 1 to 2, the stages of the encoder of modality table, got 3"));
}

TEST_CASE("policies train a model with MMTM, and micro-batches add up to the batch", "[fusion][training]") {
  const auto train = [](std::int64_t micro_batches) {
    const auto model = model_of(1);
    model->to(torch::kDouble);
    eq::Trainer trainer(model, eq::ShapleyLossFactors{}, eq::DropModality{.probability = 0.3},
                        {.epochs = 3,
                         .batch_size = kRecords,
                         .micro_batches = micro_batches,
                         .seed = 5,
                         .optimizer = eq::Optimizer::sgd,
                         .learning_rate = 0.05});
    trainer.fit(records_of(1));
    std::vector<at::Tensor> all;
    for (const at::Tensor& p : model->parameters()) all.push_back(p.detach().flatten());
    return torch::cat(all);
  };
  const at::Tensor once = train(1);
  const auto fresh = model_of(1);
  CHECK(once.isfinite().all().item<bool>());
  CHECK(difference(once.narrow(0, 0, 36), fresh->parameters()[0].detach().flatten().to(torch::kDouble)) > 1e-4);
  CHECK(difference(once, train(3)) < 1e-9);
  const auto other = model_of(1);
  other->to(torch::kDouble);
  eq::Trainer trainer(other, eq::Opm::deterministic(), eq::Mla{}, {.epochs = 2, .batch_size = 2, .seed = 5});
  trainer.fit(records_of(1));
  for (const at::Tensor& p : other->parameters()) CHECK(p.isfinite().all().item<bool>());
}
