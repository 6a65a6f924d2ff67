// SPDX-License-Identifier: MIT
/// \file
/// psqa: patient-specific quality assurance from plans. `psqa --help` lists the commands.

#include <c10/util/Exception.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <equipoise/core/base/heap.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/threads.hpp>
#include <equipoise/core/base/utf8.hpp>
#include <equipoise/io/utf8_output.hpp>
#include <equipoise/version.hpp>
#include <iostream>
#include <iterator>
#include <optional>
#include <string_view>

#include "command_line.hpp"
#include "number_options.hpp"
#include "warning_summary.hpp"

namespace psqa_program {

namespace {
std::atomic<bool> stop{false};
std::string started_as;

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

const std::string& command_line() {
  return started_as;
}

Progress::Progress(std::string what) : what_(std::move(what)), terminal_(isatty(STDERR_FILENO) != 0) {}
Progress::~Progress() {
  if (open_) std::cerr << "\n";
}
void Progress::show(std::int64_t done, std::int64_t all, const std::string& more) {
  const double t = now();
  remaining_.update(static_cast<double>(done), t);
  if ((t - shown_ < (terminal_ ? 0.1 : 5.0) && done < all) || done == done_) return;
  shown_ = t, done_ = done;
  std::cerr << (terminal_ ? "\r\033[K" : "") << "    " << what_ << " " << done << "/" << all;
  if (const std::optional<double> left = remaining_.left(static_cast<double>(all)))
    std::cerr << ", " << eq::duration_text(*left) << " left";
  if (!more.empty()) std::cerr << "  " << more;
  if (terminal_)
    std::cerr.flush();
  else
    std::cerr << "\n";
  open_ = terminal_;
}

namespace {
/// The options that a command has, as the user writes them.
std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* o : command.get_options()) {
    for (const std::string& n : o->get_lnames()) names.push_back("--" + n);
    for (const std::string& n : o->get_snames()) names.push_back("-" + n);
  }
  return names;
}

/// A word as a shell takes it.
std::string shell_word(const std::string& word) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+%@";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// All options of the command that are required and were not given.
std::vector<std::string> missing_options(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* o : command.get_options())
    if (o->get_required() && o->count() == 0) names.push_back(o->get_name());
  return names;
}

/// What to say of words that nothing on the command line asked for: an unknown command, option or argument.
std::string unknown_words(const CLI::App& app) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen[0];
  const std::string where = chosen.empty() ? "psqa" : "psqa " + command.get_name();
  const std::vector<std::string> words = command.remaining();
  const auto option = std::find_if(words.begin(), words.end(), [](const std::string& w) { return w.starts_with("-"); });
  if (option != words.end() && (option == words.begin() || !chosen.empty())) {
    const std::string given = option->substr(0, option->find('='));
    return eq::message("name.302", where, "no option \"", given, "\"; ", eq::nearest_name(given, option_names(command)))
        .text;
  }
  const std::string given = words.empty() ? "" : words[0];
  if (!chosen.empty())
    return eq::message("value.212", where, "expected no further arguments, got \"", given, "\"").text;
  std::vector<std::string> names;
  for (const CLI::App* c : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(c->get_name());
  return eq::message("name.302", "psqa", "no command \"", given, "\"; ", eq::nearest_name(given, names)).text;
}

/// What is wrong with the command line, without the manner of the parser's own messages.
std::string plain_text(const CLI::ParseError& error) {
  std::string what = error.what();
  std::replace(what.begin(), what.end(), '\n', ' ');
  const std::string convert = "Could not convert: ";
  if (const std::size_t value = what.find(" = "); what.starts_with(convert) && value != std::string::npos)
    return what.substr(convert.size(), value - convert.size()) + ": expected a number, got \"" +
           what.substr(value + 3) + "\"";
  if (const std::size_t colon = what.find(": ");
      dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr && what.ends_with(" missing"))
    return "expected a value behind " + what.substr(0, colon) + ", got none";
  return what;
}

/// One line on what is wrong with the command line. \returns the exit status
int report(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const std::vector<std::string> left = chosen.empty() ? app.remaining() : chosen[0]->remaining();
  // A misspelt option is often why a required one is missing.
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
      std::any_of(left.begin(), left.end(), [](const std::string& w) { return w.starts_with("--"); })) {
    std::cerr << "psqa: " << unknown_words(app) << "\n";
    return 2;
  }
  std::string what = plain_text(error);
  if (const std::vector<std::string> missing = missing_options(chosen.empty() ? app : *chosen[0]);
      !missing.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
    what = "expected " + listed(missing, " and ") + ", which " + (missing.size() == 1 ? "is" : "are") + " required";
  std::cerr << "psqa: "
            << eq::message("value.212", chosen.empty() ? "psqa" : "psqa " + chosen[0]->get_name(), what).text << "\n";
  return 2;
}
}  // namespace

CLI::Validator above_zero() {
  return {[](std::string& text) {
            double value = 0;
            return eq::parse_option(text, value) && value > 0 && std::isfinite(value)
                       ? ""
                       : "expected a number > 0, got \"" + text + "\"";
          },
          "> 0"};
}

CLI::Validator not_negative() {
  return {[](std::string& text) {
            return text.starts_with("-") ? "expected a whole number >= 0, got \"" + text + "\"" : std::string();
          },
          ">= 0"};
}

std::string listed(const std::vector<std::string>& names, const std::string& last, const std::string& between) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? last : between) + names[i];
  return out;
}

std::string date_now() {
  char date[64] = "";
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  std::strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
  return date;
}

std::pair<std::string, std::string> key_and_value(const std::string& text, const char* where) {
  const std::size_t at = text.find('=');
  if (at == std::string::npos)
    throw WrongUsage(eq::message("value.212", where, "expected key=value, got \"", text, "\"").text);
  return {text.substr(0, at), text.substr(at + 1)};
}

std::string take_name(const std::string& name, std::set<std::string>& taken) {
  std::string out = name;
  for (int n = 2; !taken.insert(out).second; ++n) out = name + "_" + std::to_string(n);
  return out;
}

void attempt(Json& errors, const std::string& key, const std::function<void()>& part) {
  try {
    part();
  } catch (const std::exception& e) {
    std::cerr << "psqa: " << e.what() << "\n";
    errors[key] = eq::as_utf8(e.what());
  }
}

void step(const std::string& what) {
  std::cerr << "--> " << what << "\n";
}
Json number_or_null(double v) {
  return std::isfinite(v) ? Json(v) : Json(nullptr);
}

namespace {
/// Names of files and texts in them may be of any encoding.
void make_utf8(Json& value) {
  if (auto* text = value.get_ptr<std::string*>(); text && !eq::is_utf8(*text)) *text = eq::as_utf8(*text);
  if (value.is_structured())
    for (Json& part : value) make_utf8(part);
}
}  // namespace

void print_json(Json value) {
  make_utf8(value);
  std::cout << value.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace psqa_program

namespace psqa_program {
namespace {

/// What --help says below the list of commands.
constexpr const char* kExitCodes =
    "Exit status:\n"
    "  0    done, with or without warnings, whatever a comparison or a limit says\n"
    "  1    wrong input, or a command that failed, also for one of several files\n"
    "  2    wrong usage: the command line cannot be understood\n"
    "  130  interrupted\n"
    "Errors and warnings go to standard error.";

/// Runs the command that the command line asks for. \returns the exit status
int run(CLI::App& app, int argc, char** argv) {
  try {
    const std::vector<std::string> words = with_numbers_together({argv, argv + argc});
    std::vector<const char*> given;
    for (const std::string& word : words) given.push_back(word.c_str());
    app.parse(static_cast<int>(given.size()), given.data());
    if (app.get_subcommands().empty()) {
      std::cout << app.help();
      return 2;
    }
    std::cout.flush();
    if (!std::cout) throw std::runtime_error("standard output: cannot be written");
    return 0;
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    return report(app, e);
  } catch (const WrongUsage& e) {
    std::cerr << "psqa: " << e.what() << "\n";
    return 2;
  } catch (const Interrupted& e) {
    std::cerr << "psqa: " << e.what() << "\n";
    return 130;
  } catch (const Failed&) {
  } catch (const c10::Error& e) {
    std::cerr << "psqa: " << e.what_without_backtrace() << "\n";
  } catch (const std::exception& e) {
    std::cerr << "psqa: " << e.what() << "\n";
  }
  return 1;
}

}  // namespace
}  // namespace psqa_program

int main(int argc, char** argv) {
  using namespace psqa_program;
  const eq::io::Utf8Output out(std::cout), errors(std::cerr);  // names of files may be of any encoding
  // Commands that run a model; the others have no threads that wait.
  constexpr std::string_view with_model[] = {"train", "compare", "evaluate", "predict", "explain", "report", "demo"};
  if (argc > 1 && std::find(std::begin(with_model), std::end(with_model), argv[1]) != std::end(with_model))
    eq::wait_passively(argv);
  eq::keep_freed_memory();
  CLI::App app{
      "Patient-specific quality assurance from plans: simulate a cohort, compute complexity and gamma, train BMMQA and "
      "its baselines, predict."};
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "psqa " + std::string(eq::version), "print the version and exit");
  started_as = "psqa";
  for (int i = 1; i < argc; ++i) started_as += " " + shell_word(argv[i]);
  add_complexity_command(app);
  add_gamma_command(app);
  add_tg218_command(app);
  add_cohort_commands(app);
  add_floor_command(app);
  add_import_command(app);
  add_train_command(app);
  add_learning_commands(app);
  add_compare_command(app);
  app.footer(kExitCodes);
  WarningSummary warnings(std::cerr);
  const int status = run(app, argc, argv);
  warnings.print();
  return status;
}
