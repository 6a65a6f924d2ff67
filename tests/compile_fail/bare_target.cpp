// error: equipoise: a target needs a type around its tensor that says what is missing: eq::Values, Labels, Maps or one of your own, e.g. eq::Values{tensor}
#include <equipoise/core/batch/batch.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::target<"y">(at::Tensor());
#else
  (void)eq::target<"y">(eq::Values{at::Tensor()});
#endif
}
