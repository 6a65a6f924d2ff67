// error: equipoise: LBFGS asks for the loss several times a step, which the training loop computes once; take a first-order optimiser
#include <equipoise/equipoise.hpp>

#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>

namespace eq = equipoise;

int main() {
#ifdef MUST_FAIL
  const eq::Optimizer chosen = eq::optimizer<torch::optim::LBFGS>(torch::optim::LBFGSOptions(1));
#else
  const eq::Optimizer chosen = eq::optimizer<torch::optim::RMSprop>(torch::optim::RMSpropOptions(1e-3));
#endif
  const eq::TrainerOptions options{.optimizer = chosen};
  return options.epochs == 0;
}
