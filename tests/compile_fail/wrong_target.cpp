// error: equipoise: the batch's target is of another type than the task's `Target`
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;

int main() {
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3}), eq::task<"y">(eq::Concat{}, eq::Regression{}));
#ifdef MUST_FAIL
  (void)model->to_model_batch(eq::batch(eq::input<"a">(at::Tensor()), eq::target<"y">(eq::Labels{at::Tensor()})));
#else
  (void)model->to_model_batch(eq::batch(eq::input<"a">(at::Tensor()), eq::target<"y">(eq::Values{at::Tensor()})));
#endif
}
