// error: equipoise: a corruption needs a call with a strength, a double, that returns a change of a record
#include <equipoise/data/corruption.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  const auto blur = [](const at::Tensor& record, eq::RandomStream&) { return record; };
#else
  const auto blur = [](double strength) { return eq::Blur{.sd = strength}; };
#endif
  return eq::CheckCorruption<decltype(blur)>::ok ? 0 : 1;
}
