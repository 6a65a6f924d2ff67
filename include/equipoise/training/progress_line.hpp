// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// `ProgressLine`: where a run is, with its losses, its learning rate and the time that is left. A trainer has one on the
/// standard error stream (`TrainerOptions::progress`).

#include <equipoise/core/base/remaining_time.hpp>
#include <equipoise/training/callbacks.hpp>

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

namespace equipoise {

/// One line that changes on a terminal; elsewhere a line for an epoch, at most one every few seconds, so that short runs
/// print nothing. The time left is shown once there is a steady rate: its estimate forgets the first batches.
class ProgressLine {
 public:
  /// \param terminal whether the line may be drawn over; found out for the standard streams if not given
  /// \param seconds between plain lines
  explicit ProgressLine(std::ostream& out = std::cerr, std::optional<bool> terminal = {}, double seconds = 5)
      : out_(out), terminal_(terminal.value_or(is_terminal(out))), seconds_(seconds) {}

  void on_run_begin(const RunView&) {
    begun_ = shown_ = Clock::now();
    remaining_ = {};
    drawn_ = false;
  }
  void on_note(const RunView&, const std::string& note) {
    clear();
    out_ << "note: " << note << '\n' << std::flush;
  }
  void on_batch_end(const RunView& run, const BatchView& batch) {
    const double done =
        static_cast<double>(run.epoch) + static_cast<double>(batch.done) / static_cast<double>(batch.batches);
    remaining_.update(done, since(begun_));
    if (!terminal_ || since(shown_) < 0.1) return;
    draw(run, run.epoch + 1, " batch " + std::to_string(batch.done) + "/" + std::to_string(batch.batches),
         batch.means.means());
  }
  void on_epoch_end(const RunView& run, const EpochRecord& record) {
    if (!terminal_ && since(shown_) < seconds_) return;
    draw(run, record.epoch + 1, "", record.values);
  }
  void on_run_end(const RunView& run) {
    if (terminal_ && drawn_) out_ << '\n';
    drawn_ = false;
    if (run.history.stop == StopReason::early_stopping || run.history.stop == StopReason::requested)
      if (terminal_ || since(begun_) >= seconds_)
        out_ << to_string(run.history.stop) << " after " << run.history.epochs.size() << " epochs\n";
    out_.flush();
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Values = std::vector<std::pair<std::string, double>>;

  [[nodiscard]] static bool is_terminal(const std::ostream& out) {
    return (&out == &std::cerr && ::isatty(2) == 1) || (&out == &std::cout && ::isatty(1) == 1);
  }
  [[nodiscard]] static double since(Clock::time_point t) {
    return std::chrono::duration<double>(Clock::now() - t).count();
  }
  [[nodiscard]] static std::string number(double value) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof(text), value, std::chars_format::general, 4).ptr};
  }
  /// `epoch 3/40, train/gpr 0.12, val/objective 0.51, rate 0.001, 3 min left`
  void draw(const RunView& run, std::int64_t epoch, const std::string& batch, const Values& values) {
    std::string line = "epoch " + std::to_string(epoch) + "/" + std::to_string(run.epochs) + batch;
    Values shown = values;
    if (!batch.empty() && !run.history.epochs.empty())  // the last validation stays in sight
      if (const double* judged = run.history.epochs.back().find(run.history.monitor))
        shown.emplace_back(run.history.monitor, *judged);
    for (const auto& [name, value] : shown) {
      const bool loss = name.starts_with("train/") && name.find('/', 6) == std::string::npos;
      if (loss || name == run.history.monitor || name == "rate" || name.starts_with("rate/"))
        line += ", " + name + " " + number(value);
    }
    if (const std::optional<double> left = remaining_.left(static_cast<double>(run.epochs)))
      line += ", " + duration_text(*left) + " left";
    if (terminal_)
      out_ << '\r' << line << "\x1b[K" << std::flush;
    else
      out_ << line << '\n' << std::flush;
    shown_ = Clock::now();
    drawn_ = true;
  }
  void clear() {
    if (terminal_ && drawn_) out_ << "\r\x1b[K";
    drawn_ = false;
  }

  std::ostream& out_;
  bool terminal_, drawn_ = false;
  double seconds_;
  RemainingTime remaining_;
  Clock::time_point begun_ = Clock::now(), shown_ = Clock::now();
};

static_assert(CheckCallback<ProgressLine>::ok);

}  // namespace equipoise
