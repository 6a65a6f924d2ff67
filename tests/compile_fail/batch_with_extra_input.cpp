// error: equipoise: the batch has an input that is no modality of the model; batch.only("name"_n, ...) leaves it out
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;
using namespace eq::literals;

int main() {
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3}), eq::task<"y">(eq::Concat{}, eq::Regression{}));
  const auto both = eq::batch(eq::input<"a">(at::Tensor()), eq::input<"b">(at::Tensor()));
#ifdef MUST_FAIL
  (void)model->to_model_batch(both);
#else
  (void)model->to_model_batch(both.only("a"_n));
#endif
}
