// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// The first bytes of a file, from which readers tell what it holds.

#include <equipoise/io/regular_file.hpp>
#include <equipoise/psqa/files/text_file.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace equipoise::psqa::detail {

/// The first bytes of a file; empty where it cannot be read, or is no file.
[[nodiscard]] inline std::string head_of(const std::filesystem::path& path, std::size_t max_bytes = 8192) {
  std::ifstream in = io::open_regular(path);
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  std::string head(error ? max_bytes : static_cast<std::size_t>(std::min<std::uintmax_t>(size, max_bytes)), '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return head;
}

/// A preamble, or a first element of the groups that a data set begins with, in either byte order.
[[nodiscard]] inline bool looks_like_dicom(std::string_view head) {
  if (head.size() >= 132 && head.substr(128, 4) == "DICM") return true;
  if (head.size() < 8) return false;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(head[i]); };
  const unsigned little = byte(0) | byte(1) << 8, big = byte(1) | byte(0) << 8;
  const bool begins = little == 2 || little == 8 || big == 2 || big == 8;
  const unsigned element = little == 2 || little == 8 ? byte(3) : byte(2);
  return begins && element < 0x20;
}

[[nodiscard]] inline bool looks_like_text(std::string_view head) {
  return !head.empty() && std::none_of(head.begin(), head.end(), [](char c) {
    return static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\r' && c != '\t';
  });
}

/// Whether a text's first line that is no remark holds two numbers or more.
[[nodiscard]] inline bool begins_with_numbers(std::string_view head) {
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find('\n'));
    const std::string_view text = trimmed(line);
    if (!text.empty() && text.front() != '#') {
      std::vector<std::string_view> cells = table_cells(text);
      if (line.size() == head.size() && cells.size() > 2) cells.pop_back();  // the head may end within a number
      return cells.size() > 1 &&
             std::all_of(cells.begin(), cells.end(), [](std::string_view c) { return table_number(c).has_value(); });
    }
    head.remove_prefix(std::min(line.size() + 1, head.size()));
  }
  return false;
}

}  // namespace equipoise::psqa::detail
