// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Means over records with percentile intervals by bootstrap over groups, many columns at once: the groups' sums are made
/// once, and the same resamples of groups serve every column as one matrix product.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/random.hpp>
#include <equipoise/evaluation/bootstrap.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// The interval of `level` that resampled values span about `value`; none where the value is not finite.
/// \param values of the resamples, of which those that are not finite (a resample without records) do not count
[[nodiscard]] inline Interval percentile_interval(double value, std::vector<double> values, double level) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  if (!std::isfinite(value)) return {value, nan, nan};
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  std::sort(values.begin(), values.end());
  return {value, quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)};
}

}  // namespace detail

/// Means of columns over the same records and groups, with their intervals.
class GroupMeans {
 public:
  /// More groups than this are drawn in blocks of several, chosen at random once: the cost then stays that of the records,
  /// and the spread of as many block sums is known better than that of 2,000 resamples.
  static constexpr std::size_t kMaxDrawn = 2048;

  /// \param groups [N] of the records  \param counted [N] the records that the means run over
  GroupMeans(std::span<const std::int64_t> groups, const std::vector<bool>& counted) {
    check_same_length(groups.size(), counted.size(), "GroupMeans");
    for (std::size_t i = 0; i < counted.size(); ++i)
      if (counted[i]) records_.push_back(i);
    std::vector<std::int64_t> ids;
    ids.reserve(records_.size());
    for (const std::size_t i : records_) ids.push_back(groups[i]);
    if (!std::is_sorted(ids.begin(), ids.end())) std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    drawn_ = std::min(ids.size(), kMaxDrawn);
    std::vector<std::int64_t> block(ids.size());
    if (ids.size() > kMaxDrawn)
      block = permutation(static_cast<std::int64_t>(ids.size()), hash_of("blocks of groups"));
    else
      std::iota(block.begin(), block.end(), 0);
    sizes_ = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(drawn_));
    auto at = ids.begin();
    for (const std::size_t i : records_) {
      if (groups[i] != *at) {  // mostly the same group, or the next one
        ++at;
        if (at == ids.end() || groups[i] != *at) at = std::lower_bound(ids.begin(), ids.end(), groups[i]);
      }
      const auto g = at - ids.begin();
      blocks_.push_back(block[static_cast<std::size_t>(g)] % static_cast<std::int64_t>(drawn_));
      sizes_(blocks_.back()) += 1;
    }
  }

  [[nodiscard]] std::size_t records() const { return records_.size(); }

  /// Adds a column. \param values [N]
  template <class T>
  void add(const T* values) {
    Eigen::VectorXd& sums = sums_.emplace_back(Eigen::VectorXd::Zero(sizes_.size()));
    double sum = 0;
    for (std::size_t j = 0; j < records_.size(); ++j) {
      const auto x = static_cast<double>(values[records_[j]]);
      sum += x;
      sums(blocks_[j]) += x;
    }
    means_.push_back(sum / static_cast<double>(records_.size()));
  }

  /// One interval a column; without `resamples`, or of a single group, the values alone.
  [[nodiscard]] std::vector<Interval> intervals(int resamples, double level = 0.95, std::uint64_t seed = 1) const {
    std::vector<std::vector<double>> values(sums_.size());
    if (drawn_ > 1) resample(resamples, seed, values);
    std::vector<Interval> out;
    for (std::size_t c = 0; c < sums_.size(); ++c)
      out.push_back(detail::percentile_interval(means_[c], std::move(values[c]), level));
    return out;
  }

 private:
  using Table = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  /// Appends each resample's means to `values` [C]; a column that is not finite gets none.
  void resample(int resamples, std::uint64_t seed, std::vector<std::vector<double>>& values) const {
    constexpr int at_once = 64;  // so that their counts stay in the cache
    std::vector<std::size_t> finite;
    for (std::size_t c = 0; c < means_.size(); ++c)
      if (std::isfinite(means_[c])) finite.push_back(c);
    Eigen::MatrixXd sums(sizes_.size(), static_cast<Eigen::Index>(finite.size()) + 1);
    for (std::size_t c = 0; c < finite.size(); ++c) sums.col(static_cast<Eigen::Index>(c)) = sums_[finite[c]];
    sums.col(sums.cols() - 1) = sizes_;
    for (int begin = 0; begin < resamples; begin += at_once) {
      const Table drawn = counts(begin, std::min(resamples, begin + at_once), seed) * sums;
      for (Eigen::Index r = 0; r < drawn.rows(); ++r)
        for (std::size_t c = 0; c < finite.size(); ++c)
          values[finite[c]].push_back(drawn(r, static_cast<Eigen::Index>(c)) / drawn(r, drawn.cols() - 1));
    }
  }

  /// How often each group was drawn in the resamples [begin, end): the draws of `bootstrap`.
  [[nodiscard]] Table counts(int begin, int end, std::uint64_t seed) const {
    Table out = Table::Zero(end - begin, static_cast<Eigen::Index>(drawn_));
    std::vector<std::uint64_t> mixed(drawn_);
    for (std::uint64_t k = 0; k < drawn_; ++k) mixed[k] = mix(k);
    for (int r = begin; r < end; ++r) {
      const std::uint64_t of_resample = hash_of({seed, static_cast<std::uint64_t>(r)});
      double* row = out.row(r - begin).data();
      for (const std::uint64_t k : mixed)  // hash_of({seed, r, k}), of which the start is the same
        row[static_cast<std::size_t>(to_uniform(mix(of_resample ^ k)) * static_cast<double>(drawn_))] += 1;
    }
    return out;
  }

  std::vector<std::size_t> records_;   ///< [n] that count
  std::vector<std::int64_t> blocks_;   ///< [n] the group, or block of groups, of each
  std::size_t drawn_ = 0;              ///< groups, or blocks of groups
  Eigen::VectorXd sizes_;              ///< [drawn] records of each
  std::vector<Eigen::VectorXd> sums_;  ///< [C][drawn]
  std::vector<double> means_;          ///< [C]
};

}  // namespace equipoise
