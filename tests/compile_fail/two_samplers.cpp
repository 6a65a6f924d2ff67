// error: equipoise: at most one policy of a stack may draw the records of an epoch, beside none that adds some
#include <equipoise/data/samplers.hpp>
#include <equipoise/training/policies.hpp>

#include <vector>

namespace eq = equipoise;

int main() {
  const std::vector<std::int64_t> ids = {0, 1}, classes = {0, 1};
  const eq::StratifiedSampler sampler(ids, classes);
#ifdef MUST_FAIL
  (void)eq::stack(sampler, eq::SampleValuation{});
#else
  (void)eq::stack(sampler, eq::Ogm{});
#endif
}
