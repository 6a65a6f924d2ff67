// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Checkpoints: everything that a run needs to go on as if it had not stopped, in one file. Written aside, synced and
/// renamed, so that a full disk or a crash leaves the previous one.

#include <equipoise/balancing/any_policy.hpp>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/ranges.hpp>
#include <equipoise/core/base/text_stream.hpp>
#include <equipoise/core/batch/host.hpp>
#include <equipoise/io/atomic_file.hpp>
#include <equipoise/training/history.hpp>
#include <equipoise/training/monitor.hpp>
#include <equipoise/training/optimizer.hpp>
#include <equipoise/training/options.hpp>
#include <equipoise/training/rate_plan.hpp>
#include <equipoise/training/snapshot.hpp>

#include <ATen/ops/zeros.h>
#include <torch/nn/module.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
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
  std::int64_t next_epoch = 0, step = 0;
  Watched watched;
  RateState rate;
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

inline void write_watched(torch::serialize::OutputArchive& archive, const std::string& prefix, const Watched& watched) {
  archive.write(prefix + "monitor", c10::IValue(watched.monitor));
  if (watched.best) write_number(archive, prefix + "best_figure", *watched.best);
  if (watched.last_big) write_number(archive, prefix + "last_big", *watched.last_big);
  write_number(archive, prefix + "since_best", watched.since_best);
}
[[nodiscard]] inline Watched read_watched(torch::serialize::InputArchive& archive, const std::string& prefix) {
  Watched out{.monitor = read_value(archive, prefix + "monitor").toStringRef(), .best = {}, .last_big = {}};
  c10::IValue value;
  if (archive.try_read(prefix + "best_figure", value)) out.best = value.toDouble();
  if (archive.try_read(prefix + "last_big", value)) out.last_big = value.toDouble();
  out.since_best = read_value(archive, prefix + "since_best").toInt();
  return out;
}

inline void write_rate(torch::serialize::OutputArchive& archive, const RateState& rate) {
  write_number(archive, "rate_epochs", rate.epochs);
  write_number(archive, "rate_scale", rate.scale);
  write_number(archive, "rate_ceiling", rate.ceiling);
  write_number(archive, "rate_warmup", rate.warmup);
  write_number(archive, "rate_plateau", rate.plateau);
  archive.write("rate_schedule", c10::IValue(rate.schedule));
  write_watched(archive, "rate_", rate.watched);
}
[[nodiscard]] inline RateState read_rate(torch::serialize::InputArchive& archive) {
  c10::IValue ceiling;  // not in checkpoints of an older version
  const bool limited = archive.try_read("rate_ceiling", ceiling);
  return {.epochs = read_value(archive, "rate_epochs").toDouble(),
          .scale = read_value(archive, "rate_scale").toDouble(),
          .ceiling = limited ? ceiling.toDouble() : std::numeric_limits<double>::infinity(),
          .schedule = read_value(archive, "rate_schedule").toStringRef(),
          .warmup = read_value(archive, "rate_warmup").toDouble(),
          .plateau = read_value(archive, "rate_plateau").toDouble(),
          .watched = read_watched(archive, "rate_")};
}

/// History as plain text: one line an epoch, `epoch`, then names and values in full precision, separated by tabs.
[[nodiscard]] inline std::string history_text(const History& history) {
  TextWriter out;
  out.precision(17);
  for (const EpochRecord& e : history.epochs) {
    out << e.epoch;
    for (const auto& [name, value] : e.values) out << '\t' << name << '\t' << value;
    out << '\n';
  }
  return std::move(out).str();
}

inline void read_history(const std::string& text, History& history) {
  TextReader lines(text);
  for (std::string line; std::getline(lines, line);) {
    TextReader in(line);
    EpochRecord& e = history.epochs.emplace_back();
    std::string name, value;
    std::getline(in, name, '\t');
    e.epoch = std::stoll(name);
    while (std::getline(in, name, '\t') && std::getline(in, value, '\t')) {
      double number = 0;  // from_chars reads nan and inf, and knows no locale
      if (std::from_chars(value.data(), value.data() + value.size(), number).ec != std::errc())
        throw std::invalid_argument("a number of the history: " + value);
      e.values.emplace_back(name, number);
    }
  }
}

/// What defines a run, as text: the model's parts, the policies and the trainer, each with its options.
[[nodiscard]] inline OptionList run_options(const ModelBase& model, const std::vector<AnyPolicy>& policies,
                                            const TrainerOptions& trainer) {
  OptionList out = model.options();
  // Parameters and states that belong to a modality or task are kept by position.
  std::string modalities, tasks;
  for (const std::string& name : model.schema().modalities) modalities += (modalities.empty() ? "" : ",") + name;
  for (const Schema::Task& task : model.schema().tasks) tasks += (tasks.empty() ? "" : ",") + task.name;
  out.emplace_back("modalities", modalities), out.emplace_back("tasks", tasks);
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

[[nodiscard]] inline OptionList read_options(const std::string& text) {
  OptionList out;
  TextReader lines(text);
  for (std::string line; std::getline(lines, line);)
    if (const std::size_t tab = line.find('\t'); tab != std::string::npos)
      out.emplace_back(line.substr(0, tab), line.substr(tab + 1));
  return out;
}

/// The places of the policies that change the deployed model's outputs.
[[nodiscard]] inline std::vector<std::size_t> places_of_outputs(const std::vector<AnyPolicy>& policies) {
  std::vector<std::size_t> out;
  for (std::size_t p = 0; p < policies.size(); ++p)
    if (policies[p].hooks().has(Hook::outputs)) out.push_back(p);
  return out;
}

[[nodiscard]] inline std::string value_in(const OptionList& list, std::string_view key) {
  for (const auto& [name, value] : list)
    if (name == key) return value;
  return "nothing";
}

/// The places of these policies in the stack that a checkpoint was made with.
[[nodiscard]] inline std::vector<std::size_t> read_places(torch::serialize::InputArchive& archive) {
  std::vector<std::size_t> out;
  if (!parse_option(read_value(archive, "outputs").toStringRef(), out))
    throw std::invalid_argument("the places of policies that change outputs");
  return out;
}

/// What of a run's options matters at inference: those of the model, and of the policies at these places.
[[nodiscard]] inline OptionList at_inference(const OptionList& options, const std::vector<std::size_t>& places) {
  OptionList out;
  for (const auto& [key, value] : options) {
    if (!key.starts_with("policies") && !key.starts_with("trainer.")) out.emplace_back(key, value);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::string place = "policies." + std::to_string(places[i]);
      if (key == place || key.starts_with(place + "."))
        out.emplace_back("policies." + std::to_string(i) + key.substr(place.size()), value);
    }
  }
  return out;
}

/// What a checkpoint is read for: to train on, or to take the best epoch's model.
enum class Purpose : std::uint8_t { training, inference };

/// The first key whose values differ. A trainer's options may, but for the optimiser, whose memory is saved, and for what
/// in training decides which records are held out.
[[nodiscard]] inline std::optional<std::string> first_difference(const OptionList& before, const OptionList& now,
                                                                 Purpose purpose) {
  for (const OptionList* list : {&before, &now})
    for (const auto& [key, value] : *list) {
      const bool splits = purpose == Purpose::training && (key == "trainer.seed" || key == "trainer.holdout");
      const bool fixed = splits || key == "trainer.optimizer";
      if ((fixed || !key.starts_with("trainer.")) && value_in(before, key) != value_in(now, key)) return key;
    }
  return std::nullopt;
}

/// \throws FileError that names the first option that differs
inline void check_run_options(const OptionList& before, const OptionList& now, const std::string& where,
                              Purpose purpose) {
  if (const auto key = first_difference(before, now, purpose))
    throw FileError(message("file.402", where, "expected a checkpoint with ", *key, " = ", value_in(now, *key),
                            ", got ", value_in(before, *key),
                            key->starts_with("policies") ? "; make the trainer with the same policies" : ""));
}

/// LibTorch would give a parameter the saved one's shape and type. Custom serialised state is not checked.
/// \throws FileError that names the first parameter or buffer of another shape or type.
inline void check_tensors(torch::serialize::InputArchive& saved, const torch::nn::Module& module,
                          const std::string& prefix, const std::string& where) {
  const auto check = [&](const auto& tensors, bool are_buffers) {
    for (const auto& own : tensors) {
      at::Tensor tensor;
      if (!saved.try_read(own.key(), tensor, are_buffers)) continue;  // LibTorch names what is not there
      if (tensor.sizes() != own.value().sizes())
        throw FileError(message("file.402", where, "expected a checkpoint with ", prefix, own.key(), " of shape ",
                                own.value().sizes(), ", got ", tensor.sizes()));
      if (tensor.scalar_type() != own.value().scalar_type())
        throw FileError(message("file.402", where, "expected a checkpoint with ", prefix, own.key(), " of type ",
                                own.value().scalar_type(), ", got ", tensor.scalar_type()));
    }
  };
  check(module.named_parameters(/*recurse=*/false), false);
  check(module.named_buffers(/*recurse=*/false), true);
  for (const auto& child : module.named_children()) {
    torch::serialize::InputArchive part;
    if (saved.try_read(child.key(), part)) check_tensors(part, *child.value(), prefix + child.key() + ".", where);
  }
}

/// An archive with the names of a module's parameters, buffers and parts, but without their values.
inline void write_names(torch::serialize::OutputArchive& archive, const torch::nn::Module& module) {
  for (const auto& p : module.named_parameters(/*recurse=*/false)) archive.write(p.key(), at::zeros({}));
  for (const auto& b : module.named_buffers(/*recurse=*/false)) archive.write(b.key(), at::zeros({}), true);
  for (const auto& part : module.named_children()) {
    torch::serialize::OutputArchive inner;
    write_names(inner, *part.value());
    archive.write(part.key(), inner);
  }
}

/// Whether LibTorch reads an archive that it wrote.
template <class Write>
[[nodiscard]] bool can_be_read(Write&& write) {
  try {
    torch::serialize::OutputArchive out;
    write(out);
    std::ostringstream bytes;
    out.save_to(bytes);
    std::istringstream again(bytes.str());
    torch::serialize::InputArchive in;
    in.load_from(again);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// LibTorch writes names that it cannot read, as `in`, a keyword of Python: known before a run, not after it.
/// \throws ValueError that says which name of the module's parameters, buffers and parts
inline void check_saved_names(const torch::nn::Module& module) {
  if (can_be_read([&](auto& archive) { write_names(archive, module); })) return;
  std::set<std::string> paths;
  for (const auto& p : module.named_parameters()) paths.insert(p.key());
  for (const auto& b : module.named_buffers()) paths.insert(b.key());
  for (const std::string& path : paths)
    for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
      end = path.find('.', begin);
      const std::string name = path.substr(begin, end == std::string::npos ? end : end - begin);
      if (!can_be_read([&](auto& archive) { archive.write(name, at::zeros({})); }))
        throw ValueError(message("value.201", "TrainerOptions.checkpoint",
                                 "expected names that LibTorch can read again, got ", path,
                                 ": register it under another name than \"", name, "\""));
    }
}

inline void write_policies(torch::serialize::OutputArchive& archive, const std::string& prefix,
                           const std::vector<AnyPolicy>& policies, const std::vector<StateList>& states) {
  for (std::size_t p = 0; p < states.size(); ++p)
    write_list(archive, prefix + std::to_string(p) + "_" + std::string(policies[p].id()), states[p]);
}
/// A state for each policy. \param saved the place in the checkpoint of each; none keeps the state that it has
[[nodiscard]] inline std::vector<StateList> read_policies(torch::serialize::InputArchive& archive,
                                                          const std::string& prefix,
                                                          const std::vector<AnyPolicy>& policies,
                                                          const std::vector<std::optional<std::size_t>>& saved) {
  std::vector<StateList> out;
  for (std::size_t p = 0; p < policies.size(); ++p)
    out.push_back(saved[p]
                      ? read_list(archive, prefix + std::to_string(*saved[p]) + "_" + std::string(policies[p].id()))
                      : policies[p].save());
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
  archive.write("outputs", c10::IValue(option_text(detail::places_of_outputs(policies))));
  archive.write("options", c10::IValue(detail::options_text(detail::run_options(model, policies, trainer))));
  std::vector<StateList> states;
  for (const AnyPolicy& p : policies) states.push_back(p.save());
  detail::write_policies(archive, "policy", policies, states);
  StateList best;
  for (const auto& [i, copy] : views::enumerate(run.best.parameters.copies()))
    best.emplace_back("t" + std::to_string(i), copy);
  detail::write_list(archive, "best", best);
  std::string names;  // apart, a line each: a key of the archive may have no point
  for (const std::string& name : detail::Snapshot::names(model.module())) names += name + "\n";
  archive.write("best_names", c10::IValue(names));
  detail::write_policies(archive, "best_policy", policies, run.best.policies);
  detail::write_number(archive, "next_epoch", run.next_epoch);
  detail::write_number(archive, "step", run.step);
  detail::write_watched(archive, "", run.watched);
  detail::write_rate(archive, run.rate);
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

namespace detail {

/// The names of a checkpoint's parameters and buffers, in its order; none in one of an older version.
[[nodiscard]] inline std::optional<std::vector<std::string>> saved_names(torch::serialize::InputArchive& archive) {
  c10::IValue names;
  if (!archive.try_read("best_names", names)) return {};
  std::vector<std::string> out;
  TextReader lines(names.toStringRef());
  for (std::string name; std::getline(lines, name);) out.push_back(name);
  return out;
}

/// The place in the model of each tensor of a checkpoint's best epoch, by name: its parts may have been registered in
/// another order. \throws std::invalid_argument for a name that the model lacks
[[nodiscard]] inline std::vector<std::size_t> places_of_best(torch::serialize::InputArchive& archive,
                                                             const std::vector<std::string>& own) {
  std::vector<std::size_t> out;
  for (const std::string& name : saved_names(archive).value_or(own)) {
    const auto at = std::find(own.begin(), own.end(), name);
    if (at == own.end()) throw std::invalid_argument("the best epoch has " + name + ", which the model lacks");
    out.push_back(static_cast<std::size_t>(at - own.begin()));
  }
  return out;
}

/// Where the parameters of a checkpoint stand in another order than the model's, which LibTorch keeps an optimiser's memory
/// by: the first name there, and the model's in its place.
[[nodiscard]] inline std::optional<std::pair<std::string, std::string>> other_order(
    torch::serialize::InputArchive& archive, const torch::nn::Module& module) {
  const std::vector<std::string> own = Snapshot::names(module), saved = saved_names(archive).value_or(own);
  if (saved == own || !std::is_permutation(saved.begin(), saved.end(), own.begin(), own.end())) return {};
  const auto [theirs, ours] = std::mismatch(saved.begin(), saved.end(), own.begin());
  return std::pair(*theirs, *ours);
}

/// The best epoch of a checkpoint. \throws FileError, std::logic_error where its tensors are not those of the model
[[nodiscard]] inline Deployed read_best(torch::serialize::InputArchive& archive, torch::nn::Module& module,
                                        const std::vector<AnyPolicy>& policies,
                                        const std::vector<std::optional<std::size_t>>& places,
                                        const std::string& where) {
  Deployed best;
  const StateList saved = read_list(archive, "best");
  if (saved.empty()) return best;
  best.parameters = Snapshot(module);
  std::vector<at::Tensor>& copies = best.parameters.copies();
  if (saved.size() != copies.size())
    throw FileError(message("file.402", where, "expected a checkpoint of this model, which has ", copies.size(),
                            " parameters and buffers, got one of ", saved.size(),
                            "; what was registered with the model, as a Standardizer, is to be registered before"));
  const std::vector<std::size_t> to = places_of_best(archive, Snapshot::names(module));
  for (const auto& [name, tensor] : saved) {
    at::Tensor& own = copies.at(to.at(std::stoul(name.substr(1))));
    if (tensor.sizes() != own.sizes()) throw std::invalid_argument("a parameter of the best epoch has another shape");
    own = tensor;
  }
  best.policies = read_policies(archive, "best_policy", policies, places);
  return best;
}

[[nodiscard]] inline RunState read_run(torch::serialize::InputArchive& archive) {
  RunState run;
  run.next_epoch = read_value(archive, "next_epoch").toInt();
  run.step = read_value(archive, "step").toInt();
  run.watched = read_watched(archive, "");
  run.rate = read_rate(archive);
  run.history.monitor = run.watched.monitor;
  run.history.best_epoch = read_value(archive, "best_epoch").toInt();
  read_history(read_value(archive, "history").toStringRef(), run.history);
  return run;
}

/// A copy of what a load changes, to return to where it fails half way.
class BeforeLoad {
 public:
  BeforeLoad(torch::nn::Module& module, GroupedOptimizer& optimizer, std::vector<AnyPolicy>& policies)
      : module_(module), optimizer_(optimizer), policies_(policies), deployed_(module, policies) {
    torch::serialize::OutputArchive archive;
    optimizer.save(archive);
    archive.save_to(memory_);
  }
  void restore() {
    deployed_.restore(module_, policies_);
    torch::serialize::InputArchive archive;
    archive.load_from(memory_);
    optimizer_.load(archive);
  }

 private:
  torch::nn::Module& module_;
  GroupedOptimizer& optimizer_;
  std::vector<AnyPolicy>& policies_;
  Deployed deployed_;
  std::stringstream memory_;
};

}  // namespace detail

/// \throws FileError when the file cannot be read, or is of another model, optimiser or stack of policies; the message
/// names the first option, or parameter's shape or type, that differs. Model, optimiser, policies and run are then as they
/// were.
inline void load_checkpoint(const std::filesystem::path& path, ModelBase& model, detail::GroupedOptimizer& optimizer,
                            std::vector<AnyPolicy>& policies, const TrainerOptions& trainer, RunState& run,
                            detail::Purpose purpose = detail::Purpose::training) {
  const std::string where = path.string();
  if (!std::filesystem::exists(path))
    throw FileError(message("file.401", where, "expected a checkpoint, got no such file"));
  std::optional<detail::BeforeLoad> before;
  const auto refused = [&](std::string_view expected, std::string_view got) {
    if (before) before->restore();
    return FileError(message("file.402", where, expected, ": ", got));
  };
  try {
    torch::serialize::InputArchive archive, parameters, optim;
    try {
      archive.load_from(where, trainer.device);  // a run may go on on another device
    } catch (const c10::Error&) {                // of many lines, about LibTorch's own sources
      throw FileError(message("file.402", where, "expected a whole checkpoint, got a file that LibTorch cannot read"));
    }
    const OptionList saved = detail::read_options(detail::read_value(archive, "options").toStringRef()),
                     now = detail::run_options(model, policies, trainer);
    // A trainer for inference may lack policies that do not act there. It takes the model alone, without the run.
    const auto order = detail::other_order(archive, model.module());
    const bool whole =
        purpose == detail::Purpose::training || (!order && !detail::first_difference(saved, now, purpose));
    std::vector<std::optional<std::size_t>> places(policies.size());
    if (whole) {
      detail::check_run_options(saved, now, where, purpose);
      if (order)
        throw FileError(message("file.402", where, "expected a checkpoint of a model with ", order->second,
                                " registered in the place of ", order->first,
                                "; resume_best takes the best epoch in any order"));
      for (std::size_t p = 0; p < places.size(); ++p) places[p] = p;
    } else {
      const std::vector<std::size_t> theirs = detail::read_places(archive), ours = detail::places_of_outputs(policies);
      detail::check_run_options(detail::at_inference(saved, theirs), detail::at_inference(now, ours), where, purpose);
      for (std::size_t i = 0; i < ours.size(); ++i) places[ours[i]] = theirs[i];
    }
    archive.read("model", parameters);
    detail::check_tensors(parameters, model.module(), "", where);
    archive.read("optimizer", optim);
    const std::vector<StateList> states = detail::read_policies(archive, "policy", policies, places);
    RunState next = whole ? detail::read_run(archive) : RunState{};
    next.best = detail::read_best(archive, model.module(), policies, places, where);
    before.emplace(model.module(), optimizer, policies);
    model.module().load(parameters);
    if (whole) optimizer.load(optim);
    for (std::size_t p = 0; p < policies.size(); ++p) policies[p].load(states[p]);
    run = std::move(next);
  } catch (const c10::Error& e) {
    throw refused("expected a checkpoint of this model and these policies", e.what_without_backtrace());
  } catch (const Error&) {  // which says what is wrong
    if (before) before->restore();
    throw;
  } catch (const std::exception& e) {  // what does not parse: a number, a list, the archive's own code
    const std::string what = e.what();
    throw refused("expected a whole checkpoint", what.substr(0, what.find('\n')));
  }
}

}  // namespace equipoise
