// error: equipoise: more than three policies go into eq::stack, as in eq::Trainer(model, eq::stack(p, q, r, s), options)
#include <equipoise/balancing/all.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>
#include <equipoise/training/trainer.hpp>

namespace eq = equipoise;

int main() {
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3}), eq::task<"y">(eq::Concat{}, eq::Regression{}));
  const eq::DropModality p;
#ifdef MUST_FAIL
  eq::Trainer trainer(model, p, p, p, p, {.epochs = 3});
#else
  eq::Trainer three(model, p, p, p, {.epochs = 3});
  eq::Trainer stacked(model, eq::stack(p, p, p, p), {.epochs = 3});
#endif
}
