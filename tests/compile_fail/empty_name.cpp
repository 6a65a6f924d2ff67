// error: equipoise: a name of a modality or task may not be empty
#include <equipoise/equipoise.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::task<"">(eq::Sum{}, eq::Regression{});
#else
  (void)eq::task<"gpr">(eq::Sum{}, eq::Regression{});
#endif
}
