// error: equipoise: two entries of a record have the same name
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;

int main() {
  const eq::Mlp mlp{.in_features = 3};
#ifdef MUST_FAIL
  (void)eq::compose(eq::modality<"dose">(mlp), eq::modality<"dose">(mlp),
                    eq::task<"gpr">(eq::Concat{}, eq::Regression{}));
#else
  (void)eq::compose(eq::modality<"dose">(mlp), eq::modality<"table">(mlp),
                    eq::task<"gpr">(eq::Concat{}, eq::Regression{}));
#endif
}
