// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Runs the program psqa as a user does.

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

namespace support {

struct Outcome {
  int code = 0;
  std::string out;  ///< standard output, and error where it was asked for
};

/// Whether the program has been built; says so where it has not.
inline bool built() {
  const char* bin = std::getenv("EQUIPOISE_BIN");
  if (bin && std::filesystem::exists(std::filesystem::path(bin) / "psqa")) return true;
  std::cerr << "skipped: no program psqa; build it and set EQUIPOISE_BIN\n";
  return false;
}

/// A shell's command line; `psqa` in it is the built program.
inline Outcome shell(const std::string& line, bool errors = true) {
  const char* bin = std::getenv("EQUIPOISE_BIN");
  const std::string define = "psqa() { '" + std::filesystem::absolute(bin ? bin : "build/bin").string() +
                             "/psqa' \"$@\"; }\n",
                    command = define + "{ " + line + "\n} " + (errors ? "2>&1" : "2>/dev/null");
  FILE* pipe = popen(command.c_str(), "r");
  Outcome o;
  char buffer[4096];
  while (const std::size_t n = fread(buffer, 1, sizeof buffer, pipe)) o.out.append(buffer, n);
  o.code = WEXITSTATUS(pclose(pipe));
  return o;
}

/// The program with arguments; `errors` also collects standard error.
inline Outcome psqa(const std::string& arguments, bool errors = true) {
  return shell("psqa " + arguments, errors);
}

inline std::string quoted(const std::filesystem::path& p) {
  return "'" + p.string() + "'";
}

}  // namespace support
