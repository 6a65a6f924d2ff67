// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Batches fetched on threads of their own while the model works on those before.

#include <c10/util/ParallelGuard.h>

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace equipoise::detail {

/// Makes items 0 to n - 1 and gives them in that order, however many threads make them. At most two for each thread are held
/// ahead. Without threads each is made when it is asked for.
template <class T>
class FetchAhead {
 public:
  /// \param make called with an item's number, from several threads where `workers` > 1
  FetchAhead(std::int64_t n, std::int64_t workers, std::function<T(std::int64_t)> make)
      : n_(n), make_(std::move(make)), slots_(static_cast<std::size_t>(2 * std::min(workers, n))) {
    for (std::int64_t w = 0; w < std::min(workers, n); ++w)
      threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }

  /// The next item. \throws what making it threw
  [[nodiscard]] T next() {
    const std::int64_t i = taken_;
    if (threads_.empty()) return ++taken_, make_(i);
    std::unique_lock lock(mutex_);
    Slot& slot = slot_of(i);
    changed_.wait(lock, [&] { return slot.item || slot.failure; });
    if (slot.failure) std::rethrow_exception(slot.failure);
    T out = *std::exchange(slot.item, std::nullopt);
    ++taken_;
    changed_.notify_all();
    return out;
  }

 private:
  struct Slot {
    std::optional<T> item;
    std::exception_ptr failure;
  };
  [[nodiscard]] Slot& slot_of(std::int64_t i) { return slots_[static_cast<std::size_t>(i) % slots_.size()]; }

  void work(const std::stop_token& stop) {
    const c10::ParallelGuard on_one_thread(true);  // the others are the model's
    while (true) {
      std::int64_t i = 0;
      {
        std::unique_lock lock(mutex_);
        const auto room = [&] { return begun_ >= n_ || begun_ < taken_ + static_cast<std::int64_t>(slots_.size()); };
        if (!changed_.wait(lock, stop, room) || stop.stop_requested() || begun_ >= n_) return;
        i = begun_++;
      }
      Slot made;
      try {
        made.item = make_(i);
      } catch (...) {
        made.failure = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      slot_of(i) = std::move(made);
      changed_.notify_all();
    }
  }

  std::int64_t n_;
  std::function<T(std::int64_t)> make_;
  std::vector<Slot> slots_;
  std::int64_t begun_ = 0, taken_ = 0;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::jthread> threads_;  ///< last: they end before what they use
};

}  // namespace equipoise::detail
