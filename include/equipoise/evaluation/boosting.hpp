// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Gradient-boosted regression trees for the squared error (Friedman, Annals of Statistics 2001, 29, 1189), each on a part
/// of the records (Friedman, Computational Statistics & Data Analysis 2002, 38, 367): the strongest usual baseline on a
/// table. The first prediction is the mean; each tree is grown on what is left of the targets, and a part `rate` of what
/// it says is added. With validation records the trees up to the smallest squared error there are kept.

#include <equipoise/evaluation/regression_trees.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace equipoise {

struct BoostingOptions {
  std::size_t trees = 1000;   ///< at most
  double rate = 0.05;         ///< shrinkage, nu in (0, 1]: the part of a tree that is added
  std::size_t depth = 4;      ///< most splits between a tree's root and a leaf; > 0
  std::size_t leaf = 5;       ///< fewest records of a leaf; > 0
  double subsample = 0.7;     ///< share of the records that a tree is grown on, in (0, 1], drawn without replacement
  std::size_t features = 0;   ///< that a split chooses from; 0: all
  std::size_t patience = 50;  ///< trees without a smaller error of the validation records, after which it ends; > 0
  std::uint64_t seed = 1;
};

class BoostedTrees {
 public:
  /// Grows all trees. \param x [N, F], finite  \param y [N], finite
  /// \throws ValueError for options out of range, and for no records
  BoostedTrees(const Eigen::MatrixXd& x, const Eigen::VectorXd& y, const BoostingOptions& options = {})
      : BoostedTrees(x, y, Eigen::MatrixXd(0, x.cols()), Eigen::VectorXd(0), options) {}

  /// Stops early, by validation records. Without any all trees are grown.
  /// \throws ValueError as above; ShapeError for another number of columns or targets of the validation records
  BoostedTrees(const Eigen::MatrixXd& x, const Eigen::VectorXd& y, const Eigen::MatrixXd& x_validation,
               const Eigen::VectorXd& y_validation, const BoostingOptions& options = {})
      : columns_(x.cols()), rate_(options.rate) {
    check(options);
    detail::check_table("BoostedTrees", x, y);
    detail::check_columns("BoostedTrees", x_validation, columns_);
    check_same_length(static_cast<std::size_t>(y_validation.rows()), static_cast<std::size_t>(x_validation.rows()),
                      "BoostedTrees");
    if (!y_validation.allFinite())
      throw ValueError(message("value.201", "BoostedTrees", "expected finite validation targets, got NaN or infinity"));
    mean_ = y.mean();
    const auto all = static_cast<std::size_t>(x.cols());
    const detail::TreeOptions of_tree{.features = options.features == 0 ? all : std::min(options.features, all),
                                      .leaf = options.leaf,
                                      .depth = options.depth,
                                      .seed = options.seed};
    detail::TreeGrower grower(x);
    Eigen::VectorXd left = y.array() - mean_, left_validation = y_validation.array() - mean_;
    double smallest = left_validation.squaredNorm();
    std::size_t best = 0;
    const bool stops = y_validation.rows() > 0;
    for (std::size_t tree = 0; tree < options.trees && (!stops || tree < best + options.patience); ++tree) {
      grower.grow(left, drawn(static_cast<std::size_t>(x.rows()), tree, options), of_tree, trees_);
      subtract(tree, x, left), subtract(tree, x_validation, left_validation);
      if (const double error = left_validation.squaredNorm(); error < smallest) smallest = error, best = tree + 1;
    }
    if (stops) trees_.keep(best);
  }

  /// [N]. \param x [N, F]  \throws ShapeError for another number of columns than it was grown on
  [[nodiscard]] Eigen::VectorXd predict(const Eigen::MatrixXd& x) const {
    detail::check_columns("BoostedTrees", x, columns_);
    Eigen::VectorXd out = Eigen::VectorXd::Constant(x.rows(), mean_);
    for (Eigen::Index i = 0; i < x.rows(); ++i)
      for (std::size_t tree = 0; tree < trees_.trees(); ++tree) out(i) += rate_ * trees_.predict(tree, x, i);
    return out;
  }

  /// How many trees it has.
  [[nodiscard]] std::size_t trees() const { return trees_.trees(); }

 private:
  static void check(const BoostingOptions& o) {
    check_option(o.trees > 0, "BoostingOptions.trees", "> 0", o.trees);
    check_option(o.rate > 0 && o.rate <= 1, "BoostingOptions.rate", "within (0, 1]", o.rate);
    check_option(o.depth > 0, "BoostingOptions.depth", "> 0", o.depth);
    check_option(o.leaf > 0, "BoostingOptions.leaf", "> 0", o.leaf);
    check_option(o.subsample > 0 && o.subsample <= 1, "BoostingOptions.subsample", "within (0, 1]", o.subsample);
    check_option(o.patience > 0, "BoostingOptions.patience", "> 0", o.patience);
  }

  /// 1 for the records that a tree is grown on, at least one.
  [[nodiscard]] static std::vector<std::uint32_t> drawn(std::size_t n, std::size_t tree, const BoostingOptions& o) {
    if (o.subsample == 1) return std::vector<std::uint32_t>(n, 1);
    std::vector<std::uint32_t> out(n, 0);
    const auto some = std::max<std::size_t>(static_cast<std::size_t>(o.subsample * static_cast<double>(n)), 1);
    const std::vector<std::int64_t> order = permutation(static_cast<std::int64_t>(n), hash_of({o.seed, tree, 2}));
    for (std::size_t i = 0; i < some; ++i) out[static_cast<std::size_t>(order[i])] = 1;
    return out;
  }

  void subtract(std::size_t tree, const Eigen::MatrixXd& x, Eigen::VectorXd& left) const {
    for (Eigen::Index i = 0; i < x.rows(); ++i) left(i) -= rate_ * trees_.predict(tree, x, i);
  }

  Eigen::Index columns_;
  double rate_, mean_ = 0;
  detail::RegressionTrees trees_;
};

}  // namespace equipoise
