// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Regression trees (CART; Breiman, Friedman, Olshen and Stone 1984) of a table, of which forest.hpp and boosting.hpp make
/// ensembles. Each feature is sorted once; the nodes of a tree hold their records in that order, so that a level of a tree
/// costs N F steps, N drawn records and F features.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/random.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace equipoise::detail {

struct TreeOptions {
  std::size_t features = 1;                                     ///< that a split chooses from, drawn for each node
  std::size_t leaf = 1;                                         ///< fewest records of a leaf
  std::size_t depth = std::numeric_limits<std::size_t>::max();  ///< most splits between the root and a leaf
  std::uint64_t seed = 1;
};

/// A place among `n` that a key draws.
[[nodiscard]] inline std::size_t drawn_below(std::size_t n, std::initializer_list<std::uint64_t> key) {
  return static_cast<std::size_t>(to_uniform(hash_of(key)) * static_cast<double>(n));
}

/// Trees that were grown, without the records that they were grown on.
class RegressionTrees {
 public:
  [[nodiscard]] std::size_t trees() const { return roots_.size(); }

  /// What a tree says of row `i` of `x`.
  [[nodiscard]] double predict(std::size_t tree, const Eigen::MatrixXd& x, Eigen::Index i) const {
    std::size_t at = roots_[tree];
    while (nodes_[at].feature >= 0)
      at = x(i, nodes_[at].feature) <= nodes_[at].value ? nodes_[at].low : nodes_[at].high;
    return nodes_[at].value;
  }

  /// Keeps the first trees alone.
  void keep(std::size_t trees) { roots_.resize(std::min(trees, roots_.size())); }

 private:
  friend class TreeGrower;
  /// A leaf and its mean, or a split: records of at most `value` go to `low`.
  struct Node {
    Eigen::Index feature = -1;
    double value = 0;
    std::size_t low = 0, high = 0;
  };
  std::vector<Node> nodes_;
  std::vector<std::size_t> roots_;
};

/// Grows trees on the same features, for targets and draws of records that may change from tree to tree.
class TreeGrower {
 public:
  /// \param x [N, F], finite  \pre outlives this
  explicit TreeGrower(const Eigen::MatrixXd& x) : x_(x), sorted_(static_cast<std::size_t>(x.cols())) {
    for (Eigen::Index f = 0; f < x.cols(); ++f) {
      std::vector<std::uint32_t>& order = sorted_[static_cast<std::size_t>(f)];
      order.resize(static_cast<std::size_t>(x.rows()));
      std::iota(order.begin(), order.end(), 0U);
      std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return x(a, f) < x(b, f); });
    }
  }

  /// Adds a tree. \param y [N] what it is to predict  \param drawn [N] how often each record was drawn
  void grow(const Eigen::VectorXd& y, const std::vector<std::uint32_t>& drawn, const TreeOptions& options,
            RegressionTrees& out) {
    take(drawn);
    out.roots_.push_back(out.nodes_.size());
    out.nodes_.emplace_back();
    std::vector<Part> open = {{out.nodes_.size() - 1, 0, order_.empty() ? 0 : order_[0].size(), 0}};
    while (!open.empty()) {
      const Part part = open.back();
      open.pop_back();
      const Split split = part.depth < options.depth ? best_split(y, part, options) : Split{};
      if (split.feature < 0) {
        double sum = 0;
        for (std::size_t i = part.begin; i < part.end; ++i) sum += y(order_[0][i]);
        out.nodes_[part.node].value = sum / static_cast<double>(part.end - part.begin);
        continue;
      }
      const std::size_t middle = divide(part, split), low = out.nodes_.size();
      out.nodes_[part.node] = {split.feature, split.value, low, low + 1};
      open.push_back({low, part.begin, middle, part.depth + 1}),
          open.push_back({low + 1, middle, part.end, part.depth + 1});
      out.nodes_.resize(low + 2);
    }
  }

 private:
  struct Split {
    double gain = 0, value = 0;
    Eigen::Index feature = -1;
  };
  /// A node under way: its records stand at [begin, end) of every feature's order.
  struct Part {
    std::size_t node, begin, end, depth;
  };

  /// The drawn records in the order of each feature.
  void take(const std::vector<std::uint32_t>& drawn) {
    order_.resize(sorted_.size());
    for (std::size_t f = 0; f < sorted_.size(); ++f) {
      order_[f].clear();
      for (const std::uint32_t i : sorted_[f]) order_[f].insert(order_[f].end(), drawn[i], i);
    }
    goes_low_.resize(static_cast<std::size_t>(x_.rows()));
  }

  /// What lowers the squared error most among features drawn for the node; feature -1 where nothing does.
  [[nodiscard]] Split best_split(const Eigen::VectorXd& y, const Part& part, const TreeOptions& options) {
    Split best;
    if (part.end - part.begin < 2 * options.leaf) return best;
    std::vector<Eigen::Index> features(sorted_.size());
    std::iota(features.begin(), features.end(), 0);
    for (std::size_t f = 0; f < options.features; ++f) {
      std::swap(features[f], features[f + drawn_below(features.size() - f, {options.seed, part.node, f, 1})]);
      improve(best, y, features[f], part, options.leaf);
    }
    return best;
  }

  void improve(Split& best, const Eigen::VectorXd& y, Eigen::Index feature, const Part& part, std::size_t leaf) const {
    const std::uint32_t* order = order_[static_cast<std::size_t>(feature)].data() + part.begin;
    const double* x = x_.col(feature).data();
    const std::size_t size = part.end - part.begin;
    if (x[order[0]] == x[order[size - 1]]) return;
    const auto n = static_cast<double>(size);
    double all = 0, low = 0;
    for (std::size_t i = 0; i < size; ++i) all += y(order[i]);
    for (std::size_t i = 0; i + leaf < size; ++i) {
      low += y(order[i]);
      const double below = x[order[i]], above = x[order[i + 1]];
      if (i + 1 < leaf || below == above) continue;
      const auto k = static_cast<double>(i + 1);
      // By how much the squared error falls: n_low n_high / n (mean_low - mean_high)².
      const double apart = low / k - (all - low) / (n - k), gain = k * (n - k) / n * apart * apart;
      const double middle = below + 0.5 * (above - below);
      if (gain > best.gain * (1 + 1e-12)) best = {gain, middle < above ? middle : below, feature};
    }
  }

  /// Puts the records of the lower side first, in every feature's order; where the upper side begins.
  [[nodiscard]] std::size_t divide(const Part& part, const Split& split) {
    const std::vector<std::uint32_t>& by_split = order_[static_cast<std::size_t>(split.feature)];
    std::size_t middle = part.begin;
    for (std::size_t i = part.begin; i < part.end; ++i) {
      const bool low = x_(by_split[i], split.feature) <= split.value;
      goes_low_[by_split[i]] = low;
      middle += low;
    }
    for (std::vector<std::uint32_t>& order : order_) {
      std::size_t low = part.begin;
      high_.clear();
      for (std::size_t i = part.begin; i < part.end; ++i) {
        const std::uint32_t record = order[i];
        if (goes_low_[record])
          order[low++] = record;
        else
          high_.push_back(record);
      }
      std::copy(high_.begin(), high_.end(), order.begin() + static_cast<std::ptrdiff_t>(low));
    }
    return middle;
  }

  const Eigen::MatrixXd& x_;
  std::vector<std::vector<std::uint32_t>> sorted_, order_;  ///< [F] of all records; of the drawn ones
  std::vector<char> goes_low_;                              ///< [N]
  std::vector<std::uint32_t> high_;
};

/// \throws ValueError for no records, unless there is a target a row, and for NaN or infinity
inline void check_table(const char* where, const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  if (!x.allFinite() || !y.allFinite())
    throw ValueError(message("value.201", where, "expected finite features and targets, got NaN or infinity"));
  check_option(x.rows() > 0 && x.rows() == y.rows(), where, "as many targets as rows, at least one", y.rows());
}

/// \throws ShapeError for another number of columns than a model was fitted on; ValueError for NaN or infinity
inline void check_columns(const char* where, const Eigen::MatrixXd& x, Eigen::Index columns) {
  if (!x.allFinite()) throw ValueError(message("value.201", where, "expected finite features, got NaN or infinity"));
  if (x.cols() != columns)
    throw ShapeError(message("shape.130", where, "expected ", columns, " columns, got ", x.cols()));
}

}  // namespace equipoise::detail
