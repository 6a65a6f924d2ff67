// error: equipoise: a task may not be called "objective", the sum of the tasks' losses in the history
#include <equipoise/equipoise.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::task<"objective">(eq::Sum{}, eq::Regression{});
#else
  (void)eq::task<"aim">(eq::Sum{}, eq::Regression{});
#endif
}
