// error: name 'lr' used in
#include <equipoise/balancing/all.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>
#include <equipoise/training/trainer.hpp>

namespace eq = equipoise;

int main() {
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3}), eq::task<"y">(eq::Concat{}, eq::Regression{}));
#ifdef MUST_FAIL
  eq::Trainer trainer(model, eq::Ogm{}, eq::ShapleyLossFactors{}, {.lr = 0.1});
#else
  eq::Trainer two(model, eq::Ogm{}, eq::ShapleyLossFactors{}, {.epochs = 3});
  eq::Trainer one(model, eq::Ogm{}, {.epochs = 3, .learning_rate = 0.1});
  eq::Trainer listed(model, eq::stack(eq::Ogm{}), {.epochs = 3});
#endif
}
