// error: equipoise: the batch has no input for this modality of the model
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;

int main() {
  auto model =
      eq::compose(eq::modality<"dose">(eq::Mlp{.in_features = 3}), eq::task<"gpr">(eq::Concat{}, eq::Regression{}));
#ifdef MUST_FAIL
  (void)model->to_model_batch(eq::batch(eq::input<"doze">(at::Tensor())));
#else
  (void)model->to_model_batch(eq::batch(eq::input<"dose">(at::Tensor())));
#endif
}
