// error: equipoise: this type's options need BOOST_HANA_ADAPT_STRUCT with all its members
#include <equipoise/core/base/options.hpp>

#include <cstdint>

namespace eq = equipoise;

struct Halving {
  std::int64_t every = 10;
};
struct Doubling {
  std::int64_t every = 10;
};
BOOST_HANA_ADAPT_STRUCT(Doubling, every);

int main() {
#ifdef MUST_FAIL
  Halving spec;
#else
  Doubling spec;
#endif
  eq::set_options(spec, {{"every", "5"}});
}
