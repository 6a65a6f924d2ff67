// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The error of every reader where a file cannot be opened.

#include <equipoise/core/base/errors.hpp>

#include <filesystem>
#include <string>
#include <system_error>

namespace equipoise::psqa {

/// That there is no file to read. Of a folder it says so, and how to name the files in it.
[[nodiscard]] inline FileError no_file(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    return FileError(message("file.401", path.string(), "expected a readable file, got a folder: name its files, as ",
                             (path / "*").string()));
  return FileError(message("file.401", path.string(), "expected a readable file, got none"));
}

}  // namespace equipoise::psqa
