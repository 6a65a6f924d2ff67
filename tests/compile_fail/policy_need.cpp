// error: equipoise: this policy needs every task of the model to have a linear head (a member `weight()`)
#include <equipoise/equipoise.hpp>

namespace eq = equipoise;

int main() {
  auto maps = eq::compose(eq::modality<"dose">(eq::Cnn{}), eq::task<"dd">(eq::SpatialCascade{}, eq::DenseRegression{}));
  auto rates = eq::compose(eq::modality<"dose">(eq::Cnn{}), eq::task<"gpr">(eq::Sum{}, eq::Regression{}));
#ifdef MUST_FAIL
  eq::Trainer trainer(maps, eq::Mla{});
#else
  eq::Trainer trainer(rates, eq::Mla{});
#endif
}
