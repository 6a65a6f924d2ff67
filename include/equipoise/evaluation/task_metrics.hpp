// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Metrics that a task reports, given to it as an option. They are in the history of a run and in
/// what `evaluate` returns, and each can be the monitor.
/// \code
/// eq::Regression{.outputs = 3, .metrics = {eq::metric::mae(), eq::metric::spearman()}}
/// \endcode
/// A metric is computed once from the predictions of all records, so it does not depend on the
/// batch size. Targets that are missing are left out. Of several outputs, classes or labels a
/// metric is the mean over those for which it has a value, as scikit-learn's macro average. A
/// prediction that is NaN where the target is known makes the metric NaN.

#include <equipoise/core/model/metric.hpp>
#include <equipoise/evaluation/detection.hpp>
#include <equipoise/evaluation/hausdorff.hpp>
#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/evaluation/ms_ssim.hpp>
#include <equipoise/evaluation/ssim.hpp>

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

[[nodiscard]] inline std::vector<double> numbers_of(const at::Tensor& t) {
  const at::Tensor flat = t.to(at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

/// The mean of the values that are no NaN; NaN if there is none.
[[nodiscard]] inline double mean_of_known(std::vector<double> values) {
  std::erase_if(values, [](double v) { return std::isnan(v); });
  return mean(values);
}

/// Whether a prediction is NaN where the target is known.
[[nodiscard]] inline bool any_nan(const at::Tensor& prediction, const at::Tensor& known) {
  return prediction.isnan().logical_and(known).any().item<bool>();
}

/// \throws ShapeError where a metric is not one of the task's kind.
inline void check_metric(bool fits, const std::string& name, std::string_view needed, const at::Tensor& prediction,
                         const at::Tensor& target) {
  if (!fits)
    throw ShapeError(message("shape.119", "metric " + name, "expected ", needed, ", got predictions ",
                             prediction.sizes(), " and targets ", target.sizes(), " of ", target.scalar_type()));
}

/// Real predictions and targets [N, O, …]: a function of each output's targets and predictions.
template <class F>
[[nodiscard]] Metric by_output(std::string name, bool larger_is_better, F of) {
  return {name, larger_is_better, [of, name](const at::Tensor& prediction, const at::Tensor& target) {
            const bool real = target.is_floating_point() && target.dim() >= 2 && prediction.dim() == target.dim() &&
                              prediction.size(1) >= target.size(1);
            check_metric(real, name, "real targets, an output for each", prediction, target);
            std::vector<double> each;
            for (std::int64_t o = 0; o < target.size(1); ++o) {
              const at::Tensor y = target.select(1, o), valid = y.isnan().logical_not();
              const std::vector<double> truth = numbers_of(y.masked_select(valid)),
                                        predicted = numbers_of(prediction.select(1, o).masked_select(valid));
              if (!truth.empty()) each.push_back(of(truth, predicted));
            }
            return mean(each);
          }};
}

/// How a metric of maps judges a volume.
enum class OfVolumes : std::uint8_t { by_slice, whole };

/// Maps [N, C, H, W], or [N, C, Z, H, W]: the mean over records and channels, and over the slices of
/// volumes that are judged by slice, of a function of the prediction, the target and the valid
/// pixels, each [H, W] or [Z, H, W] in single precision; both maps are 0 where a pixel is missing.
template <class F>
[[nodiscard]] Metric by_map(std::string name, OfVolumes volumes, F of) {
  return {name, true, [of, volumes, name](const at::Tensor& prediction, const at::Tensor& target) {
            const bool maps = target.is_floating_point() && target.dim() >= 4 && prediction.sizes() == target.sizes();
            check_metric(maps, name, "maps of real values", prediction, target);
            const at::Tensor valid = target.isnan().logical_not().contiguous();
            if (any_nan(prediction, valid)) return kNotANumber;
            const at::Tensor y = target.masked_fill(valid.eq(false), 0).to(at::kFloat).contiguous(),
                             z = prediction.masked_fill(valid.eq(false), 0).to(at::kFloat).contiguous();
            const auto height = static_cast<std::size_t>(y.size(-2)), width = static_cast<std::size_t>(y.size(-1));
            const std::size_t slices =
                volumes == OfVolumes::whole && y.dim() == 5 ? static_cast<std::size_t>(y.size(2)) : 1;
            const std::size_t pixels = slices * height * width;
            std::vector<double> each;
            for (std::size_t at = 0; at < static_cast<std::size_t>(y.numel()); at += pixels) {
              each.push_back(of(std::span(z.const_data_ptr<float>() + at, pixels),
                                std::span(y.const_data_ptr<float>() + at, pixels),
                                std::span(valid.const_data_ptr<bool>() + at, pixels), height, width));
            }
            return mean_of_known(std::move(each));
          }};
}

/// A class against the others, or a label: its probability, what was decided, and which is true.
struct ClassColumn {
  std::vector<double> probability, decided;
  std::vector<bool> positive;
};

/// \throws ShapeError unless targets are classes, int64 [N], or labels [N, L] that are 0, 1 or NaN.
inline void check_classes(const std::string& name, const at::Tensor& logits, const at::Tensor& target) {
  const bool classes = target.dim() == 1 && !target.is_floating_point();
  const bool labels = target.dim() == 2 && target.sizes() == logits.sizes() &&
                      target.eq(0).logical_or(target.eq(1)).logical_or(target.isnan()).all().item<bool>();
  check_metric(logits.dim() == 2 && (classes || labels), name, "classes, or labels that are 0 or 1", logits, target);
}

/// \param logits [N, C] of classes with int64 targets [N], or [N, L] of labels with targets [N, L]
/// that are 0, 1 or NaN  \return a column a class or label
[[nodiscard]] inline std::vector<ClassColumn> class_columns(const std::string& name, const at::Tensor& logits,
                                                            const at::Tensor& target) {
  check_classes(name, logits, target);
  const bool labels = target.dim() == 2;
  const at::Tensor z = logits.to(at::kDouble), p = labels ? z.sigmoid() : z.softmax(1);
  std::vector<ClassColumn> out;
  for (std::int64_t c = 0; c < z.size(1); ++c) {
    const at::Tensor y = labels ? target.select(1, c) : target.eq(c).to(at::kDouble), valid = y.isnan().logical_not(),
                     of_class = p.select(1, c);
    const at::Tensor decided = labels ? of_class.ge(0.5) : p.argmax(1).eq(c);
    ClassColumn& column = out.emplace_back();
    column.probability = numbers_of(of_class.masked_select(valid));
    column.decided = numbers_of(decided.masked_select(valid));
    for (const double v : numbers_of(y.masked_select(valid))) column.positive.push_back(v > 0.5);
  }
  return out;
}

/// The columns by which probabilities are judged: of two classes the second alone.
[[nodiscard]] inline std::vector<ClassColumn> judged_columns(const std::string& name, const at::Tensor& logits,
                                                             const at::Tensor& target) {
  std::vector<ClassColumn> out = class_columns(name, logits, target);
  if (target.dim() == 1 && out.size() == 2) out.erase(out.begin());
  return out;
}

/// The mean of a figure over the columns for which it has a value; NaN where a probability is NaN.
template <class F>
[[nodiscard]] double mean_of(const std::vector<ClassColumn>& columns, F of) {
  std::vector<double> each;
  for (const ClassColumn& c : columns) {
    if (any_nan(c.probability)) return kNotANumber;
    each.push_back(of(c));
  }
  return mean_of_known(std::move(each));
}

template <class F>
[[nodiscard]] Metric by_class(std::string name, F of) {
  return {name, true, [of, name](const at::Tensor& prediction, const at::Tensor& target) {
            return mean_of(judged_columns(name, prediction, target), of);
          }};
}

/// \throws ShapeError unless targets are maps of classes.
inline void check_class_maps(const std::string& name, const at::Tensor& prediction, const at::Tensor& target) {
  check_metric(prediction.dim() >= 4 && target.dim() == prediction.dim() && !target.is_floating_point(), name,
               "maps of classes", prediction, target);
}

[[nodiscard]] inline bool any_positive(const ClassColumn& c) {
  return std::any_of(c.positive.begin(), c.positive.end(), [](bool p) { return p; });
}

}  // namespace detail

namespace metric {

// ---- real values: `Regression`, its relatives and `DenseRegression`

[[nodiscard]] inline Metric mae() {
  return detail::by_output("mae", false, mean_absolute_error);
}
[[nodiscard]] inline Metric rmse() {
  return detail::by_output("rmse", false, root_mean_squared_error);
}
[[nodiscard]] inline Metric r2() {
  return detail::by_output("r2", true, r_squared);
}
[[nodiscard]] inline Metric pearson() {
  return detail::by_output("pearson", true, equipoise::pearson);
}
[[nodiscard]] inline Metric spearman() {
  return detail::by_output("spearman", true, equipoise::spearman);
}
/// The absolute value of the mean error, so that smaller is better.
[[nodiscard]] inline Metric absolute_bias() {
  return detail::by_output("absolute_bias", false, [](const auto& y, const auto& z) { return std::abs(bias(y, z)); });
}

/// Structural similarity (evaluation/ssim.hpp), the mean over records and channels, of volumes also
/// over the slices [H, W].
/// \param range L > 0: the largest difference that the data can have
[[nodiscard]] inline Metric ssim(double range) {
  return detail::by_map("ssim", detail::OfVolumes::by_slice,
                        [range](auto z, auto y, auto valid, std::size_t height, std::size_t width) {
                          return equipoise::ssim(z, y, height, width, range, valid);
                        });
}

/// Structural similarity at several scales (evaluation/ms_ssim.hpp), the mean over records and
/// channels, of volumes also over the slices [H, W]. Maps with a side below 161 pixels need fewer
/// scales. \param range L > 0: the largest difference that the data can have
/// \param scales 1 to 5
[[nodiscard]] inline Metric ms_ssim(double range, std::size_t scales = 5) {
  return detail::by_map("ms_ssim", detail::OfVolumes::by_slice,
                        [range, scales](auto z, auto y, auto valid, std::size_t height, std::size_t width) {
                          return equipoise::ms_ssim(z, y, height, width, range, scales, valid);
                        });
}

/// Peak signal-to-noise ratio in dB, 10 log10(L² / mean squared error), the mean over records and
/// channels. The squared error of a volume is that of all its voxels.
/// \param range L > 0: the largest difference that the data can have
[[nodiscard]] inline Metric psnr(double range) {
  return detail::by_map("psnr", detail::OfVolumes::whole,
                        [range](auto z, auto y, auto valid, std::size_t, std::size_t) {
                          double sum = 0, n = 0;
                          for (std::size_t i = 0; i < y.size(); ++i)
                            if (valid[i])
                              sum += std::pow(static_cast<double>(z[i]) - static_cast<double>(y[i]), 2), n += 1;
                          return 10 * std::log10(range * range * n / sum);
                        });
}

// ---- classes and labels: `Classification`, `OrdinalClassification`, `MultiLabelClassification`.
// A task reports its accuracy without a metric.

/// The mean over the classes of the share of their records that are recognised; of labels the mean
/// of sensitivity and specificity.
[[nodiscard]] inline Metric balanced_accuracy() {
  return {"balanced_accuracy", true, [](const at::Tensor& prediction, const at::Tensor& target) {
            const bool labels = target.dim() == 2;
            return detail::mean_of(detail::class_columns("balanced_accuracy", prediction, target), [&](const auto& c) {
              const Confusion confusion = confusion_at(0.5, c.decided, c.positive);
              const double found = confusion.sensitivity();
              return labels ? (found + confusion.specificity()) / 2 : found;
            });
          }};
}

/// The mean over the classes of F1 = 2 TP / (2 TP + FP + FN). A class that neither occurs nor is
/// predicted is left out.
[[nodiscard]] inline Metric macro_f1() {
  return {"macro_f1", true, [](const at::Tensor& prediction, const at::Tensor& target) {
            return detail::mean_of(detail::class_columns("macro_f1", prediction, target), [](const auto& c) {
              const Confusion k = confusion_at(0.5, c.decided, c.positive);
              return 2 * k.true_positives / (2 * k.true_positives + k.false_positives + k.false_negatives);
            });
          }};
}

/// Area under the ROC curve: of the second of two classes; else the mean over classes, each against
/// the others, or over labels. One that all records have, or none, is left out.
[[nodiscard]] inline Metric auroc() {
  return detail::by_class("auroc", [](const auto& c) { return area_under_curve(c.probability, c.positive); });
}

/// Average precision, the area under the precision-recall curve, of the same classes as `auroc`.
[[nodiscard]] inline Metric auprc() {
  return detail::by_class("auprc", [](const auto& c) {
    return detail::any_positive(c) ? average_precision(c.probability, c.positive) : detail::kNotANumber;
  });
}

/// Brier score: of two classes the mean squared error of the second one's probability; of more the
/// sum of the classes' errors; of labels their mean.
[[nodiscard]] inline Metric brier() {
  return {"brier", false, [](const at::Tensor& prediction, const at::Tensor& target) {
            const auto columns = detail::judged_columns("brier", prediction, target);
            const double mean = detail::mean_of(columns, [](const auto& c) {
              return c.positive.empty() ? detail::kNotANumber : brier_score(c.probability, c.positive);
            });
            return target.dim() == 1 ? mean * static_cast<double>(columns.size()) : mean;
          }};
}

/// Expected calibration error: the mean difference between confidence and accuracy in bins of equal
/// width. Of classes the confidence is the largest probability; labels are judged together.
/// From Guo, Pleiss, Sun, Weinberger, 2017, eq. 3.
[[nodiscard]] inline Metric ece(std::size_t bins = 15) {
  return {bins == 15 ? "ece" : "ece" + std::to_string(bins), false,
          [bins](const at::Tensor& prediction, const at::Tensor& target) {
            std::vector<double> confidence;
            std::vector<bool> right;
            if (target.dim() == 2) {
              for (const detail::ClassColumn& c : detail::class_columns("ece", prediction, target)) {
                confidence.insert(confidence.end(), c.probability.begin(), c.probability.end());
                right.insert(right.end(), c.positive.begin(), c.positive.end());
              }
            } else {
              detail::check_classes("ece", prediction, target);
              const auto [p, best] = prediction.to(at::kDouble).softmax(1).max(1);
              confidence = detail::numbers_of(p);
              for (const double is_right : detail::numbers_of(best.eq(target))) right.push_back(is_right > 0);
            }
            if (detail::any_nan(confidence)) return detail::kNotANumber;
            double sum = 0;
            for (const ReliabilityBin& b : reliability(confidence, right, bins))
              sum += static_cast<double>(b.n) * std::abs(b.frequency - b.probability);
            return sum / static_cast<double>(confidence.size());
          }};
}

/// Dice coefficient 2 |A ∩ B| / (|A| + |B|) of `DenseSegmentation`: the mean over records and over
/// the classes other than the first, which is the background. A class that a record neither has nor
/// is given is left out.
[[nodiscard]] inline Metric dice() {
  return {"dice", true, [](const at::Tensor& prediction, const at::Tensor& target) {
            detail::check_class_maps("dice", prediction, target);
            const at::Tensor valid = target.ge(0), decided = prediction.argmax(1, true);  // [N, 1, H, W]
            if (detail::any_nan(prediction, valid)) return detail::kNotANumber;
            std::vector<double> each;
            for (std::int64_t c = 1; c < prediction.size(1); ++c) {
              const at::Tensor a = decided.eq(c).logical_and(valid).flatten(1), b = target.eq(c).flatten(1);
              const at::Tensor both = a.logical_and(b).sum(1).to(at::kDouble), size = a.sum(1) + b.sum(1);
              const std::vector<double> of_records = detail::numbers_of(2 * both / size);
              each.insert(each.end(), of_records.begin(), of_records.end());
            }
            return detail::mean_of_known(std::move(each));
          }};
}

/// Hausdorff distance of `DenseSegmentation` at the 95th percentile (evaluation/hausdorff.hpp), in the unit of the
/// spacing: the mean over records and over the classes other than the first. A class that a record neither has nor is given
/// is left out; one that it has or is given alone counts as the diagonal of the map. Missing pixels are in no class. In
/// volumes surfaces and distances are those in three dimensions.
[[nodiscard]] inline Metric hausdorff95(PixelSpacing spacing = {}) {
  return {"hausdorff95", false, [spacing](const at::Tensor& prediction, const at::Tensor& target) {
            detail::check_class_maps("hausdorff95", prediction, target);
            const at::Tensor valid = target.ge(0), decided = prediction.argmax(1, true);  // [N, 1, H, W]
            if (detail::any_nan(prediction, valid)) return detail::kNotANumber;
            const bool volume = target.dim() == 5;
            const auto slices = static_cast<std::size_t>(volume ? target.size(2) : 1),
                       height = static_cast<std::size_t>(target.size(-2)),
                       width = static_cast<std::size_t>(target.size(-1)), pixels = slices * height * width;
            const double diagonal =
                std::hypot(static_cast<double>(height) * spacing.row, static_cast<double>(width) * spacing.column,
                           volume ? static_cast<double>(slices) * spacing.slice : 0.0);
            std::vector<double> each;
            for (std::int64_t c = 1; c < prediction.size(1); ++c) {
              const at::Tensor a = decided.eq(c).logical_and(valid).contiguous(), b = target.eq(c).contiguous();
              for (std::size_t at = 0; at < static_cast<std::size_t>(target.numel()); at += pixels) {
                const std::span in_a(a.const_data_ptr<bool>() + at, pixels),
                    in_b(b.const_data_ptr<bool>() + at, pixels);
                const double distance = volume ? volume_hausdorff(in_a, in_b, slices, height, width, spacing)
                                               : hausdorff(in_a, in_b, height, width, spacing);
                each.push_back(std::isinf(distance) ? diagonal : distance);
              }
            }
            return detail::mean_of_known(std::move(each));
          }};
}

// ---- times until an event: `Survival`, `DiscreteSurvival`

/// Harrell's C (`equipoise::c_index`).
[[nodiscard]] inline Metric c_index() {
  return {"c_index", true, [](const at::Tensor& risk, const at::Tensor& target) {
            const bool times =
                target.is_floating_point() && target.dim() == 2 && target.size(1) == 2 && risk.dim() == 2;
            detail::check_metric(times, "c_index", "times and whether each is an event", risk, target);
            std::vector<bool> event;
            for (const double e : detail::numbers_of(target.select(1, 1))) event.push_back(e > 0);
            return equipoise::c_index(detail::numbers_of(risk.select(1, 0)), detail::numbers_of(target.select(1, 0)),
                                      event);
          }};
}

}  // namespace metric
}  // namespace equipoise
