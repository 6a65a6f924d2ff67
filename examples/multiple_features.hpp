// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Three views of 2000 handwritten digits, from the public files of UCI's Multiple Features (Duin).

#include <torch/types.h>

#include <cstdint>
#include <equipoise/core/base/errors.hpp>
#include <equipoise/data/standardizer.hpp>
#include <equipoise/data/table.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

struct Views {
  at::Tensor image, fourier, zernike;  ///< [N, 1, H, W], [N, F], [N, Z]
  at::Tensor label;                    ///< int64 [N]
};

/// One view, [2000, columns]: UCI's `mfeat-pix`, numbers between spaces, or `mfeat-pix.csv` with a
/// line of names and the class in the last column. \throws equipoise::FileError
inline at::Tensor read_view(const std::filesystem::path& folder, const std::string& name, std::int64_t columns) {
  if (std::filesystem::exists(folder / (name + ".csv"))) {
    const auto table = equipoise::read_csv(folder / (name + ".csv"), {.header = equipoise::CsvHeader::ignored});
    return table.numbers(table.names()).narrow(1, 0, columns);
  }
  std::ifstream file(folder / name);
  const std::vector<float> numbers{std::istream_iterator<float>(file), {}};
  if (static_cast<std::int64_t>(numbers.size()) != 2000 * columns)
    throw equipoise::FileError(equipoise::message("file.433", (folder / name).string(), "expected 2000 lines of ",
                                                  columns, " numbers, got ", numbers.size(), " numbers"));
  return torch::tensor(numbers).view({2000, columns});
}

/// The files list 200 records of each class, one class after the other.
inline Views read_views(const std::filesystem::path& folder) {
  return {read_view(folder, "mfeat-pix", 240).view({-1, 1, 16, 15}), read_view(folder, "mfeat-fou", 76),
          read_view(folder, "mfeat-zer", 47), torch::arange(10).repeat_interleave(200)};
}

/// The same with mean 0 and deviation 1 of each column over the training records.
inline Views standardised(const Views& v, const std::vector<std::int64_t>& training) {
  const at::Tensor rows = torch::tensor(training);
  const auto scaled = [&](const at::Tensor& x) {
    equipoise::Standardizer scale(x.size(1));
    scale.fit(x.index_select(0, rows));
    return scale.forward(x);
  };
  return {scaled(v.image.flatten(1)).view_as(v.image), scaled(v.fourier), scaled(v.zernike), v.label};
}
