// The metrics that tasks report agree with scikit-learn, SciPy, scikit-image, MedPy and lifelines, and do not depend on how a
// data set is cut into batches.

#include <equipoise/equipoise.hpp>
#include <equipoise/evaluation/evaluate.hpp>
#include <equipoise/evaluation/task_metrics.hpp>

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/task_metrics.hpp"

namespace eq = equipoise;
using namespace eq::literals;
namespace reference = support::reference;

namespace {

constexpr std::int64_t kRecords = 40;

/// Numbers in [0, 1): those of tests/evaluation/make_task_metrics.py.
at::Tensor draw(std::vector<std::int64_t> shape, int seed) {
  const at::Tensor out = torch::empty(shape, torch::kDouble);
  double whole = 0;
  for (std::int64_t i = 0; i < out.numel(); ++i)
    out.data_ptr<double>()[i] =
        std::modf(std::abs(std::sin(12.9898 * static_cast<double>(i + 1) + 78.233 * seed)) * 43758.5453, &whole);
  return out;
}

at::Tensor to_tenths(const at::Tensor& t) {
  return (t * 10).round() / 10;
}

struct Judged {
  at::Tensor prediction, target;
  double operator()(const eq::Metric& m) const { return m.value(prediction, target); }
};

Judged values() {
  at::Tensor y = draw({kRecords, 2}, 1) * 4;
  const at::Tensor z = to_tenths(y + draw({kRecords, 2}, 2) * 3 - 1);
  y.view({-1}).slice(0, 0, 2 * kRecords, 5).fill_(std::nan(""));
  return {z, y};
}

Judged of_classes(std::int64_t classes) {
  const at::Tensor y = (draw({kRecords}, 3).square() * classes).to(torch::kLong);
  return {to_tenths(draw({kRecords, classes}, 4) * 4 + 1.5 * torch::eye(classes, torch::kDouble).index_select(0, y)),
          y};
}

/// In 64ths, which single precision holds.
at::Tensor coarse(std::vector<std::int64_t> shape, int seed) {
  return (draw(std::move(shape), seed) * 64).floor() / 64;
}

/// Logits [N, 3, …] that are largest at the given classes, [N, 1, …].
at::Tensor logits_of(const at::Tensor& classes) {
  return torch::one_hot(classes.squeeze(1), 3).movedim(-1, 1).to(torch::kDouble);
}

Judged labels() {
  const at::Tensor y = draw({kRecords, 3}, 5).gt(0.6).to(torch::kDouble);
  return {to_tenths(draw({kRecords, 3}, 6) * 4 - 2.5 + 1.5 * y), y};
}

}  // namespace

TEST_CASE("the figures of a task have different names", "[evaluation][metrics][error]") {
  const auto with = [](std::vector<eq::Metric> metrics) {
    return eq::compose(eq::modality<"x">(eq::Mlp{.in_features = 2, .widths = {4}}),
                       eq::task<"label">(eq::Sum{.width = 4}, eq::Classification{.metrics = std::move(metrics)}));
  };
  const auto own = [](std::string name) {
    return eq::Metric{std::move(name), true, [](const at::Tensor&, const at::Tensor&) { return 0.0; }};
  };
  CHECK_NOTHROW(with({eq::metric::ece(), eq::metric::ece(5), own("mine")}));
  CHECK(eq::metric::ece(5).name == "ece5");
  const std::string refused =
      "[equipoise.name.322] metrics of task label: expected a name that no other figure of the task has, got ";
  CHECK_THROWS_WITH(with({eq::metric::ece(5), eq::metric::ece(5)}), refused + "\"ece5\"");
  CHECK_THROWS_WITH(with({own("accuracy")}), refused + "\"accuracy\"");
  CHECK_THROWS_WITH(with({own("loss")}), refused + "\"loss\"");
  CHECK_THROWS_WITH(with({own("")}), refused + "\"\"");
}

TEST_CASE("metrics of real values are scikit-learn's and SciPy's", "[evaluation][parity]") {
  const Judged judged = values();
  CHECK(judged(eq::metric::mae()) == Approx(reference::mae).epsilon(1e-9));
  CHECK(judged(eq::metric::rmse()) == Approx(reference::rmse).epsilon(1e-9));
  CHECK(judged(eq::metric::r2()) == Approx(reference::r2).epsilon(1e-9));
  CHECK(judged(eq::metric::pearson()) == Approx(reference::pearson).epsilon(1e-9));
  CHECK(judged(eq::metric::spearman()) == Approx(reference::spearman).epsilon(1e-9));
  CHECK(judged(eq::metric::absolute_bias()) == Approx(reference::absolute_bias).epsilon(1e-9));
}

TEST_CASE("metrics of classes and labels are scikit-learn's", "[evaluation][parity]") {
  const Judged two = of_classes(2), four = of_classes(4), three = labels();
  CHECK(two(eq::metric::balanced_accuracy()) == Approx(reference::of_2_classes_balanced_accuracy).epsilon(1e-9));
  CHECK(two(eq::metric::macro_f1()) == Approx(reference::of_2_classes_macro_f1).epsilon(1e-9));
  CHECK(two(eq::metric::auroc()) == Approx(reference::of_2_classes_auroc).epsilon(1e-9));
  CHECK(two(eq::metric::auprc()) == Approx(reference::of_2_classes_auprc).epsilon(1e-9));
  CHECK(two(eq::metric::brier()) == Approx(reference::of_2_classes_brier).epsilon(1e-9));
  CHECK(two(eq::metric::ece()) == Approx(reference::of_2_classes_ece).epsilon(1e-9));
  CHECK(four(eq::metric::balanced_accuracy()) == Approx(reference::of_4_classes_balanced_accuracy).epsilon(1e-9));
  CHECK(four(eq::metric::macro_f1()) == Approx(reference::of_4_classes_macro_f1).epsilon(1e-9));
  CHECK(four(eq::metric::auroc()) == Approx(reference::of_4_classes_auroc).epsilon(1e-9));
  CHECK(four(eq::metric::auprc()) == Approx(reference::of_4_classes_auprc).epsilon(1e-9));
  CHECK(four(eq::metric::brier()) == Approx(reference::of_4_classes_brier).epsilon(1e-9));
  CHECK(four(eq::metric::ece()) == Approx(reference::of_4_classes_ece).epsilon(1e-9));
  CHECK(three(eq::metric::balanced_accuracy()) == Approx(reference::of_labels_balanced_accuracy).epsilon(1e-9));
  CHECK(three(eq::metric::macro_f1()) == Approx(reference::of_labels_macro_f1).epsilon(1e-9));
  CHECK(three(eq::metric::auroc()) == Approx(reference::of_labels_auroc).epsilon(1e-9));
  CHECK(three(eq::metric::auprc()) == Approx(reference::of_labels_auprc).epsilon(1e-9));
  CHECK(three(eq::metric::brier()) == Approx(reference::of_labels_brier).epsilon(1e-9));
  CHECK(three(eq::metric::ece()) == Approx(reference::of_labels_ece).epsilon(1e-9));
}

TEST_CASE("metrics of maps are scikit-image's and scikit-learn's", "[evaluation][parity]") {
  const at::Tensor y = draw({3, 1, 16, 14}, 7) * 2, z = y + draw({3, 1, 16, 14}, 8) - 0.5;
  const Judged maps{z, y};
  // Maps are compared in single precision.
  CHECK(maps(eq::metric::ssim(2)) == Approx(reference::ssim).epsilon(1e-6));
  CHECK(maps(eq::metric::psnr(2)) == Approx(reference::psnr).epsilon(1e-6));
  const Judged regions{draw({3, 3, 6, 5}, 10), (draw({3, 1, 6, 5}, 9) * 3).to(torch::kLong)};
  CHECK(regions(eq::metric::dice()) == Approx(reference::dice).epsilon(1e-9));
}

TEST_CASE("MS-SSIM is that of a program after the paper, also of odd sides and fewer scales", "[evaluation][parity]") {
  const auto maps = [&](std::int64_t height, std::int64_t width) {
    const at::Tensor y = coarse({1, 1, height, width}, 14) * 2;
    return Judged{y + coarse({1, 1, height, width}, 15) - 0.5, y};
  };
  const Judged large = maps(161, 176), small = maps(45, 41);
  CHECK(large(eq::metric::ms_ssim(2)) == Approx(reference::ms_ssim).epsilon(1e-9));
  CHECK(small(eq::metric::ms_ssim(2, 3)) == Approx(reference::ms_ssim_of_3_scales).epsilon(1e-9));
  // With one scale it is SSIM.
  CHECK(small(eq::metric::ms_ssim(2, 1)) == Approx(small(eq::metric::ssim(2))).epsilon(1e-12));
  CHECK(Judged{small.target, small.target}(eq::metric::ms_ssim(2, 1)) == Approx(1).epsilon(1e-12));
  // A map against its negative has a negative structure, which counts as 0.
  CHECK(Judged{2 - small.target, small.target}(eq::metric::ms_ssim(2, 1)) == 0);
  CHECK_THROWS_WITH(small(eq::metric::ms_ssim(2)), Catch::Contains("shape.118") &&
                                                       Catch::Contains("at least 161 pixels for 5 scales, got 45x41") &&
                                                       Catch::Contains("scales = 3"));
  CHECK_THROWS_WITH(small(eq::metric::ms_ssim(2, 6)), Catch::Contains("value.201"));
  // A missing pixel changes nothing, whatever is predicted there.
  at::Tensor holed = small.target.clone(), other = small.prediction.clone();
  holed.slice(2, 0, 3).fill_(std::nan(""));
  other.slice(2, 0, 3).fill_(100);
  CHECK(Judged{other, holed}(eq::metric::ms_ssim(2, 3)) == Judged{small.prediction, holed}(eq::metric::ms_ssim(2, 3)));
}

TEST_CASE("the Hausdorff distance at 95 % is MedPy's, with spacings", "[evaluation][parity]") {
  const at::Tensor r = torch::arange(20).view({20, 1}), c = torch::arange(24);
  const auto disc = [&](std::int64_t row, std::int64_t column, std::int64_t size) {
    return ((r - row).square() + (c - column).square()).lt(size);
  };
  std::vector<at::Tensor> truth, said;
  for (const std::int64_t i : {0, 1}) {
    truth.push_back(torch::where(disc(7 + i, 6, 20), 1, torch::where(disc(9, 17 - i, 12), 2, 0)));
    said.push_back(torch::where(disc(9, 7 + 3 * i, 25), 1, torch::where(disc(12 - i, 16, 8), 2, 0)));
  }
  const at::Tensor y = torch::stack(truth).unsqueeze(1).to(torch::kLong);
  const Judged regions{logits_of(torch::stack(said).unsqueeze(1).to(torch::kLong)), y};
  CHECK(regions(eq::metric::hausdorff95()) == Approx(reference::hausdorff95).epsilon(1e-9));
  CHECK(regions(eq::metric::hausdorff95({.row = 2.5, .column = 1.25})) ==
        Approx(reference::hausdorff95_in_mm).epsilon(1e-9));
  const at::Tensor a = draw({20, 24}, 16).gt(0.8), b = draw({20, 24}, 17).gt(0.7);
  const auto span = [](const at::Tensor& t) { return std::span(t.const_data_ptr<bool>(), 20 * 24); };
  CHECK(eq::hausdorff(span(a), span(b), 20, 24, {.row = 0.7, .column = 1.1}) ==
        Approx(reference::hausdorff95_of_noise).epsilon(1e-9));
  CHECK(Judged{logits_of(y), y}(eq::metric::hausdorff95()) == 0);
  // A class that one of the two lacks counts as the diagonal; one that both lack, and missing pixels, do not count.
  const at::Tensor nothing = torch::zeros_like(y), first = y.eq(1).to(torch::kLong);
  CHECK(Judged{logits_of(nothing), first}(eq::metric::hausdorff95({.row = 3})) == Approx(std::hypot(60, 24)));
  CHECK(Judged{logits_of(first), first}(eq::metric::hausdorff95()) == 0);
  CHECK(std::isnan(Judged{logits_of(nothing), nothing}(eq::metric::hausdorff95())));
  CHECK(Judged{logits_of(first), first.masked_fill(y.eq(2), -1)}(eq::metric::hausdorff95()) == 0);
  CHECK_THROWS_WITH(regions(eq::metric::hausdorff95({.row = 0})), Catch::Contains("value.201"));
}

TEST_CASE("metrics of volumes are those of scikit-image and scikit-learn", "[evaluation][parity]") {
  const at::Tensor y = coarse({2, 1, 4, 22, 23}, 18) * 2,
                   z = y + coarse({2, 1, 4, 22, 23}, 19) - 0.5 + torch::arange(4).view({4, 1, 1}) / 4.0;
  const Judged volumes{z, y};
  CHECK(volumes(eq::metric::mae()) == Approx(reference::of_volumes_mae).epsilon(1e-9));
  CHECK(volumes(eq::metric::rmse()) == Approx(reference::of_volumes_rmse).epsilon(1e-9));
  CHECK(volumes(eq::metric::psnr(2)) == Approx(reference::of_volumes_psnr).epsilon(1e-9));
  CHECK(volumes(eq::metric::ssim(2)) == Approx(reference::of_volumes_ssim).epsilon(1e-9));
  CHECK(volumes(eq::metric::ms_ssim(2, 2)) == Approx(reference::of_volumes_ms_ssim).epsilon(1e-9));
  // The slices of a volume are judged as maps, and its voxels together.
  const Judged slices{z.transpose(1, 2).flatten(0, 1), y.transpose(1, 2).flatten(0, 1)};
  CHECK(volumes(eq::metric::ssim(2)) == Approx(slices(eq::metric::ssim(2))).epsilon(1e-12));
  CHECK(volumes(eq::metric::psnr(2)) < slices(eq::metric::psnr(2)) - 0.1);
  // A slice without a known voxel changes nothing, whatever is predicted there.
  const at::Tensor holed = y.clone(), other = z.clone();
  holed.select(2, 1).fill_(std::nan(""));
  other.select(2, 1).fill_(100);
  for (const eq::Metric& m :
       {eq::metric::mae(), eq::metric::rmse(), eq::metric::psnr(2), eq::metric::ssim(2), eq::metric::ms_ssim(2, 2)}) {
    INFO(m.name);
    CHECK(m.value(other, holed) == m.value(z, holed));
    CHECK(m.value(z, holed) != m.value(z, y));
  }
}

TEST_CASE("Dice and the Hausdorff distance of volumes are scikit-learn's and MedPy's", "[evaluation][parity]") {
  const at::Tensor k = torch::arange(9).view({9, 1, 1}), r = torch::arange(20).view({20, 1}), c = torch::arange(24);
  const auto ball = [&](std::int64_t slice, std::int64_t row, std::int64_t column, std::int64_t size) {
    return ((k - slice).square() + (r - row).square() + (c - column).square()).lt(size);
  };
  std::vector<at::Tensor> truth, said;
  for (const std::int64_t i : {0, 1}) {
    truth.push_back(torch::where(ball(3 + i, 7, 6, 12), 1, torch::where(ball(5, 9, 17 - i, 10), 2, 0)));
    said.push_back(torch::where(ball(5, 8, 6 + 3 * i, 16), 1, torch::where(ball(3, 11 - i, 16, 14), 2, 0)));
  }
  const at::Tensor y = torch::stack(truth).unsqueeze(1).to(torch::kLong);
  const Judged regions{logits_of(torch::stack(said).unsqueeze(1).to(torch::kLong)), y};
  CHECK(regions(eq::metric::dice()) == Approx(reference::of_volumes_dice).epsilon(1e-9));
  CHECK(regions(eq::metric::hausdorff95()) == Approx(reference::of_volumes_hausdorff95).epsilon(1e-9));
  CHECK(regions(eq::metric::hausdorff95({.row = 2.5, .column = 1.25, .slice = 3})) ==
        Approx(reference::of_volumes_hausdorff95_in_mm).epsilon(1e-9));
  const at::Tensor a = draw({6, 8, 10}, 20).gt(0.9), b = draw({6, 8, 10}, 21).gt(0.5);
  const auto span = [](const at::Tensor& t) { return std::span(t.const_data_ptr<bool>(), 6 * 8 * 10); };
  CHECK(eq::volume_hausdorff(span(a), span(b), 6, 8, 10, {.row = 0.7, .column = 1.1, .slice = 1.9}) ==
        Approx(reference::hausdorff95_of_noise_in_a_volume).epsilon(1e-9));
  // A class that one of the two lacks counts as the diagonal of the volume.
  const at::Tensor nothing = torch::zeros_like(y), first = y.eq(1).to(torch::kLong);
  CHECK(Judged{logits_of(nothing), first}(eq::metric::hausdorff95({.slice = 3})) == Approx(std::sqrt(1705.0)));
  CHECK(Judged{logits_of(first), first}(eq::metric::hausdorff95()) == 0);
  CHECK_THROWS_WITH(regions(eq::metric::hausdorff95({.slice = 0})),
                    Catch::Contains("value.201") && Catch::Contains("spacing.slice"));
  // By hand: two voxels that lie three slices, and in the plane two rows, apart.
  at::Tensor one = torch::zeros({5, 4, 3}, torch::kBool), two = one.clone();
  one[0][1][1] = true;
  two[3][3][1] = true;
  const auto voxels = [](const at::Tensor& t) { return std::span(t.const_data_ptr<bool>(), 5 * 4 * 3); };
  CHECK(eq::volume_hausdorff(voxels(one), voxels(two), 5, 4, 3, {.row = 2}) == 5);
}

TEST_CASE("the concordance of censored times is that of lifelines, with ties", "[evaluation][parity]") {
  const at::Tensor time = (draw({kRecords}, 11) * 20).ceil(), event = draw({kRecords}, 12).gt(0.3).to(torch::kDouble);
  const Judged judged{to_tenths(-time / 8 + draw({kRecords}, 13) * 3).unsqueeze(1), torch::stack({time, event}, 1)};
  CHECK(judged(eq::metric::c_index()) == Approx(reference::c_index).epsilon(1e-9));
}

TEST_CASE("a metric without a value is NaN, and what is missing is left out", "[evaluation][behaviour]") {
  const at::Tensor logits = torch::tensor({{2.0, 0.0}, {0.0, 1.0}}, torch::kDouble);
  CHECK(std::isnan(eq::metric::auroc().value(logits, torch::tensor({1L, 1L}))));
  CHECK(std::isnan(eq::metric::auprc().value(logits, torch::tensor({0L, 0L}))));
  const at::Tensor no_event = torch::tensor({{1.0, 0.0}, {2.0, 0.0}}, torch::kDouble);
  CHECK(std::isnan(eq::metric::c_index().value(torch::zeros({2, 1}), no_event)));
  // A missing pixel changes no figure, whatever is predicted there.
  at::Tensor y = draw({2, 1, 16, 16}, 7), z = draw({2, 1, 16, 16}, 8);
  y.index_put_({0, 0, 3, 3}, std::nan(""));
  at::Tensor other = z.clone();
  other.index_put_({0, 0, 3, 3}, 100.0);
  for (const eq::Metric& m : {eq::metric::mae(), eq::metric::ssim(1), eq::metric::psnr(1)}) {
    INFO(m.name);
    CHECK(m.value(z, y) == m.value(other, y));
    CHECK(m.value(z, y) != m.value(z, draw({2, 1, 16, 16}, 7)));
  }
}

TEST_CASE("a metric that is not of the task's kind is refused by name", "[evaluation][behaviour]") {
  using Catch::Contains;
  const at::Tensor logits = draw({4, 2}, 3), labels = torch::tensor({0L, 1L, 1L, 0L}), real = draw({4, 2}, 4);
  const at::Tensor maps = draw({2, 2, 8, 8}, 5), classes = maps.narrow(1, 0, 1).gt(0).to(torch::kLong);
  for (const eq::Metric& m : {eq::metric::auroc(), eq::metric::auprc(), eq::metric::brier(), eq::metric::ece(),
                              eq::metric::macro_f1(), eq::metric::balanced_accuracy()}) {
    CHECK_THROWS_WITH(m.value(logits, real),
                      Contains("shape.119") && Contains("metric " + m.name + ": expected classes"));
    CHECK_THROWS_AS(m.value(maps, classes), eq::ShapeError);
  }
  for (const eq::Metric& m :
       {eq::metric::mae(), eq::metric::rmse(), eq::metric::r2(), eq::metric::spearman(), eq::metric::psnr(1),
        eq::metric::ssim(1), eq::metric::dice(), eq::metric::hausdorff95(), eq::metric::c_index()}) {
    INFO(m.name);
    CHECK_THROWS_AS(m.value(logits, labels), eq::ShapeError);
  }
  CHECK_THROWS_WITH(eq::metric::dice().value(maps, maps), Contains("metric dice: expected maps of classes"));
  CHECK(std::isfinite(eq::metric::mae().value(logits, real)));
}

TEST_CASE("an error inside a metric names the metric and the task", "[evaluation][behaviour]") {
  using Catch::Contains;
  torch::manual_seed(6);
  const auto error_of = [](const eq::Metric& metric) -> std::string {
    const auto model = eq::compose(eq::modality<"table">(eq::Mlp{.in_features = 3, .widths = {4}}),
                                   eq::task<"rate">(eq::Sum{.width = 4}, eq::Regression{.metrics = {metric}}));
    const auto data =
        eq::batch(eq::input<"table">(torch::randn({6, 3})), eq::target<"rate">(eq::Values{torch::randn({6, 1})}));
    try {
      (void)eq::evaluate(*model, data, {.intervals = false});
    } catch (const eq::ShapeError& e) {
      return e.what();
    }
    return "none";
  };
  const std::string own = error_of({"share", true, [](const at::Tensor& prediction, const at::Tensor& target) {
                                      return prediction.matmul(target).mean().item<double>();  // [6, 1] x [6, 1]
                                    }});
  CHECK(own.starts_with("[equipoise.shape.119] metric share, task rate: expected predictions and targets"));
  CHECK_THAT(own, Contains("got predictions [6, 1] and targets [6, 1] of Float; LibTorch says: "));
  CHECK(own.find('\n') == std::string::npos);  // LibTorch's trace has many lines
  CHECK_THAT(error_of(eq::metric::auroc()), Contains("metric auroc, task rate: expected classes"));
  CHECK(error_of(eq::metric::mae()) == "none");
}

TEST_CASE("a task's metrics are the monitor, and the same in batches of any size", "[evaluation][law]") {
  torch::manual_seed(4);
  const at::Tensor x = torch::randn({kRecords, 3}), y = torch::cat({x.narrow(1, 0, 1), -x.narrow(1, 1, 1)}, 1);
  const auto model = eq::compose(
      eq::modality<"table">(eq::Mlp{.in_features = 3, .widths = {4}}),
      eq::task<"rate">(eq::Sum{.width = 4},
                       eq::Regression{.outputs = 2, .metrics = {eq::metric::rmse(), eq::metric::spearman()}}),
      eq::task<"label">(eq::Sum{.width = 4}, eq::Classification{.metrics = {eq::metric::auroc(), eq::metric::ece()}}));
  const auto data = eq::batch(eq::input<"table">(x), eq::target<"rate">(eq::Values{y}),
                              eq::target<"label">(eq::Labels{x.select(1, 2).gt(0).to(torch::kLong)}));
  eq::Trainer trainer(model, {.epochs = 3, .learning_rate = 0.02, .monitor = "rate/spearman", .progress = nullptr});
  const eq::History history = trainer.fit(data, data);
  CHECK(history.monitor == "val/rate/spearman");
  CHECK(history.epochs.back().find("val/label/auroc") != nullptr);
  const auto whole = eq::evaluate(*model, data, {.intervals = false}),
             cut = eq::evaluate(*model, data, {.intervals = false, .batch_size = 7});
  const auto same = [&](const auto& a, const auto& b) {
    REQUIRE(a.size() == 2);
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].value == Approx(b[i].value).epsilon(1e-5));
  };
  same(whole["rate"_n].of(model->full()).metrics, cut["rate"_n].of(model->full()).metrics);
  same(whole["label"_n].of(model->full()).metrics, cut["label"_n].of(model->full()).metrics);
}

TEST_CASE("metrics of volumes are the same in batches of any size, with and without a volume among the modalities",
          "[evaluation][law]") {
  torch::manual_seed(5);
  const at::Tensor image = torch::randn({5, 1, 4, 12, 13}), table = torch::randn({5, 3});
  const auto model = eq::compose(
      eq::modality<"volume">(eq::UNetEncoder{.widths = {4, 6}, .dimensions = 3}),
      eq::modality<"table">(eq::Mlp{.in_features = 3, .widths = {4}}),
      eq::task<"dose">(eq::SpatialCascade{.widths = {4}, .dimensions = 3},
                       eq::DenseRegression{.metrics = {eq::metric::mae(), eq::metric::rmse(), eq::metric::psnr(4),
                                                       eq::metric::ssim(4), eq::metric::ms_ssim(4, 1)}}),
      eq::task<"organ">(eq::SpatialCascade{.widths = {4}, .dimensions = 3},
                        eq::DenseSegmentation{.metrics = {eq::metric::dice(), eq::metric::hausdorff95()}}));
  const auto data =
      eq::batch(eq::input<"volume">(image), eq::input<"table">(table), eq::target<"dose">(eq::Maps{image.abs()}),
                eq::target<"organ">(eq::ClassMaps{image.gt(0.5).to(torch::kLong)}));
  const auto whole = eq::evaluate(*model, data, {.intervals = false}),
             cut = eq::evaluate(*model, data, {.intervals = false, .batch_size = 2});
  const auto same = [&](const eq::TaskScores& a, const eq::TaskScores& b, std::size_t metrics) {
    for (const eq::Coalition s : eq::all_coalitions(2)) {
      const auto &of_a = a.of(s).metrics, &of_b = b.of(s).metrics;
      REQUIRE(of_a.size() == metrics);
      for (std::size_t i = 0; i < metrics; ++i) {
        INFO(of_a[i].name << " of coalition " << s.bits());
        CHECK(of_a[i].value == Approx(of_b[i].value).epsilon(1e-5));
      }
    }
  };
  same(whole["dose"_n], cut["dose"_n], 5);
  same(whole["organ"_n], cut["organ"_n], 2);
}

TEST_CASE("a prediction that is NaN where the target is known makes every metric NaN", "[evaluation][property]") {
  const double nan = std::nan("");
  const auto check = [&](const std::vector<eq::Metric>& metrics, const at::Tensor& z, const at::Tensor& y) {
    for (const eq::Metric& m : metrics) {
      INFO(m.name);
      CHECK_FALSE(std::isnan(m.value(z, y)));
      at::Tensor spoilt = z.clone();
      spoilt.view({-1})[spoilt.numel() / 2] = nan;
      CHECK(std::isnan(m.value(spoilt, y)));
    }
  };
  const at::Tensor logits = draw({12, 3}, 4), labels = (draw({12}, 3) * 3).to(torch::kLong);
  check({eq::metric::balanced_accuracy(), eq::metric::macro_f1(), eq::metric::auroc(), eq::metric::auprc(),
         eq::metric::brier(), eq::metric::ece()},
        logits, labels);
  check({eq::metric::balanced_accuracy(), eq::metric::macro_f1(), eq::metric::auroc(), eq::metric::auprc(),
         eq::metric::brier(), eq::metric::ece()},
        logits - 0.5, draw({12, 3}, 5).gt(0.5).to(torch::kDouble));
  check({eq::metric::mae(), eq::metric::rmse(), eq::metric::r2(), eq::metric::pearson(), eq::metric::spearman(),
         eq::metric::absolute_bias()},
        draw({12, 2}, 6), draw({12, 2}, 7));
  const at::Tensor maps = draw({2, 1, 16, 16}, 8);
  check({eq::metric::mae(), eq::metric::ssim(1), eq::metric::ms_ssim(1, 1), eq::metric::psnr(1)}, maps,
        draw({2, 1, 16, 16}, 9));
  const at::Tensor classes = (draw({2, 1, 16, 16}, 10) * 2).to(torch::kLong);
  check({eq::metric::dice(), eq::metric::hausdorff95()}, draw({2, 2, 16, 16}, 11), classes);
  check({eq::metric::c_index()}, draw({12, 1}, 12),
        torch::stack({draw({12}, 13), torch::ones({12}, torch::kDouble)}, 1));
}
