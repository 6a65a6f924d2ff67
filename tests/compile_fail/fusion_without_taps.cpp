// error: equipoise: this fusion exchanges features between the stages of encoders, and an encoder here has no taps: they are `stages()`, `tap_width(i)` and `forward_stage(i, x)`
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/all.hpp>
#include <equipoise/fusion/mmtm.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::compose(eq::modality<"image">(eq::Cnn{}), eq::modality<"table">(eq::Identity{.width = 3}),
                    eq::task<"y">(eq::Mmtm<>{}, eq::Regression{}));
#else
  (void)eq::compose(eq::modality<"image">(eq::Cnn{}), eq::modality<"table">(eq::Mlp{.in_features = 3}),
                    eq::task<"y">(eq::Mmtm<>{}, eq::Regression{}));
#endif
}
