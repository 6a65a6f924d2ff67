// error: equipoise: a transform names an input or target that the records do not have
#include <equipoise/data/transform.hpp>

namespace eq = equipoise;
using namespace eq::literals;

int main() {
  const auto data = eq::batch(eq::input<"a">(at::Tensor()));
#ifdef MUST_FAIL
  const auto changed = eq::transformed(data, eq::transform(eq::Flip{}, "b"_n));
#else
  const auto changed = eq::transformed(data, eq::transform(eq::Flip{}, "a"_n));
#endif
  (void)changed.select({}, 1);
}
