// SPDX-License-Identifier: MIT
#pragma once

/// \file
/// A file mapped into memory: the system reads a page of it when a program first looks at it, and may drop the page again.

#include <equipoise/core/base/errors.hpp>

#include <sys/mman.h>

#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>

namespace equipoise::io {

/// The bytes of a regular file, mapped as long as the object lives. Writing to them changes a copy in memory, never the
/// file. The file must not be made shorter meanwhile: the system ends a program that reads beyond its end.
class MappedFile {
 public:
  /// \throws FileError when there is no regular file, or it cannot be mapped.
  explicit MappedFile(const std::filesystem::path& path) {
    namespace ipc = boost::interprocess;
    const std::string where = path.string();
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error))  // opening a named pipe would wait for ever
      throw FileError(message("file.401", where, "expected a readable file"));
    if (std::filesystem::file_size(path, error) == 0) return;
    try {  // without reserving memory for pages that nobody writes to
      const ipc::file_mapping file(where.c_str(), ipc::read_only);
      ipc::mapped_region(file, ipc::copy_on_write, 0, 0, nullptr, MAP_NORESERVE).swap(region_);
    } catch (const ipc::interprocess_exception& e) {
      throw FileError(message("file.401", where, "cannot be mapped into memory: ", e.what()));
    }
  }

  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(region_.get_address()); }
  [[nodiscard]] std::size_t size() const { return region_.get_size(); }

 private:
  boost::interprocess::mapped_region region_;
};

}  // namespace equipoise::io
