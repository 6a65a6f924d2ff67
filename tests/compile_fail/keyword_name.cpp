// error: equipoise: a name of a modality or task may not be a keyword of Python, as class is: checkpoints could not be read
#include <equipoise/equipoise.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::task<"class">(eq::Sum{}, eq::Regression{});
#else
  (void)eq::task<"class_">(eq::Sum{}, eq::Regression{});
#endif
}
