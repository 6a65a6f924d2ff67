// What every encoder of the list keeps to. Its example and an input of it come from its own header.
// Each encoder is compiled once, behind functions; the laws know only these.

#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/all.hpp>
#include <equipoise/fusion/sum.hpp>
#include <equipoise/tasks/regression.hpp>

#include <torch/serialize.h>

#include <functional>
#include <sstream>

#include "support/catch.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

struct AnyEncoder {
  std::shared_ptr<torch::nn::Module> module;
  std::function<eq::Feature(const at::Tensor&)> forward;
  eq::FeatureSpec declared;
};

struct Case {
  std::string id;
  std::function<AnyEncoder()> build;              // in double precision
  std::function<at::Tensor(std::int64_t)> input;  // records, in double precision where they are no integers
  std::function<void()> check_options;
};

template <class E>
AnyEncoder built() {
  torch::manual_seed(3);
  auto encoder = E::example().build();
  using Module = std::decay_t<decltype(*encoder)>;
  encoder->to(torch::kDouble);
  AnyEncoder out{encoder, [encoder](const at::Tensor& x) { return eq::Feature(encoder->forward(x)); }, {}};
  if constexpr (requires { encoder->feature(); })
    out.declared = encoder->feature();
  else
    out.declared = {eq::feature_kind<Module>, encoder->width()};
  return out;
}

template <class E>
Case case_of() {
  return {std::string(E::id), built<E>,
          [](std::int64_t n) {
            torch::manual_seed(5);
            const at::Tensor x = E::example_input(n);
            return x.is_floating_point() ? x.to(torch::kDouble) : x;
          },
          [] {
            E copy;
            eq::set_options(copy, eq::options(E::example()));
            CHECK(eq::options(copy) == eq::options(E::example()));
          }};
}

std::vector<Case> cases() {
  std::vector<Case> out;
  eq::for_each_type<eq::EveryEncoder>([&]<class E>() { out.push_back(case_of<E>()); });
  return out;
}

/// Runs a law over all encoders.
template <class Law>
void for_every_encoder(Law&& law) {
  for (const Case& c : cases()) DYNAMIC_SECTION(c.id) {
      law(c);
    }
}

/// An encoder of any kind as a model takes it: the kind is known when the model is compiled.
template <class Out>
struct OfKind : torch::nn::Module {
  explicit OfKind(AnyEncoder any) : encoder(std::move(any)) { register_module("module", encoder.module); }
  Out forward(const at::Tensor& x) {
    eq::Feature f = encoder.forward(x);
    if constexpr (std::is_same_v<Out, eq::MapFeature>)
      return {f.value, f.skips};
    else if constexpr (std::is_same_v<Out, eq::TokenFeature>)
      return {f.value, f.padding};
    else
      return f.value;
  }
  eq::FeatureSpec feature() const { return encoder.declared; }
  AnyEncoder encoder;
};

/// The prediction of a model of this encoder alone. The model compares each feature with what its encoder declares.
template <class Out>
at::Tensor predicted(const AnyEncoder& encoder, const at::Tensor& x) {
  const auto model = eq::compose(eq::modality<"a">(std::make_shared<OfKind<Out>>(encoder)),
                                 eq::task<"y">(eq::Sum{.width = 3}, eq::Regression{}));
  model->to(torch::kDouble);
  return model->predict(eq::batch(eq::input<"a">(x)))["y"_n];
}

/// A feature's value and its skip maps.
std::vector<at::Tensor> encoded(const AnyEncoder& encoder, const at::Tensor& x) {
  std::vector<at::Tensor> out;
  (void)encoder.forward(x).map_tensors([&](const at::Tensor& t) {
    out.push_back(t);
    return t;
  });
  return out;
}

}  // namespace

TEST_CASE("an encoder's feature is as it declares, for one record as for many", "[encoders][law]") {
  for_every_encoder([](const Case& c) {
    const AnyEncoder encoder = c.build();
    for (const std::int64_t n : {1, 5}) {
      const at::Tensor x = c.input(n);
      const eq::Feature feature = encoder.forward(x);
      CHECK(feature.kind == encoder.declared.kind);
      CHECK(feature.vector().sizes() == at::IntArrayRef{n, encoder.declared.width});
      const at::Tensor y = feature.kind == eq::FeatureKind::vector   ? predicted<at::Tensor>(encoder, x)
                           : feature.kind == eq::FeatureKind::tokens ? predicted<eq::TokenFeature>(encoder, x)
                                                                     : predicted<eq::MapFeature>(encoder, x);
      CHECK(y.sizes() == at::IntArrayRef{n, 1});
    }
  });
}

TEST_CASE("a gradient reaches every parameter of an encoder that is trained", "[encoders][law]") {
  for_every_encoder([](const Case& c) {
    const AnyEncoder encoder = c.build();
    const at::Tensor value = encoder.forward(c.input(5)).value;
    if (value.requires_grad()) value.square().sum().backward();
    for (const auto& parameter : encoder.module->named_parameters()) {
      if (!parameter.value().requires_grad()) continue;
      INFO(parameter.key());
      REQUIRE(parameter.value().grad().defined());
      CHECK(parameter.value().grad().isfinite().all().item<bool>());
      CHECK(parameter.value().grad().abs().sum().item<double>() > 0);
    }
  });
}

TEST_CASE("an encoder saved and loaded is the same", "[encoders][law]") {
  for_every_encoder([](const Case& c) {
    const AnyEncoder a = c.build(), b = c.build();
    {
      const torch::NoGradGuard no_grad;
      for (const at::Tensor& p : b.module->parameters()) p.zero_();
    }
    std::stringstream stream;
    torch::serialize::OutputArchive out;
    a.module->save(out);
    out.save_to(stream);
    torch::serialize::InputArchive in;
    in.load_from(stream);
    b.module->load(in);
    a.module->eval(), b.module->eval();
    const at::Tensor x = c.input(5);
    const auto first = encoded(a, x), second = encoded(b, x);
    for (std::size_t i = 0; i < first.size(); ++i) CHECK(torch::equal(first[i], second[i]));
  });
}

TEST_CASE("in evaluation an encoder says the same again, and of a record whatever is beside it", "[encoders][law]") {
  for_every_encoder([](const Case& c) {
    const AnyEncoder encoder = c.build();
    encoder.module->eval();
    const at::Tensor x = c.input(5);
    const auto first = encoded(encoder, x), again = encoded(encoder, x), alone = encoded(encoder, x.narrow(0, 2, 1));
    for (std::size_t i = 0; i < first.size(); ++i) {
      CHECK(torch::equal(first[i], again[i]));
      // Sums in another order: rounding of doubles.
      CHECK((first[i].narrow(0, 2, 1) - alone[i]).abs().max().item<double>() < 1e-12);
    }
  });
}

TEST_CASE("an input of another shape is refused with the encoder's name", "[encoders][law]") {
  for_every_encoder([](const Case& c) {
    const AnyEncoder encoder = c.build();
    const at::Tensor x = c.input(2).unsqueeze(-1);
    CHECK_THROWS_AS(encoder.forward(x), eq::ShapeError);
    CHECK_THROWS_WITH(encoder.forward(x), Catch::Contains("shape.101") && Catch::Contains(encoder.module->name()));
  });
}

TEST_CASE("an encoder's options are printed and set by name", "[encoders][law]") {
  for_every_encoder([](const Case& c) { c.check_options(); });
}
