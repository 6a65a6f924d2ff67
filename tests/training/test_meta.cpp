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
at::Tensor is_nan(const at::Tensor& self) {
  return at::empty(self.sizes(), self.options().dtype(at::kBool));
}
at::Tensor& logical_not(const at::Tensor& self, at::Tensor& out) {
  out.resize_(self.sizes());
  return out;
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
at::Tensor same_shape(const at::Tensor& self) {
  return self.new_empty(self.sizes());
}
/// In training: statistics of the batch, [C], beside the output.
std::tuple<at::Tensor, at::Tensor, at::Tensor> batch_norm(const at::Tensor& x, const Maybe&, const Maybe&, const Maybe&,
                                                          const Maybe&, bool, double, double) {
  return {x.new_empty(x.sizes()), x.new_empty({x.size(1)}), x.new_empty({x.size(1)})};
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
  kernels.impl("isnan", is_nan);
  kernels.impl("logical_not.out", logical_not);
  kernels.impl("index_select", index_select);
  kernels.impl("where.self", where);
  kernels.impl("logical_and.out", logical_and);
  kernels.impl("masked_fill_.Scalar", fill_masked);
  kernels.impl("index_fill_.int_Scalar", fill_indexed);
  kernels.impl("std.correction", deviation);
  kernels.impl("dot", dot);
  kernels.impl("relu", same_shape);
  kernels.impl("native_batch_norm", batch_norm);
  kernels.impl("native_layer_norm", layer_norm);
  kernels.impl("native_layer_norm_backward", layer_norm_backward);
  kernels.impl("native_group_norm", group_norm);
  kernels.impl("native_group_norm_backward", group_norm_backward);
  kernels.impl("convolution", convolution);
  kernels.impl("convolution_backward", convolution_backward);
}

/// Records without values.
template <class In, class Out>
auto without_values(eq::Batch<In, Out> data) {
  data.inputs.for_each([](auto, at::Tensor& x) { x = x.to(torch::kMeta); });
  data.targets.for_each([](auto, auto& y) { y.tensor = y.tensor.to(torch::kMeta); });
  return data;
}

/// The second half of them lacks the first modality.
template <std::size_t M, Kind K>
auto meta_data(std::int64_t n) {
  const auto data = without_values(support::toy_data<M, K>(n));
  at::Tensor presence = torch::ones({n, static_cast<std::int64_t>(M)}, torch::kBool);
  presence.narrow(0, n / 2, n - n / 2).select(1, 0).fill_(false);
  return data.with_presence(presence);
}

template <Kind K, class Fusion>
eq::History trains(const Fusion& fusion, eq::PolicyStack policies) {
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
  return history;
}

/// A step whose losses, logits and labels are given, on the host: the first modality does better than the others.
class Decided final : public eq::Step {
 public:
  explicit Decided(eq::Step& step) : step_(step) {}

  at::Tensor losses(std::size_t k, std::span<const eq::Coalition> coalitions, double share) override {
    const at::Tensor out = torch::ones(step_.losses(k, coalitions, share).sizes(), torch::kDouble);
    for (std::size_t c = 0; c < coalitions.size(); ++c)
      if (coalitions[c] == eq::Coalition::single(0)) out[static_cast<std::int64_t>(c)].fill_(0.1);
    return out;
  }
  const eq::Schema& schema() const override { return step_.schema(); }
  std::int64_t epoch() const override { return step_.epoch(); }
  std::int64_t index() const override { return step_.index(); }
  std::size_t pass_index() const override { return step_.pass_index(); }
  const eq::Pass& pass() const override { return step_.pass(); }
  at::Tensor outputs(std::size_t k, std::span<const eq::Coalition> coalitions) override {
    const at::Tensor out = torch::zeros(step_.outputs(k, coalitions).sizes(), torch::kDouble);
    for (std::size_t c = 0; c < coalitions.size(); ++c)
      if (coalitions[c] == eq::Coalition::single(0)) out[static_cast<std::int64_t>(c)].select(1, 0).fill_(2);
    return out;
  }
  const at::Tensor& target(std::size_t k) override {
    return target_ = torch::zeros(step_.target(k).sizes(), torch::kLong);
  }
  at::Tensor loss_of(std::size_t k, const at::Tensor& z) override { return step_.loss_of(k, z); }
  at::Tensor score_of(std::size_t, const at::Tensor& z) override { return z.softmax(2).select(2, 0); }  // of class 0
  at::Tensor joint(std::size_t k, eq::Coalition s) override { return step_.joint(k, s); }
  at::Tensor head_weight(std::size_t k) override { return step_.head_weight(k); }
  at::Tensor mean(std::size_t k, const at::Tensor& values, eq::Coalition s, double share) override {
    return step_.mean(k, values, s, share);
  }
  std::int64_t count(std::size_t k, eq::Coalition s, double share) const override { return step_.count(k, s, share); }
  double uniform(std::string_view purpose, std::int64_t row, std::uint64_t column) const override {
    return step_.uniform(purpose, row, column);
  }
  std::uint64_t seed(std::string_view purpose) const override { return step_.seed(purpose); }
  void log(std::string_view name, double value) override { step_.log(name, value); }

 private:
  eq::Step& step_;
  at::Tensor target_;
};

/// OPM where it has something to drop: losses without values are all the same, and nobody is dominant.
struct DecidedOpm {
  static constexpr std::string_view id = "decided_opm";
  static constexpr eq::Hooks hooks = eq::Hook::features;
  static constexpr eq::Needs needs = eq::Opm::needs;
  using State = eq::Opm::State;
  void on_features(State& state, eq::Step& step, eq::Features& features) const {
    const eq::Presence before = features.presence;
    Decided decided(step);
    eq::Opm{.probability = 1}.on_features(state, decided, features);
    double dropped = 0;
    for (std::size_t i = 0; i < before.masks().size(); ++i) dropped += before.of_row(i) != features.presence.of_row(i);
    step.log("dropped", dropped);
  }
};

template <Kind K>
void drops() {
  const eq::History history = trains<K>(support::toy_fusion<K>(), eq::stack(DecidedOpm{}));
  for (const eq::EpochRecord& epoch : history.epochs) CHECK(*epoch.find("dropped") > 0);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("every encoder encodes on the meta device", "[training][meta][law]", eq::EveryEncoder) {
  const auto encoder = TestType::example().build();
  support::to_meta(*encoder);
  (void)eq::Feature(encoder->forward(TestType::example_input(2).to(torch::kMeta))).map_tensors([](const at::Tensor& t) {
    CHECK(t.is_meta());
    CHECK(t.size(0) == 2);
    return t;
  });
}

TEST_CASE("a model with any fusion is trained on the meta device", "[training][meta][law]") {
  eq::for_each_type<eq::EveryVectorFusion>([]<class Fusion>() {
    INFO(Fusion::id);
    const eq::AnyFusion fusion = support::small_fusion<Fusion>(6);
    trains<Kind::regression>(fusion, {});
    trains<Kind::classification>(fusion, {});
  });
  eq::for_each_type<eq::EveryMapFusion>([]<class Fusion>() {
    INFO(Fusion::id);
    trains<Kind::dense>(support::small_fusion<Fusion>(6), {});
  });
}

TEMPLATE_LIST_TEST_CASE("every policy trains on the meta device", "[training][meta][law]", eq::EveryPolicy) {
  trains<Kind::regression>(support::toy_fusion<Kind::regression>(), eq::stack(eager<TestType>()));
  trains<Kind::classification>(support::toy_fusion<Kind::classification>(), eq::stack(eager<TestType>()));
  if constexpr (!TestType::needs.linear_head)
    trains<Kind::dense>(support::toy_fusion<Kind::dense>(), eq::stack(eager<TestType>()));
}

TEST_CASE("features without values are scaled and dropped by OPM", "[training][meta]") {
  drops<Kind::regression>();
  drops<Kind::classification>();
  drops<Kind::dense>();
}

TEST_CASE("the flagship's shape makes a step on the meta device", "[training][meta]") {
  const auto model = eq::compose(eq::modality<"dose">(eq::Cnn{.widths = {4, 8}}),
                                 eq::modality<"metrics">(eq::Mlp{.in_features = 5, .widths = {6, 6}}),
                                 eq::task<"gpr">(eq::AttentionFusion{.width = 6}, eq::Regression{.outputs = 3}),
                                 eq::task<"dd">(eq::SpatialCascade{.widths = {8, 4}}, eq::DenseRegression{}));
  support::to_meta(*model);
  const auto data = without_values(eq::batch(
      eq::input<"dose">(torch::zeros({4, 1, 8, 8})), eq::input<"metrics">(torch::zeros({4, 5})),
      eq::target<"gpr">(eq::Values{torch::zeros({4, 3})}), eq::target<"dd">(eq::Maps{torch::zeros({4, 1, 8, 8})})));
  eq::Trainer trainer(model, eq::ShapleyLossFactors{}, eq::ContributionWeighting{},
                      {.epochs = 1, .batch_size = 4, .device = torch::kMeta});
  const eq::History history = trainer.fit(data);
  for (const char* number : {"train/gpr", "train/dd", "train/gpr/unimodal", "train/dd/unimodal", "factor/gpr/dose",
                             "factor/dd/metrics", "weight/gpr", "weight/dd"})
    CHECK(history.epochs.at(0).find(number) != nullptr);
  const auto z = model->predict(data, eq::all_coalitions(2));
  CHECK(z["gpr"_n].sizes() == at::IntArrayRef{4, 4, 3});
  CHECK(z["dd"_n].sizes() == at::IntArrayRef{4, 4, 1, 8, 8});
  CHECK((z["gpr"_n].is_meta() && z["dd"_n].is_meta()));
}
