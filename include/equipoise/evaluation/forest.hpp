// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Random regression forest (Breiman 2001, Machine Learning 45:5): the non-linear baseline on a table.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/random.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <utility>
#include <vector>

namespace equipoise {

struct ForestOptions {
  std::size_t trees = 100;
  std::size_t features = 0;  ///< that a split chooses from; 0: a third of them
  std::size_t leaf = 5;      ///< fewest records of a leaf
  std::uint64_t seed = 1;
};

/// Means of trees, each grown on records drawn with replacement, each split the best of a few features drawn anew.
class RegressionForest {
 public:
  /// \param x [N, F]  \param y [N, 1], finite  \throws ValueError for options out of range, and for no records
  RegressionForest(const Eigen::MatrixXd& x, const Eigen::VectorXd& y, const ForestOptions& options = {})
      : x_(x), y_(y), columns_(x.cols()), options_(options) {
    check_option(options.leaf > 0, "ForestOptions.leaf", "> 0", options.leaf);
    check_option(options.trees > 0, "ForestOptions.trees", "> 0", options.trees);
    check_option(x.rows() > 0 && x.rows() == y.rows(), "RegressionForest", "as many targets as rows, at least one",
                 y.rows());
    const auto all = static_cast<std::size_t>(x.cols());
    if (options_.features == 0) options_.features = std::max<std::size_t>(1, all / 3);
    options_.features = std::min(options_.features, all);
    for (std::size_t t = 0; t < options_.trees; ++t) grow(t);
    x_.resize(0, 0), y_.resize(0);
  }

  /// [N, 1]. \param x [N, F]  \throws ShapeError for another number of columns than it was grown on
  [[nodiscard]] Eigen::VectorXd predict(const Eigen::MatrixXd& x) const {
    if (x.cols() != columns_)
      throw ShapeError(message("shape.130", "RegressionForest", "expected ", columns_, " columns, got ", x.cols()));
    Eigen::VectorXd out = Eigen::VectorXd::Zero(x.rows());
    for (Eigen::Index i = 0; i < x.rows(); ++i) {
      for (const std::size_t root : roots_) {
        std::size_t at = root;
        while (nodes_[at].feature >= 0)
          at = x(i, nodes_[at].feature) <= nodes_[at].value ? nodes_[at].low : nodes_[at].high;
        out(i) += nodes_[at].value;
      }
    }
    return out / static_cast<double>(roots_.size());
  }

 private:
  /// A leaf and its mean, or a split: records of at most `value` go to `low`.
  struct Node {
    Eigen::Index feature = -1;
    double value = 0;
    std::size_t low = 0, high = 0;
  };
  struct Split {
    double gain = 0, value = 0;
    Eigen::Index feature = -1;
  };
  using Records = std::vector<Eigen::Index>;

  void grow(std::size_t tree) {
    const auto n = static_cast<std::size_t>(x_.rows());
    Records records(n);
    for (std::size_t i = 0; i < n; ++i) records[i] = static_cast<Eigen::Index>(drawn(n, {options_.seed, tree, i}));
    roots_.push_back(nodes_.size());
    nodes_.emplace_back();
    struct Open {
      std::size_t node, begin, end;
    };
    std::vector<Open> open = {{nodes_.size() - 1, 0, n}};
    while (!open.empty()) {
      const Open part = open.back();
      open.pop_back();
      const auto begin = records.begin() + static_cast<std::ptrdiff_t>(part.begin),
                 end = records.begin() + static_cast<std::ptrdiff_t>(part.end);
      const Split split = best_split(begin, end, part.node);
      if (split.feature < 0) {
        nodes_[part.node].value =
            std::accumulate(begin, end, 0.0, [&](double sum, Eigen::Index i) { return sum + y_(i); }) /
            static_cast<double>(part.end - part.begin);
        continue;
      }
      const auto middle =
          std::partition(begin, end, [&](Eigen::Index i) { return x_(i, split.feature) <= split.value; });
      const auto at = static_cast<std::size_t>(middle - records.begin());
      nodes_[part.node] = {split.feature, split.value, nodes_.size(), nodes_.size() + 1};
      open.push_back({nodes_.size(), part.begin, at}), open.push_back({nodes_.size() + 1, at, part.end});
      nodes_.resize(nodes_.size() + 2);
    }
  }

  /// What lowers the squared error most among features drawn for the node; feature -1 where nothing does.
  [[nodiscard]] Split best_split(Records::const_iterator begin, Records::const_iterator end, std::size_t node) const {
    Split best;
    const auto n = static_cast<std::size_t>(end - begin);
    if (n < 2 * options_.leaf) return best;
    std::vector<Eigen::Index> features(static_cast<std::size_t>(x_.cols()));
    std::iota(features.begin(), features.end(), 0);
    std::vector<std::pair<double, double>> pairs(n);
    for (std::size_t f = 0; f < options_.features; ++f) {
      std::swap(features[f], features[f + drawn(features.size() - f, {options_.seed, node, f, 1})]);
      std::transform(begin, end, pairs.begin(), [&](Eigen::Index i) { return std::pair(x_(i, features[f]), y_(i)); });
      std::sort(pairs.begin(), pairs.end());
      improve(best, features[f], pairs);
    }
    return best;
  }

  /// \param pairs of the feature and the number to be predicted, sorted
  void improve(Split& best, Eigen::Index feature, const std::vector<std::pair<double, double>>& pairs) const {
    const auto n = static_cast<double>(pairs.size());
    double all = 0, low = 0;
    for (const auto& [x, y] : pairs) all += y;
    for (std::size_t i = 0; i + options_.leaf < pairs.size(); ++i) {
      low += pairs[i].second;
      if (i + 1 < options_.leaf || pairs[i].first == pairs[i + 1].first) continue;
      const auto k = static_cast<double>(i + 1);
      // By how much the squared error falls: n_low n_high / n (mean_low - mean_high)².
      const double apart = low / k - (all - low) / (n - k), gain = k * (n - k) / n * apart * apart;
      const double below = pairs[i].first, above = pairs[i + 1].first, middle = below + 0.5 * (above - below);
      if (gain > best.gain * (1 + 1e-12)) best = {gain, middle < above ? middle : below, feature};
    }
  }

  [[nodiscard]] static std::size_t drawn(std::size_t n, std::initializer_list<std::uint64_t> key) {
    return static_cast<std::size_t>(to_uniform(hash_of(key)) * static_cast<double>(n));
  }

  Eigen::MatrixXd x_;
  Eigen::VectorXd y_;
  Eigen::Index columns_;
  ForestOptions options_;
  std::vector<Node> nodes_;
  std::vector<std::size_t> roots_;
};

}  // namespace equipoise
