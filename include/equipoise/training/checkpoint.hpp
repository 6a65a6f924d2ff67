// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Checkpoints: everything that a run needs to go on as if it had not stopped, in one file. Written aside, synced and
/// renamed, so that a full disk or a crash leaves the previous one.

#include <equipoise/balancing/any_policy.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/training/history.hpp>
#include <equipoise/training/optimizer.hpp>
#include <equipoise/training/options.hpp>
#include <equipoise/training/snapshot.hpp>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/module.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

/// What is deployed of an epoch: parameters, and the memory of the policies, which may act at inference too.
struct Deployed {
  Snapshot parameters;  ///< empty without validation
  std::vector<StateList> policies;

  Deployed() = default;
  Deployed(torch::nn::Module& module, const std::vector<AnyPolicy>& stack) : parameters(module) {
    for (const AnyPolicy& p : stack) policies.push_back(p.save());
  }
  void restore(torch::nn::Module& module, std::vector<AnyPolicy>& stack) const {
    if (parameters.empty()) return;
    parameters.restore(module);
    for (std::size_t p = 0; p < stack.size(); ++p) stack[p].load(policies[p]);
  }
};

}  // namespace detail

/// Where a run stands between two epochs.
struct RunState {
  std::int64_t next_epoch = 0, step = 0, since_best = 0;
  double best_objective = 0;
  History history;
  detail::Deployed best;
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

/// History as plain text: one line an epoch, `epoch`, then names and values in full precision, separated by tabs.
[[nodiscard]] inline std::string history_text(const History& history) {
  std::ostringstream out;
  out.precision(17);
  for (const EpochRecord& e : history.epochs) {
    out << e.epoch;
    for (const auto& [name, value] : e.values) out << '\t' << name << '\t' << value;
    out << '\n';
  }
  return std::move(out).str();
}

inline void read_history(const std::string& text, History& history) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    EpochRecord& e = history.epochs.emplace_back();
    std::string name, value;
    std::getline(in, name, '\t');
    e.epoch = std::stoll(name);
    while (std::getline(in, name, '\t') && std::getline(in, value, '\t'))
      e.values.emplace_back(name, std::stod(value));  // stod reads nan and inf
  }
}

/// What defines a run, as text: the model's parts, the policies and the trainer, each with its options.
[[nodiscard]] inline OptionList run_options(const ModelBase& model, const std::vector<AnyPolicy>& policies,
                                            const TrainerOptions& trainer) {
  OptionList out = model.options();
  const auto add = [&](const std::string& prefix, const OptionList& list) {
    for (const auto& [key, value] : list) out.emplace_back(prefix + "." + key, value);
  };
  for (std::size_t p = 0; p < policies.size(); ++p) {
    const std::string place = "policies." + std::to_string(p);
    out.emplace_back(place, policies[p].id());
    add(place, policies[p].options());
    const Window& window = policies[p].window();
    add(place, {{"from", std::to_string(window.from)}, {"to", std::to_string(window.to)}});
  }
  out.emplace_back("policies", std::to_string(policies.size()));
  add("trainer", options(trainer));
  return out;
}

[[nodiscard]] inline std::string options_text(const OptionList& list) {
  std::string out;
  for (const auto& [key, value] : list) out += key + "\t" + value + "\n";
  return out;
}

/// What a checkpoint is read for: to train on, or to take the best epoch's model.
enum class Purpose : std::uint8_t { training, inference };

/// A checkpoint goes on with the model and policies that it was made with; a trainer's options may change, but for the
/// optimiser, whose memory is saved, and in training what decides which records are held out.
inline void check_run_options(const std::string& saved, const OptionList& now, const std::string& where,
                              Purpose purpose) {
  std::vector<std::pair<std::string, std::string>> before;
  std::istringstream lines(saved);
  for (std::string line; std::getline(lines, line);)
    if (const std::size_t tab = line.find('\t'); tab != std::string::npos)
      before.emplace_back(line.substr(0, tab), line.substr(tab + 1));
  const auto value_in = [](const OptionList& list, const std::string& key) {
    for (const auto& [name, value] : list)
      if (name == key) return value;
    return std::string("nothing");
  };
  for (const OptionList* list : {static_cast<const OptionList*>(&before), &now})
    for (const auto& entry : *list) {
      const std::string& key = entry.first;
      const bool splits = purpose == Purpose::training && (key == "trainer.seed" || key == "trainer.holdout");
      if (key.starts_with("trainer.") && key != "trainer.optimizer" && !splits) continue;
      if (value_in(before, key) != value_in(now, key))
        throw FileError(message("file.402", where, "expected a checkpoint with ", key, " = ", value_in(now, key),
                                ", got ", value_in(before, key)));
    }
}

/// LibTorch would give a parameter the saved one's shape. What a module keeps in another way is its own concern.
/// \throws FileError that names the first parameter or buffer of another shape.
inline void check_shapes(torch::serialize::InputArchive& saved, const torch::nn::Module& module,
                         const std::string& prefix, const std::string& where) {
  const auto check = [&](const auto& tensors, bool are_buffers) {
    for (const auto& own : tensors) {
      at::Tensor tensor;
      if (saved.try_read(own.key(), tensor, are_buffers) && tensor.sizes() != own.value().sizes())
        throw FileError(message("file.402", where, "expected a checkpoint with ", prefix, own.key(), " of shape ",
                                own.value().sizes(), ", got ", tensor.sizes()));
    }
  };
  check(module.named_parameters(/*recurse=*/false), false);
  check(module.named_buffers(/*recurse=*/false), true);
  for (const auto& child : module.named_children()) {
    torch::serialize::InputArchive part;
    if (saved.try_read(child.key(), part)) check_shapes(part, *child.value(), prefix + child.key() + ".", where);
  }
}

inline void write_policies(torch::serialize::OutputArchive& archive, const std::string& prefix,
                           const std::vector<AnyPolicy>& policies, const std::vector<StateList>& states) {
  for (std::size_t p = 0; p < states.size(); ++p)
    write_list(archive, prefix + std::to_string(p) + "_" + std::string(policies[p].id()), states[p]);
}
[[nodiscard]] inline std::vector<StateList> read_policies(torch::serialize::InputArchive& archive,
                                                          const std::string& prefix,
                                                          const std::vector<AnyPolicy>& policies) {
  std::vector<StateList> out;
  for (std::size_t p = 0; p < policies.size(); ++p)
    out.push_back(read_list(archive, prefix + std::to_string(p) + "_" + std::string(policies[p].id())));
  return out;
}

}  // namespace detail

/// \throws FileError when the file cannot be written; the file that was there before is then untouched.
inline void save_checkpoint(const std::filesystem::path& path, ModelBase& model, detail::GroupedOptimizer& optimizer,
                            const std::vector<AnyPolicy>& policies, const TrainerOptions& trainer, RunState& run) {
  torch::serialize::OutputArchive archive;
  torch::serialize::OutputArchive parameters(archive.compilation_unit()), optim(archive.compilation_unit());
  model.module().save(parameters);
  archive.write("model", parameters);
  optimizer.save(optim);
  archive.write("optimizer", optim);
  archive.write("options", c10::IValue(detail::options_text(detail::run_options(model, policies, trainer))));
  std::vector<StateList> states;
  for (const AnyPolicy& p : policies) states.push_back(p.save());
  detail::write_policies(archive, "policy", policies, states);
  StateList best;
  for (const auto& [i, copy] : views::enumerate(run.best.parameters.copies()))
    best.emplace_back("t" + std::to_string(i), copy);
  detail::write_list(archive, "best", best);
  detail::write_policies(archive, "best_policy", policies, run.best.policies);
  archive.write("generator", at::detail::getDefaultCPUGenerator().get_state(), true);
  detail::write_number(archive, "next_epoch", run.next_epoch);
  detail::write_number(archive, "step", run.step);
  detail::write_number(archive, "since_best", run.since_best);
  detail::write_number(archive, "best_objective", run.best_objective);
  detail::write_number(archive, "best_epoch", run.history.best_epoch);
  archive.write("history", c10::IValue(detail::history_text(run.history)));
  std::string bytes;  // whole before the disk sees it: LibTorch's writer does not survive an exception from below
  archive.save_to([&](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
    return size;
  });
  io::AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

/// \throws FileError when the file cannot be read, or is of another model, optimiser or stack of policies; the message
/// names the first option, or parameter's shape, that differs; the model is then untouched.
inline void load_checkpoint(const std::filesystem::path& path, ModelBase& model, detail::GroupedOptimizer& optimizer,
                            std::vector<AnyPolicy>& policies, const TrainerOptions& trainer, RunState& run,
                            detail::Purpose purpose = detail::Purpose::training) {
  const std::string where = path.string();
  if (!std::filesystem::exists(path))
    throw FileError(message("file.401", where, "expected a checkpoint, got no such file"));
  try {
    torch::serialize::InputArchive archive, parameters, optim;
    archive.load_from(where, trainer.device);  // a run may go on on another device
    detail::check_run_options(detail::read_value(archive, "options").toStringRef(),
                              detail::run_options(model, policies, trainer), where, purpose);
    archive.read("model", parameters);
    detail::check_shapes(parameters, model.module(), "", where);
    model.module().load(parameters);
    archive.read("optimizer", optim);
    optimizer.load(optim);
    const std::vector<StateList> states = detail::read_policies(archive, "policy", policies);
    for (std::size_t p = 0; p < policies.size(); ++p) policies[p].load(states[p]);
    const StateList best = detail::read_list(archive, "best");
    run.best.parameters.copies().resize(best.size());
    for (const auto& [name, tensor] : best) run.best.parameters.copies().at(std::stoul(name.substr(1))) = tensor;
    if (!best.empty()) run.best.policies = detail::read_policies(archive, "best_policy", policies);
    at::Tensor generator;
    archive.read("generator", generator, true);
    at::Generator(at::detail::getDefaultCPUGenerator()).set_state(host_copy(generator));
    run.next_epoch = detail::read_value(archive, "next_epoch").toInt();
    run.step = detail::read_value(archive, "step").toInt();
    run.since_best = detail::read_value(archive, "since_best").toInt();
    run.best_objective = detail::read_value(archive, "best_objective").toDouble();
    run.history.best_epoch = detail::read_value(archive, "best_epoch").toInt();
    detail::read_history(detail::read_value(archive, "history").toStringRef(), run.history);
  } catch (const c10::Error& e) {
    throw FileError(message("file.402", where,
                            "expected a checkpoint of this model and these policies: ", e.what_without_backtrace()));
  } catch (const std::logic_error& e) {  // a number or list that does not parse
    throw FileError(message("file.402", where, "expected a whole checkpoint: ", e.what()));
  }
}

}  // namespace equipoise
