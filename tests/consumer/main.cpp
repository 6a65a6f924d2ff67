#include <torch/types.h>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>

#ifdef WITH_REPORT
#include <equipoise/report/html.hpp>
#endif

namespace eq = equipoise;
using namespace eq::literals;

int main() {
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3}),
                           eq::task<"y">(eq::Concat{.width = 8}, eq::Regression{.outputs = 2}));
  const auto y = model->predict(eq::batch(eq::input<"a">(torch::zeros({4, 3}))));
#ifdef WITH_REPORT
  if (eq::report::Page("consumer").html().empty()) return 1;
#endif
  return y["y"_n].sizes() == at::IntArrayRef({4, 2}) ? 0 : 1;
}
