// On the meta device tensors have shapes but no values: a tensor that was left on the host, or a device named somewhere,
// is an error there. LibTorch keeps some operators' meta kernels in Python; those that are needed are registered here.

#include <torch/library.h>

#include "support/catch.hpp"
#include "support/toy.hpp"

namespace eq = equipoise;
using namespace eq::literals;
using support::eager, support::Kind;

namespace {

using Mask = std::array<bool, 3>;
using Maybe = std::optional<at::Tensor>;

at::Tensor index_select(const at::Tensor& self, std::int64_t dim, const at::Tensor& index) {
  std::vector<std::int64_t> size = self.sizes().vec();
  size[static_cast<std::size_t>(at::maybe_wrap_dim(dim, self.dim()))] = index.numel();
  return self.new_empty(size);
}
at::Tensor where(const at::Tensor& condition, const at::Tensor& a, const at::Tensor& b) {
  return a.new_empty(at::infer_size(at::infer_size(condition.sizes(), a.sizes()), b.sizes()));
}
at::Tensor& logical_and(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) {
  out.resize_(at::infer_size(a.sizes(), b.sizes()));
  return out;
}
at::Tensor& fill_masked(at::Tensor& self, const at::Tensor&, const at::Scalar&) {
  return self;
}
at::Tensor& fill_indexed(at::Tensor& self, std::int64_t, const at::Tensor&, const at::Scalar&) {
  return self;
}
at::Tensor deviation(const at::Tensor& self, at::OptionalIntArrayRef, const std::optional<at::Scalar>&, bool) {
  return self.new_empty({});
}
at::Tensor dot(const at::Tensor& self, const at::Tensor&) {
  return self.new_empty({});
}
std::tuple<at::Tensor, at::Tensor, at::Tensor> layer_norm(const at::Tensor& x, c10::SymIntArrayRef normalized,
                                                          const Maybe&, const Maybe&, double) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(x.dim()), 1);
  for (std::size_t d = 0; d + normalized.size() < rows.size(); ++d) rows[d] = x.size(static_cast<std::int64_t>(d));
  return {x.new_empty(x.sizes()), x.new_empty(rows), x.new_empty(rows)};
}
std::tuple<at::Tensor, at::Tensor, at::Tensor> norm_gradients(const at::Tensor& x, const Maybe& weight) {
  const at::Tensor w = weight ? x.new_empty(weight->sizes()) : at::Tensor();
  return {x.new_empty(x.sizes()), w, weight ? x.new_empty(weight->sizes()) : w};
}
std::tuple<at::Tensor, at::Tensor, at::Tensor> layer_norm_backward(const at::Tensor&, const at::Tensor& x,
                                                                   c10::SymIntArrayRef, const at::Tensor&,
                                                                   const at::Tensor&, const Maybe& weight, const Maybe&,
                                                                   Mask) {
  return norm_gradients(x, weight);
}
std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm(const at::Tensor& x, const Maybe&, const Maybe&,
                                                          c10::SymInt n, c10::SymInt, c10::SymInt, std::int64_t groups,
                                                          double) {
  const at::Tensor statistic = x.new_empty({n.expect_int(), groups});
  return {x.new_empty(x.sizes()), statistic, x.new_empty({n.expect_int(), groups})};
}
std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm_backward(const at::Tensor&, const at::Tensor& x,
                                                                   const at::Tensor&, const at::Tensor&,
                                                                   const Maybe& weight, c10::SymInt, c10::SymInt,
                                                                   c10::SymInt, std::int64_t, Mask) {
  return norm_gradients(x, weight);
}
at::Tensor convolution(const at::Tensor& x, const at::Tensor& w, const Maybe&, c10::SymIntArrayRef stride,
                       c10::SymIntArrayRef padding, c10::SymIntArrayRef, bool, c10::SymIntArrayRef, c10::SymInt) {
  std::vector<std::int64_t> size = {x.size(0), w.size(0)};
  for (std::size_t d = 0; d < 2; ++d) {
    const auto axis = static_cast<std::int64_t>(d) + 2;
    size.push_back((x.size(axis) + 2 * padding[d].expect_int() - w.size(axis)) / stride[d].expect_int() + 1);
  }
  return x.new_empty(size);
}
std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor&, const at::Tensor& x, const at::Tensor& w, at::OptionalSymIntArrayRef bias, c10::SymIntArrayRef,
    c10::SymIntArrayRef, c10::SymIntArrayRef, bool, c10::SymIntArrayRef, c10::SymInt, Mask mask) {
  return {mask[0] ? x.new_empty(x.sizes()) : at::Tensor(), mask[1] ? w.new_empty(w.sizes()) : at::Tensor(),
          mask[2] ? w.new_empty_symint(*bias) : at::Tensor()};
}

TORCH_LIBRARY_IMPL(aten, Meta, kernels) {
  kernels.impl("index_select", index_select);
  kernels.impl("where.self", where);
  kernels.impl("logical_and.out", logical_and);
  kernels.impl("masked_fill_.Scalar", fill_masked);
  kernels.impl("index_fill_.int_Scalar", fill_indexed);
  kernels.impl("std.correction", deviation);
  kernels.impl("dot", dot);
  kernels.impl("native_layer_norm", layer_norm);
  kernels.impl("native_layer_norm_backward", layer_norm_backward);
  kernels.impl("native_group_norm", group_norm);
  kernels.impl("native_group_norm_backward", group_norm_backward);
  kernels.impl("convolution", convolution);
  kernels.impl("convolution_backward", convolution_backward);
}

/// Records without values; the second half of them lacks the first modality.
template <std::size_t M, Kind K>
auto meta_data(std::int64_t n) {
  auto data = support::toy_data<M, K>(n);
  data.inputs.for_each([](auto, at::Tensor& x) { x = x.to(torch::kMeta); });
  data.targets.for_each([](auto, auto& y) { y.tensor = y.tensor.to(torch::kMeta); });
  at::Tensor presence = torch::ones({n, static_cast<std::int64_t>(M)}, torch::kBool);
  presence.narrow(0, n / 2, n - n / 2).select(1, 0).fill_(false);
  return data.with_presence(presence);
}

template <Kind K, class Fusion>
void trains(const Fusion& fusion, eq::PolicyStack policies) {
  const auto model = support::toy_model<2, K>(fusion);
  support::to_meta(*model);
  eq::Trainer trainer(model, std::move(policies), {.epochs = 3, .batch_size = 8, .device = torch::kMeta, .seed = 3});
  const eq::History history = trainer.fit(meta_data<2, K>(16));
  CHECK(history.epochs.size() == 3);
  const std::vector<eq::Coalition> all = eq::all_coalitions(2);
  const at::Tensor z = model->predict(meta_data<2, K>(4), all)["y"_n];
  CHECK(z.is_meta());
  CHECK(z.size(0) == 4);
  CHECK(z.size(1) == 4);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a model with any vector fusion is trained on the meta device", "[training][meta][law]",
                        eq::EveryVectorFusion) {
  trains<Kind::regression>(TestType{.width = 6}, {});
  trains<Kind::classification>(TestType{.width = 6}, {});
}

TEST_CASE("a model with a cascade is trained on the meta device", "[training][meta]") {
  trains<Kind::dense>(eq::SpatialCascade{.widths = {8, 4}}, {});
}

TEMPLATE_LIST_TEST_CASE("every policy trains on the meta device", "[training][meta][law]", eq::EveryPolicy) {
  trains<Kind::regression>(eq::Sum{.width = 6}, eq::stack(eager<TestType>()));
  trains<Kind::classification>(eq::Sum{.width = 6}, eq::stack(eager<TestType>()));
  if constexpr (!TestType::needs.linear_head)
    trains<Kind::dense>(eq::SpatialCascade{.widths = {8, 4}}, eq::stack(eager<TestType>()));
}
