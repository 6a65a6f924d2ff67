// error: equipoise: two entries of a record have the same name
#include <equipoise/core/batch/batch.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::batch(eq::input<"dose">(at::Tensor()), eq::input<"dose">(at::Tensor()));
#else
  (void)eq::batch(eq::input<"dose">(at::Tensor()), eq::input<"table">(at::Tensor()));
#endif
}
