// error: equipoise: a modality may not be called "shared", the group of the parameters that belong to none
#include <equipoise/equipoise.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::modality<"shared">(eq::Mlp{.in_features = 4});
#else
  (void)eq::modality<"shared_">(eq::Mlp{.in_features = 4});
#endif
}
