// error: equipoise: a policy with on_outputs changes the deployed model and cannot have a window
#include <equipoise/training/policies.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::windowed(eq::Mla{}, {.from = 2});
#else
  (void)eq::windowed(eq::Ogm{}, {.from = 2});
#endif
}
