// Fusions against the same functions written in plain tensor operations, and worked numbers.

#include <torch/nn/functional/activation.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <equipoise/encoders/unet_encoder.hpp>
#include <equipoise/fusion/all.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;
using Catch::Contains;

namespace {

constexpr std::int64_t kRecords = 4;

std::vector<eq::FeatureSpec> vectors(std::initializer_list<std::int64_t> widths) {
  std::vector<eq::FeatureSpec> out;
  for (const std::int64_t width : widths) out.push_back({eq::FeatureKind::vector, width});
  return out;
}

eq::Feature vector_of(const at::Tensor& value) {
  return eq::Feature(value);
}

/// A fusion's module in double precision, with every parameter drawn anew: those that begin at zero too.
template <class Spec>
auto module_of(const Spec& spec, const std::vector<eq::FeatureSpec>& features) {
  torch::manual_seed(2);
  const auto module = spec.build(features);
  module->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  for (const at::Tensor& p : module->parameters()) p.normal_(0, 0.5);
  module->eval();
  return module;
}

template <class Module>
auto projected(Module& module, const std::vector<eq::Feature>& features) {
  std::vector<decltype(module.project(0, features[0]))> out;
  for (std::size_t m = 0; m < features.size(); ++m) out.push_back(module.project(m, features[m]));
  return out;
}

/// One decoding of all records with the modalities of a coalition.
eq::Presence with(eq::Coalition s, std::size_t modalities) {
  return eq::Presence(std::vector<std::uint64_t>(kRecords, s.bits()), 1, modalities);
}
eq::Presence everything(std::size_t modalities) {
  return with(eq::Coalition::full(modalities), modalities);
}
/// All 2^M coalitions of all records.
eq::Presence all_of(std::size_t modalities) {
  return everything(modalities).restricted_to(eq::all_coalitions(modalities));
}

at::Tensor random(at::IntArrayRef sizes) {
  return torch::randn(sizes, torch::kDouble);
}

void check_close(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  CHECK((a - b).abs().max().item<double>() < 1e-12);
}

at::Tensor linear(const torch::OrderedDict<std::string, at::Tensor>& p, const std::string& name, const at::Tensor& x) {
  return torch::linear(x, p[name + ".weight"], p.contains(name + ".bias") ? p[name + ".bias"] : at::Tensor());
}

at::Tensor layer_norm(const torch::OrderedDict<std::string, at::Tensor>& p, const std::string& name,
                      const at::Tensor& x) {
  return torch::layer_norm(x, {x.size(-1)}, p[name + ".weight"], p[name + ".bias"]);
}

/// [.., T, heads * d] -> [.., heads, T, d]
at::Tensor split_heads(const at::Tensor& x, std::int64_t heads) {
  return x.unflatten(-1, {heads, -1}).transpose(-3, -2);
}

}  // namespace

TEST_CASE("bilinear fusion of two modalities is LibTorch's bilinear form beside linear terms", "[fusion][parity]") {
  const auto module = module_of(eq::Bilinear{.width = 5, .rank = 3}, vectors({4, 2}));
  const auto p = module->named_parameters();
  const at::Tensor a = random({kRecords, 4}), b = random({kRecords, 2});
  const at::Tensor u = linear(p, "projections.layers.0", a), v = linear(p, "projections.layers.1", b);
  const at::Tensor both = torch::bilinear(u, v, p["weight3"].view({5, 3, 3}), p["bias"]) +
                          torch::linear(u, p["weight1"]) + torch::linear(v, p["weight2"]);
  const auto parts = projected(*module, {vector_of(a), vector_of(b)});
  check_close(module->combine(parts, everything(2))[0], torch::gelu(both));
  check_close(module->combine(parts, with(eq::Coalition::single(1), 2))[0],
              torch::gelu(torch::linear(v, p["weight2"], p["bias"])));
}

TEST_CASE("tensor fusion of numbers has the products of every set of modalities", "[fusion][worked]") {
  const auto module = module_of(eq::TensorFusion{.width = 1, .rank = 1}, vectors({1, 1}));
  const torch::NoGradGuard no_grad;
  for (const auto& item : module->named_parameters())
    item.value().fill_(item.key() == "bias"      ? 0.1
                       : item.key() == "weight1" ? 0.2
                       : item.key() == "weight2" ? 0.3
                       : item.key() == "weight3" ? 0.05
                                                 : 1.0);
  const at::Tensor two = torch::full({kRecords, 1}, 2.0, torch::kDouble), three = two + 1;
  const at::Tensor joint = module->combine(projected(*module, {vector_of(two), vector_of(three)}), all_of(2));
  // x Φ(x) of 0.1; 0.1 + 0.4; 0.1 + 0.9; 0.1 + 0.4 + 0.9 + 0.3
  const double expected[] = {0.0539827837, 0.3457312306, 0.8413447461, 1.6242387230};
  for (std::int64_t s = 0; s < 4; ++s) CHECK(joint[s][0].item<double>() == Approx(expected[s]).epsilon(1e-8));
}

TEST_CASE("tensor fusion is one linear layer over the outer product of the features with a 1", "[fusion][parity]") {
  const auto module = module_of(eq::TensorFusion{.width = 5, .rank = 2}, vectors({4, 3, 2}));
  const auto p = module->named_parameters();
  std::vector<at::Tensor> u;
  std::vector<eq::Feature> features;
  for (const std::int64_t width : {4, 3, 2}) {
    features.push_back(vector_of(random({kRecords, width})));
    u.push_back(linear(p, "projections.layers." + std::to_string(u.size()), features.back().value));
  }
  // The blocks of the weight, each at the places of its modalities; index 2 is the 1.
  at::Tensor weight = torch::zeros({5, 3, 3, 3}, torch::kDouble);
  for (int set = 0; set < 8; ++set) {
    at::Tensor block = weight;
    std::vector<std::int64_t> shape = {5};
    for (int m = 0; m < 3; ++m) {
      const bool in = (set >> m & 1) != 0;
      block = block.narrow(m + 1, in ? 0 : 2, in ? 2 : 1);
      shape.push_back(in ? 2 : 1);
    }
    block.copy_(set == 0 ? p["bias"].view(shape) : p["weight" + std::to_string(set)].view(shape));
  }
  const at::Tensor joint = module->combine(projected(*module, features), all_of(3));
  for (const eq::Coalition s : eq::all_coalitions(3)) {
    std::vector<at::Tensor> z;
    for (std::size_t m = 0; m < 3; ++m)
      z.push_back(
          torch::cat({s.contains(m) ? u[m] : torch::zeros_like(u[m]), torch::ones({kRecords, 1}, torch::kDouble)}, 1));
    check_close(joint[static_cast<std::int64_t>(s.bits())],
                torch::gelu(torch::einsum("wijk,bi,bj,bk->bw", {weight, z[0], z[1], z[2]})));
  }
}

TEST_CASE("low-rank tensor fusion is a weighted sum of products of factors", "[fusion][parity]") {
  const auto module = module_of(eq::LowRankTensor{.width = 5, .rank = 2}, vectors({4, 3, 2}));
  const auto p = module->named_parameters();
  std::vector<eq::Feature> features;
  for (const std::int64_t width : {4, 3, 2}) features.push_back(vector_of(random({kRecords, width})));
  const at::Tensor joint = module->combine(projected(*module, features), all_of(3));
  for (const eq::Coalition s : eq::all_coalitions(3)) {
    at::Tensor expected = p["bias"].expand({kRecords, 5});
    for (std::int64_t r = 0; r < 2; ++r) {
      at::Tensor product = torch::ones({kRecords, 5}, torch::kDouble);
      for (std::size_t m = 0; m < 3; ++m) {
        const at::Tensor h = s.contains(m) ? features[m].value : torch::zeros_like(features[m].value);
        product = product * torch::linear(h, p["factors.layers." + std::to_string(m) + ".weight"].narrow(0, 5 * r, 5),
                                          p["bias" + std::to_string(m)].narrow(0, 5 * r, 5));
      }
      expected = expected + p["weight"][r] * product;
    }
    check_close(joint[static_cast<std::int64_t>(s.bits())], expected);
  }
}

TEMPLATE_TEST_CASE("what stands for an absent modality acts as its projected feature", "[fusion]", eq::Bilinear,
                   eq::TensorFusion, eq::LowRankTensor) {
  TestType spec;
  spec.width = 5, spec.rank = 2, spec.absent = eq::StandIn::learned;
  const auto module = module_of(spec, vectors({4, 3, 2}));
  std::vector<at::Tensor> parts;
  for (std::size_t m = 0; m < 3; ++m)
    parts.push_back(module->project(m, vector_of(random({kRecords, m == 0 ? 4 : m == 1 ? 3 : 2}))));
  const at::Tensor joint = module->combine(parts, all_of(3));
  const std::string place = std::same_as<TestType, eq::LowRankTensor> ? "factors" : "projections";
  for (const eq::Coalition s : eq::all_coalitions(3)) {
    std::vector<at::Tensor> filled = parts;
    for (std::size_t m = 0; m < 3; ++m)
      if (!s.contains(m))
        filled[m] = module->named_parameters()[place + ".stand_in" + std::to_string(m)].expand_as(parts[m]);
    check_close(joint[static_cast<std::int64_t>(s.bits())], module->combine(filled, everything(3))[0]);
  }
}

TEST_CASE("the mean that stands for an absent modality is that of the records that have it", "[fusion][worked]") {
  const auto module = module_of(eq::Bilinear{.width = 2, .rank = 1, .absent = eq::StandIn::mean}, vectors({1, 1}));
  const auto mean = [&] { return module->named_buffers()["projections.mean1"].item<double>(); };
  const at::Tensor a = random({kRecords, 1});
  const auto pass = [&](std::vector<double> values, std::vector<std::uint64_t> masks) {
    (void)module->combine({a, torch::tensor(values, torch::kDouble).unsqueeze(1)},
                          eq::Presence(std::move(masks), 1, 2));
  };
  const double nan = std::nan("");
  pass({1, 2, 3, 4}, {3, 3, 3, 3});
  CHECK(mean() == 0);  // evaluation
  module->train();
  pass({1, 3, nan, nan}, {3, 2, 1, 1});
  CHECK(mean() == Approx(2));
  pass({8, nan, nan, nan}, {3, 1, 1, 1});
  CHECK(mean() == Approx(5));  // of two batches
  pass({nan, 1, 1, 1}, {3, 3, 3, 3});
  CHECK(mean() == Approx(5));  // a batch with NaN teaches nothing
  for (int i = 0; i < 20; ++i) pass({1, 1, 1, 1}, {3, 3, 3, 3});
  const double before = mean();
  pass({0, 0, 0, 0}, {3, 3, 3, 3});
  CHECK(mean() == Approx(0.9 * before));
}

TEST_CASE("cross-attention is one softmax over the tokens of all other present modalities", "[fusion][parity]") {
  constexpr std::int64_t heads = 2, d = 3;
  const std::vector<eq::FeatureSpec> specs = {
      {eq::FeatureKind::tokens, 4}, {eq::FeatureKind::vector, 3}, {eq::FeatureKind::map, 2, {}}};
  const auto module = module_of(eq::CrossAttention{.width = 5, .heads = heads, .head_width = d}, specs);
  const auto p = module->named_parameters();
  at::Tensor padding = torch::zeros({kRecords, 3}, torch::kBool);
  padding[1][2] = true;
  padding[2].fill_(true);  // a sequence without a step
  const at::Tensor sequence = random({kRecords, 3, 4}).masked_fill(padding.unsqueeze(2), 0),
                   table = random({kRecords, 3}), image = random({kRecords, 2, 2, 1});
  const std::vector<eq::Feature> features = {eq::Feature(eq::TokenFeature{sequence, padding}), vector_of(table),
                                             eq::Feature(eq::MapFeature{image, {}})};
  const at::Tensor joint = module->combine(projected(*module, features), all_of(3));
  const std::vector<at::Tensor> inputs = {sequence, table.unsqueeze(1), image.flatten(2).transpose(1, 2)};
  std::vector<at::Tensor> x, q, k, v;
  for (std::size_t m = 0; m < 3; ++m) {
    x.push_back(linear(p, "inputs." + std::to_string(m), inputs[m]));
    const auto qkv = linear(p, "qkv." + std::to_string(m), x[m]).chunk(3, 2);
    q.push_back(split_heads(qkv[0], heads)), k.push_back(split_heads(qkv[1], heads));
    v.push_back(split_heads(qkv[2], heads));
  }
  for (const eq::Coalition s : eq::all_coalitions(3)) {
    if (s.empty()) continue;
    for (const std::int64_t i : {0, 1, 3}) {  // record by record, without its padding
      const auto kept = [&](const at::Tensor& t, std::size_t m, std::int64_t dim) {
        return m == 0 && i == 1 ? t.narrow(dim, 0, 2) : t;
      };
      at::Tensor sum;
      for (const std::size_t m : s.members()) {
        at::Tensor y = kept(x[m][i], m, 0);  // [T, 5]
        std::vector<at::Tensor> keys, values;
        for (const std::size_t n : s.without(m).members()) {
          keys.push_back(kept(k[n][i], n, 1)), values.push_back(kept(v[n][i], n, 1));
        }
        if (!keys.empty()) {
          const at::Tensor scores = torch::matmul(kept(q[m][i], m, 1), torch::cat(keys, 1).transpose(1, 2));
          const at::Tensor a = torch::matmul((scores / std::sqrt(3.0)).softmax(2), torch::cat(values, 1));
          y = y + linear(p, "out", a.transpose(0, 1).flatten(1));
        }
        const at::Tensor term = torch::gelu(layer_norm(p, "norm", y.mean(0)));
        sum = sum.defined() ? sum + term : term;
      }
      check_close(joint[static_cast<std::int64_t>(s.bits())][i], sum / static_cast<double>(s.size()));
    }
  }
  CHECK(joint.isfinite().all().item<bool>());
}

TEST_CASE("bottleneck fusion passes on the mean of the present modalities' bottlenecks", "[fusion][parity]") {
  constexpr std::int64_t heads = 2;
  const std::vector<eq::FeatureSpec> specs = {{eq::FeatureKind::tokens, 4}, {eq::FeatureKind::vector, 3}};
  const std::int64_t layers = GENERATE(2, 3);
  const auto module =
      module_of(eq::Bottleneck{.width = 6, .heads = heads, .head_width = 2, .bottlenecks = 2, .layers = layers}, specs);
  const auto p = module->named_parameters();
  const at::Tensor sequence = random({kRecords, 3, 4}), table = random({kRecords, 3});
  const std::vector<at::Tensor> inputs = {sequence, table.unsqueeze(1)};
  const at::Tensor joint =
      module->combine(projected(*module, {eq::Feature(eq::TokenFeature{sequence}), vector_of(table)}), all_of(2));
  const auto layer = [&](std::size_t m, int l, const at::Tensor& x) {
    const std::string at = "layers" + std::to_string(m) + "." + std::to_string(l) + ".";
    const auto qkv = linear(p, at + "qkv", layer_norm(p, at + "norm1", x)).chunk(3, 2);
    const at::Tensor a = torch::scaled_dot_product_attention(split_heads(qkv[0], heads), split_heads(qkv[1], heads),
                                                             split_heads(qkv[2], heads));
    const at::Tensor y = x + linear(p, at + "out", a.transpose(1, 2).flatten(2));
    return y + linear(p, at + "last", torch::gelu(linear(p, at + "hidden", layer_norm(p, at + "norm2", y))));
  };
  for (const eq::Coalition s : eq::all_coalitions(2)) {
    if (s.empty()) continue;
    std::vector<at::Tensor> x(2);
    for (const std::size_t m : s.members()) x[m] = linear(p, "inputs." + std::to_string(m), inputs[m]);
    at::Tensor z = p["bottlenecks"].expand({kRecords, 2, 6});
    for (int l = 0; l < layers; ++l) {
      at::Tensor sum;
      for (const std::size_t m : s.members()) {
        const at::Tensor y = layer(m, l, torch::cat({x[m], z}, 1));
        x[m] = y.narrow(1, 0, x[m].size(1));
        const at::Tensor own = y.narrow(1, x[m].size(1), 2);
        sum = sum.defined() ? sum + own : own;
      }
      z = sum / static_cast<double>(s.size());
    }
    at::Tensor expected = torch::zeros({kRecords, 6}, torch::kDouble);
    for (const std::size_t m : s.members())
      expected = expected + torch::gelu(layer_norm(p, "norm", x[m].mean(1))) / static_cast<double>(s.size());
    check_close(joint[static_cast<std::int64_t>(s.bits())], expected);
  }
}

TEST_CASE("a mixture of experts adds the best experts of a record by their gates", "[fusion][parity]") {
  const auto module = module_of(eq::MixtureOfExperts{.width = 5, .experts = 3, .hidden = 4, .top = 2}, vectors({4, 2}));
  const auto p = module->named_parameters();
  const at::Tensor a = random({kRecords, 4}), b = random({kRecords, 2});
  const at::Tensor joint = module->combine(projected(*module, {vector_of(a), vector_of(b)}), everything(2))[0];
  const at::Tensor sum = linear(p, "inputs.0", a) + linear(p, "inputs.1", b) + p["bias"];
  for (std::int64_t i = 0; i < kRecords; ++i) {
    const at::Tensor scores = sum[i].narrow(0, 12, 3);
    const auto worst = scores.argmin().item<std::int64_t>();
    at::Tensor expected = torch::zeros({5}, torch::kDouble), total = torch::zeros({}, torch::kDouble);
    for (std::int64_t e = 0; e < 3; ++e) {
      if (e == worst) continue;
      const at::Tensor y =
          torch::matmul(p["outputs.weight"].narrow(1, 4 * e, 4), torch::gelu(sum[i].narrow(0, 4 * e, 4)));
      expected = expected + scores[e].exp() * (y + p["output_bias"][e]);
      total = total + scores[e].exp();
    }
    check_close(joint[i], expected / total);
  }
}

TEST_CASE("late fusion weights predictions equally, by learned numbers or by precisions", "[fusion][worked]") {
  const at::Tensor one = torch::full({kRecords, 1}, 1.0, torch::kDouble), five = one + 4;
  using Part = eq::LateModule::Projected;
  const auto joint = [](eq::LateRule rule, const Part& a, const Part& b) {
    return module_of(eq::Late{.width = 1, .rule = rule}, vectors({1, 1}))->combine({a, b}, all_of(2)).select(2, 0);
  };
  const at::Tensor mean = joint(eq::LateRule::mean, {one, {}}, {five, {}});
  CHECK(mean[3][0].item<double>() == Approx(3));
  // Weights 1 and 3: (1 + 15) / 4.
  const at::Tensor zero = torch::zeros({1, 1}, torch::kDouble), three = zero + std::log(3.0);
  const at::Tensor learned = joint(eq::LateRule::learned, {one, zero}, {five, three});
  // Precisions 1 and 3 in the first record, equal in the others.
  at::Tensor precision = torch::zeros({kRecords, 1}, torch::kDouble);
  precision[0].fill_(std::log(3.0));
  const at::Tensor product = joint(eq::LateRule::product, {one, torch::zeros_like(precision)}, {five, precision});
  for (const at::Tensor& z : {learned, product}) {
    CHECK(z[3][0].item<double>() == Approx(4));
    CHECK(z[1][0].item<double>() == Approx(1));
    CHECK(z[2][0].item<double>() == Approx(5));
  }
  CHECK(learned[3][1].item<double>() == Approx(4));
  CHECK(product[3][1].item<double>() == Approx(3));
}

TEST_CASE("options that no fusion can have are refused by name", "[fusion]") {
  CHECK_THROWS_WITH(eq::Bottleneck{.layers = 1}.build(vectors({2})),
                    Contains("Bottleneck.layers: expected >= 2, got 1"));
  CHECK_THROWS_WITH((eq::MixtureOfExperts{.experts = 2, .top = 3}.build(vectors({2}))),
                    Contains("MixtureOfExperts.top: expected 1 … experts, got 3"));
  CHECK_THROWS_WITH(eq::TensorFusion{}.build(vectors({2, 2, 2, 2, 2, 2, 2})),
                    Contains("TensorFusion: expected at most 1e8 weights, width * (rank + 1)^M, got 6.12"));
}

TEST_CASE("a spatial cascade decodes the pyramid of a volume, and one voxel where there is none", "[fusion][parity]") {
  const auto encoder = eq::UNetEncoder{.widths = {4, 6, 8}, .dimensions = 3}.build();
  encoder->to(torch::kDouble);
  const eq::MapFeature volume = encoder->forward(random({kRecords, 1, 8, 4, 6}));
  const at::Tensor h = random({kRecords, 3});
  const bool cascade = GENERATE(true, false);  // whether the vector is added at the second level, too
  const auto module = module_of(eq::SpatialCascade{.widths = {8, 5}, .dimensions = 3, .cascade = cascade},
                                {encoder->feature(), {eq::FeatureKind::vector, 3}});
  const auto p = module->named_parameters();
  const auto conv = [&](const std::string& name, const at::Tensor& x, std::int64_t padding = 0) {
    return torch::conv3d(x, p[name + ".weight"], p.contains(name + ".bias") ? p[name + ".bias"] : at::Tensor(), 1,
                         padding);
  };
  const auto normed = [&](const std::string& l, const at::Tensor& x) {
    return torch::gelu(torch::group_norm(x, 1, p["norm." + l + ".weight"], p["norm." + l + ".bias"]));
  };
  const auto spread = [&](const std::string& l) {
    if (l == "1" && !cascade) return torch::zeros({1, 1, 1, 1, 1}, torch::kDouble);
    return linear(p, "lateral.1." + l, h).unsqueeze(2).unsqueeze(3).unsqueeze(4);
  };
  const auto up = [](const at::Tensor& x, const at::Tensor& like) {
    return torch::upsample_trilinear3d(x, like.sizes().slice(2), false);
  };
  const auto decoded = [&](double vectors) {
    at::Tensor x = up(conv("lateral.0.0", volume.map), volume.skips[1]) + conv("lateral.0.1", volume.skips[1]);
    x = normed("0", conv("mix.0", x + vectors * spread("0"), 1));
    x = up(conv("reduce.0", x), volume.skips[0]) + conv("lateral.0.2", volume.skips[0]);
    return normed("1", conv("mix.1", x + vectors * spread("1"), 1));
  };
  CHECK(p.contains("lateral.1.1.weight") == cascade);
  const auto parts = projected(*module, {eq::Feature(volume), vector_of(h)});
  check_close(module->combine(parts, everything(2)).varying, decoded(1));
  check_close(module->combine(parts, with(eq::Coalition::single(0), 2)).varying, decoded(0));
  // Without a volume: what a convolution gives where its whole window sees the same value.
  const at::Tensor window = torch::zeros({1, 1, 3, 3, 3}, torch::kDouble);
  at::Tensor x = normed("0", conv("mix.0", spread("0") + window));
  x = normed("1", conv("mix.1", conv("reduce.0", x) + spread("1") + window));
  check_close(module->combine(parts, with(eq::Coalition::single(1), 2)).uniform, x);
  CHECK_THROWS_WITH(module->project(0, eq::Feature(eq::MapFeature{random({1, 8, 4, 4}), {}})),
                    Contains("expected maps in 3 dimensions"));
}

namespace {

/// GELU of u at every position, averaged with softmax weights of the scores, written out position by position.
at::Tensor tiled_by_hand(const at::Tensor& local, const at::Tensor& vector) {
  const at::Tensor map = local.flatten(2);  // [B, W + 1, X]
  const std::int64_t width = map.size(1) - 1;
  at::Tensor joint = torch::zeros({kRecords, width}, torch::kDouble),
             total = torch::zeros({kRecords, 1}, torch::kDouble);
  for (std::int64_t x = 0; x < map.size(2); ++x) {
    const at::Tensor weight = map.select(2, x).narrow(1, width, 1).exp();
    joint += weight * torch::gelu(map.select(2, x).narrow(1, 0, width) + vector);
    total += weight;
  }
  return joint / total;
}

}  // namespace

TEST_CASE("TiledConcat adds the vectors at every position of the maps, and averages afterwards", "[fusion][parity]") {
  const std::vector<eq::FeatureSpec> specs = {{eq::FeatureKind::map, 5, {2, 3}},
                                              {eq::FeatureKind::vector, 4},
                                              {eq::FeatureKind::map, 2, {}},
                                              {eq::FeatureKind::vector, 3}};
  const auto module = module_of(eq::TiledConcat{.width = 6}, specs);
  eq::Feature first(random({kRecords, 5, 2, 3})), second(random({kRecords, 2, 4, 6}));
  first.kind = second.kind = eq::FeatureKind::map;
  first.skips = {random({kRecords, 2, 8, 12}), random({kRecords, 3, 4, 6})};
  const eq::Feature a = vector_of(random({kRecords, 4})), b = vector_of(random({kRecords, 3}));
  const auto p = module->named_parameters();
  const auto local = [&](const std::string& layer, const at::Tensor& map) {
    return torch::einsum("bchw,oc->bohw", {map, p["layers." + layer + ".weight"]});
  };
  const auto larger = [](const at::Tensor& map) {
    return at::upsample_bilinear2d(map, std::vector<std::int64_t>{4, 6}, false);
  };
  const at::Tensor of_first = larger(local("0.0", first.value)) + local("0.1", first.skips[1]);
  const at::Tensor of_second = local("2.0", second.value);
  const at::Tensor of_a = linear(p, "layers.1.0", a.value), of_b = linear(p, "layers.3.0", b.value), bias = p["bias"];
  const auto parts = projected(*module, {first, a, second, b});
  const auto seen = [&](std::uint64_t mask) { return module->combine(parts, with(eq::Coalition(mask), 4)).squeeze(0); };
  check_close(seen(0b1111), tiled_by_hand(of_first + of_second, of_a + of_b + bias));
  check_close(seen(0b0011), tiled_by_hand(of_first, of_a + bias));
  check_close(seen(0b1100), tiled_by_hand(of_second, of_b + bias));
  // Without a map every position is the same.
  check_close(seen(0b1010), torch::gelu(of_a + of_b + bias));
  // All coalitions at once, and of a batch without any map.
  const at::Tensor all = module->combine(parts, all_of(4));
  for (std::uint64_t mask = 1; mask < 16; ++mask) check_close(all[static_cast<std::int64_t>(mask)], seen(mask));
  check_close(module->combine({{}, parts[1], {}, parts[3]}, with(eq::Coalition(0b1010), 4)).squeeze(0), seen(0b1010));
}

TEST_CASE("TiledConcat fuses maps alone, of the same positions or of one", "[fusion]") {
  const std::vector<eq::FeatureSpec> specs = {{eq::FeatureKind::map, 5, {}}, {eq::FeatureKind::map, 2, {}}};
  const auto module = module_of(eq::TiledConcat{.width = 6}, specs);
  const auto map_of = [&](std::size_t m, at::IntArrayRef positions) {
    std::vector<std::int64_t> sizes = {kRecords, specs[m].width};
    sizes.insert(sizes.end(), positions.begin(), positions.end());
    eq::Feature map(random(sizes));
    map.kind = eq::FeatureKind::map;
    return module->project(m, map);
  };
  const at::Tensor first = map_of(0, {2, 3}), second = map_of(1, {2, 3}), one = map_of(0, {1, 1});
  const at::Tensor bias = module->named_parameters()["bias"];
  const auto seen = [&](const std::vector<at::Tensor>& parts, std::uint64_t mask) {
    return module->combine(parts, with(eq::Coalition(mask), 2)).squeeze(0);
  };
  const at::Tensor all = module->combine({first, second}, all_of(2));
  check_close(all[1], tiled_by_hand(first, bias));
  check_close(all[2], tiled_by_hand(second, bias));
  check_close(all[3], tiled_by_hand(first + second, bias));
  check_close(seen({first, second}, 3), all[3]);
  // One position is the same everywhere, whichever modality has it and whoever else is in the batch.
  check_close(seen({one, second}, 3), tiled_by_hand(one + second, bias));
  check_close(seen({one, second}, 1), seen({one, {}}, 1));
  CHECK_THROWS_WITH(seen({first, map_of(1, {4, 3})}, 3), Contains("shape.101") && Contains("[2, 3] and [4, 3]"));
  CHECK_THROWS_WITH(seen({first, map_of(1, {2, 2, 2})}, 3), Contains("shape.101"));
}

TEST_CASE("TiledConcat: at first all positions weigh the same, and a pooled map is one position", "[fusion]") {
  torch::manual_seed(3);
  const auto module = eq::TiledConcat{.width = 4, .skips = 9}.build(
      std::vector<eq::FeatureSpec>{{eq::FeatureKind::map, 5, {2}}, {eq::FeatureKind::vector, 3}});
  eq::Feature map(torch::randn({kRecords, 5, 2, 2}));
  map.kind = eq::FeatureKind::map;
  map.skips = {torch::randn({kRecords, 2, 4, 4})};
  const at::Tensor scores = module->project(0, map).select(1, 4);
  CHECK(scores.sizes() == at::IntArrayRef{kRecords, 4, 4});
  CHECK(scores.abs().max().item<double>() == 0);
  CHECK(module->parameters_of(0).size() == 2);  // the deepest map's layer, and that of the one skip map
  map.value = map.value.mean({2, 3}, true);
  CHECK(module->project(0, map).sizes() == at::IntArrayRef{kRecords, 5, 1, 1});
  CHECK_THROWS_WITH((eq::TiledConcat{.skips = -1}.build(std::vector<eq::FeatureSpec>{})),
                    Contains("TiledConcat.skips: expected >= 0, got -1"));
}
