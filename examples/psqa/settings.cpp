// SPDX-License-Identifier: MIT
/// \file
/// The settings of a run as options of the command line: what differs between two runs, and names that tell runs apart.

#include <algorithm>
#include <set>

#include "run.hpp"

namespace psqa_program {

namespace {

std::vector<std::string> policy_names(const RunConfig& c) {
  std::vector<std::string> names;
  for (const PolicyChoice& p : c.policies) names.push_back(p.name);
  return names;
}

void put(eq::OptionList& list, const std::string& key, const std::string& value) {
  for (auto& [k, v] : list)
    if (k == key) return void(v = value);
  list.emplace_back(key, value);
}

/// The value of an option; empty where there is none.
std::string value_of(const eq::OptionList& list, const std::string& key) {
  for (const auto& [k, v] : list)
    if (k == key) return v;
  return {};
}

/// The keys of all lists, in the order of their first use.
std::vector<std::string> keys_of(const std::vector<eq::OptionList>& lists) {
  std::vector<std::string> keys;
  for (const eq::OptionList& list : lists)
    for (const auto& [key, value] : list)
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  return keys;
}

/// The options with two values.
std::vector<Difference> all_differences(const eq::OptionList& before, const eq::OptionList& now) {
  std::vector<Difference> out;
  for (const std::string& key : keys_of({before, now})) {
    const auto text = [&](const eq::OptionList& list) {
      const std::string value = value_of(list, key);
      return value.empty() ? "none" : value;
    };
    if (text(before) != text(now)) out.push_back({key, text(before), text(now)});
  }
  return out;
}

/// `seed 2`, `learning_rate 0.001`, `alpha 0.5`: an option in a name.
std::string trait(const std::string& key, const std::string& value, bool one_policy) {
  std::string word = key.substr(key.find_last_of(' ') + 1);  // of `--set learning_rate` the second
  if (key.starts_with("--policy-option") && one_policy) word = word.substr(word.find('.') + 1);
  word.erase(0, word.find_first_not_of('-'));
  return word + " " + value;
}

}  // namespace

eq::OptionList settings_of(const RunConfig& c) {
  eq::OptionList out = {{"--method", c.method},
                        {"--fusion", c.fusion},
                        {"--policy", c.policies.empty() ? "none" : listed(policy_names(c), " ", " ")}};
  for (const PolicyChoice& p : c.policies)
    for (const auto& [key, value] : options_of(p)) put(out, "--policy-option " + p.name + "." + key, value);
  put(out, "--modalities", listed(c.modalities, " ", " "));
  put(out, "--seed", std::to_string(c.trainer.seed));
  put(out, "--epochs", std::to_string(c.trainer.epochs));
  for (const auto& [key, value] : c.fusion_options) put(out, "--fusion-option " + key, value);
  for (const auto& [key, value] : eq::options(c.sizes))
    if (!psqa::is_of_cohort(key)) put(out, "--model " + key, value);
  for (const auto& [key, value] : eq::options(c.trainer))
    if (key != "seed" && key != "epochs") put(out, "--set " + key, value);
  if (c.start) put(out, "--start-from", c.start->weights);
  put(out, "--split-seed", std::to_string(c.split.seed));
  put(out, "--leave-out-machine", c.split.machine.empty() ? "none" : c.split.machine);
  put(out, "--folds", std::to_string(c.split.folds));
  put(out, "fold", std::to_string(c.split.fold));
  if (c.split.records > 0) put(out, "--records", std::to_string(c.split.records));
  put(out, "share of validation", eq::option_text(c.split.validation));
  put(out, "share of test", eq::option_text(c.split.test));
  return out;
}

std::vector<Difference> differences(const RunConfig& before, const RunConfig& now) {
  const eq::OptionList a = settings_of(before), b = settings_of(now);
  const auto differs = [&](const char* key) { return value_of(a, key) != value_of(b, key); };
  std::vector<Difference> out = all_differences(a, b);
  // What follows from another method, fusion or policy needs no word of its own.
  std::erase_if(out, [&](const Difference& d) {
    const bool of_method = d.option == "--fusion" || d.option == "--modalities" || d.option.starts_with("--policy");
    return (of_method && differs("--method")) || (d.option.starts_with("--policy-option") && differs("--policy")) ||
           (d.option.starts_with("--fusion-option") && (differs("--fusion") || differs("--method")));
  });
  return out;
}

std::vector<Difference> model_differences(const RunConfig& before, const RunConfig& now) {
  std::vector<Difference> out = all_differences(settings_of(before), settings_of(now));
  std::erase_if(out, [](const Difference& d) {
    return !d.option.starts_with("--fusion") && d.option != "--modalities" && !d.option.starts_with("--model");
  });
  return out;
}

std::string label_of(const RunConfig& c) {
  RunConfig plain;
  set_method(plain, c.method);
  std::string label = c.method;
  if (c.fusion != plain.fusion || policy_names(c) != policy_names(plain)) {
    label = c.fusion;
    for (const std::string& name : policy_names(c)) label += "+" + name;
  }
  if (c.modalities != plain.modalities)
    label += ", " + listed(c.modalities, " and ", " and ") + (c.modalities.size() == 1 ? " only" : "");
  if (c.start) label += ", from " + c.start->folder;
  return label;
}

void name_runs(std::vector<Run>& runs) {
  std::vector<eq::OptionList> settings;
  for (Run& run : runs) run.name = label_of(run.config), settings.push_back(settings_of(run.config));
  const auto is_shared = [&](const std::string& name) {
    return std::count_if(runs.begin(), runs.end(), [&](const Run& r) { return r.name == name; }) > 1;
  };
  for (const std::string& key : keys_of(settings)) {
    if (key == "--method") continue;  // `concat+ogm` is also concat with the policy OGM
    std::vector<std::string> names;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      std::string& name = names.emplace_back(runs[i].name);
      const std::string value = value_of(settings[i], key);
      bool tells_apart = false;
      for (std::size_t j = 0; j < runs.size(); ++j)
        tells_apart |= runs[j].name == runs[i].name && value_of(settings[j], key) != value;
      if (tells_apart && !value.empty()) name += ", " + trait(key, value, runs[i].config.policies.size() == 1);
    }
    for (std::size_t i = 0; i < runs.size(); ++i) runs[i].name = names[i];
  }
  std::vector<std::string> names;  // of equal settings only the folder is left
  for (const Run& run : runs) names.push_back(is_shared(run.name) ? run.name + ", " + run.folder.string() : run.name);
  std::set<std::string> taken;
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i].name = take_name(names[i], taken);
}

}  // namespace psqa_program
