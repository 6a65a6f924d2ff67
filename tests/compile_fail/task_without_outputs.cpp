// error: equipoise: a task needs a member `outputs()`, the size of its prediction
#include <torch/nn/module.h>
#include <equipoise/core/model/concepts.hpp>

namespace eq = equipoise;

struct Head : torch::nn::Module {
  using Target = eq::Values;
  at::Tensor forward(const at::Tensor& joint) { return joint; }
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor&, bool) { return prediction; }
  at::Tensor prior() const { return {}; }
  void fit_prior(const at::Tensor&) {}
#ifndef MUST_FAIL
  std::int64_t outputs() const {
    return 1;
  }
#endif
};

static_assert(eq::CheckTask<Head>::ok);
int main() {}
