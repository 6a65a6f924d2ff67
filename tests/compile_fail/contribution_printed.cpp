// error: equipoise: no entry has that name; CheckEntryName above lists the names
#include <equipoise/contribution/data_set.hpp>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>

#include <iostream>

namespace eq = equipoise;
using namespace eq::literals;

void print_contribution(const at::Tensor& x, const at::Tensor& y) {
  const auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2}),
                                 eq::task<"y">(eq::Concat{.width = 4}, eq::Regression{.outputs = 1}));
  const auto phi = eq::shapley(*model, eq::batch(eq::input<"a">(x), eq::target<"y">(eq::Values{y})));
#ifdef MUST_FAIL
  std::cout << phi["b"_n]["y"_n];
#else
  std::cout << phi["a"_n]["y"_n];
#endif
}
