// error: equipoise: a name of a modality or task may not contain '.', which parts the names of parameters
#include <equipoise/equipoise.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::task<"gpr.a">(eq::Sum{}, eq::Regression{});
#else
  (void)eq::task<"gpr_a">(eq::Sum{}, eq::Regression{});
#endif
}
