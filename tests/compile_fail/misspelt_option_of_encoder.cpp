// error: has no non-static data member named 'in_feature'
#include <equipoise/encoders/mlp.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::Mlp{.in_feature = 3};
#else
  (void)eq::Mlp{.in_features = 3};
#endif
}
