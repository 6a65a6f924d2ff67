// The examples of docs/components/fusion/, word for word (gate.links_in_docs compares them).

#include <equipoise/equipoise.hpp>

#include "support/catch.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

auto records(std::int64_t n) {
  torch::manual_seed(3);
  return eq::batch(eq::input<"image">(torch::randn({n, 1, 8, 8})), eq::input<"table">(torch::randn({n, 4})));
}

}  // namespace

TEST_CASE("the example of AttentionFusion's page predicts every coalition", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::AttentionFusion{.width = 32}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  at::Tensor of_image = all[1], of_table = all[2], of_both = all[3];       // all[0]: no modality
  CHECK(torch::allclose(of_both, rates, 1e-4, 1e-5));
  CHECK_FALSE(torch::allclose(of_image, of_table));
  CHECK(all[0].sizes() == at::IntArrayRef{5, 3});
}

TEST_CASE("the example of Concat's page predicts the coalitions that are asked for", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::Concat{.width = 32}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];  // [B, 3]
  std::vector<eq::Coalition> asked = {eq::Coalition::single(0), model->full()};
  at::Tensor of_each = model->predict(test, asked)["rate"_n];  // [2, B, 3]: the image alone, both
  CHECK(of_each.sizes() == at::IntArrayRef{2, 5, 3});
  CHECK(torch::allclose(of_each[1], rates, 1e-4, 1e-5));
}

TEST_CASE("the example of Film's page predicts every coalition", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::Film{.width = 32}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  CHECK(all.sizes() == at::IntArrayRef{4, 5, 3});
  CHECK(torch::allclose(all[3], rates, 1e-4, 1e-5));
}

TEST_CASE("the example of Gated's page predicts records that lack a modality", "[fusion][docs]") {
  const auto test = records(3);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::Gated{.width = 32}, eq::Regression{.outputs = 3}));
  // Columns: image, table. The second of three records has no table, the third no image.
  at::Tensor has = torch::tensor({{true, true}, {true, false}, {false, true}});
  at::Tensor rates = model->predict(test.with_presence(has))["rate"_n];  // [3, 3]
  const at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];
  CHECK(torch::allclose(rates, torch::stack({all[3][0], all[1][1], all[2][2]}), 1e-4, 1e-5));
}

TEST_CASE("the example of Late's page averages the modalities' predictions", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"label">(eq::Late{.width = 16}, eq::Classification{.classes = 3}));
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["label"_n];  // logits [4, B, 3]
  at::Tensor mean = (all[1] + all[2]) / 2;                                  // equals all[3]
  CHECK(torch::allclose(mean, all[3], 1e-4, 1e-5));
}

TEST_CASE("the example of Mmtm's page predicts every coalition", "[fusion][docs]") {
  const auto test = records(5);
  auto model =
      eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                  eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16, 16}}),
                  eq::task<"rate">(eq::Mmtm<>{.taps = 2, .last = {.width = 32}}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  CHECK(all.sizes() == at::IntArrayRef{4, 5, 3});
  CHECK(torch::allclose(all[3], rates, 1e-4, 1e-5));
  CHECK_FALSE(torch::allclose(all[1], all[3]));
}

TEST_CASE("the example of Sum's page adds the modalities' predictions", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::Sum{.width = 32}, eq::Regression{.outputs = 3}));
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  at::Tensor bias = all[1] + all[2] - all[3];                              // of the head: the same for every record
  CHECK(torch::allclose(bias, bias[0].expand_as(bias), 1e-4, 1e-5));
}

TEST_CASE("the example of Bilinear's page predicts every coalition", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::Bilinear{.width = 32, .rank = 4}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  CHECK(torch::allclose(all[3], rates, 1e-4, 1e-5));
  CHECK_FALSE(torch::allclose(all[1], all[2]));
}

TEST_CASE("the example of LowRankTensor's page predicts every coalition", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::LowRankTensor{.width = 32}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  CHECK(torch::allclose(all[3], rates, 1e-4, 1e-5));
  CHECK_FALSE(torch::allclose(all[1], all[2]));
}

TEST_CASE("the example of TensorFusion's page predicts every coalition", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::TensorFusion{.width = 32, .rank = 4}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  CHECK(torch::allclose(all[3], rates, 1e-4, 1e-5));
  CHECK_FALSE(torch::allclose(all[1], all[2]));
}

TEST_CASE("the example of CrossAttention's page predicts every coalition", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::CrossAttention{.width = 32, .heads = 2}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  CHECK(torch::allclose(all[3], rates, 1e-4, 1e-5));
  CHECK_FALSE(torch::allclose(all[1], all[2]));
}

TEST_CASE("the example of Bottleneck's page predicts every coalition", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::Bottleneck{.width = 32, .heads = 2}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  CHECK(torch::allclose(all[3], rates, 1e-4, 1e-5));
  CHECK_FALSE(torch::allclose(all[1], all[2]));
}

TEST_CASE("the example of MixtureOfExperts's page predicts every coalition", "[fusion][docs]") {
  const auto test = records(5);
  auto model =
      eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                  eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                  eq::task<"rate">(eq::MixtureOfExperts{.width = 32, .experts = 3}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  CHECK(torch::allclose(all[3], rates, 1e-4, 1e-5));
  CHECK_FALSE(torch::allclose(all[1], all[2]));
}

TEST_CASE("the example of TiledConcat's page predicts every coalition", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"rate">(eq::TiledConcat{.width = 32}, eq::Regression{.outputs = 3}));
  at::Tensor rates = model->predict(test)["rate"_n];                       // [B, 3]
  at::Tensor all = model->predict(test, eq::all_coalitions(2))["rate"_n];  // [4, B, 3]
  CHECK(torch::allclose(all[3], rates, 1e-4, 1e-5));
  CHECK_FALSE(torch::allclose(all[1], all[2]));
}

TEST_CASE("the example of SpatialCascade's page predicts a map of the image's size", "[fusion][docs]") {
  const auto test = records(5);
  auto model = eq::compose(eq::modality<"image">(eq::Cnn{.widths = {8, 16}}),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {16}}),
                           eq::task<"dose">(eq::SpatialCascade{.widths = {8, 4}}, eq::DenseRegression{.channels = 1}));
  at::Tensor maps = model->predict(test)["dose"_n];  // [B, 1, H, W], the size of the image
  CHECK(maps.sizes() == at::IntArrayRef{5, 1, 8, 8});
}
