// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Opening what a user named as a file.

#include <filesystem>
#include <fstream>
#include <ios>
#include <system_error>

namespace equipoise::io {

/// The file as a binary stream; one that has failed where there is no regular file: opening a named pipe would wait for
/// ever.
[[nodiscard]] inline std::ifstream open_regular(const std::filesystem::path& path) {
  std::error_code error;
  std::ifstream in;
  if (std::filesystem::is_regular_file(path, error))
    in.open(path, std::ios::binary);
  else
    in.setstate(std::ios::failbit);
  return in;
}

}  // namespace equipoise::io
