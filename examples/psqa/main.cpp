// SPDX-License-Identifier: MIT
/// \file
/// psqa: patient-specific quality assurance from plans. `psqa --help` lists the commands.

#include <c10/util/Exception.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <equipoise/core/options.hpp>
#include <iostream>

#include "common.hpp"

namespace psqa_program {

namespace {
std::atomic<bool> stop{false};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, [](int) { stop = true; });
  std::signal(SIGTERM, [](int) { stop = true; });
}
bool interrupted() {
  return stop;
}

Progress::Progress(std::string what) : what_(std::move(what)), begun_(now()), terminal_(isatty(STDERR_FILENO) != 0) {}
Progress::~Progress() {
  if (open_) std::cerr << "\n";
}
void Progress::show(std::int64_t done, std::int64_t all, const std::string& more) {
  const double t = now();
  if (t - shown_ < (terminal_ ? 0.1 : 5.0) && done < all) return;
  shown_ = t;
  const double left = done > 0 ? (t - begun_) / static_cast<double>(done) * static_cast<double>(all - done) : 0;
  std::cerr << (terminal_ ? "\r\033[K" : "") << "    " << what_ << " " << done << "/" << all;
  if (done < all) std::cerr << ", " << static_cast<int>(left + 0.5) << " s left";
  if (!more.empty()) std::cerr << "  " << more;
  if (terminal_)
    std::cerr.flush();
  else
    std::cerr << "\n";
  open_ = terminal_;
}

/// What to say of a command line without a command that exists.
equipoise::NameError unknown_command(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* c : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(c->get_name());
  const std::string given = app.remaining().empty() ? "" : app.remaining()[0];
  return equipoise::NameError(
      equipoise::message("name.302", "psqa", "no command \"", given, "\"; ", equipoise::nearest_name(given, names)));
}

void step(const std::string& what) {
  std::cerr << "--> " << what << "\n";
}
void print_json(const nlohmann::ordered_json& value) {
  std::cout << value.dump(2) << "\n";
}

}  // namespace psqa_program

int main(int argc, char** argv) {
  using namespace psqa_program;
  CLI::App app{
      "Patient-specific quality assurance from plans: simulate a cohort, compute complexity and gamma, train BMMQA and "
      "its baselines, predict."};
  app.require_subcommand(0, 1);
  app.allow_extras();
  app.failure_message(CLI::FailureMessage::simple);
  add_analysis_commands(app);
  add_cohort_commands(app);
  add_learning_commands(app);
  add_compare_command(app);
  catch_interrupts();
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) throw unknown_command(app);
    std::cout.flush();
    if (!std::cout) throw std::runtime_error("standard output: cannot be written");
    return 0;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  } catch (const Interrupted& e) {
    std::cerr << "psqa: " << e.what() << "\n";
    return 130;
  } catch (const c10::Error& e) {
    std::cerr << "psqa: " << e.what_without_backtrace() << "\n";
  } catch (const std::exception& e) {
    std::cerr << "psqa: " << e.what() << "\n";
  }
  return 1;
}
