// error: equipoise: a dense task needs a fusion that yields a map, and every other task one that yields a vector
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/all.hpp>
#include <equipoise/fusion/all.hpp>
#include <equipoise/tasks/all.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::compose(eq::modality<"dose">(eq::Cnn{}), eq::task<"dd">(eq::Concat{}, eq::DenseRegression{}));
#else
  (void)eq::compose(eq::modality<"dose">(eq::Cnn{}), eq::task<"dd">(eq::SpatialCascade{}, eq::DenseRegression{}));
#endif
}
