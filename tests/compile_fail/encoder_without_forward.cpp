// error: equipoise: an encoder needs `forward(const at::Tensor&)` that returns at::Tensor, MapFeature or TokenFeature
#include <torch/nn/module.h>
#include <equipoise/core/model/concepts.hpp>

struct Good : torch::nn::Module {
  at::Tensor forward(const at::Tensor& x) { return x; }
  std::int64_t width() const { return 3; }
};
struct NoForward : torch::nn::Module {
  std::int64_t width() const { return 3; }
};

static_assert(equipoise::CheckEncoder<Good>::ok);
#ifdef MUST_FAIL
static_assert(equipoise::CheckEncoder<NoForward>::ok);
#endif
int main() {}
