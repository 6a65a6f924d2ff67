// error: equipoise: a name of a modality or task may not contain '/', which parts the names of objectives
#include <equipoise/equipoise.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::task<"gpr/dd">(eq::Sum{}, eq::Regression{});
#else
  (void)eq::task<"gpr_dd">(eq::Sum{}, eq::Regression{});
#endif
}
