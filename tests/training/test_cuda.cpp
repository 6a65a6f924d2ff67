#include <torch/cuda.h>
#include <equipoise/evaluation/infer.hpp>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using support::Kind;

namespace {

/// Parameters, on the host, of a model trained on a device.
template <Kind K, class P>
at::Tensor trained_on(c10::Device device, const P& policy) {
  const auto model = [] {
    if constexpr (K == Kind::dense)
      return support::toy_model<2, K>(eq::SpatialCascade{.widths = {8, 4}});
    else
      return support::toy_model<2, K>(eq::Sum{.width = 6});
  }();
  eq::Trainer trainer(model, policy,
                      {.epochs = 3,
                       .batch_size = 8,
                       .device = device,
                       .optimizer = eq::Optimizer::sgd,
                       .learning_rate = 0.05,
                       .holdout = 0.25});
  const auto data = support::toy_data<2, K>(32);
  trainer.fit(data, data);
  return support::flat_parameters(*model).cpu();
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a run on a CUDA device is the run on the host", "[training][cuda]", eq::EveryPolicy) {
  if (!torch::cuda::is_available()) {
    WARN("skipped: no CUDA device");
    return;
  }
  TestType policy;
  if constexpr (std::is_same_v<TestType, eq::SampleValuation>) policy.warmup = 0;
  const auto compare = [&]<Kind K>() {
    // Doubles: the two devices differ in the order of sums alone.
    CHECK(
        (trained_on<K>(torch::kCUDA, policy) - trained_on<K>(torch::kCPU, policy)).abs().max().template item<double>() <
        1e-8);
  };
  compare.template operator()<Kind::regression>();
  compare.template operator()<Kind::classification>();
  if constexpr (!TestType::needs.linear_head) compare.template operator()<Kind::dense>();
}

TEST_CASE("a run moves between devices by its checkpoint", "[training][cuda]") {
  if (!torch::cuda::is_available()) {
    WARN("skipped: no CUDA device");
    return;
  }
  const support::TemporaryFolder folder;
  const auto data = support::toy_data<2, Kind::classification>(32);
  eq::TrainerOptions o{.epochs = 2, .batch_size = 8, .device = torch::kCUDA};
  o.checkpoint = (folder.path() / "c.pt").string();
  const auto there = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
  eq::Trainer(there, eq::Ogm{}, o).fit(data, data);
  for (const c10::Device device : {c10::Device(torch::kCPU), c10::Device(torch::kCUDA)}) {
    const auto here = support::toy_model<2, Kind::classification>(eq::Sum{.width = 6});
    o.device = device;
    eq::Trainer trainer(here, eq::Ogm{}, o);
    trainer.resume_best(o.checkpoint);
    CHECK(
        torch::allclose(eq::infer(*here, data)[eq::name_value<"y">{}], eq::infer(*there, data)[eq::name_value<"y">{}]));
    CHECK(eq::shapley(*here, data).tasks.size() == 1);
  }
}
