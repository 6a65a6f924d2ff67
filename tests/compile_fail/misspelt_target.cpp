// error: equipoise: a task of the model has no target in the batch; eq::target<"name">(eq::NoTarget{}) trains without that task. The batch has a target of no task: is its name misspelt?
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>
#include <equipoise/training/trainer.hpp>

namespace eq = equipoise;

int main() {
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3}), eq::task<"y">(eq::Concat{}, eq::Regression{}));
#ifdef MUST_FAIL
  eq::Trainer(model).fit(eq::batch(eq::input<"a">(at::Tensor()), eq::target<"x">(eq::Values{at::Tensor()})));
#else
  eq::Trainer(model).fit(eq::batch(eq::input<"a">(at::Tensor()), eq::target<"y">(eq::Values{at::Tensor()})));
#endif
}
