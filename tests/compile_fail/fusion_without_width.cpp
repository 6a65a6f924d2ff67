// error: equipoise: a fusion needs a member `width()`, the size of its joint feature
#include <equipoise/core/model/compose.hpp>
#include <equipoise/encoders/mlp.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;

struct Fusion : torch::nn::Module {
  at::Tensor forward(const std::vector<at::Tensor>& features, const at::Tensor&) { return features[0]; }
#ifndef MUST_FAIL
  std::int64_t width() const {
    return 3;
  }
#endif
};

int main() {
  (void)eq::compose(eq::modality<"x">(eq::Mlp{.in_features = 3}),
                    eq::task<"y">(std::make_shared<Fusion>(), eq::Regression{}));
}
