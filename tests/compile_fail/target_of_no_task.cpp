// error: equipoise: the batch has a target that is of no task of the model; batch.only("name"_n, ...) leaves it out
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;
using namespace eq::literals;

int main() {
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3}), eq::task<"y">(eq::Concat{}, eq::Regression{}));
  const auto both = eq::batch(eq::input<"a">(at::Tensor()), eq::target<"y">(eq::Values{at::Tensor()}),
                              eq::target<"z">(eq::Values{at::Tensor()}));
#ifdef MUST_FAIL
  (void)model->to_model_batch(both);
#else
  (void)model->to_model_batch(both.only("a"_n, "y"_n));
#endif
}
