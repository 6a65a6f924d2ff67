// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// What the commands of the program share: interruption, progress, output.

#include <algorithm>
#include <cstdint>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/core/base/options.hpp>
#include <equipoise/core/base/remaining_time.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

// Known here, so that it can have a short name.
namespace equipoise::psqa {}

namespace psqa_program {

namespace eq = equipoise;
namespace psqa = equipoise::psqa;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Passing rates of the same delivery, computed or written twice, differ by no more: points at the limit of gamma.
inline constexpr double kSameRate = 0.1;

/// Thrown when the user has pressed Ctrl-C.
struct Interrupted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Thrown at the end of a command that has reported what went wrong: the exit status is 1.
struct Failed {};

/// Thrown for an option whose value cannot be understood: the exit status is that of wrong usage, 2.
struct WrongUsage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What `parse` makes of an option's text. \throws WrongUsage in place of the library's error
template <class F>
decltype(auto) understood(F&& parse) {
  try {
    return parse();
  } catch (const eq::Error& e) {
    throw WrongUsage(e.what());
  }
}

/// From here on Ctrl-C ends the program in order, at the next place that asks `interrupted`; called by commands that do.
void catch_interrupts();
[[nodiscard]] bool interrupted();

/// One line on a terminal, redrawn with the time left; a line every few seconds in a pipe. The time left is shown once
/// there is a steady rate. Writes to standard error.
class Progress {
 public:
  explicit Progress(std::string what);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();
  void show(std::int64_t done, std::int64_t all, const std::string& more = "");

 private:
  std::string what_;
  eq::RemainingTime remaining_;
  double shown_ = -1e9;
  std::int64_t done_ = -1;
  bool terminal_, open_ = false;
};

/// The two sides of `key=value`. \throws WrongUsage where there is no equals sign; `where` is the option's name
[[nodiscard]] std::pair<std::string, std::string> key_and_value(const std::string& text, const char* where);

/// `concat, sum, film`: names as a sentence has them. \param last between the last two, `between` between the others
[[nodiscard]] std::string listed(const std::vector<std::string>& names, const std::string& last = ", ",
                                 const std::string& between = ", ");

/// `1 record`, `2 records`.
[[nodiscard]] inline std::string counted(std::size_t n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

/// Date and time of now, as `2026-11-29 04:35 UTC`.
[[nodiscard]] std::string date_now();

/// The command line that the program was started with, as a shell takes it.
[[nodiscard]] const std::string& command_line();

/// Makes a folder and those above it. \throws FileError where it cannot be made
inline void make_folder(const fs::path& folder) {
  std::error_code error;
  if (!folder.empty()) fs::create_directories(folder, error);
  if (error) throw eq::FileError(eq::message("file.403", folder.string(), "cannot be created: ", error.message()));
}

/// \throws ValueError with the names that there are, where an option that has names is given another
template <eq::Reflected Spec>
void check_option_name(const Spec& spec, const std::string& key, const std::string& value, const char* where) {
  eq::for_each_member(spec, [&](std::string_view option, const auto& member) {
    if constexpr (std::is_enum_v<std::remove_cvref_t<decltype(member)>>) {
      const auto names = names_of(member);
      if (option == key && std::find(names.begin(), names.end(), value) == names.end())
        throw eq::ValueError(eq::message("value.202", where, "option ", key, ": expected ",
                                         listed({names.begin(), names.end()}, " or "), ", got \"", value, "\""));
    }
  });
}

/// Sets a spec's options from words of the form `key=value`. \throws WrongUsage
template <eq::Reflected Spec>
void set_options(Spec& spec, const std::vector<std::string>& words, const char* where) {
  for (const std::string& word : words) {
    const auto [key, value] = key_and_value(word, where);
    understood([&, &k = key, &v = value] {
      check_option_name(spec, k, v, where);
      eq::set_option(spec, k, v, where);
    });
  }
}

/// The name, or where it is taken the first of name_2, name_3, … that is not; now it is.
[[nodiscard]] std::string take_name(const std::string& name, std::set<std::string>& taken);

/// Does a part of a command that goes on after a failure: what is thrown is told, and kept in `errors` under `key`.
void attempt(Json& errors, const std::string& key, const std::function<void()>& part);

/// A step of a longer command.
void step(const std::string& what);

/// Prints JSON with two spaces, in UTF-8.
void print_json(Json value);

/// A number that is not finite is null.
[[nodiscard]] Json number_or_null(double v);

}  // namespace psqa_program
