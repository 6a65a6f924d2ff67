// error: equipoise: a task needs both `prior()` and `fit_prior(targets)`, what it says without any modality, or neither
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>

namespace eq = equipoise;

struct Head : torch::nn::Module {
  using Target = eq::Values;
  at::Tensor forward(const at::Tensor& joint) { return joint; }
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor&, bool) { return prediction; }
  std::int64_t outputs() const { return 1; }
  at::Tensor prior() const { return {}; }
#ifndef MUST_FAIL
  void fit_prior(const at::Tensor&) {}
#endif
};

int main() {
  (void)eq::compose(eq::modality<"x">(eq::Mlp{.in_features = 3}),
                    eq::task<"y">(eq::Concat{}, std::make_shared<Head>()));
}
