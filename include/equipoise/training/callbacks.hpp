// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Callbacks: what is told of a run while it runs. A callback is any class with some of the members below; `Trainer::add`
/// takes any number of them and tells them in order.
/// \code
/// struct Print {
///   void on_epoch_end(const eq::RunView& run, const eq::EpochRecord& record) { std::cout << record.epoch << '\n'; }
/// };
/// trainer.add(Print{});
/// \endcode
/// Members, each optional:
///   void on_run_begin(const RunView&)                            before the first epoch of a `fit`
///   void on_note(const RunView&, const std::string& sentence)    something to know, as what becomes of the rate at a resume
///   void on_epoch_begin(const RunView&)
///   bool should_stop(const RunView&)                             asked before every batch; true ends the run
///   void on_batch_end(const RunView&, const BatchView&)
///   void on_checkpoint(const RunView&, const std::filesystem::path&)   after the epoch's checkpoint was written
///   void on_epoch_end(const RunView&, const EpochRecord&)        the record is also the history's last one
///   void on_stop(const RunView&, StopReason)                     the run ends before its last epoch
///   void on_run_end(const RunView&)                              always the last, after an exception too
/// An exception of a callback ends the run, as any other does, and leaves `fit`.

#include <equipoise/core/batch/schema.hpp>
#include <equipoise/training/history.hpp>

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <string>

namespace equipoise {

/// Where a run is.
struct RunView {
  const Schema& schema;
  const History& history;   ///< of the epochs that are done
  std::int64_t epoch = 0;   ///< at hand, or the next one; from 0
  std::int64_t epochs = 0;  ///< in all
  std::int64_t step = 0;    ///< optimiser steps done
};

/// Where an epoch is.
struct BatchView {
  std::int64_t done = 0, batches = 0;  ///< of this epoch
  const Averages& means;               ///< the epoch's figures so far: losses, `rate`, what policies log
};

namespace detail {

/// A member of that name, callable or not.
template <class C>
concept names_run_begin = requires {
  &C::on_run_begin;
};
template <class C>
concept names_note = requires {
  &C::on_note;
};
template <class C>
concept names_epoch_begin = requires {
  &C::on_epoch_begin;
};
template <class C>
concept names_should_stop = requires {
  &C::should_stop;
};
template <class C>
concept names_batch_end = requires {
  &C::on_batch_end;
};
template <class C>
concept names_checkpoint = requires {
  &C::on_checkpoint;
};
template <class C>
concept names_epoch_end = requires {
  &C::on_epoch_end;
};
template <class C>
concept names_stop = requires {
  &C::on_stop;
};
template <class C>
concept names_run_end = requires {
  &C::on_run_end;
};

template <class C>
concept hears_run_begin = requires(C& c, const RunView& run) {
  c.on_run_begin(run);
};
template <class C>
concept hears_notes = requires(C& c, const RunView& run, const std::string& note) {
  c.on_note(run, note);
};
template <class C>
concept hears_epoch_begin = requires(C& c, const RunView& run) {
  c.on_epoch_begin(run);
};
template <class C>
concept may_stop = requires(C& c, const RunView& run) {
  { c.should_stop(run) } -> std::convertible_to<bool>;
};
template <class C>
concept hears_batch_end = requires(C& c, const RunView& run, const BatchView& batch) {
  c.on_batch_end(run, batch);
};
template <class C>
concept hears_checkpoints = requires(C& c, const RunView& run, const std::filesystem::path& path) {
  c.on_checkpoint(run, path);
};
template <class C>
concept hears_epoch_end = requires(C& c, const RunView& run, const EpochRecord& record) {
  c.on_epoch_end(run, record);
};
template <class C>
concept hears_stop = requires(C& c, const RunView& run) {
  c.on_stop(run, StopReason::requested);
};
template <class C>
concept hears_run_end = requires(C& c, const RunView& run) {
  c.on_run_end(run);
};

}  // namespace detail

/// A class that hears at least one event of a run.
template <class C>
concept Callback = detail::hears_run_begin<C> || detail::hears_notes<C> || detail::hears_epoch_begin<C> ||
    detail::may_stop<C> || detail::hears_batch_end<C> || detail::hears_checkpoints<C> || detail::hears_epoch_end<C> ||
    detail::hears_stop<C> || detail::hears_run_end<C>;

/// Says in one line each what `C` lacks to be a callback.
template <class C>
struct CheckCallback {
  static_assert(Callback<C> || detail::names_run_begin<C> || detail::names_note<C> || detail::names_epoch_begin<C> ||
                    detail::names_should_stop<C> || detail::names_batch_end<C> || detail::names_checkpoint<C> ||
                    detail::names_epoch_end<C> || detail::names_stop<C> || detail::names_run_end<C>,
                "equipoise: a callback needs at least one of on_run_begin, on_note, on_epoch_begin, should_stop, "
                "on_batch_end, on_checkpoint, on_epoch_end, on_stop, on_run_end");
  static_assert(!detail::names_run_begin<C> || detail::hears_run_begin<C>,
                "equipoise: a callback's on_run_begin takes (const RunView&)");
  static_assert(!detail::names_note<C> || detail::hears_notes<C>,
                "equipoise: a callback's on_note takes (const RunView&, const std::string&)");
  static_assert(!detail::names_epoch_begin<C> || detail::hears_epoch_begin<C>,
                "equipoise: a callback's on_epoch_begin takes (const RunView&)");
  static_assert(!detail::names_should_stop<C> || detail::may_stop<C>,
                "equipoise: a callback's should_stop takes (const RunView&) and returns a bool");
  static_assert(!detail::names_batch_end<C> || detail::hears_batch_end<C>,
                "equipoise: a callback's on_batch_end takes (const RunView&, const BatchView&)");
  static_assert(!detail::names_checkpoint<C> || detail::hears_checkpoints<C>,
                "equipoise: a callback's on_checkpoint takes (const RunView&, const std::filesystem::path&)");
  static_assert(!detail::names_epoch_end<C> || detail::hears_epoch_end<C>,
                "equipoise: a callback's on_epoch_end takes (const RunView&, const EpochRecord&)");
  static_assert(!detail::names_stop<C> || detail::hears_stop<C>,
                "equipoise: a callback's on_stop takes (const RunView&, StopReason)");
  static_assert(!detail::names_run_end<C> || detail::hears_run_end<C>,
                "equipoise: a callback's on_run_end takes (const RunView&)");
  static constexpr bool ok = true;
};

}  // namespace equipoise
