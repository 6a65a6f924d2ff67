// SPDX-License-Identifier: MIT
/// \file
/// The settings of a study from a TOML file, and what they make of a method's.

#include "study_settings.hpp"

#include <algorithm>
#include <iterator>
#include <map>

#include "toml_options.hpp"

namespace psqa_program {

namespace {

/// `{low = 1e-4, high = 1e-2, log = true}`, with `whole = true` for whole numbers, or a list of choices.
eq::SearchRange range_of(const std::string& option, const toml::node& node, const std::string& where) {
  eq::SearchRange out{.option = option};
  if (const toml::array* choices = node.as_array()) {
    for (const toml::node& choice : *choices) out.choices.push_back(text_of(choice));
    if (out.choices.empty()) throw eq::FileError(eq::message("file.439", where, "expected choices, got none"));
    return out;
  }
  const toml::table* table = node.as_table();
  const auto number = [&](const char* key) {
    const auto value = table ? (*table)[key].value<double>() : std::nullopt;
    if (!value)
      throw eq::FileError(eq::message("file.439", where, "line ", node.source().begin.line,
                                      ": expected a list of choices, or low and high"));
    return *value;
  };
  out.low = number("low"), out.high = number("high");
  out.logarithmic = (*table)["log"].value_or(false), out.whole = (*table)["whole"].value_or(false);
  return out;
}

void read_search(const toml::node& node, const std::string& where, StudySettings& s) {
  (void)entries_of(node, where);  // or it is no table
  s.search.clear();
  for (const auto& [group, options] : *node.as_table()) {
    const std::string name(group.str());
    if (name != "trainer" && name != "model")
      throw eq::NameError(
          eq::message("name.302", where, "no option \"", name, "\"; ", eq::nearest_name(name, {"trainer", "model"})));
    (void)entries_of(options, where + "." + name);
    for (const auto& [key, value] : *options.as_table()) {
      const std::string option = name + "." + std::string(key.str());
      s.search.push_back(range_of(option, value, where + "." + option));
    }
  }
}

template <class T>
T value_of(const toml::node& node, const std::string& where, const char* what) {
  const auto value = node.value<T>();
  if (!value)
    throw eq::FileError(eq::message("file.439", where, "line ", node.source().begin.line, ": expected ", what));
  return *value;
}

/// At least 1, as the command line asks.
std::int64_t count_of(const toml::node& node, const std::string& where) {
  const auto n = value_of<std::int64_t>(node, where, "a whole number >= 1");
  if (n < 1)
    throw eq::FileError(
        eq::message("file.439", where, "line ", node.source().begin.line, ": expected a whole number >= 1, got ", n));
  return n;
}

std::vector<std::string> words_of(const toml::node& node, const std::string& where) {
  std::vector<std::string> out;
  if (const toml::array* list = node.as_array())
    for (const toml::node& item : *list) out.push_back(value_of<std::string>(item, where, "a list of names"));
  if (out.empty())
    throw eq::FileError(
        eq::message("file.439", where, "line ", node.source().begin.line, ": expected a list of names"));
  return out;
}

std::vector<std::int64_t> counts_of(const toml::node& node, const std::string& where) {
  std::vector<std::int64_t> out;
  if (const toml::array* list = node.as_array())
    for (const toml::node& item : *list) out.push_back(count_of(item, where));
  if (out.empty())
    throw eq::FileError(
        eq::message("file.439", where, "line ", node.source().begin.line, ": expected a list of whole numbers >= 1"));
  return out;
}

/// `key=value` of a table's entries; those of the command line come later and win.
void put_first(std::vector<std::string>& words, const eq::OptionList& entries) {
  std::vector<std::string> all;
  for (const auto& [key, value] : entries) all.push_back(key + "=" + value);
  words.insert(words.begin(), all.begin(), all.end());
}

}  // namespace

void read_study(const std::string& file, const std::function<bool(const char*)>& is_given, StudySettings& s) {
  using Reader = std::function<void(const toml::node&, const std::string&)>;
  const auto text = [](std::string& to) -> Reader {
    return [&](const toml::node& n, const std::string& where) { to = value_of<std::string>(n, where, "a text"); };
  };
  const auto count = [](auto& to) -> Reader {
    return [&](const toml::node& n, const std::string& where) {
      to = static_cast<std::decay_t<decltype(to)>>(count_of(n, where));
    };
  };
  const std::map<std::string, Reader> readers = {
      {"cohort", text(s.cohort)},
      {"out", text(s.out)},
      {"device", text(s.device)},
      {"methods", [&](const auto& n, const auto& where) { s.methods = words_of(n, where); }},
      {"inputs", [&](const auto& n, const auto& where) { s.inputs = words_of(n, where); }},
      {"floors", text(s.floors)},
      {"html", text(s.html)},
      {"start_from", text(s.start_from)},
      {"records", [&](const auto& n, const auto& where) { s.records = counts_of(n, where); }},
      {"conditions",
       [&](const auto& n, const auto& where) { s.conditions = value_of<bool>(n, where, "true or false"); }},
      {"seeds", count(s.seeds)},
      {"epochs", count(s.epochs)},
      {"folds", count(s.folds)},
      {"jobs", count(s.jobs)},
      {"trials", count(s.trials)},
      {"leave_out_machines",
       [&](const auto& n, const auto& where) { s.machines = value_of<bool>(n, where, "true or false"); }},
      {"trainer", [&](const auto& n, const auto& where) { put_first(s.trainer, entries_of(n, where)); }},
      {"model", [&](const auto& n, const auto& where) { put_first(s.model, entries_of(n, where)); }},
      {"search", [&](const auto& n, const auto& where) { read_search(n, where, s); }}};
  try {
    const toml::table table = toml::parse_file(file);
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const auto reader = readers.find(name);
      if (reader == readers.end()) {
        std::vector<std::string> names;
        for (const auto& [known, read] : readers) names.push_back(known);
        throw eq::NameError(eq::message("name.302", file, "no option \"", name, "\"; ", eq::nearest_name(name, names)));
      }
      std::string option = "--" + name;
      for (char& c : option)
        if (c == '_') c = '-';
      const bool table_of_options = name == "trainer" || name == "model" || name == "search";
      if (table_of_options || !is_given(option.c_str())) reader->second(node, file + ": " + name);
    }
  } catch (const toml::parse_error& e) {
    throw eq::FileError(eq::message("file.439", file, "line ", e.source().begin.line, ": ", e.description()));
  }
  if (s.folds > 0 && (s.folds < 3 || s.machines))
    throw eq::ValueError(
        eq::message("value.212", file, "expected folds of at least 3, and no leave_out_machines beside them"));
}

std::vector<std::string> methods_with_inputs(const StudySettings& s) {
  if (s.inputs.empty()) return s.methods;
  std::vector<std::string> out;
  for (const std::string& inputs : s.inputs) {
    (void)modalities_named(inputs, "--inputs");
    for (const std::string& method : s.methods) {
      if (method.find('@') != std::string::npos)
        throw eq::ValueError(
            eq::message("value.212", "--methods", "expected methods without @ beside --inputs, got ", method));
      if (!names_its_inputs(method)) out.push_back(method + "@" + inputs);
    }
  }
  std::copy_if(s.methods.begin(), s.methods.end(), std::back_inserter(out), names_its_inputs);
  return out;
}

RunConfig method_config(const StudySettings& s, const std::string& method) {
  RunConfig config = comparison_config(method, s.cohort, s.epochs, 1);
  if (!s.start_from.empty()) {
    start_from(config, (fs::path(s.start_from) / method).string());
    set_method(config, method);  // of that run only the sizes
  }
  return config;
}

RunConfig config_of(const StudySettings& s, RunConfig config, const SplitChoice& split, const eq::OptionList& trial) {
  config.split = split, config.trainer.seed = split.seed;
  set_options(config.trainer, s.trainer, "--set");
  set_options(config.sizes, s.model, "--model");
  for (const auto& [key, value] : trial) {
    const std::size_t dot = key.find('.');
    const eq::OptionList one = {{key.substr(dot + 1), value}};
    key.starts_with("trainer.") ? eq::set_options(config.trainer, one, "search")
                                : eq::set_options(config.sizes, one, "search");
  }
  config.trainer.device = device_named(s.device);
  config.trainer.progress = nullptr;  // the lines of several runs would mix
  return config;
}

}  // namespace psqa_program
