// error: equipoise: a task's `metrics()` is const and returns std::vector<eq::Metric>
#include <torch/nn/module.h>
#include <equipoise/core/model/concepts.hpp>

namespace eq = equipoise;

struct Head : torch::nn::Module {
  using Target = eq::Values;
  at::Tensor forward(const at::Tensor& joint) { return joint; }
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor&, bool) { return prediction; }
  at::Tensor prior() const { return {}; }
  void fit_prior(const at::Tensor&) {}
  std::int64_t outputs() const { return 1; }
#ifdef MUST_FAIL
  std::vector<double> metrics() const {
    return {};
  }
#else
  std::vector<eq::Metric> metrics() const {
    return {};
  }
#endif
};

static_assert(eq::CheckTask<Head>::ok);
int main() {}
