// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A dose distribution from any file that can hold one. The kind is told from the content, not from the name.

#include <equipoise/core/base/errors.hpp>
#include <equipoise/psqa/dose_grid.hpp>
#include <equipoise/psqa/files/file_head.hpp>
#include <equipoise/psqa/readers/file_kind.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace equipoise::psqa {

/// A plane, volume or profile from a file of any known kind.
/// \throws FileError that names the file and what is wrong with it.
[[nodiscard]] inline DoseGrid read_dose(const std::filesystem::path& path, const DoseFileOptions& options) {
  std::optional<DoseGrid> dose;
  for_reader_of(file_kind(path), [&]<class R>() {
    if constexpr (ReadsDoses<R>) {
      dose = R::read_dose(path, options);
    } else {
      const bool vowel = std::string_view("AEIOU").find(R::name.front()) != std::string_view::npos;
      throw FileError(message("file.443", path.string(), "expected a plane or volume of doses, got ",
                              vowel ? "an " : "a ", R::name));
    }
  });
  if (dose) return *std::move(dose);
  // No reader knows it: of a text, the one of tables says what is wrong.
  if (detail::looks_like_text(detail::head_of(path, 4096))) return read_csv_plane(path, options);
  std::string kinds;
  for (const std::string& name : dose_file_names()) kinds += (kinds.empty() ? "" : ", ") + name;
  throw FileError(message("file.443", path.string(), "expected a file of doses (", kinds, "), got another kind"));
}

/// A plane or volume from a file of any known kind.
/// \param spacing_mm of its points, for files that do not say it (`needs_spacing`)
/// \param rows_from where their first row lies, which they do not say either
/// \param interpolated of an array's file take the plane between its elements, not the elements alone
/// \throws FileError that names the file and what is wrong with it.
[[nodiscard]] inline DoseGrid read_dose(const std::filesystem::path& path, const PointSpacing& spacing_mm = {},
                                        bool interpolated = false, RowsFrom rows_from = RowsFrom::bottom) {
  return read_dose(path, DoseFileOptions{spacing_mm, interpolated, rows_from});
}

}  // namespace equipoise::psqa
