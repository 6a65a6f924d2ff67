// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Checkpoints: everything that a run needs to go on as if it had not stopped, in one file. Written aside, synced and
/// renamed, so that a full disk or a crash leaves the previous one.

#include <equipoise/balancing/any_policy.hpp>
#include <equipoise/core/errors.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/training/history.hpp>
#include <equipoise/training/snapshot.hpp>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

/// Where a run stands between two epochs.
struct RunState {
  std::int64_t next_epoch = 0, step = 0, since_best = 0;
  double best_objective = 0;
  History history;
  detail::Snapshot best;  ///< parameters of the best epoch; empty without validation
};

namespace detail {

inline void write_list(torch::serialize::OutputArchive& archive, const std::string& key, const StateList& list) {
  torch::serialize::OutputArchive inner(archive.compilation_unit());
  for (const auto& [name, tensor] : list) inner.write(name, tensor, /*is_buffer=*/true);
  archive.write(key, inner);
}

[[nodiscard]] inline StateList read_list(torch::serialize::InputArchive& archive, const std::string& key) {
  StateList out;
  torch::serialize::InputArchive inner;
  archive.read(key, inner);
  for (const std::string& name : inner.keys()) {
    at::Tensor tensor;
    inner.read(name, tensor, /*is_buffer=*/true);
    out.emplace_back(name, tensor);
  }
  return out;
}

inline void write_number(torch::serialize::OutputArchive& archive, const std::string& key, double value) {
  archive.write(key, c10::IValue(value));
}
inline void write_number(torch::serialize::OutputArchive& archive, const std::string& key, std::int64_t value) {
  archive.write(key, c10::IValue(value));
}
[[nodiscard]] inline c10::IValue read_value(torch::serialize::InputArchive& archive, const std::string& key) {
  c10::IValue value;
  archive.read(key, value);
  return value;
}

/// History as plain text: one line an epoch, `epoch name value name value …`, values in full precision.
[[nodiscard]] inline std::string history_text(const History& history) {
  std::ostringstream out;
  out.precision(17);
  for (const EpochRecord& e : history.epochs) {
    out << e.epoch;
    for (const auto& [name, value] : e.values) out << ' ' << name << ' ' << value;
    out << '\n';
  }
  return std::move(out).str();
}

inline void read_history(const std::string& text, History& history) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    EpochRecord& e = history.epochs.emplace_back();
    in >> e.epoch;
    for (std::string name, value; in >> name >> value;)
      e.values.emplace_back(name, std::stod(value));  // stod reads nan and inf
  }
}

}  // namespace detail

/// \throws FileError when the file cannot be written; the file that was there before is then untouched.
inline void save_checkpoint(const std::filesystem::path& path, torch::nn::Module& module,
                            torch::optim::Optimizer& optimizer, std::vector<AnyPolicy>& policies, RunState& run) {
  torch::serialize::OutputArchive archive;
  torch::serialize::OutputArchive model(archive.compilation_unit()), optim(archive.compilation_unit());
  module.save(model);
  archive.write("model", model);
  optimizer.save(optim);
  archive.write("optimizer", optim);
  for (std::size_t p = 0; p < policies.size(); ++p)
    detail::write_list(archive, "policy" + std::to_string(p) + "_" + std::string(policies[p].id()), policies[p].save());
  StateList best;
  for (std::size_t i = 0; i < run.best.copies().size(); ++i)
    best.emplace_back("t" + std::to_string(i), run.best.copies()[i]);
  detail::write_list(archive, "best", best);
  archive.write("generator", at::detail::getDefaultCPUGenerator().get_state(), true);
  detail::write_number(archive, "next_epoch", run.next_epoch);
  detail::write_number(archive, "step", run.step);
  detail::write_number(archive, "since_best", run.since_best);
  detail::write_number(archive, "best_objective", run.best_objective);
  detail::write_number(archive, "best_epoch", run.history.best_epoch);
  archive.write("history", c10::IValue(detail::history_text(run.history)));
  io::AtomicFile file(path);
  archive.save_to([&](const void* data, std::size_t size) {
    file.write(data, size);
    return size;
  });
  file.commit();
}

/// \throws FileError when the file cannot be read, or is of another model, optimiser or stack of policies.
inline void load_checkpoint(const std::filesystem::path& path, torch::nn::Module& module,
                            torch::optim::Optimizer& optimizer, std::vector<AnyPolicy>& policies, RunState& run) {
  if (!std::filesystem::exists(path))
    throw FileError(message("file.401", path.string(), "expected a checkpoint, got no such file"));
  try {
    torch::serialize::InputArchive archive, model, optim;
    archive.load_from(path.string());
    archive.read("model", model);
    module.load(model);
    archive.read("optimizer", optim);
    optimizer.load(optim);
    for (std::size_t p = 0; p < policies.size(); ++p)
      policies[p].load(detail::read_list(archive, "policy" + std::to_string(p) + "_" + std::string(policies[p].id())));
    const StateList best = detail::read_list(archive, "best");
    run.best.copies().resize(best.size());
    for (const auto& [name, tensor] : best) run.best.copies()[std::stoul(name.substr(1))] = tensor;
    at::Tensor generator;
    archive.read("generator", generator, true);
    at::Generator(at::detail::getDefaultCPUGenerator()).set_state(generator);
    run.next_epoch = detail::read_value(archive, "next_epoch").toInt();
    run.step = detail::read_value(archive, "step").toInt();
    run.since_best = detail::read_value(archive, "since_best").toInt();
    run.best_objective = detail::read_value(archive, "best_objective").toDouble();
    run.history.best_epoch = detail::read_value(archive, "best_epoch").toInt();
    detail::read_history(detail::read_value(archive, "history").toStringRef(), run.history);
  } catch (const c10::Error& e) {
    throw FileError(message("file.402", path.string(),
                            "expected a checkpoint of this model and these policies: ", e.what_without_backtrace()));
  }
}

}  // namespace equipoise
