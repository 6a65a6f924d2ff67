// error: equipoise: this fusion needs a modality whose encoder yields a map, and there is none
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/all.hpp>
#include <equipoise/fusion/spatial_cascade.hpp>
#include <equipoise/tasks/dense_regression.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::compose(eq::modality<"metrics">(eq::Mlp{.in_features = 3}),
                    eq::task<"dd">(eq::SpatialCascade{}, eq::DenseRegression{}));
#else
  (void)eq::compose(eq::modality<"dose">(eq::Cnn{}), eq::task<"dd">(eq::SpatialCascade{}, eq::DenseRegression{}));
#endif
}
