// error: equipoise: a module of your own is given by pointer, std::make_shared<Module>(...), not by value
#include <equipoise/core/model/compose.hpp>
#include <equipoise/fusion/concat.hpp>
#include <equipoise/tasks/regression.hpp>

namespace eq = equipoise;

struct Twice : torch::nn::Module {
  at::Tensor forward(const at::Tensor& x) { return 2 * x; }
  std::int64_t width() const { return 3; }
};

int main() {
#ifdef MUST_FAIL
  eq::compose(eq::modality<"a">(Twice()), eq::task<"y">(eq::Concat{}, eq::Regression{}));
#else
  eq::compose(eq::modality<"a">(std::make_shared<Twice>()), eq::task<"y">(eq::Concat{}, eq::Regression{}));
#endif
}
