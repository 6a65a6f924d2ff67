// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Samplers: policies that choose which records an epoch has, and in which order. Records are known by their ids, so the
/// training records may be a part of those that a sampler was made for.
/// \code
/// eq::Trainer trainer(model, eq::stack(eq::WeightedSampler(train, weights), eq::Ogm{}), options);
/// \endcode
/// A stack may have one sampler, and none beside a policy that adds records. What a sampler draws depends on the run's seed
/// and the epoch alone.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/random.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/core/batch/target.hpp>
#include <equipoise/core/policy/policy.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// Data whose records have ids: a `Batch`.
template <class D>
concept has_record_ids = requires(const D& data) {
  { data.ids } -> std::convertible_to<std::span<const std::int64_t>>;
};

/// A value of each record, found by the record's id.
template <class T>
class ByRecord {
 public:
  /// \throws ShapeError unless there is a value an id; ValueError for an id that occurs twice
  ByRecord(std::span<const std::int64_t> ids, std::span<const T> values, std::string_view where) : where_(where) {
    if (ids.size() != values.size())
      throw ShapeError(
          message("shape.104", where, "expected ", ids.size(), " values, one a record, got ", values.size()));
    for (std::size_t i = 0; i < ids.size(); ++i) sorted_.emplace_back(ids[i], values[i]);
    std::sort(sorted_.begin(), sorted_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 1; i < sorted_.size(); ++i)
      if (sorted_[i].first == sorted_[i - 1].first)
        throw ValueError(
            message("value.243", where, "expected record ids that differ, got ", sorted_[i].first, " twice"));
  }

  /// The values of some records. \throws ValueError that names those of which none is known
  [[nodiscard]] std::vector<T> of(std::span<const std::int64_t> ids) const {
    std::vector<T> out;
    std::vector<std::int64_t> unknown;
    for (const std::int64_t id : ids) {
      const auto found = std::lower_bound(sorted_.begin(), sorted_.end(), id,
                                          [](const auto& entry, std::int64_t wanted) { return entry.first < wanted; });
      if (found == sorted_.end() || found->first != id)
        unknown.push_back(id);
      else
        out.push_back(found->second);
    }
    if (!unknown.empty())
      throw ValueError(message("value.243", where_,
                               "expected a value of every training record, got none of those with ids ",
                               first_ids(unknown)));
    return out;
  }

  /// Differs between samplers of other records or values; a run does not go on with another sampler than it began with.
  [[nodiscard]] std::uint64_t fingerprint() const {
    std::uint64_t out = sorted_.size();
    for (const auto& [id, value] : sorted_)
      out = hash_of({out, static_cast<std::uint64_t>(id), std::bit_cast<std::uint64_t>(value)});
    return out;
  }

 private:
  std::vector<std::pair<std::int64_t, T>> sorted_;
  std::string where_;
};

}  // namespace detail

/// Draws as many records as there are, with replacement, in proportion to their weights. Use it where the loss should stay a
/// plain mean but some records, as those of a rare class, should be seen more often.
class WeightedSampler {
 public:
  static constexpr std::string_view id = "weighted_sampler";
  static constexpr Hooks hooks = Hook::epoch;
  static constexpr Needs needs{};
  static constexpr bool acts_on_one_modality = true;
  static constexpr bool draws_records = true;

  struct State {};

  /// \param weights [N] of the records with these ids: finite, >= 0, not all 0
  /// \throws ShapeError, ValueError
  WeightedSampler(std::span<const std::int64_t> ids, std::span<const double> weights)
      : weights_(ids, weights, "WeightedSampler"), fingerprint(weights_.fingerprint()) {
    for (const double w : weights)
      if (!(w >= 0) || std::isinf(w))
        throw ValueError(message("value.235", "WeightedSampler", "expected finite weights >= 0, got ", w));
    check_sum(std::accumulate(weights.begin(), weights.end(), 0.0));
  }
  template <detail::has_record_ids Data>
  WeightedSampler(const Data& data, std::span<const double> weights) : WeightedSampler(data.ids, weights) {}

  void begin_epoch(State&, Epoch& epoch) const {
    std::vector<double> ends = weights_.of(epoch.ids());  // of each record's part of [0, sum)
    std::partial_sum(ends.begin(), ends.end(), ends.begin());
    const double sum = ends.back();
    check_sum(sum);
    const auto last = std::lower_bound(ends.begin(), ends.end(), sum);  // where rounding reaches the sum
    std::vector<PlanItem> items;
    for (std::int64_t i = 0; i < epoch.records(); ++i) {
      const auto drawn = std::upper_bound(ends.begin(), last, epoch.uniform(id, i, 0) * sum);
      items.push_back({drawn - ends.begin(), Coalition::full(epoch.schema().modalities.size())});
    }
    epoch.plan().items = std::move(items);
  }

 private:
  static void check_sum(double sum) {
    if (!(sum > 0) || std::isinf(sum))
      throw ValueError(message("value.235", "WeightedSampler", "expected weights with a finite sum > 0, got ", sum));
  }

  detail::ByRecord<double> weights_;

 public:
  std::uint64_t fingerprint;  ///< of ids and weights, for checkpoints
};

struct StratifiedOptions {
  bool equal_shares = false;  ///< rare classes are seen several times an epoch, and of large ones only a part
};

/// Fills every batch with each class in its share of all records, to within one record, or in equal shares. Use it where a
/// batch of the usual order would often lack a rare class. Each distinct number is a class, that of a missing label too.
class StratifiedSampler {
 public:
  static constexpr std::string_view id = "stratified_sampler";
  static constexpr Hooks hooks = Hook::epoch;
  static constexpr Needs needs{};
  static constexpr bool acts_on_one_modality = true;
  static constexpr bool draws_records = true;

  struct State {};

  /// \param classes [N] of the records with these ids  \throws ShapeError, ValueError
  StratifiedSampler(std::span<const std::int64_t> ids, std::span<const std::int64_t> classes,
                    StratifiedOptions options = {})
      : classes_(ids, classes, "StratifiedSampler"),
        equal_shares(options.equal_shares),
        fingerprint(classes_.fingerprint()) {}
  template <detail::has_record_ids Data>
  StratifiedSampler(const Data& data, std::span<const std::int64_t> classes, StratifiedOptions options = {})
      : StratifiedSampler(data.ids, classes, options) {}
  template <detail::has_record_ids Data>
  StratifiedSampler(const Data& data, const Labels& labels, StratifiedOptions options = {})
      : StratifiedSampler(data.ids, as_classes(labels), options) {}

  void begin_epoch(State&, Epoch& epoch) const {
    const std::vector<std::vector<std::int64_t>> drawn = drawn_records(epoch);  // [C], each in random order
    std::vector<std::int64_t> totals;
    for (const auto& records : drawn) totals.push_back(static_cast<std::int64_t>(records.size()));
    std::vector<std::size_t> next(drawn.size(), 0);
    std::vector<PlanItem> items;
    for (const std::vector<std::int64_t>& counts : batches_of(epoch, totals)) {
      const auto begin = static_cast<std::ptrdiff_t>(items.size());
      for (std::size_t c = 0; c < drawn.size(); ++c)
        for (std::int64_t k = 0; k < counts[c]; ++k)
          items.push_back({drawn[c][next[c]++], Coalition::full(epoch.schema().modalities.size())});
      shuffle(std::span(items).subspan(static_cast<std::size_t>(begin)), epoch, "stratified/in_batch",
              static_cast<std::uint64_t>(begin));  // or micro-batches would be of one class
    }
    epoch.plan().items = std::move(items);
    epoch.plan().shuffled = false;
  }

 private:
  [[nodiscard]] static std::vector<std::int64_t> as_classes(const Labels& labels) {
    const at::Tensor host = host_copy(labels.tensor).to(at::kLong).contiguous();
    return {host.const_data_ptr<std::int64_t>(), host.const_data_ptr<std::int64_t>() + host.numel()};
  }

  template <class T>
  static void shuffle(std::span<T> list, const Epoch& epoch, std::string_view purpose, std::uint64_t column) {
    for (std::size_t i = list.size(); i > 1; --i)
      std::swap(list[i - 1],
                list[static_cast<std::size_t>(epoch.uniform(purpose, static_cast<std::int64_t>(i), column) *
                                              static_cast<double>(i))]);
  }

  /// The records of each class that the epoch has: each once, or with equal shares as often as the class's share asks for.
  [[nodiscard]] std::vector<std::vector<std::int64_t>> drawn_records(const Epoch& epoch) const {
    const std::vector<std::int64_t> classes = classes_.of(epoch.ids());
    std::vector<std::int64_t> distinct = classes;
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    std::vector<std::vector<std::int64_t>> members(distinct.size());
    for (std::size_t i = 0; i < classes.size(); ++i)
      members[static_cast<std::size_t>(std::lower_bound(distinct.begin(), distinct.end(), classes[i]) -
                                       distinct.begin())]
          .push_back(static_cast<std::int64_t>(i));
    std::vector<std::size_t> turn(distinct.size());  // which classes get the records that cannot be divided
    std::iota(turn.begin(), turn.end(), std::size_t{0});
    shuffle(std::span(turn), epoch, "stratified/remainder", 0);
    std::vector<std::vector<std::int64_t>> out(distinct.size());
    for (std::size_t t = 0; t < turn.size(); ++t) {
      const std::size_t c = turn[t], equal = (classes.size() + turn.size() - 1 - t) / turn.size();
      for (std::uint64_t round = 0; out[c].size() < (equal_shares ? equal : members[c].size()); ++round) {
        std::vector<std::int64_t> once = members[c];
        shuffle(std::span(once), epoch, "stratified/class", c + round * distinct.size());
        out[c].insert(out[c].end(), once.begin(), once.end());
      }
      if (equal_shares) out[c].resize(equal);
    }
    return out;
  }

  /// How many records of each class each batch has: the class's share of the batch, rounded up or down. \param totals [C]
  [[nodiscard]] static std::vector<std::vector<std::int64_t>> batches_of(const Epoch& epoch,
                                                                         const std::vector<std::int64_t>& totals) {
    const std::int64_t records = epoch.records(), full = records / epoch.batch_size(),
                       rest = records % epoch.batch_size();
    std::vector<std::vector<std::int64_t>> out;
    std::vector<std::int64_t> needed = totals;  // beyond what every batch has rounded down
    const auto size_of = [&](std::int64_t b) { return b < full ? epoch.batch_size() : rest; };
    for (std::int64_t b = 0; b < full + (rest > 0 ? 1 : 0); ++b) {
      std::vector<std::int64_t>& counts = out.emplace_back();
      for (std::size_t c = 0; c < totals.size(); ++c) {
        counts.push_back(size_of(b) * totals[c] / records);
        needed[c] -= counts[c];
      }
    }
    // Each batch rounds up the classes that need it most: then what is left can always be divided among the others
    // (Gale and Ryser). The small last batch is the first to choose.
    for (std::int64_t b = static_cast<std::int64_t>(out.size()) - 1; b >= 0; --b) {
      std::vector<std::int64_t>& counts = out[static_cast<std::size_t>(b)];
      std::vector<std::size_t> order(totals.size());
      std::iota(order.begin(), order.end(), std::size_t{0});
      shuffle(std::span(order), epoch, "stratified/ties", static_cast<std::uint64_t>(b));
      std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return needed[i] > needed[j]; });
      const std::int64_t left = size_of(b) - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
      for (std::int64_t k = 0; k < left; ++k) {
        const std::size_t c = order[static_cast<std::size_t>(k)];
        ++counts[c], --needed[c];
      }
    }
    shuffle(std::span(out).first(static_cast<std::size_t>(full)), epoch, "stratified/batches", 0);
    return out;
  }

  detail::ByRecord<std::int64_t> classes_;

 public:
  bool equal_shares;
  std::uint64_t fingerprint;  ///< of ids and classes, for checkpoints
};

}  // namespace equipoise

EQUIPOISE_REFLECT(equipoise::WeightedSampler, fingerprint);
EQUIPOISE_REFLECT(equipoise::StratifiedSampler, equal_shares, fingerprint);
static_assert(equipoise::CheckPolicy<equipoise::WeightedSampler>::ok);
static_assert(equipoise::CheckPolicy<equipoise::StratifiedSampler>::ok);
