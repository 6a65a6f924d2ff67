// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// How well a method predicts dose-difference maps: errors and structural similarity within the valid pixels, where large
/// differences are, and the passing rates that the planned dose and the predicted map give.

#include <equipoise/data/groups.hpp>
#include <equipoise/evaluation/bootstrap.hpp>
#include <equipoise/evaluation/metrics.hpp>
#include <equipoise/evaluation/ssim.hpp>
#include <equipoise/psqa/cohort/cohort.hpp>
#include <equipoise/psqa/criteria.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/gamma/passing_rates.hpp>
#include <equipoise/psqa/learning/data.hpp>
#include <equipoise/psqa/learning/rate_metrics.hpp>

#include <torch/nn/functional/upsampling.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace equipoise::psqa {

inline constexpr double kDdRange = 20;  ///< % of the norm: the fixed data range of SSIM and PSNR
inline constexpr double kDdLarge = 3;   ///< % of the norm: a difference that matters

struct MapMetrics {
  Interval mae, rmse, psnr, ssim;  ///< within the valid pixels; errors in % of the norm, PSNR in dB; range 20 %
  Interval dice;  ///< overlap of the pixels beyond ±`kDdLarge`, pooled over records; NaN where there are none
  PerCriterion<Interval> rate_mae{};       ///< points: rates recomputed from the map against the true ones
  PerCriterion<Interval> rate_spearman{};  ///< and their rank correlation; NaN without recomputed rates
};

namespace detail {

[[nodiscard]] inline std::vector<double> host_doubles(const at::Tensor& t) {
  const at::Tensor host = host_copy(t).to(torch::kDouble).contiguous();
  return {host.const_data_ptr<double>(), host.const_data_ptr<double>() + host.numel()};
}

}  // namespace detail

/// Each record's errors of the map, within its valid pixels.
struct MapErrors {
  std::vector<double> absolute, squared, ssim;  ///< [N] means: % of the norm, its square, and no unit
  std::vector<double> both, either;             ///< [N] pixels beyond the limit in both maps, and their number in each
};

/// The errors of a method's maps, record by record.
[[nodiscard]] inline MapErrors map_errors(const MethodPredictions& j) {
  const at::Tensor valid = j.dd_truth.isfinite(), truth = j.dd_truth.nan_to_num(0),
                   predicted = j.dd_predicted.masked_fill(valid.eq(false), 0);
  const at::Tensor n = valid.flatten(1).sum(1).clamp_min(1), error = predicted - truth,
                   large_truth = truth.abs() > kDdLarge, large_predicted = predicted.abs() > kDdLarge;
  const auto h = static_cast<std::size_t>(truth.size(2)), w = static_cast<std::size_t>(truth.size(3));
  const at::Tensor t = host_copy(truth).to(torch::kFloat).contiguous(),
                   p = host_copy(predicted).to(torch::kFloat).contiguous(), counts = host_copy(valid).contiguous();
  MapErrors out{detail::host_doubles(error.abs().flatten(1).sum(1) / n),
                detail::host_doubles(error.square().flatten(1).sum(1) / n),
                {},
                detail::host_doubles((large_truth & large_predicted).flatten(1).sum(1)),
                detail::host_doubles(large_truth.flatten(1).sum(1) + large_predicted.flatten(1).sum(1))};
  for (std::size_t i = 0; i < j.size(); ++i)
    out.ssim.push_back(equipoise::ssim({t.const_data_ptr<float>() + i * h * w, h * w},
                                       {p.const_data_ptr<float>() + i * h * w, h * w}, h, w, kDdRange,
                                       {counts.const_data_ptr<bool>() + i * h * w, h * w}));
  return out;
}

namespace detail {

/// Interpolates a map [h, w] of a pooled plane to the plane's pixels [height, width], bilinearly.
/// Zero in the last rows and columns if pooling left them out.
[[nodiscard]] inline at::Tensor on_plane(const at::Tensor& map, std::int64_t pool, std::int64_t height,
                                         std::int64_t width) {
  namespace F = torch::nn::functional;
  const std::int64_t h = map.size(0) * pool, w = map.size(1) * pool;
  const at::Tensor fine =
      F::interpolate(map.view({1, 1, map.size(0), map.size(1)}),
                     F::InterpolateFuncOptions().size(std::vector{h, w}).mode(torch::kBilinear).align_corners(false));
  at::Tensor out = torch::zeros({height, width});
  out.narrow(0, 0, h).narrow(1, 0, w).copy_(fine[0][0]);
  return out;
}

}  // namespace detail

/// Passing rates of the planned plane plus a map of dose differences, against the planned plane.
/// The map is applied from 10 % of the maximum on.
/// \param dd [N, 1, h, w] in % of the pooled planes' maximum  \param records of the cohort, [N]
[[nodiscard]] inline Rates rates_of_maps(const Cohort& cohort, std::span<const std::int64_t> records,
                                         const at::Tensor& dd) {
  const auto h = static_cast<std::int64_t>(cohort.height), w = static_cast<std::int64_t>(cohort.width),
             pool = h / dd.size(2);
  const at::Tensor maps = host_copy(dd).to(torch::kFloat);
  Rates out;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::span<const float> dose = cohort.plane(cohort.planned, static_cast<std::size_t>(records[i]));
    DoseGrid planned = DoseGrid::plane(cohort.height, cohort.width, cohort.spacing_mm);
    std::copy(dose.begin(), dose.end(), planned.values.begin());
    const at::Tensor coarse = pooled_planes(dose, 1, h, w, pool)[0][0], maximum = coarse.max();
    const at::Tensor known =
        maps[static_cast<std::int64_t>(i)][0].masked_fill(coarse < 0.1 * maximum, 0) * (maximum / 100);  // Gy
    const std::vector<double> difference = detail::host_doubles(detail::on_plane(known, pool, h, w));
    DoseGrid measured = planned;
    std::ranges::transform(measured.values, difference, measured.values.begin(),
                           [](double gray, double added) { return std::max(0.0, gray + added); });
    out.push_back(passing_rates(measured, planned));
  }
  return out;
}

/// The structural similarity [N] of the dose: the planned plane plus the predicted map, against the planned plane plus the
/// true map, within the map's valid pixels. The range is the planned maximum. For a map of zeros it is that of the planned
/// against the measured plane, which every predicted dose must be compared with.
[[nodiscard]] inline std::vector<double> dose_ssim(const Cohort& cohort, std::span<const std::int64_t> records,
                                                   const MethodPredictions& j) {
  const auto h = static_cast<std::int64_t>(cohort.height), w = static_cast<std::int64_t>(cohort.width),
             pool = h / j.dd_truth.size(2);
  const auto rows = static_cast<std::size_t>(j.dd_truth.size(2)),
             columns = static_cast<std::size_t>(j.dd_truth.size(3));
  const auto floats = [](const at::Tensor& t) { return host_copy(t).to(torch::kFloat).contiguous(); };
  std::vector<double> out;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::span<const float> dose = cohort.plane(cohort.planned, static_cast<std::size_t>(records[i]));
    const at::Tensor coarse = pooled_planes(dose, 1, h, w, pool)[0][0], planned = coarse * (100 / coarse.max()),  // %
        truth = host_copy(j.dd_truth[at][0]), valid = truth.isfinite().contiguous(),
                     measured = floats(planned + truth.nan_to_num(0)),
                     predicted = floats(planned + host_copy(j.dd_predicted[at][0]));
    const std::size_t n = rows * columns;
    out.push_back(equipoise::ssim({measured.const_data_ptr<float>(), n}, {predicted.const_data_ptr<float>(), n}, rows,
                                  columns, 100, {valid.const_data_ptr<bool>(), n}));
  }
  return out;
}

/// The figures of a method's maps.
[[nodiscard]] inline MapMetrics map_metrics(const MethodPredictions& j) {
  const MapErrors e = map_errors(j);
  const auto mse = mean_over_records(e.squared);
  const std::vector<std::int64_t> patients = group_numbers(j.patients);
  MapMetrics f;
  f.mae = bootstrap(patients, mean_over_records(e.absolute));
  f.rmse = bootstrap(patients, [&](const auto& rows) { return std::sqrt(mse(rows)); });
  f.psnr = bootstrap(patients, [&](const auto& rows) { return 10 * std::log10(kDdRange * kDdRange / mse(rows)); });
  f.ssim = bootstrap(patients, mean_over_records(e.ssim));
  f.dice = bootstrap(patients, [&](const std::vector<std::size_t>& rows) {
    double both = 0, either = 0;
    for (const std::size_t i : rows) both += 2 * e.both[i], either += e.either[i];
    return both / either;
  });
  for (std::size_t c = 0; c < kCriteria.size(); ++c) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    f.rate_mae[c] = f.rate_spearman[c] = {nan, nan, nan};
    if (j.map_rates.empty()) continue;
    const detail::KnownRates rates(j.truth, j.map_rates, c);
    f.rate_mae[c] = bootstrap(detail::patients_of(j, rates), mean_over_records(rates.error));
    f.rate_spearman[c] = detail::over_patients(
        j, rates, [](const detail::KnownRates& r) { return equipoise::spearman(r.truth, r.predicted); });
  }
  return f;
}

}  // namespace equipoise::psqa
