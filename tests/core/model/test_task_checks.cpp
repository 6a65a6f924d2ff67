/// \file
/// What a task of one's own gets wrong is named: the shape of its loss, a prior that is not finite.

#include <torch/nn/modules/linear.h>

#include <equipoise/equipoise.hpp>
#include <limits>
#include <memory>

#include "support/catch.hpp"

namespace eq = equipoise;
using namespace eq::literals;

namespace {

/// What a task of this file does wrong.
enum class Fault { none, mean_loss, column_loss, infinite_prior };

struct FaultyTask : torch::nn::Module {
  using Target = eq::Values;
  FaultyTask(std::int64_t width, Fault f) : fault(f) {
    linear = register_module("linear", torch::nn::Linear(width, 1));
    zero = register_buffer("zero", torch::zeros({1}));
  }
  std::int64_t outputs() const { return 1; }
  at::Tensor forward(const at::Tensor& joint) { return linear->forward(joint); }
  at::Tensor prior() const { return zero; }
  void fit_prior(const at::Tensor&) {
    if (fault == Fault::infinite_prior) zero.fill_(-std::numeric_limits<double>::infinity());
  }
  at::Tensor loss(const at::Tensor& prediction, const at::Tensor& target, bool) const {
    const at::Tensor square = (prediction - target).square();  // [C, B, 1]
    return fault == Fault::mean_loss ? square.mean() : fault == Fault::column_loss ? square : square.squeeze(2);
  }
  torch::nn::Linear linear{nullptr};
  at::Tensor zero;
  Fault fault;
};

struct Faulty {
  Fault fault;
  [[nodiscard]] std::shared_ptr<FaultyTask> build(std::int64_t width) const {
    return std::make_shared<FaultyTask>(width, fault);
  }
};

void train(Fault fault) {
  torch::manual_seed(1);
  auto model = eq::compose(eq::modality<"a">(eq::Mlp{.in_features = 2, .widths = {4}}),
                           eq::task<"relapse">(eq::Concat{.width = 4}, Faulty{fault}));
  const auto data =
      eq::batch(eq::input<"a">(torch::randn({8, 2})), eq::target<"relapse">(eq::Values{torch::randn({8, 1})}));
  eq::Trainer(model, {}, {.epochs = 1, .batch_size = 8, .progress = nullptr}).fit(data);
}

}  // namespace

TEST_CASE("a loss that is not one value a record names the task and the shapes", "[core][model][error]") {
  CHECK_NOTHROW(train(Fault::none));
  CHECK_THROWS_WITH(train(Fault::mean_loss),
                    Catch::Contains("shape.117] loss, task relapse: expected one value a record, [1, 8], got []"));
  CHECK_THROWS_WITH(train(Fault::column_loss), Catch::Contains("expected one value a record, [1, 8], got [1, 8, 1]"));
}

TEST_CASE("a prior that is not finite names the task before anything is trained", "[core][model][error]") {
  CHECK_THROWS_WITH(train(Fault::infinite_prior),
                    Catch::Contains("numeric.506] prior of task relapse: expected finite values after fit_prior"));
}
