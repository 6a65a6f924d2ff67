// What every encoder of the list keeps to. Its example and an input of it come from its own header.

#include <equipoise/encoders/all.hpp>

#include <torch/serialize.h>

#include <sstream>

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

template <class E>
auto small_encoder() {
  torch::manual_seed(3);
  auto encoder = E::example().build();
  encoder->to(torch::kDouble);
  return encoder;
}

/// Records that go with it, in double precision where they are no integers.
template <class E>
at::Tensor records(std::int64_t n) {
  torch::manual_seed(5);
  const at::Tensor x = E::example_input(n);
  return x.is_floating_point() ? x.to(torch::kDouble) : x;
}

/// A feature's value and its skip maps.
template <class Module>
std::vector<at::Tensor> encoded(Module& encoder, const at::Tensor& x) {
  std::vector<at::Tensor> out;
  (void)eq::Feature(encoder.forward(x)).map_tensors([&](const at::Tensor& t) {
    out.push_back(t);
    return t;
  });
  return out;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("an encoder's feature is as it declares, for one record as for many", "[encoders][law]",
                        eq::EveryEncoder) {
  const auto encoder = small_encoder<TestType>();
  // A model compares each feature with what its encoder declares.
  const auto model = eq::compose(eq::modality<"a">(encoder), eq::task<"y">(eq::Sum{.width = 3}, eq::Regression{}));
  model->to(torch::kDouble);
  for (const std::int64_t n : {1, 5}) {
    const eq::Feature feature(encoder->forward(records<TestType>(n)));
    const std::int64_t width = model->schema().widths.at(0);
    CHECK(feature.kind == eq::feature_kind<std::decay_t<decltype(*encoder)>>);
    CHECK(feature.vector().sizes() == at::IntArrayRef{n, width});
    CHECK(model->predict(eq::batch(eq::input<"a">(records<TestType>(n))))["y"_n].sizes() == at::IntArrayRef{n, 1});
  }
}

TEMPLATE_LIST_TEST_CASE("a gradient reaches every parameter of an encoder", "[encoders][law]", eq::EveryEncoder) {
  const auto encoder = small_encoder<TestType>();
  eq::Feature(encoder->forward(records<TestType>(5))).value.square().sum().backward();
  for (const auto& parameter : encoder->named_parameters()) {
    INFO(parameter.key());
    REQUIRE(parameter.value().grad().defined());
    CHECK(parameter.value().grad().isfinite().all().template item<bool>());
    CHECK(parameter.value().grad().abs().sum().template item<double>() > 0);
  }
}

TEMPLATE_LIST_TEST_CASE("an encoder saved and loaded is the same", "[encoders][law]", eq::EveryEncoder) {
  const auto a = small_encoder<TestType>(), b = small_encoder<TestType>();
  {
    const torch::NoGradGuard no_grad;
    for (const at::Tensor& p : b->parameters()) p.zero_();
  }
  std::stringstream stream;
  torch::serialize::OutputArchive out;
  a->save(out);
  out.save_to(stream);
  torch::serialize::InputArchive in;
  in.load_from(stream);
  b->load(in);
  a->eval(), b->eval();
  const at::Tensor x = records<TestType>(5);
  const auto first = encoded(*a, x), second = encoded(*b, x);
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(torch::equal(first[i], second[i]));
}

TEMPLATE_LIST_TEST_CASE("in evaluation an encoder says the same again, and of a record whatever is beside it",
                        "[encoders][law]", eq::EveryEncoder) {
  const auto encoder = small_encoder<TestType>();
  encoder->eval();
  const at::Tensor x = records<TestType>(5);
  const auto first = encoded(*encoder, x), again = encoded(*encoder, x), alone = encoded(*encoder, x.narrow(0, 2, 1));
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(torch::equal(first[i], again[i]));
    // Sums in another order: rounding of doubles.
    CHECK((first[i].narrow(0, 2, 1) - alone[i]).abs().max().template item<double>() < 1e-12);
  }
}

TEMPLATE_LIST_TEST_CASE("an input of another shape is refused with the encoder's name", "[encoders][law]",
                        eq::EveryEncoder) {
  const auto encoder = small_encoder<TestType>();
  CHECK_THROWS_AS(encoder->forward(records<TestType>(2).unsqueeze(-1)), eq::ShapeError);
  CHECK_THROWS_WITH(encoder->forward(records<TestType>(2).unsqueeze(-1)),
                    Catch::Contains("shape.101") && Catch::Contains(encoder->name()));
}

TEMPLATE_LIST_TEST_CASE("an encoder's options are printed and set by name", "[encoders][law]", eq::EveryEncoder) {
  TestType copy;
  eq::set_options(copy, eq::options(TestType::example()));
  CHECK(eq::options(copy) == eq::options(TestType::example()));
}
