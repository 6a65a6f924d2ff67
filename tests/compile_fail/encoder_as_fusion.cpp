// error: equipoise: here stands no fusion: it is a spec with `build(specs)`, as eq::Concat{...}, or a std::shared_ptr to a module of your own
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/classification.hpp>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  (void)eq::compose(eq::modality<"sound">(eq::Mlp{.in_features = 4}),
                    eq::task<"label">(eq::Mlp{.in_features = 4}, eq::Classification{.classes = 2}));
#else
  (void)eq::compose(eq::modality<"sound">(eq::Mlp{.in_features = 4}),
                    eq::task<"label">(eq::Concat{.width = 4}, eq::Classification{.classes = 2}));
#endif
}
