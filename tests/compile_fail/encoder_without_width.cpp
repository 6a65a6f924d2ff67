// error: equipoise: an encoder needs a member `width()`, the size of its feature, or `feature()`; eq::encoder(module, {.width = ...}) gives it to one that has none
#include <torch/nn/modules/linear.h>
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/sized.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;

int main() {
  const torch::nn::Linear linear(3, 4);
#ifdef MUST_FAIL
  (void)eq::compose(eq::modality<"x">(linear), eq::task<"y">(eq::Concat{}, eq::Regression{}));
#else
  (void)eq::compose(eq::modality<"x">(eq::encoder(linear, {.width = 4})),
                    eq::task<"y">(eq::Concat{}, eq::Regression{}));
#endif
}
