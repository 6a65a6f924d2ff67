#include <torch/types.h>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/report/html.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;
using namespace eq::literals;

int main() {
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 3}),
                           eq::task<"y">(eq::Concat{.width = 8}, eq::Regression{.outputs = 2}));
  const auto y = model->predict(eq::batch(eq::input<"a">(torch::zeros({4, 3}))));
  const eq::report::Page page("consumer");
  return y["y"_n].sizes() == at::IntArrayRef({4, 2}) && !page.html().empty() ? 0 : 1;
}
