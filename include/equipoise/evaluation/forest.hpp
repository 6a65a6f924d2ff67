// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Random regression forest (Breiman 2001, Machine Learning 45:5): the non-linear baseline on a table.

#include <equipoise/evaluation/regression_trees.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
  /// \param x [N, F], finite  \param y [N], finite  \throws ValueError for options out of range, and for no records
  RegressionForest(const Eigen::MatrixXd& x, const Eigen::VectorXd& y, const ForestOptions& options = {})
      : columns_(x.cols()) {
    check_option(options.leaf > 0, "ForestOptions.leaf", "> 0", options.leaf);
    check_option(options.trees > 0, "ForestOptions.trees", "> 0", options.trees);
    detail::check_table("RegressionForest", x, y);
    const auto all = static_cast<std::size_t>(x.cols()), n = static_cast<std::size_t>(x.rows());
    detail::TreeOptions of_tree{
        .features = options.features == 0 ? std::max<std::size_t>(1, all / 3) : options.features,
        .leaf = options.leaf,
        .seed = options.seed};
    of_tree.features = std::min(of_tree.features, all);
    detail::TreeGrower grower(x);
    for (std::size_t tree = 0; tree < options.trees; ++tree) {
      std::vector<std::uint32_t> drawn(n, 0);
      for (std::size_t i = 0; i < n; ++i) ++drawn[detail::drawn_below(n, {options.seed, tree, i})];
      grower.grow(y, drawn, of_tree, trees_);
    }
  }

  /// [N]. \param x [N, F]  \throws ShapeError for another number of columns than it was grown on
  [[nodiscard]] Eigen::VectorXd predict(const Eigen::MatrixXd& x) const {
    detail::check_columns("RegressionForest", x, columns_);
    Eigen::VectorXd out = Eigen::VectorXd::Zero(x.rows());
    for (Eigen::Index i = 0; i < x.rows(); ++i)
      for (std::size_t tree = 0; tree < trees_.trees(); ++tree) out(i) += trees_.predict(tree, x, i);
    return out / static_cast<double>(trees_.trees());
  }

 private:
  Eigen::Index columns_;
  detail::RegressionTrees trees_;
};

}  // namespace equipoise
