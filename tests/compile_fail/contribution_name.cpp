// error: equipoise: no entry has that name; CheckEntryName above lists the names
#include <equipoise/contribution/data_set.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;
using namespace eq::literals;

double main_contribution(const at::Tensor& x, const at::Tensor& y) {
  const auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2}),
                                 eq::task<"y">(eq::Concat{.width = 4}, eq::Regression{.outputs = 1}));
  const auto phi = eq::shapley(*model, eq::batch(eq::input<"a">(x), eq::target<"y">(eq::Values{y})));
#ifdef MUST_FAIL
  return phi["a"_n]["why"_n];
#endif
  return phi["a"_n]["y"_n];
}
