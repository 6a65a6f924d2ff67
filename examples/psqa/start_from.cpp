// SPDX-License-Identifier: MIT
/// \file
/// Runs that start from the weights of another run, as of one on simulated plans.

#include <algorithm>
#include <cmath>
#include <equipoise/io/sha256.hpp>
#include <iostream>
#include <utility>

#include "run.hpp"

namespace psqa_program {

namespace {

std::string weights_of(const std::string& folder) {
  return eq::io::sha256_of_file(fs::path(folder) / "checkpoint.pt").substr(0, 16);
}

/// A word of a cohort's description; empty where it has none.
std::string word_of(const Json& about, const std::string& key) {
  const Json value =
      key == "kind" ? about.value("planes", Json::object()).value(key, Json()) : about.value(key, Json());
  return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace

void start_from(RunConfig& config, const std::string& folder) {
  const std::string path = (fs::path(folder) / "").lexically_normal().parent_path().string();     // no slash at its end
  const auto place = [](const std::string& p) { return fs::weakly_canonical(fs::absolute(p)); };  // it may be gone
  if (config.start && place(config.start->folder) == place(path)) return;
  if (!has_model(path))
    throw eq::FileError(
        eq::message("file.401", "--start-from", "expected the folder of a trained run, got \"", folder, "\""));
  const Run before = read_run(path);
  StartOfRun start{path, weights_of(path), {}};
  if (before.config.start) start.cohorts = before.config.start->cohorts;
  start.cohorts.push_back(before.fingerprint);
  config.start = std::move(start);
  config.method = before.config.method, config.fusion = before.config.fusion;
  config.fusion_options = before.config.fusion_options, config.policies = before.config.policies;
  config.modalities = before.config.modalities;
  for (const auto& option : eq::options(before.config.sizes))
    if (!psqa::is_of_cohort(option.first)) eq::set_options(config.sizes, {option}, "--start-from");
}

Run opened_start(const RunConfig& config) {
  const std::string& folder = config.start->folder;
  Run start = open_trained(folder, config.trainer.device);
  if (const std::string now = weights_of(folder); now != config.start->weights)
    throw eq::FileError(eq::message("file.448", folder, "expected the run with the weights ", config.start->weights,
                                    ", got ", now, ": it has changed since"));
  std::vector<std::string> differing;
  for (const Difference& d : model_differences(start.config, config))
    differing.push_back(d.option + " " + d.now + " (there: " + d.before + ")");
  if (!differing.empty())
    throw eq::ValueError(
        eq::message("value.212", "--start-from", "expected the model of ", folder, ", got ", listed(differing)));
  return start;
}

void check_cohort_of_start(const Run& run, const Run& start) {
  const std::vector<std::uint64_t>& seen = run.config.start->cohorts;
  if (std::find(seen.begin(), seen.end(), run.fingerprint) != seen.end())
    throw eq::ValueError(eq::message("value.212", "--start-from", "expected a run on another cohort than ",
                                     run.config.cohort, ", got ", run.config.start->folder,
                                     ", which may have learnt from records that are to be tested"));
  for (const char* key : {"records_of", "kind", "linac_model", "detector"})
    if (const std::string now = word_of(run.cohort_about, key), there = word_of(start.cohort_about, key); now != there)
      std::cerr << "warning: --start-from: the cohorts differ in " << key << ": " << (now.empty() ? "none" : now)
                << ", there " << (there.empty() ? "none" : there) << "\n";
}

psqa::Scales scales_of_start(const Run& start, const psqa::Scales& own) {
  psqa::Scales out = start.scales;
  const bool named = !out.metric_names.empty();  // not in runs of an older version
  if (out.metric_mean.size() != own.metric_mean.size() || (named && out.metric_names != own.metric_names))
    throw eq::ValueError(eq::message("value.212", "--start-from", "expected a cohort with the ", out.metric_mean.size(),
                                     " metrics of ", start.folder.string(), ", got ", own.metric_mean.size(),
                                     " of which some have other names or places"));
  for (std::size_t c = 0; c < psqa::kCriteria.size(); ++c)
    if (std::isnan(out.gpr_mean[c]) || std::isnan(own.gpr_mean[c]))
      out.gpr_mean[c] = own.gpr_mean[c], out.gpr_sd[c] = own.gpr_sd[c];
  out.delivery.qa = own.delivery.qa;
  return out;
}

void copy_weights(const torch::nn::Module& from, torch::nn::Module& to) {
  const at::NoGradGuard no_grad;
  const auto copy = [](const auto& theirs, auto ours) {
    for (auto& item : ours) item.value().copy_(theirs[item.key()]);
  };
  copy(from.named_parameters(), to.named_parameters());
  copy(from.named_buffers(), to.named_buffers());
}

}  // namespace psqa_program
