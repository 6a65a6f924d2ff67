// error: equipoise: policies stand before the options, as in eq::Trainer(model, eq::Ogm{}, options)
#include <equipoise/balancing/ogm.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>
#include <equipoise/training/trainer.hpp>

namespace eq = equipoise;

int main() {
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3}), eq::task<"y">(eq::Concat{}, eq::Regression{}));
  const eq::TrainerOptions options{.epochs = 3};
#ifdef MUST_FAIL
  eq::Trainer trainer(model, options, eq::Ogm{});
#else
  eq::Trainer trainer(model, eq::Ogm{}, options);
#endif
}
