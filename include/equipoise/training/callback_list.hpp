// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The callbacks of a run, each known by its interface only.

#include <equipoise/training/callbacks.hpp>

#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// The callbacks of a run, in order.
class Callbacks {
 public:
  template <class C>
  void add(std::shared_ptr<C> callback) {
    list_.push_back(std::make_unique<Holder<C>>(std::move(callback)));
  }

  void on_run_begin(const RunView& run) {
    for (const auto& c : list_) c->on_run_begin(run);
  }
  void on_note(const RunView& run, const std::string& note) {
    for (const auto& c : list_) c->on_note(run, note);
  }
  void on_epoch_begin(const RunView& run) {
    for (const auto& c : list_) c->on_epoch_begin(run);
  }
  [[nodiscard]] bool should_stop(const RunView& run) {
    for (const auto& c : list_)
      if (c->should_stop(run)) return true;
    return false;
  }
  void on_batch_end(const RunView& run, const BatchView& batch) {
    for (const auto& c : list_) c->on_batch_end(run, batch);
  }
  void on_checkpoint(const RunView& run, const std::filesystem::path& path) {
    for (const auto& c : list_) c->on_checkpoint(run, path);
  }
  void on_epoch_end(const RunView& run, const EpochRecord& record) {
    for (const auto& c : list_) c->on_epoch_end(run, record);
  }
  /// Tells all of them that the run is over, also after one of them throws. \param early whether it ended before its last
  /// epoch, without an exception  \return the first exception of a callback; null without one
  [[nodiscard]] std::exception_ptr on_run_end(const RunView& run, bool early) noexcept {
    std::exception_ptr first;
    const auto tell = [&](const auto& event) {
      for (const auto& c : list_) try {
          event(*c);
        } catch (...) {
          if (!first) first = std::current_exception();
        }
    };
    if (early) tell([&](Base& c) { c.on_stop(run, run.history.stop); });
    tell([&](Base& c) { c.on_run_end(run); });
    return first;
  }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void on_run_begin(const RunView& run) = 0;
    virtual void on_note(const RunView& run, const std::string& note) = 0;
    virtual void on_epoch_begin(const RunView& run) = 0;
    virtual bool should_stop(const RunView& run) = 0;
    virtual void on_batch_end(const RunView& run, const BatchView& batch) = 0;
    virtual void on_checkpoint(const RunView& run, const std::filesystem::path& path) = 0;
    virtual void on_epoch_end(const RunView& run, const EpochRecord& record) = 0;
    virtual void on_stop(const RunView& run, StopReason reason) = 0;
    virtual void on_run_end(const RunView& run) = 0;
  };

  template <class C>
  struct Holder final : Base {
    explicit Holder(std::shared_ptr<C> c) : callback(std::move(c)) {}
    void on_run_begin([[maybe_unused]] const RunView& run) override {
      if constexpr (hears_run_begin<C>) callback->on_run_begin(run);
    }
    void on_note([[maybe_unused]] const RunView& run, [[maybe_unused]] const std::string& note) override {
      if constexpr (hears_notes<C>) callback->on_note(run, note);
    }
    void on_epoch_begin([[maybe_unused]] const RunView& run) override {
      if constexpr (hears_epoch_begin<C>) callback->on_epoch_begin(run);
    }
    bool should_stop([[maybe_unused]] const RunView& run) override {
      if constexpr (may_stop<C>)
        return callback->should_stop(run);
      else
        return false;
    }
    void on_batch_end([[maybe_unused]] const RunView& run, [[maybe_unused]] const BatchView& batch) override {
      if constexpr (hears_batch_end<C>) callback->on_batch_end(run, batch);
    }
    void on_checkpoint([[maybe_unused]] const RunView& run,
                       [[maybe_unused]] const std::filesystem::path& path) override {
      if constexpr (hears_checkpoints<C>) callback->on_checkpoint(run, path);
    }
    void on_epoch_end([[maybe_unused]] const RunView& run, [[maybe_unused]] const EpochRecord& record) override {
      if constexpr (hears_epoch_end<C>) callback->on_epoch_end(run, record);
    }
    void on_stop([[maybe_unused]] const RunView& run, [[maybe_unused]] StopReason reason) override {
      if constexpr (hears_stop<C>) callback->on_stop(run, reason);
    }
    void on_run_end([[maybe_unused]] const RunView& run) override {
      if constexpr (hears_run_end<C>) callback->on_run_end(run);
    }
    std::shared_ptr<C> callback;
  };

  std::vector<std::unique_ptr<Base>> list_;
};

}  // namespace detail

}  // namespace equipoise
