// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// Arrays that may be larger than memory: a tensor whose values lie in an NPY file. The system reads what is looked at, so
/// a `Batch` of such tensors is a data set of which `select` and `slice` read only the records that they take.
/// \code
/// const auto data = eq::batch(eq::input<"dose">(eq::mapped_npy("dose.npy")), eq::target<"gpr">(eq::Values{rates}));
/// \endcode

#include <equipoise/core/base/errors.hpp>
#include <equipoise/io/mapped_file.hpp>
#include <equipoise/io/npy.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace equipoise {

namespace detail {

struct NpyTensorType {
  std::string_view npy;
  at::ScalarType tensor;
};
inline constexpr std::array kNpyTensorTypes{NpyTensorType{"<f4", at::kFloat}, NpyTensorType{"<f8", at::kDouble},
                                            NpyTensorType{"<i8", at::kLong}, NpyTensorType{"<i4", at::kInt},
                                            NpyTensorType{"|u1", at::kByte}};

/// \throws FileError for a shape of which strides cannot be computed; only an array without values can have one
[[nodiscard]] inline std::vector<std::int64_t> tensor_sizes(const std::vector<std::size_t>& shape,
                                                            const std::string& where) {
  std::vector<std::int64_t> out;
  std::size_t room = std::size_t{1} << 60;
  for (const std::size_t n : shape) {
    room /= std::max<std::size_t>(n, 1);
    if (room == 0) throw FileError(message("file.412", where, "expected a shape that an array can have"));
    out.push_back(static_cast<std::int64_t>(n));
  }
  return out;
}

}  // namespace detail

/// The array of an NPY file as a tensor on the host, without reading it. The file stays mapped as long as the tensor or a
/// view of it lives, and must not be made shorter meanwhile. Writing to the tensor changes a copy of the page in memory, not
/// the file.
/// \throws FileError for a file that is missing, no regular file, truncated or not NPY, and for an array in Fortran order
/// or of another type than little-endian float32, float64, int64, int32 or uint8.
[[nodiscard]] inline at::Tensor mapped_npy(const std::filesystem::path& path) {
  const std::string where = path.string();
  const io::detail::NpyLayout layout = io::detail::npy_layout(path);
  const auto* type = std::find_if(detail::kNpyTensorTypes.begin(), detail::kNpyTensorTypes.end(),
                                  [&](const auto& t) { return t.npy == layout.type; });
  if (type == detail::kNpyTensorTypes.end())
    throw FileError(
        message("file.413", where, "expected numbers of type <f4, <f8, <i8, <i4 or |u1, got ", layout.type));
  if (layout.fortran) throw FileError(message("file.413", where, "expected C order, got Fortran order"));
  const std::size_t size = c10::elementSize(type->tensor);
  layout.check_size(size, where);
  if (layout.begin % size != 0)
    throw FileError(message("file.413", where, "expected values at a multiple of ", size, " bytes, got them at byte ",
                            layout.begin, "; write the file anew, e.g. with numpy.save"));
  const std::vector<std::int64_t> sizes = detail::tensor_sizes(layout.shape, where);
  auto file = std::make_shared<io::MappedFile>(path);
  if (file->size() != layout.file_size)
    throw FileError(message("file.412", where, "expected a file that does not change while it is opened"));
  std::byte* const values = file->data() + layout.begin;
  return at::from_blob(
      values, sizes, [file = std::move(file)](void*) mutable { file.reset(); }, type->tensor);
}

}  // namespace equipoise
