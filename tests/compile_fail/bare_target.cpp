// error: equipoise: a target needs Values, Labels or Maps around its tensor, e.g. eq::Values{tensor}
#include <equipoise/core/batch/batch.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::target<"y">(at::Tensor());
#else
  (void)eq::target<"y">(eq::Values{at::Tensor()});
#endif
}
