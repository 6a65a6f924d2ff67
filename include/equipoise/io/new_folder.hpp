// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A folder that a program is to make.

#include <equipoise/core/base/errors.hpp>

#include <filesystem>
#include <string_view>
#include <system_error>

namespace equipoise::io {

/// \param hint what to do instead, after the message  \throws FileError where a file or folder stands there already
inline void check_new_folder(const std::filesystem::path& folder, std::string_view hint = {}) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(folder, error);
  if (!std::filesystem::exists(status)) return;
  const bool is_folder = std::filesystem::is_directory(status);
  throw FileError(message("file.431", folder.string(), "expected a new folder, got ",
                          is_folder ? "one that exists" : "a file", is_folder ? hint : std::string_view()));
}

}  // namespace equipoise::io
