// The blocks of docs/encoders.md: an encoder of one's own with taps, in a model with MMTM.

#include <equipoise/equipoise.hpp>
#include <equipoise/fusion/mmtm.hpp>

#include <memory>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

/// Two convolutions, each halving the sides. The map before each is a skip map.
struct TwoScales : torch::nn::Module {
  TwoScales() {
    const auto options = [](std::int64_t in, std::int64_t out) {
      return torch::nn::Conv2dOptions(in, out, 3).stride(2).padding(1);
    };
    convs = {register_module("first", torch::nn::Conv2d(options(1, 4))),
             register_module("second", torch::nn::Conv2d(options(4, 8)))};
  }

  eq::FeatureSpec feature() const { return {eq::FeatureKind::map, 8, /*skip_widths=*/{1, 4}}; }
  eq::MapFeature forward(const at::Tensor& x) {
    const eq::Feature out = forward_stage(1, forward_stage(0, eq::Feature(x)));
    return {out.value, out.skips};
  }

  std::size_t stages() const { return convs.size(); }
  std::int64_t tap_width(std::size_t i) const { return i == 0 ? 4 : 8; }  // channels after stage i
  eq::Feature forward_stage(std::size_t i, eq::Feature x) {
    x.kind = eq::FeatureKind::map;  // stage 0 gets the input as x.value
    x.skips.push_back(x.value);
    x.value = torch::relu(convs[i]->forward(x.value));
    return x;
  }

  std::vector<torch::nn::Conv2d> convs;
};
static_assert(eq::EncoderWithTaps<TwoScales>);

}  // namespace

TEST_CASE("an encoder with taps of the page takes part in exchanges", "[encoders][docs]") {
  torch::manual_seed(1);
  auto model =
      eq::compose(eq::modality<"image">(std::make_shared<TwoScales>()),
                  eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {6, 6}}),
                  eq::task<"dose">(eq::Mmtm<eq::SpatialCascade>{.last = {.widths = {8, 4}}}, eq::DenseRegression{}));
  const auto data =
      eq::batch(eq::input<"image">(torch::randn({3, 1, 8, 12})), eq::input<"table">(torch::randn({3, 4})));
  const at::Tensor mixed = model->predict(data)["dose"_n];
  CHECK(mixed.sizes() == at::IntArrayRef({3, 1, 8, 12}));
  // With gates of 1 the exchanges do nothing: the model is that of the cascade alone.
  auto alone = eq::compose(eq::modality<"image">(std::make_shared<TwoScales>()),
                           eq::modality<"table">(eq::Mlp{.in_features = 4, .widths = {6, 6}}),
                           eq::task<"dose">(eq::SpatialCascade{.widths = {8, 4}}, eq::DenseRegression{}));
  const torch::NoGradGuard no_grad;
  const auto of_model = model->module().named_parameters();
  for (const auto& item : of_model)
    if (item.key().find("excite") != std::string::npos) item.value().zero_();
  for (auto& item : alone->module().named_parameters()) {
    std::string name = item.key();
    if (name.starts_with("fusions.dose.")) name.insert(std::string("fusions.dose.").size(), "last.");
    item.value().copy_(of_model[name]);
  }
  const at::Tensor expected = alone->predict(data)["dose"_n];
  CHECK(torch::allclose(model->predict(data)["dose"_n], expected, 1e-5, 1e-6));
  CHECK_FALSE(torch::allclose(mixed, expected, 1e-3, 1e-3));
}
